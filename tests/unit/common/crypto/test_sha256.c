/* The two compression functions that deploy/mbedtls_sha256.c adds to the library, one against the
 * other and both against FIPS 180-4's examples. Elsewhere than on x86-64 the library's own is used. */
#include "common/crypto/sha256.h"
#include "common/rng.h"

#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <mbedtls/sha256.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BLOCKS 20000u

/* NIST's example of 896 bits, at every split into two updates. */
static void test_split(void **state)
{
    (void)state;
    static const char text[] = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
                               "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    static const uint8_t expected[SHA256_BYTES] = {0xcf, 0x5b, 0x16, 0xa7, 0x78, 0xaf, 0x83, 0x80,
                                                   0x03, 0x6c, 0xe5, 0x9e, 0x7b, 0x04, 0x92, 0x37,
                                                   0x0b, 0x24, 0x9b, 0x11, 0xe8, 0xf0, 0x7a, 0x51,
                                                   0xaf, 0xac, 0x45, 0x03, 0x7a, 0xfe, 0xe9, 0xd1};
    for (size_t split = 0; split < sizeof text; split++) {
        struct sha256 s;
        uint8_t digest[SHA256_BYTES];
        sha256_init(&s);
        sha256_update(&s, text, split);
        sha256_update(&s, text + split, sizeof text - 1 - split);
        sha256_final(&s, digest);
        assert_memory_equal(digest, expected, sizeof digest);
    }
}

static void test_million(void **state)
{
    (void)state;
    static const uint8_t expected[SHA256_BYTES] = {0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92,
                                                   0x81, 0xa1, 0xc7, 0xe2, 0x84, 0xd7, 0x3e, 0x67,
                                                   0xf1, 0x80, 0x9a, 0x48, 0xa4, 0x97, 0x20, 0x0e,
                                                   0x04, 0x6d, 0x39, 0xcc, 0xc7, 0x11, 0x2c, 0xd0};
    static char text[1000000];
    uint8_t digest[SHA256_BYTES];
    memset(text, 'a', sizeof text);
    sha256(text, sizeof text, digest);
    assert_memory_equal(digest, expected, sizeof digest);
}

#if defined(__x86_64__)

int mycel_sha256_block_c(mbedtls_sha256_context *context, const unsigned char block[64]);
int mycel_sha256_block_x86(mbedtls_sha256_context *context, const unsigned char block[64]);
int mycel_sha256_x86_is_supported(void);

static void fill(void *out, size_t bytes, uint64_t *seed)
{
    uint8_t *at = out;
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)rng_mix64(++*seed);
    }
}

/* Any state, any block, any alignment of it. */
static void test_same(void **state)
{
    (void)state;
    uint64_t seed = 1;
    if (!mycel_sha256_x86_is_supported()) {
        skip();
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        unsigned char bytes[80];
        mbedtls_sha256_context c = {0};
        fill(bytes, sizeof bytes, &seed);
        fill(c.state, sizeof c.state, &seed);
        mbedtls_sha256_context x86 = c;
        assert_int_equal(mycel_sha256_block_c(&c, bytes + i % 16), 0);
        assert_int_equal(mycel_sha256_block_x86(&x86, bytes + i % 16), 0);
        assert_memory_equal(&c, &x86, sizeof c);
    }
}

/* "abc" in one padded block: FIPS 180-4's first example, without the extensions. */
static void test_c_alone(void **state)
{
    (void)state;
    static const uint32_t expected[8] = {0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223,
                                         0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad};
    unsigned char block[64] = {'a', 'b', 'c', 0x80};
    mbedtls_sha256_context c;
    block[63] = 24;
    mbedtls_sha256_init(&c);
    assert_int_equal(mbedtls_sha256_starts(&c, 0), 0);
    assert_int_equal(mycel_sha256_block_c(&c, block), 0);
    assert_memory_equal(c.state, expected, sizeof expected);
    mbedtls_sha256_free(&c);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_million),
#if defined(__x86_64__)
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_c_alone),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
