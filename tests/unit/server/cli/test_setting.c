/* Text to value and back, for every type of setting. */
#include "cmocka_all.h"

#include <string.h>

#include <mycel/error.h>

#include "server/cli/setting.h"

struct values {
    bool on;
    const char *text;
    uint64_t count;
    double real;
    unsigned choice;
};

static const char *const colours[] = {"red", "amber", "green", NULL};

static int parse(enum setting_type type, size_t offset, double min, double max, const char *text,
                 struct values *v, char *message)
{
    struct setting s = {
        .name = "x", .type = type, .min = min, .max = max, .choices = colours, .offset = offset};
    return setting_assign(&s, v, text, message);
}

#define PARSE(type, member, min, max, text)                                                        \
    parse(SETTING_##type, offsetof(struct values, member), min, max, text, &v, message)

static void test_counts(void **state)
{
    struct values v = {0};
    char message[SETTING_MESSAGE_BYTES] = "";
    (void)state;
    assert_int_equal(PARSE(COUNT, count, 0, 0, "42"), MYCEL_OK);
    assert_int_equal(v.count, 42);
    assert_int_equal(PARSE(COUNT, count, 0, 0, "3k"), MYCEL_OK);
    assert_int_equal(v.count, 3000);
    assert_int_equal(PARSE(COUNT, count, 0, 0, "18446744073709551615"), MYCEL_OK);
    assert_true(v.count == UINT64_MAX);
    static const char *const wrong[] = {"",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1x",
                                        "0x10",
                                        "1.5",
                                        "18446744073709551616",
                                        "18446744073709551615k"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        v.count = 7;
        assert_int_equal(PARSE(COUNT, count, 0, 0, wrong[i]), MYCEL_E_INVALID);
        assert_int_equal(v.count, 7);
    }
}

static void test_bounds_are_inclusive(void **state)
{
    struct values v = {0};
    char message[SETTING_MESSAGE_BYTES] = "";
    (void)state;
    assert_int_equal(PARSE(COUNT, count, 1, 65535, "1"), MYCEL_OK);
    assert_int_equal(PARSE(COUNT, count, 1, 65535, "65535"), MYCEL_OK);
    v.count = 9;
    assert_int_equal(PARSE(COUNT, count, 1, 65535, "0"), MYCEL_E_INVALID);
    assert_int_equal(PARSE(COUNT, count, 1, 65535, "65536"), MYCEL_E_INVALID);
    assert_string_equal(message, "must lie between 1 and 65535");
    assert_int_equal(v.count, 9);
    assert_int_equal(PARSE(REAL, real, 0, 1, "1.0"), MYCEL_OK);
    assert_int_equal(PARSE(REAL, real, 0, 1, "1.0001"), MYCEL_E_INVALID);
    assert_int_equal(PARSE(TEXT, text, 1, 3, ""), MYCEL_E_INVALID);
    assert_int_equal(PARSE(TEXT, text, 1, 3, "abc"), MYCEL_OK);
    assert_int_equal(PARSE(TEXT, text, 1, 3, "abcd"), MYCEL_E_INVALID);
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {{"0", 0},       {"5", 5000},     {"250ms", 250},  {"5s", 5000},
                {"3m", 180000}, {"2h", 7200000}, {"1d", 86400000}};
    struct values v = {0};
    char message[SETTING_MESSAGE_BYTES] = "";
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(PARSE(DURATION, count, 0, 0, rows[i].text), MYCEL_OK);
        assert_int_equal(v.count, rows[i].ms);
    }
    assert_int_equal(PARSE(DURATION, count, 0, 0, "5w"), MYCEL_E_INVALID);
    assert_int_equal(PARSE(DURATION, count, 10, 1000, "2s"), MYCEL_E_INVALID);
    assert_string_equal(message, "must lie between 0.01 s and 1 s");
}

static void test_reals_are_finite(void **state)
{
    struct values v = {0};
    char message[SETTING_MESSAGE_BYTES] = "";
    (void)state;
    assert_int_equal(PARSE(REAL, real, 0, 0, "-2.5e-1"), MYCEL_OK);
    assert_true(v.real == -0.25);
    static const char *const wrong[] = {"", "nan", "inf", "1e999", "1,5", "0.1f"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(PARSE(REAL, real, 0, 0, wrong[i]), MYCEL_E_INVALID);
    }
}

static void test_switches_and_choices(void **state)
{
    struct values v = {0};
    char message[SETTING_MESSAGE_BYTES] = "";
    (void)state;
    assert_int_equal(PARSE(SWITCH, on, 0, 0, "yes"), MYCEL_OK);
    assert_true(v.on);
    assert_int_equal(PARSE(SWITCH, on, 0, 0, "off"), MYCEL_OK);
    assert_false(v.on);
    assert_int_equal(PARSE(SWITCH, on, 0, 0, "maybe"), MYCEL_E_INVALID);
    assert_int_equal(PARSE(CHOICE, choice, 0, 0, "green"), MYCEL_OK);
    assert_int_equal(v.choice, 2);
    assert_int_equal(PARSE(CHOICE, choice, 0, 0, "grene"), MYCEL_E_INVALID);
    assert_non_null(strstr(message, "did you mean 'green'?"));
    assert_non_null(strstr(message, "red, amber, green"));
}

/* A value that is printed and read again is the same value. */
static void test_printing_round_trips(void **state)
{
    static const struct {
        enum setting_type type;
        size_t offset;
        const char *text;
    } rows[] = {{SETTING_SWITCH, offsetof(struct values, on), "yes"},
                {SETTING_TEXT, offsetof(struct values, text), "/some/where"},
                {SETTING_COUNT, offsetof(struct values, count), "123456789012"},
                {SETTING_DURATION, offsetof(struct values, count), "1500ms"},
                {SETTING_DURATION, offsetof(struct values, count), "90s"},
                {SETTING_REAL, offsetof(struct values, real), "0.1"},
                {SETTING_CHOICE, offsetof(struct values, choice), "amber"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct values v = {0};
        char message[SETTING_MESSAGE_BYTES], out[64];
        struct setting s = {.type = rows[i].type, .choices = colours, .offset = rows[i].offset};
        assert_int_equal(setting_assign(&s, &v, rows[i].text, message), MYCEL_OK);
        assert_string_equal(setting_text(&s, &v, out, sizeof out), rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_bounds_are_inclusive),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_reals_are_finite),
        cmocka_unit_test(test_switches_and_choices),
        cmocka_unit_test(test_printing_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
