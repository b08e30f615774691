/* The file that people copy compiles, and behaves like a device without a radio. */
#include "client/port/template/port_template.c" // NOLINT: it belongs to no library

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// cmocka needs those above
#include <cmocka.h>

static void test_without_a_radio(void **state)
{
    (void)state;
    static struct template_port port;
    uint64_t now_ms = 5;
    assert_int_equal(template_port_init(&port, now_ms), 0);
    unsigned polls = 0;
    while (now_ms < 24u * 3600000u) {
        now_ms += mycel_client_poll(&port.client, now_ms);
        polls++;
        assert_true(polls < 1000); /* the backoff holds */
    }
    assert_true(polls > 100);
    assert_string_equal(mycel_client_state_name(mycel_client_state(&port.client)), "SLEEP");
    mycel_client_deinit(&port.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_without_a_radio)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
