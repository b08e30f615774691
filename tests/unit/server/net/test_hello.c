/* The parts of certificate handshakes that are pure: what a ClientHello offers, and so many a second. */
#include "server/net/allowance.h"
#include "server/net/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/ssl.h>

#define FIXED 59u
#define ECDSA 0xC0, 0xAE
#define PSK 0xC0, 0xA8
#define ECDHE_PSK 0xCC, 0xAC
#define OTHER 0x00, 0x2F

/* A ClientHello whose session id, cookie and suites are as given. Its bytes. */
static size_t hello(uint8_t *out, uint8_t session, uint8_t cookie, const uint8_t *suites,
                    size_t count)
{
    memset(out, 0xAA, FIXED);
    size_t at = FIXED;
    out[at++] = session;
    memset(out + at, 1, session);
    at += session;
    out[at++] = cookie;
    memset(out + at, 2, cookie);
    at += cookie;
    out[at++] = (uint8_t)(count >> 8);
    out[at++] = (uint8_t)count;
    memcpy(out + at, suites, count);
    return at + count;
}

#define OFFERS(session, cookie, ...)                                                               \
    offers(session, cookie, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* In a buffer of exactly its size: a byte read behind it is found by the address sanitizer. */
static bool wants(const uint8_t *bytes, size_t count)
{
    uint8_t *exact = malloc(count > 0 ? count : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, count);
    bool result = hello_wants_certificate(exact, count);
    free(exact);
    return result;
}

static bool offers(uint8_t session, uint8_t cookie, const uint8_t *suites, size_t count)
{
    uint8_t bytes[MBEDTLS_SSL_IN_CONTENT_LEN];
    size_t length = hello(bytes, session, cookie, suites, count);
    for (size_t i = 0; i < length - count; i++) { /* cut short anywhere before the list */
        assert_false(wants(bytes, i));
    }
    return wants(bytes, length);
}

static void test_suites(void **state)
{
    (void)state;
    assert_true(OFFERS(0, 32, ECDSA));
    assert_true(OFFERS(32, 32, OTHER, ECDSA, OTHER));
    assert_false(OFFERS(0, 32, OTHER));
    assert_false(OFFERS(0, 32, ECDSA, PSK));
    assert_false(OFFERS(0, 32, PSK, ECDSA));
    assert_false(OFFERS(0, 32, ECDHE_PSK, ECDSA));
    assert_false(OFFERS(0, 0, ECDSA));             /* no cookie: it costs nothing yet */
    assert_false(OFFERS(0, 32, 0xC0, 0xC0, 0xAE)); /* not where a suite begins */
}

/* The one that counts is the last of as many as a record takes: the library would find it. */
static void test_a_long_list(void **state)
{
    (void)state;
    uint8_t suites[MBEDTLS_SSL_IN_CONTENT_LEN - 128u];
    const size_t last = sizeof suites - 2u;
    memset(suites, 0x2F, sizeof suites);
    assert_false(offers(0, 32, suites, sizeof suites));
    memcpy(suites + last, (const uint8_t[]){ECDSA}, 2);
    assert_true(offers(0, 32, suites, sizeof suites));
    memcpy(suites, (const uint8_t[]){ECDSA}, 2);
    memcpy(suites + last, (const uint8_t[]){PSK}, 2);
    assert_false(offers(0, 32, suites, sizeof suites));
}

static void test_a_list_longer_than_the_record(void **state)
{
    (void)state;
    static const uint8_t suites[] = {OTHER, ECDSA};
    uint8_t bytes[512];
    size_t length = hello(bytes, 0, 32, suites, sizeof suites);
    bytes[length - sizeof suites - 2] = 0xFF;
    assert_true(wants(bytes, length));
    assert_false(wants(bytes, length - 1));
}

static unsigned count_allowed(struct allowance *allowance, uint64_t now_ms, unsigned tries)
{
    unsigned allowed = 0;
    for (unsigned i = 0; i < tries; i++) {
        if (allowance_has(allowance, now_ms)) {
            allowance_take(allowance, now_ms);
            allowed++;
        }
    }
    return allowed;
}

static void test_so_many_a_second(void **state)
{
    (void)state;
    struct allowance a;
    allowance_init(&a, 50, 5, 1000);
    assert_int_equal(count_allowed(&a, 1000, 100), 5);
    assert_int_equal(count_allowed(&a, 1019, 100), 0);
    assert_int_equal(count_allowed(&a, 1020, 100), 1);
    unsigned allowed = 0;
    for (uint64_t ms = 1021; ms <= 11020; ms++) {
        allowed += count_allowed(&a, ms, 3);
    }
    assert_int_equal(allowed, 500);
    assert_int_equal(count_allowed(&a, UINT64_MAX, 100), 5); /* a pause is not saved up */
    assert_int_equal(count_allowed(&a, 0, 100), 0);          /* nor is time that runs backwards */
    allowance_take(&a, 0);
    assert_int_equal(count_allowed(&a, 20, 100), 1);
    allowance_owe(&a, 10, 20); /* is worked off before there is another one */
    assert_int_equal(count_allowed(&a, 219, 100), 0);
    assert_int_equal(count_allowed(&a, 240, 100), 1);
    allowance_owe(&a, UINT32_MAX, 240);
    assert_int_equal(count_allowed(&a, 240 + 1000 * ALLOWANCE_OWED_S, 100), 0);
    assert_int_equal(count_allowed(&a, 260 + 1000 * ALLOWANCE_OWED_S, 100), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suites),
        cmocka_unit_test(test_a_long_list),
        cmocka_unit_test(test_a_list_longer_than_the_record),
        cmocka_unit_test(test_so_many_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
