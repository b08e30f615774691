/* Other certificates while sessions live and handshakes are under way: net_renew. */
#include <mycel/error.h>

#include <string.h>

#include "tests/unit/server/net/certified.h"
#include "tests/unit/server/net/coap_message.h"

#define WORKERS 3u

static struct fixture f;
static struct certified certified;

static void open_fixture(unsigned workers)
{
    fixture_init(&f);
    certified_init(&certified, &f, false);
    f.config.workers = workers;
    f.config.certificate_handshakes_per_s = 100000;
    fixture_open(&f);
}

static void close_fixture(void)
{
    fixture_deinit(&f);
    certified_deinit(&certified);
}

/* Renews and lets every worker read its letter. */
static void renew(int code)
{
    assert_int_equal(net_renew(f.net, &certified.texts), code);
    fixture_run(&f, f.config.workers > 1 ? 300 : 0);
}

static bool can_connect(const char *name)
{
    struct certified_client c;
    certified_client_init(&c, &f, name, true);
    bool in = client_handshake(&c.client, WAIT_MS);
    certified_client_deinit(&c);
    return in;
}

/* A CRL comes and goes: it counts from the next handshake on. */
static void check_crl(unsigned workers)
{
    struct certified_client c;
    struct reply r;
    open_fixture(workers);
    certified_client_init(&c, &f, "dev-0001", true);
    client_connect(&c.client);
    ask_simple(&c.client, NET_GET, "before", &r);
    certified_text(&certified.texts.crl, "crl.pem");
    renew(0);
    ask_simple(&c.client, NET_GET, "after", &r);
    assert_code(&r, 2, 5);
    assert_false(can_connect("dev-0001"));
    assert_true(can_connect("dev-0002"));
    struct pem_text crl = certified.texts.crl;
    certified.texts.crl = (struct pem_text){0};
    renew(0);
    certified.texts.crl = crl; /* freed in the end */
    assert_true(can_connect("dev-0001"));
    certified_client_deinit(&c);
    close_fixture();
}

static void test_a_crl(void **state)
{
    (void)state;
    check_crl(1);
    check_crl(WORKERS);
}

/* The clients trust the first CA only: they see who they talk to. */
static void test_another_certificate(void **state)
{
    (void)state;
    open_fixture(1);
    assert_true(can_connect("dev-0001"));
    certified_text(&certified.texts.own, "foreign.pem");
    certified_text(&certified.texts.key, "foreign.key");
    renew(0);
    assert_false(can_connect("dev-0001"));
    certified_text(&certified.texts.own, "coordinator.pem");
    certified_text(&certified.texts.key, "coordinator.key");
    renew(0);
    assert_true(can_connect("dev-0001"));
    close_fixture();
}

static void check_refused(unsigned workers)
{
    open_fixture(workers);
    certified_text(&certified.texts.key, "foreign.key");
    renew(MYCEL_E_INVALID);
    assert_non_null(strstr(certified.line, "private key"));
    assert_true(can_connect("dev-0001"));
    certified_text(&certified.texts.key, "coordinator.key");
    certified_text(&certified.texts.ca, "coordinator.key");
    renew(MYCEL_E_MALFORMED);
    assert_int_equal(certified.lines, 2); /* said once, however many would look at it */
    assert_true(can_connect("dev-0001"));
    close_fixture();
}

static void test_what_cannot_be_used_changes_nothing(void **state)
{
    (void)state;
    check_refused(1);
    check_refused(WORKERS);
}

/* The coordinator has shown its certificate, the device not yet its own. */
static void test_in_the_midst_of_a_handshake(void **state)
{
    (void)state;
    struct certified_client c;
    open_fixture(1);
    certified_client_init(&c, &f, "dev-0001", true);
    for (unsigned i = 0; i < 100 && fixture_stats(&f).half_open == 0; i++) {
        assert_false(client_step(&c.client));
        fixture_run(&f, 1);
    }
    assert_int_equal(fixture_stats(&f).half_open, 1);
    renew(0);
    client_connect(&c.client);
    certified_client_deinit(&c);
    close_fixture();
}

static void test_without_any(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= WORKERS; workers += WORKERS - 1) {
        fixture_init(&f);
        certified_init(&certified, &f, false);
        f.config.certificates = NULL;
        f.config.workers = workers;
        fixture_open(&f);
        renew(MYCEL_E_STATE);
        close_fixture();
    }
}

static int make(void **state)
{
    (void)state;
    certified_make("other-ca coordinator-foreign:foreign device:dev-0001 device:dev-0002 "
                   "crl:dev-0001");
    return 0;
}

static int removed(void **state)
{
    (void)state;
    certified_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_crl),
        cmocka_unit_test(test_another_certificate),
        cmocka_unit_test(test_what_cannot_be_used_changes_nothing),
        cmocka_unit_test(test_in_the_midst_of_a_handshake),
        cmocka_unit_test(test_without_any),
    };
    return cmocka_run_group_tests(tests, make, removed);
}
