/* The report of one run: well formed, self-contained, escaped, bounded, and with the right figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mycel/error.h>

#include "sim/report/csv.h"
#include "sim/report/html.h"
#include "tests/unit/sim/report/fixture.h"
#include "tests/unit/sim/report/markup.h"

/* The page of a run; the caller frees it. */
static char *page_of(FILE *in)
{
    char problem[REPORT_PROBLEM_BYTES];
    FILE *out = tmpfile();
    assert_non_null(out);
    assert_int_equal(report_html(in, out, problem), MYCEL_OK);
    (void)fclose(in);
    char *page = fixture_take(out);
    size_t at = 0;
    const char *wrong = markup_problem(page, &at);
    if (wrong != NULL) {
        fail_msg("%s at byte %zu: %.80s", wrong, at, page + at);
    }
    return page;
}

static char *page_of_fixture(const struct fixture *f)
{
    return page_of(fixture_open(f));
}

static void assert_has(const char *page, const char *text)
{
    if (strstr(page, text) == NULL) {
        fail_msg("the page does not say '%s'", text);
    }
}

static void test_markup_check(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "<p>x</p>",
        "<!DOCTYPE html>\n<p>x",
        "<!DOCTYPE html>\n<p><b>x</p></b>",
        "<!DOCTYPE html>\n<p>a & b</p>",
        "<!DOCTYPE html>\n<p class=x>a</p>",
        "<!DOCTYPE html>\n<p class=\"a\" class=\"b\">a</p>",
        "<!DOCTYPE html>\n<p title=\"<b>\">a</p>",
        "<!DOCTYPE html>\n<p>a < b</p>",
    };
    size_t at;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_non_null(markup_problem(bad[i], &at));
    }
    assert_null(markup_problem("<!DOCTYPE html>\n<p class=\"a\">x &lt; y<br/></p>\n", &at));
}

static void test_figures(void **state)
{
    (void)state;
    struct fixture f = fixture_plain();
    char *page = page_of_fixture(&f);
    static const char *const golden[] = {
        "<title>Clothes on a hundred devices · Mycel simulation</title>",
        "784-32-10 (25,450 parameters)",
        "<dt>Rounds</dt><dd class=\"big\">100</dd>",
        "<dt>Virtual time</dt><dd class=\"big\">2 h 36 min</dd>",
        "simulated in 4.5 s",
        "<dt>Energy per device</dt><dd class=\"big\">41.2 J</dd>",
        "4.12 kJ for the fleet",
        "<dt>Sent per device</dt><dd class=\"big\">1.02 MB</dd>",
        "<dt>Received per device</dt><dd class=\"big\">1.38 MB</dd>",
        "trained 1,300, protocol-only 8,700",
        "Over the fleet: 47.0 % computing, 53.0 % radio.",
        "commit <code>d20ad01</code>",
        "mycel sim run fashion.ini --seed 1</code>",
        "0000000000000000000000000000000000000000000000000000000000000042",
        "<dt>partition</dt><dd>dirichlet:0.5</dd>",
    };
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        assert_has(page, golden[i]);
    }
    char accuracy[64];
    (void)snprintf(accuracy, sizeof accuracy,
                   "<dt>Final accuracy</dt><dd class=\"big\">%.1f %%</dd>",
                   100.0 * fixture_accuracy(&f, 100));
    assert_has(page, accuracy);
    assert_null(strstr(page, "did not end"));
    free(page);
}

static void test_self_contained(void **state)
{
    (void)state;
    struct fixture f = fixture_plain();
    char *page = page_of_fixture(&f);
    /* The only addresses are the two names of namespaces, which nothing ever fetches. */
    assert_int_equal(markup_count(page, "http"), 1 + 1 + 1);
    assert_int_equal(markup_count(page, "http-equiv"), 1);
    assert_int_equal(markup_count(page, "http://www.w3.org/"), 2);
    assert_null(strstr(page, "url("));
    assert_null(strstr(page, "@import"));
    assert_null(strstr(page, " src="));
    assert_null(strstr(page, "href="));
    assert_null(strstr(page, "fetch("));
    assert_has(page, "default-src 'none'");
    free(page);
}

static void test_accessible(void **state)
{
    (void)state;
    struct fixture f = fixture_plain();
    char *page = page_of_fixture(&f);
    size_t charts = markup_count(page, "<svg class=\"chart\"");
    assert_int_equal(charts, 9);
    assert_int_equal(markup_count(page, "role=\"img\""), charts);
    assert_int_equal(markup_count(page, "<title id=\""), charts);
    assert_int_equal(markup_count(page, "<desc id=\""), charts);
    assert_true(markup_count(page, "<details>") >= 5);
    assert_has(page, "<html lang=\"en\"");
    assert_has(page, "name=\"viewport\"");
    assert_has(page, "prefers-color-scheme:dark");
    free(page);
}

static void test_escaping(void **state)
{
    (void)state;
    char *page = page_of(fixture_text(
        "{\"event\":\"start\",\"scenario\":\"a\\\"b.ini --x\",\"title\":\"</h1><script>alert(1)"
        "</script>\",\"seed\":1,\"commit\":\"<c>\",\"devices\":2,\"gateways\":1,\"model\":\"<m>\","
        "\"params\":1,\"strategy\":\"'\\\"><img src=x>\",\"codec\":\"&amp;\","
        "\"settings\":{\"<k onload=1>\":\"</dd><b>\"}}\n"
        "{\"event\":\"gateway\",\"id\":0,\"link\":\"\\\"onmouseover=\\\"x\",\"devices\":1,"
        "\"airtime_s\":1,\"busy_permille\":1000,\"outage_s\":5,\"datagrams\":0,\"lost\":0}\n"
        "{\"event\":\"class\",\"name\":\"</title><svg onload=x>\",\"devices\":0,\"energy_j\":0,"
        "\"energy_compute_j\":0,\"energy_radio_j\":0,\"trained\":0,\"protocol_only\":0,"
        "\"discarded\":0}\n"));
    assert_null(strstr(page, "<script>alert"));
    assert_null(strstr(page, "<img"));
    assert_null(strstr(page, "\"onmouseover"));
    assert_null(strstr(page, "<svg onload"));
    assert_has(page, "&lt;/h1&gt;&lt;script&gt;alert(1)&lt;/script&gt;");
    assert_has(page, "<b>&amp;amp;</b>");
    assert_has(page, "<dt>&lt;k onload=1&gt;</dt><dd>&lt;/dd&gt;&lt;b&gt;</dd>");
    assert_has(page, "This run did not end");
    free(page);
}

/* No run makes a page that cannot be mailed, and no run makes none. */
static void test_sizes(void **state)
{
    (void)state;
    static const unsigned sizes[][2] = {{0, 0}, {1, 1}, {2, 72}, {121, 73}, {20000, 3000}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct fixture f = fixture_plain();
        f.rounds = sizes[i][0];
        f.gateways = sizes[i][1];
        char *page = page_of_fixture(&f);
        assert_true(strlen(page) < 320000);
        free(page);
        f.no_accuracy = true;
        f.cut_off = true;
        page = page_of_fixture(&f);
        assert_has(page, "Not measured in this run.");
        free(page);
    }
}

static void test_same_bytes(void **state)
{
    (void)state;
    struct fixture f = fixture_plain();
    char *first = page_of_fixture(&f);
    char *second = page_of_fixture(&f);
    assert_string_equal(first, second);
    free(first);
    free(second);
}

/* Nothing is written for a bad run; a full disk is noticed. */
static void test_failures(void **state)
{
    (void)state;
    char problem[REPORT_PROBLEM_BYTES];
    FILE *in = fixture_text("{\"event\":\"start\"}\n");
    FILE *out = tmpfile();
    assert_int_equal(report_html(in, out, problem), MYCEL_E_MALFORMED);
    assert_int_equal(ftell(out), 0);
    (void)fclose(in);
    (void)fclose(out);

    struct fixture f = fixture_plain();
    in = fixture_open(&f);
    out = fopen("/dev/full", "w");
    assert_non_null(out);
    assert_int_equal(report_html(in, out, problem), MYCEL_E_IO);
    assert_string_equal(problem, "cannot be written");
    rewind(in);
    assert_int_equal(report_csv(in, out, problem), MYCEL_E_IO);
    (void)fclose(in);
    (void)fclose(out);
}

static void test_csv(void **state)
{
    (void)state;
    char problem[REPORT_PROBLEM_BYTES];
    struct fixture f = fixture_plain();
    FILE *in = tmpfile();
    FILE *out = tmpfile();
    f.rounds = 2;
    fixture_write(in, &f);
    f.seed = 7;
    f.no_accuracy = true;
    fixture_write(in, &f);
    rewind(in);
    assert_int_equal(report_csv(in, out, problem), MYCEL_OK);
    (void)fclose(in);
    char *text = fixture_take(out);
    char row[256];
    f.seed = 1;
    double accuracy = fixture_accuracy(&f, 2);
    assert_int_equal(markup_count(text, "\r\n"), 5);
    assert_int_equal(strncmp(text, "run,seed,round,version,virtual_s,accuracy,loss,selected,", 56),
                     0);
    (void)snprintf(row, sizeof row, "\r\n1,1,2,2,187,%.15g,", accuracy);
    assert_has(text, row);
    assert_has(text, ",2048000,2756000,82.5,26,174,");
    assert_has(text, "\r\n2,7,1,1,93.5,,,13,10,");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markup_check),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_self_contained),
        cmocka_unit_test(test_accessible),
        cmocka_unit_test(test_escaping),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_csv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
