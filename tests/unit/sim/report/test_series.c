/* Reading JSON lines: what a run says arrives, and whatever is wrong is named with its line. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mycel/error.h>

#include "sim/report/series.h"
#include "tests/unit/sim/report/fixture.h"

#define START                                                                                      \
    "{\"event\":\"start\",\"scenario\":\"s\",\"seed\":1,\"devices\":4,\"gateways\":1,"             \
    "\"params\":9}\n"
#define COST                                                                                       \
    "\"bytes_up\":1,\"bytes_down\":1,\"energy_j\":1,\"trained\":1,\"protocol_only\":1,"            \
    "\"discarded\":0"
#define OUTCOMES "\"selected\":1,\"accepted\":1,\"rejected\":0,\"expired\":0,\"late\":0,"
#define ROUND(n, t)                                                                                \
    "{\"event\":\"round\",\"round\":" n ",\"version\":1,\"virtual_s\":" t "," OUTCOMES COST "}\n"

static void test_run(void **state)
{
    (void)state;
    char problem[REPORT_PROBLEM_BYTES];
    struct fixture f = fixture_plain();
    struct series s;
    FILE *in = fixture_open(&f);
    assert_int_equal(series_read(in, &s, problem), MYCEL_OK);
    (void)fclose(in);
    assert_string_equal(s.title, f.title);
    assert_string_equal(s.strategy, "fedavg");
    assert_int_equal(s.devices, 100);
    assert_int_equal(s.params, 25450);
    assert_int_equal(s.rounds_count, 100);
    assert_true(fabs(s.rounds[9].accuracy - fixture_accuracy(&f, 10)) < 1e-9);
    assert_int_equal(s.rounds[9].cost.bytes_up, 10 * 10 * f.bytes);
    assert_int_equal(s.rounds[99].cost.trained, 1300);
    assert_int_equal(s.classes_count, 10);
    assert_int_equal(s.class_accuracy_round, 100);
    assert_int_equal(s.participation_count, 20);
    assert_int_equal(s.gateway_count, 1);
    assert_int_equal(s.device_class_count, 2);
    assert_string_equal(s.device_class[1].name, "esp32");
    assert_true(s.finished);
    assert_int_equal(s.end_rounds, 100);
    assert_true(fabs(s.wall_s - 4.5) < 1e-9);
    /* Settings keep their order and become text, whatever their type was. */
    assert_string_equal(s.settings[5].key, "goal");
    assert_string_equal(s.settings[5].value, "10");
    assert_string_equal(s.settings[6].value, "1.3");
    assert_string_equal(s.settings[s.settings_count - 1u].value, "no");
    const struct series_round *reached = series_reaches(&s, 0.8);
    assert_non_null(reached);
    assert_true(reached->accuracy >= 0.8 && (reached - 1)->accuracy < 0.8);
    series_free(&s);
}

static void test_unfinished(void **state)
{
    (void)state;
    char problem[REPORT_PROBLEM_BYTES];
    struct fixture f = fixture_plain();
    struct series s;
    f.cut_off = true;
    FILE *in = fixture_open(&f);
    assert_int_equal(series_read(in, &s, problem), MYCEL_OK);
    (void)fclose(in);
    assert_false(s.finished);
    assert_int_equal(s.end_rounds, 100);
    assert_int_equal(s.end.cost.trained, 1300);
    assert_true(series_final_accuracy(&s) == s.rounds[99].accuracy);
    series_free(&s);
}

static void test_several(void **state)
{
    (void)state;
    char problem[REPORT_PROBLEM_BYTES];
    struct series_reader reader;
    struct series s;
    FILE *in = fixture_text(START ROUND("1", "1") START "\n" ROUND("1", "1") ROUND("5", "2"));
    assert_int_equal(series_reader_init(&reader, in), MYCEL_OK);
    assert_int_equal(series_next(&reader, &s, problem), 1);
    assert_int_equal(s.rounds_count, 1);
    assert_true(isnan(s.rounds[0].accuracy));
    assert_null(series_newest_accuracy(&s));
    series_free(&s);
    assert_int_equal(series_next(&reader, &s, problem), 1);
    assert_int_equal(s.rounds_count, 2);
    series_free(&s);
    assert_int_equal(series_next(&reader, &s, problem), 0);
    assert_int_equal(series_next(&reader, &s, problem), 0);
    series_reader_deinit(&reader);

    rewind(in);
    assert_int_equal(series_read(in, &s, problem), MYCEL_E_TOO_LARGE);
    assert_non_null(strstr(problem, "more than one run"));
    (void)fclose(in);
}

/* What comes in, what is answered. */
static const struct {
    const char *text;
    int result;
    const char *problem;
} hostile[] = {
    {"", MYCEL_E_NOT_FOUND, "no run"},
    {"\n \r\n", MYCEL_E_NOT_FOUND, "no run"},
    {"[1]\n", MYCEL_E_MALFORMED, "line 1: not an object with an 'event'"},
    {"\n{}\n", MYCEL_E_MALFORMED, "line 2: not an object"},
    {"{\"event\":7}\n", MYCEL_E_MALFORMED, "line 1: not an object"},
    {"{\"event\":\"start\",\n", MYCEL_E_MALFORMED, "line 1: not JSON"},
    {"{\"event\":\"start\",\"eve", MYCEL_E_MALFORMED, "line 1: the file ends in the middle"},
    {START "{\"event\":\"rou", MYCEL_E_MALFORMED, "line 2: the file ends in the middle"},
    {"{\"event\":\"start\",\"event\":\"done\"}\n", MYCEL_E_MALFORMED, "line 1: not JSON"},
    {"\xff\xfe\n", MYCEL_E_MALFORMED, "line 1: not JSON"},
    {ROUND("1", "1"), MYCEL_E_MALFORMED, "line 1: 'round' before any start"},
    {"{\"event\":\"start\",\"seed\":1,\"devices\":0,\"gateways\":0,\"params\":1}\n",
     MYCEL_E_MALFORMED, "line 1: 'devices' is 0"},
    {"{\"event\":\"start\",\"seed\":-1,\"devices\":1,\"gateways\":0,\"params\":1}\n",
     MYCEL_E_MALFORMED, "line 1: 'seed' is not"},
    {"{\"event\":\"start\",\"seed\":1,\"devices\":1,\"gateways\":0,\"params\":1,\"title\":[]}\n",
     MYCEL_E_MALFORMED, "line 1: 'title' is not a text"},
    {START ROUND("1", "1") ROUND("1", "2"), MYCEL_E_MALFORMED, "line 3: 'round' does not follow"},
    {START ROUND("1", "2") ROUND("2", "1"), MYCEL_E_MALFORMED, "line 3: 'virtual_s' is less"},
    {START ROUND("1", "-1"), MYCEL_E_MALFORMED, "line 2: 'virtual_s' is not"},
    {START ROUND("1.5", "1"), MYCEL_E_MALFORMED, "line 2: 'round' is not a whole number"},
    {START ROUND("1", "1e999"), MYCEL_E_MALFORMED, "line 2: not JSON"},
    {START ROUND("1", "\"1\""), MYCEL_E_MALFORMED, "line 2: 'virtual_s' is not"},
    {START
     "{\"event\":\"round\",\"round\":1,\"version\":1,\"virtual_s\":1,\"accuracy\":1.01," OUTCOMES
         COST "}\n",
     MYCEL_E_MALFORMED, "line 2: 'accuracy' is not a number in 0 … 1"},
    {START "{\"event\":\"round\",\"round\":1,\"version\":1,\"virtual_s\":1,"
           "\"class_accuracy\":[0.5,\"x\"]," OUTCOMES COST "}\n",
     MYCEL_E_MALFORMED, "line 2: 'class_accuracy' has"},
    {START "{\"event\":\"participation\",\"counts\":[]}\n", MYCEL_E_MALFORMED, "line 2: 'counts'"},
    {START "{\"event\":\"participation\",\"counts\":[-3]}\n", MYCEL_E_MALFORMED,
     "line 2: 'counts'"},
    {START "{\"event\":\"gateway\",\"id\":0,\"devices\":1,\"airtime_s\":1,\"busy_permille\":1001,"
           "\"outage_s\":0,\"datagrams\":0,\"lost\":0}\n",
     MYCEL_E_MALFORMED, "line 2: 'busy_permille' is above"},
    {START "{\"event\":\"done\"}\n", MYCEL_E_MALFORMED, "line 2: 'rounds' is not"},
    {START "{\"event\":\"done\",\"rounds\":1,\"virtual_s\":1," COST ",\"model_sha256\":"
           "\"0123456789012345678901234567890123456789012345678901234567890123456789\"}\n",
     MYCEL_E_TOO_LARGE, "line 2: 'model_sha256' is longer than 64 bytes"},
};

static void test_hostile(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        char problem[REPORT_PROBLEM_BYTES];
        struct series s;
        FILE *in = fixture_text(hostile[i].text);
        assert_int_equal(series_read(in, &s, problem), hostile[i].result);
        if (strstr(problem, hostile[i].problem) == NULL) {
            fail_msg("case %zu: '%s' does not say '%s'", i, problem, hostile[i].problem);
        }
        (void)fclose(in);
    }
}

/* Cut after any byte, a run is either read as unfinished or refused; never more. */
static void test_truncated(void **state)
{
    (void)state;
    char problem[REPORT_PROBLEM_BYTES];
    struct fixture f = fixture_plain();
    f.rounds = 3;
    char *whole = fixture_take(fixture_open(&f));
    size_t length = strlen(whole), refused = 0, read = 0;
    for (size_t cut = 0; cut < length; cut += 3) {
        struct series s;
        char kept = whole[cut];
        whole[cut] = '\0';
        FILE *in = fixture_text(whole);
        whole[cut] = kept;
        int result = series_read(in, &s, problem);
        if (result == MYCEL_OK) {
            read++;
            assert_true(!s.finished || cut + 1u >= length);
            series_free(&s);
        } else {
            refused++;
            assert_true(problem[0] != '\0');
        }
        (void)fclose(in);
    }
    assert_true(refused > 100 && read > 0);
    free(whole);
}

static void test_long_line(void **state)
{
    (void)state;
    char problem[REPORT_PROBLEM_BYTES];
    struct series s;
    FILE *in = tmpfile();
    assert_non_null(in);
    (void)fputs(START, in);
    for (size_t i = 0; i <= SERIES_LINE_BYTES_MAX; i++) {
        (void)fputc('[', in);
    }
    rewind(in);
    assert_int_equal(series_read(in, &s, problem), MYCEL_E_TOO_LARGE);
    assert_string_equal(problem, "line 2: longer than 1048576 bytes");
    (void)fclose(in);
}

/* A terminal must not obey a title, and a page must not break on one. */
static void test_control_characters(void **state)
{
    (void)state;
    char problem[REPORT_PROBLEM_BYTES];
    struct series s;
    FILE *in =
        fixture_text("{\"event\":\"start\",\"title\":\"a\\u001b[2J\\n\\u007f\\u009b\\uffffé\","
                     "\"seed\":1,\"devices\":1,\"gateways\":0,\"params\":1}\n");
    assert_int_equal(series_read(in, &s, problem), MYCEL_OK);
    assert_string_equal(s.title, "a?[2J??\?\?\?\?\?é");
    series_free(&s);
    (void)fclose(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
