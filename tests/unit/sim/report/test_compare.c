/* Runs side by side: grouping, statistics, and the same figures in text, JSON and HTML. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <mycel/error.h>

#include "sim/report/compare.h"
#include "sim/report/spread.h"
#include "tests/unit/sim/report/fixture.h"
#include "tests/unit/sim/report/markup.h"

static void add(struct runs *runs, const struct fixture *f, const char *name)
{
    char problem[REPORT_PROBLEM_BYTES];
    FILE *in = fixture_open(f);
    assert_int_equal(runs_add(runs, in, name, problem), MYCEL_OK);
    (void)fclose(in);
}

static char *written(int (*write)(FILE *, const struct runs *), const struct runs *runs)
{
    FILE *out = tmpfile();
    assert_non_null(out);
    assert_int_equal(write(out, runs), MYCEL_OK);
    return fixture_take(out);
}

static void assert_has(const char *text, const char *what)
{
    if (strstr(text, what) == NULL) {
        fail_msg("'%s' is missing in:\n%s", what, text);
    }
}

/* A: 86 % in 100 rounds. B: 88 % in 50 rounds with a quarter of the bytes sent. */
static void make_pair(struct runs *runs)
{
    char problem[REPORT_PROBLEM_BYTES];
    struct fixture f = fixture_plain();
    *runs = (struct runs){0};
    add(runs, &f, "a.jsonl");
    f.codec = "int8";
    f.rounds = 50;
    f.best = 0.88;
    f.bytes /= 4;
    add(runs, &f, "b.jsonl");
    assert_int_equal(runs_group(runs, problem), MYCEL_OK);
}

static void test_pair_text(void **state)
{
    (void)state;
    struct runs runs;
    make_pair(&runs);
    char *text = written(compare_text, &runs);
    assert_has(text, "A  a.jsonl: codec=f32, rounds=100; seed 1; 100 devices; commit d20ad01\n");
    assert_has(text, "\ncodec                     f32                         int8\n");
    assert_has(text, "\nSent per device                              1.02 MB"
                     "                      128 kB  −896 kB (−87.5 %)\n");
    assert_has(text, "\nRounds                                           100"
                     "                          50  −50 (−50.0 %)\n");
    assert_has(text, "\nVirtual time                              2 h 36 min"
                     "                  1 h 18 min  −1 h 18 min (−50.0 %)\n");
    assert_has(text, "\nACCURACY AFTER ROUND");
    assert_has(text, "\n50  ");
    assert_null(strstr(text, "\n100  ")); /* only one of them came that far */
    assert_has(text, "\nTO REACH 80 %");
    free(text);
    runs_free(&runs);
}

static void test_pair_json(void **state)
{
    (void)state;
    struct runs runs;
    make_pair(&runs);
    char *text = written(compare_json, &runs);
    json_t *all = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    double sent = 0.0, apart = 0.0;
    const char *codec = NULL;
    int count = 0;
    assert_int_equal(json_unpack(all, "{s:[{}, {s:{s:s}, s:{s:{s:f, s:i}}}], s:{s:f}}", "groups",
                                 "settings", "codec", &codec, "end", "bytes_up_per_device", "mean",
                                 &sent, "runs", &count, "difference", "bytes_up_per_device",
                                 &apart),
                     0);
    assert_string_equal(codec, "int8");
    assert_true(sent == 50 * 10 * 25600.0 / 100.0);
    assert_true(apart == sent - 100 * 10 * 102400.0 / 100.0);
    assert_int_equal(count, 1);
    json_decref(all);
    free(text);
    runs_free(&runs);
}

static void test_page(void **state)
{
    (void)state;
    struct runs runs;
    size_t at = 0;
    make_pair(&runs);
    char *page = written(compare_html, &runs);
    const char *wrong = markup_problem(page, &at);
    if (wrong != NULL) {
        fail_msg("%s: %.80s", wrong, page + at);
    }
    assert_has(page, "<td>Sent per device</td><td>1.02 MB</td><td>128 kB</td>"
                     "<td>−896 kB (−87.5 %)</td>");
    assert_int_equal(markup_count(page, "<svg class=\"chart\""), 6);
    assert_int_equal(markup_count(page, "class=\"l s1\" data-n"), 5);
    assert_int_equal(markup_count(page, "<rect class=\"f1\""), 1); /* a bar in its line's colour */
    free(page);
    runs_free(&runs);
}

/* Three strategies over three seeds; the third never reaches what the others do. */
static void make_sweep(struct runs *runs)
{
    static const struct {
        const char *strategy;
        double best;
    } settings[] = {{"fedavg", 0.86}, {"clip 1.0 > fedadam", 0.88}, {"<b>&", 0.5}};
    char problem[REPORT_PROBLEM_BYTES];
    struct fixture f = fixture_plain();
    FILE *all = tmpfile();
    assert_non_null(all);
    *runs = (struct runs){0};
    for (f.seed = 1; f.seed <= 3; f.seed++) {
        for (size_t i = 0; i < 3; i++) {
            f.strategy = settings[i].strategy;
            f.best = settings[i].best;
            fixture_write(all, &f);
        }
    }
    rewind(all);
    assert_int_equal(runs_add(runs, all, "sweep.jsonl", problem), MYCEL_OK);
    (void)fclose(all);
    assert_int_equal(runs_group(runs, problem), MYCEL_OK);
}

static void test_sweep(void **state)
{
    (void)state;
    struct runs runs;
    make_sweep(&runs);
    assert_int_equal(runs.count, 9);
    assert_int_equal(runs.groups_count, 3);
    assert_int_equal(runs.groups[1].count, 3);
    assert_string_equal(runs.groups[1].label, "strategy=clip 1.0 > fedadam");

    struct fixture f = fixture_plain();
    double values[3], mean = 0.0, squares = 0.0;
    for (size_t i = 0; i < 3; i++) {
        f.seed = i + 1u;
        values[i] = fixture_accuracy(&f, 100);
        mean += values[i] / 3.0;
    }
    for (size_t i = 0; i < 3; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
    }
    struct spread s = spread_of_metric(&runs, 0, &metrics[0]);
    assert_int_equal(s.count, 3);
    assert_true(fabs(s.mean - mean) < 1e-9);
    assert_true(fabs(s.deviation - sqrt(squares / 2.0)) < 1e-9);
    assert_int_equal(spread_to_reach(&runs, 2, 0.8, &curve_axes[0]).count, 0);

    char *text = written(compare_text, &runs);
    assert_has(text, " 1  strategy=fedavg; 3 runs; 100 devices; commit d20ad01\n");
    assert_has(text, "0 of 3");
    free(text);
    char *page = written(compare_html, &runs);
    size_t at = 0;
    assert_null(markup_problem(page, &at));
    assert_has(page, "strategy=&lt;b&gt;&amp;");
    assert_int_equal(markup_count(page, "class=\"band"), 3 * 5);
    free(page);
    text = written(compare_json, &runs);
    assert_null(strstr(text, "difference"));
    assert_int_equal(markup_count(text, "\"seed\":"), 9);
    free(text);
    runs_free(&runs);
}

/* More settings than fit a chart: the best are drawn, all are in the tables. */
static void test_many(void **state)
{
    (void)state;
    char problem[REPORT_PROBLEM_BYTES];
    struct runs runs = {0};
    struct fixture f = fixture_plain();
    char strategies[9][16];
    f.rounds = 30;
    for (unsigned i = 0; i < 9; i++) {
        (void)snprintf(strategies[i], sizeof strategies[i], "rule-%u", i);
        f.strategy = strategies[i];
        f.best = 0.4 + 0.05 * i;
        add(&runs, &f, "x");
    }
    assert_int_equal(runs_group(&runs, problem), MYCEL_OK);
    char *page = written(compare_html, &runs);
    assert_has(page, "data-name=\"strategy=rule-8\"");
    assert_null(strstr(page, "data-name=\"strategy=rule-2\""));
    assert_has(page, "<td>strategy=rule-0</td>");
    free(page);
    runs_free(&runs);
}

static void test_refused(void **state)
{
    (void)state;
    char problem[REPORT_PROBLEM_BYTES];
    struct runs runs = {0};
    struct fixture f = fixture_plain();
    FILE *in = fixture_text("");
    assert_int_equal(runs_add(&runs, in, "empty", problem), MYCEL_E_NOT_FOUND);
    assert_string_equal(problem, "empty: no run in it");
    (void)fclose(in);
    in = fixture_text("{\"event\":\"start\"}\n");
    assert_int_equal(runs_add(&runs, in, "bad\033[2J", problem), MYCEL_E_MALFORMED);
    assert_string_equal(problem, "bad?[2J: line 1: 'seed' is not a whole number from 0");
    (void)fclose(in);
    add(&runs, &f, "one");
    assert_int_equal(runs_group(&runs, problem), MYCEL_E_NOT_FOUND);
    assert_string_equal(problem, "nothing to compare: one run only");
    runs_free(&runs);
}

/* Two runs that differ in their seeds only are compared all the same; runs without any accuracy and
 * without any round are, too. */
static void test_bare(void **state)
{
    (void)state;
    char problem[REPORT_PROBLEM_BYTES];
    struct runs runs = {0};
    struct fixture f = fixture_plain();
    f.no_accuracy = true;
    f.rounds = 0;
    add(&runs, &f, "one");
    f.seed = 2;
    add(&runs, &f, "two");
    assert_int_equal(runs_group(&runs, problem), MYCEL_OK);
    assert_int_equal(runs.groups_count, 2);
    assert_string_equal(runs.groups[1].label, "two, seed 2");
    char *text = written(compare_text, &runs);
    assert_has(text, "\nFinal accuracy                                     –"
                     "                           –  –\n");
    free(text);
    free(written(compare_json, &runs));
    char *page = written(compare_html, &runs);
    size_t at = 0;
    assert_null(markup_problem(page, &at));
    free(page);
    runs_free(&runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pair_text), cmocka_unit_test(test_pair_json),
        cmocka_unit_test(test_page),      cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_many),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
