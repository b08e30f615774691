/* Numbers, times and sizes as people read them. */
#include "cmocka_all.h"

#include "server/cli/say.h"

static void test_sizes(void **state)
{
    char out[SAY_SIZE_BYTES];
    (void)state;
    assert_string_equal(say_size(0, out), "0 B");
    assert_string_equal(say_size(999, out), "999 B");
    assert_string_equal(say_size(1000, out), "1.0 kB");
    assert_string_equal(say_size(25133519, out), "25.1 MB");
    assert_string_equal(say_size(101800, out), "102 kB");
    assert_string_equal(say_size(999499, out), "999 kB");
    assert_string_equal(say_size(999500, out), "1.0 MB");
    assert_string_equal(say_size(UINT64_MAX, out), "18446744 TB");
}

static void test_counts(void **state)
{
    char out[SAY_COUNT_BYTES];
    (void)state;
    assert_string_equal(say_count(0, out), "0");
    assert_string_equal(say_count(999, out), "999");
    assert_string_equal(say_count(25450, out), "25,450");
    assert_string_equal(say_count(1000000, out), "1,000,000");
    assert_string_equal(say_count(UINT64_MAX, out), "18,446,744,073,709,551,615");
}

static void test_times(void **state)
{
    char out[SAY_TIME_BYTES];
    (void)state;
    assert_string_equal(say_time(0, out), "-");
    assert_string_equal(say_time(1000, out), "1970-01-01T00:00:01Z");
    assert_string_equal(say_time(UINT64_C(2147483648000), out), "2038-01-19T03:14:08Z");
}

static void test_hex(void **state)
{
    static const uint8_t bytes[] = {0x00, 0x9F, 0xFF};
    char out[7];
    (void)state;
    assert_string_equal(say_hex(bytes, 3, out), "009fff");
    assert_string_equal(say_hex(bytes, 0, out), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes), cmocka_unit_test(test_counts),
                                       cmocka_unit_test(test_times), cmocka_unit_test(test_hex)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
