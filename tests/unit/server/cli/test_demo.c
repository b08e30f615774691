/* The demo's pure parts: the crossing's known figures, the drawn digits, the chart, progress. */
#include "cmocka_all.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "server/cli/demo/chart.h"
#include "server/cli/demo/digits.h"
#include "server/cli/demo/progress.h"
#include "server/cli/demo/streetlight.h"

/* ---- street crossing ---------------------------------------------------------------------- */

static void test_crossing_first_and_last_pass(void **state)
{
    static const double first[STREETLIGHT_CASES] = {-0.2, -0.2, -0.56, 0.616, 0.1728, 0.17552};
    double weights[STREETLIGHT_INPUTS];
    struct streetlight_pass pass;
    (void)state;
    for (int i = 0; i < STREETLIGHT_INPUTS; i++) {
        weights[i] = (double)streetlight_initial[i];
    }
    streetlight_pass(weights, &pass);
    for (int i = 0; i < STREETLIGHT_CASES; i++) {
        assert_true(fabs(pass.predictions[i] - first[i]) < 1e-6);
    }
    assert_true(fabs(pass.error - 2.6561231104) < 1e-6);
    assert_false(streetlight_check(weights, true)); /* it has not learned enough yet */
    for (int i = 1; i < STREETLIGHT_PASSES - 1; i++) {
        streetlight_pass(weights, &pass);
    }
    assert_true(streetlight_check(weights, true));
    weights[1] += 1e-4;
    assert_false(streetlight_check(weights, true));
}

/* ---- digits ------------------------------------------------------------------------------- */

static void test_digits_are_reproducible_and_balanced(void **state)
{
    uint8_t one[DIGITS_SIDE * DIGITS_SIDE], two[DIGITS_SIDE * DIGITS_SIDE];
    unsigned counts[DIGITS_CLASSES] = {0};
    (void)state;
    assert_int_equal(digits_draw(7, 1, 3, one), digits_draw(7, 1, 3, two));
    assert_memory_equal(one, two, sizeof one);
    (void)digits_draw(8, 1, 3, two);
    assert_memory_not_equal(one, two, sizeof one);
    (void)digits_draw(7, 2, 3, two); /* held-out pictures are others */
    assert_memory_not_equal(one, two, sizeof one);
    for (uint32_t i = 0; i < 2000; i++) {
        uint8_t label = digits_draw(7, 1, i, one);
        assert_true(label < DIGITS_CLASSES);
        counts[label]++;
    }
    for (size_t i = 0; i < DIGITS_CLASSES; i++) {
        assert_in_range(counts[i], 140, 260);
    }
}

/* ---- chart -------------------------------------------------------------------------------- */

static void test_chart_rises_from_corner_to_corner(void **state)
{
    static const double values[] = {0.0, 0.5, 1.0};
    struct chart c;
    (void)state;
    chart_draw(&c, values, 3, 8, 4, false);
    assert_true(c.low == 0.0 && c.high == 1.0);
    assert_int_equal(c.lines[3][0], '*');
    assert_int_equal(c.lines[0][7], '*');
    assert_int_equal(c.lines[0][0], ' ');
    assert_int_equal(c.lines[3][7], ' ');
    for (int row = 0; row < 4; row++) {
        assert_int_equal(strlen(c.lines[row]), 8);
    }
    chart_draw(&c, values, 3, 8, 4, true);
    assert_int_equal(strlen(c.lines[0]), 24);
    assert_memory_equal(c.lines[0], "\xE2\xA0\x80", 3); /* an empty braille cell */
}

static void test_chart_of_little(void **state)
{
    static const double same[] = {0.3, 0.3};
    struct chart c;
    (void)state;
    chart_draw(&c, same, 0, 4, 2, false);
    assert_string_equal(c.lines[0], "    ");
    chart_draw(&c, same, 1, 1, 1, true);
    chart_draw(&c, same, 2, 4, 2, false);
    assert_true(strchr(c.lines[0], '*') != NULL || strchr(c.lines[1], '*') != NULL);
}

/* ---- progress ----------------------------------------------------------------------------- */

static bool feed(struct progress *p, const char *text)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(ends[1]), 0);
    bool matters = progress_read(p, ends[0], NULL);
    assert_int_equal(close(ends[0]), 0);
    return matters;
}

static void test_progress_follows_the_log(void **state)
{
    static struct progress p;
    (void)state;
    progress_init(&p, 1);
    assert_false(feed(&p, "not json\n{\"event\":\"update_accepted\",\"round\":1,"
                          "\"device\":\"device-03\"}\n"));
    assert_int_equal(p.reported_count, 1);
    assert_true(p.reported[2]);
    /* Split anywhere; told twice; the next round starts from nothing. */
    assert_false(feed(&p, "{\"event\":\"update_accepted\",\"round\":1,\"dev"));
    assert_false(feed(&p, "ice\":\"device-03\"}\n"));
    assert_int_equal(p.reported_count, 1);
    assert_true(feed(&p, "{\"event\":\"round_committed\",\"round\":1,\"bytes_up\":500,"
                         "\"bytes_down\":700}\n"));
    assert_int_equal(p.bytes_up, 500);
    assert_false(
        feed(&p, "{\"event\":\"update_accepted\",\"round\":2,\"device\":\"device-01\"}\n"));
    assert_int_equal(p.open_round, 2);
    assert_int_equal(p.reported_count, 1);
    assert_false(p.reported[2]);
    /* A new coordinator counts from zero; the demo does not. */
    progress_restarted(&p);
    (void)feed(&p,
               "{\"event\":\"round_committed\",\"round\":2,\"bytes_up\":40,\"bytes_down\":60}\n");
    assert_int_equal(p.bytes_up, 540);
    assert_int_equal(p.bytes_down, 760);
}

/* The database may show a round before the log tells of it. */
static void test_bytes_belong_to_their_round(void **state)
{
    static struct progress p;
    (void)state;
    progress_init(&p, 1);
    p.rounds[0] = (struct progress_round){.round = 1, .at_ms = 100};
    p.rounds[1] = (struct progress_round){.round = 2, .at_ms = 150};
    p.count = 2;
    assert_false(progress_is_settled(&p.rounds[1], 200));
    (void)feed(&p, "{\"event\":\"round_committed\",\"round\":1,\"bytes_up\":5,\"bytes_down\":6}\n"
                   "{\"event\":\"round_committed\",\"round\":2,\"bytes_up\":9,\"bytes_down\":8}\n");
    assert_int_equal(p.rounds[0].bytes_up, 5);
    assert_int_equal(p.rounds[0].bytes_down, 6);
    assert_int_equal(p.rounds[1].bytes_up, 9);
    assert_true(progress_is_settled(&p.rounds[1], 200));
    p.rounds[2] = (struct progress_round){.round = 3, .at_ms = 200};
    assert_false(progress_is_settled(&p.rounds[2], 200 + PROGRESS_TOLD_MS));
    assert_true(progress_is_settled(&p.rounds[2], 201 + PROGRESS_TOLD_MS));
}

static void test_progress_survives_nonsense(void **state)
{
    static struct progress p;
    static char line[2 * PROGRESS_LINE_BYTES];
    (void)state;
    progress_init(&p, 1);
    memset(line, 'x', sizeof line - 1u);
    (void)feed(&p, line);
    (void)feed(&p, "\n[]\n\"text\"\n{\"event\":3}\n"
                   "{\"event\":\"update_accepted\",\"round\":1,\"device\":\"device-0\"}\n"
                   "{\"event\":\"update_accepted\",\"round\":1,\"device\":\"device-999999\"}\n"
                   "{\"event\":\"update_accepted\",\"round\":1}\n");
    assert_int_equal(p.reported_count, 0);
    (void)feed(&p, "{\"level\":\"error\",\"event\":\"disk\",\"reason\":\"full\"}\n");
    assert_string_equal(p.problem, "disk: full");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crossing_first_and_last_pass),
        cmocka_unit_test(test_digits_are_reproducible_and_balanced),
        cmocka_unit_test(test_chart_rises_from_corner_to_corner),
        cmocka_unit_test(test_chart_of_little),
        cmocka_unit_test(test_progress_follows_the_log),
        cmocka_unit_test(test_bytes_belong_to_their_round),
        cmocka_unit_test(test_progress_survives_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
