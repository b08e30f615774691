/* The cipher suites of PROTOCOL "Stack" and no other, and keys that are being rotated. */
#include <string.h>

#include "tests/unit/server/net/coap_message.h"
#include "tests/unit/server/net/fixture.h"

static bool connect_with(struct client *c, struct fixture *f, unsigned device, int suite)
{
    static int suites[2]; /* the library keeps the pointer */
    suites[0] = suite;
    client_init(c, f, device, true);
    mbedtls_ssl_conf_ciphersuites(&c->config, suites);
    return client_handshake(c, WAIT_MS);
}

static void test_offered(void **state)
{
    (void)state;
    static const int suites[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8,
                                 MBEDTLS_TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256};
    struct fixture f;
    struct client c;
    struct reply r;
    fixture_init(&f);
    f.config.park_after_ms = 50;
    fixture_open(&f);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(connect_with(&c, &f, i, suites[i]));
        ask_simple(&c, NET_GET, "live", &r);
        assert_code(&r, 2, 5);
        fixture_run(&f, 300);
        assert_int_equal(fixture_stats(&f).sessions_parked, i + 1);
        ask_simple(&c, NET_GET, "restored", &r);
        assert_code(&r, 2, 5);
        client_deinit(&c);
    }
    fixture_deinit(&f);
}

static void test_refused(void **state)
{
    (void)state;
    static const int suites[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM, MBEDTLS_TLS_PSK_WITH_AES_256_CCM,
                                 MBEDTLS_TLS_PSK_WITH_CHACHA20_POLY1305_SHA256,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8};
    struct fixture f;
    struct client c;
    fixture_init(&f);
    fixture_open(&f);
    for (unsigned i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        assert_false(connect_with(&c, &f, i, suites[i]));
        assert_int_equal(fixture_stats(&f).half_open, 0);
        client_deinit(&c);
    }
    assert_int_equal(fixture_stats(&f).handshakes, 0);
    fixture_deinit(&f);
}

/* Tries until it is in; how many tries that took, or `most` when it never was. */
static unsigned tries(struct fixture *f, const uint8_t key[16], unsigned most)
{
    for (unsigned i = 1; i < most; i++) {
        struct client c;
        client_init_as(&c, f, "dev-0001", key, true);
        bool in = client_handshake(&c, WAIT_MS);
        client_deinit(&c);
        if (in) {
            return i;
        }
    }
    return most;
}

/* During a rotation both keys are good: each at the second try at the latest, then at the first. */
static void test_rotation(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t old[16];
    uint8_t new[16];
    uint8_t wrong[16] = {3};
    device_key(1, old);
    device_new_key(1, new);
    fixture_init(&f);
    fixture_open(&f);
    assert_int_equal(tries(&f, old, 9), 1);
    assert_int_equal(tries(&f, new, 9), 9);
    f.rotating = true;
    assert_int_equal(tries(&f, old, 9), 2);
    assert_int_equal(tries(&f, old, 9), 1);
    assert_int_equal(tries(&f, new, 9), 2); /* the device has changed over */
    assert_int_equal(tries(&f, new, 9), 1);
    assert_int_equal(tries(&f, wrong, 9), 9);
    assert_in_range(tries(&f, new, 9), 1, 2);
    f.revoked = "dev-0001";
    assert_int_equal(tries(&f, new, 5), 5);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offered),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_rotation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
