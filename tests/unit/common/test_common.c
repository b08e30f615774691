/* The small shared pieces: error table, base64url, counter-based randomness, SHA-256. */
#include "common/base64url.h"
#include "common/crypto/sha256.h"
#include "common/rng.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_error_table(void **state)
{
    (void)state;
    static const int codes[] = {
#define CODE(name, value, cls, text) value,
        MYCEL_ERROR_TABLE(CODE)
#undef CODE
    };
    size_t n = sizeof codes / sizeof codes[0];
    for (size_t i = 0; i < n; i++) {
        assert_true(codes[i] < 0);
        assert_string_not_equal(mycel_error_name(codes[i]), "UNKNOWN");
        assert_true(mycel_error_class(codes[i]) != MYCEL_CLASS_NONE);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(codes[i], codes[k]);
            assert_string_not_equal(mycel_error_text(codes[i]), mycel_error_text(codes[k]));
        }
    }
    assert_string_equal(mycel_error_name(MYCEL_E_NORM), "NORM");
    assert_string_equal(mycel_error_name(0), "OK");
    assert_string_equal(mycel_error_name(-9999), "UNKNOWN");
    assert_int_equal(mycel_error_class(7), MYCEL_CLASS_NONE);
    assert_int_equal(mycel_error_class(-9999), MYCEL_CLASS_LOCAL);
}

static void test_base64url(void **state)
{
    (void)state;
    /* RFC 4648 §10 without padding, and the two characters that differ from plain base64. */
    static const struct {
        const char *data;
        size_t bytes;
        const char *text;
    } rows[] = {{"", 0, ""},
                {"f", 1, "Zg"},
                {"fo", 2, "Zm8"},
                {"foo", 3, "Zm9v"},
                {"foob", 4, "Zm9vYg"},
                {"fooba", 5, "Zm9vYmE"},
                {"foobar", 6, "Zm9vYmFy"},
                {"\xfb\xff", 2, "-_8"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[16];
        uint8_t data[16];
        base64url_encode((const uint8_t *)rows[i].data, rows[i].bytes, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(base64url_decode(text, strlen(text), data, rows[i].bytes), 0);
        assert_memory_equal(data, rows[i].data, rows[i].bytes);
    }
    uint8_t out[4];
    assert_int_equal(base64url_decode("Zh", 2, out, 1), MYCEL_E_MALFORMED); /* stray bits */
    assert_int_equal(base64url_decode("Z", 1, out, 1), MYCEL_E_MALFORMED);
    assert_int_equal(base64url_decode("Z+", 2, out, 1), MYCEL_E_MALFORMED);
    assert_int_equal(base64url_decode("Zg=", 3, out, 1), MYCEL_E_MALFORMED);
}

static void test_rng(void **state)
{
    (void)state;
    /* Pinned: changing the generator would change every seeded result. */
    assert_true(rng_u64(1, 2, 3) == rng_u64(1, 2, 3));
    assert_true(rng_u64(1, 2, 3) != rng_u64(1, 2, 4));
    assert_true(rng_u64(1, 2, 3) != rng_u64(1, 3, 3));
    assert_true(rng_u64(1, 2, 3) != rng_u64(2, 2, 3));
    unsigned buckets[10] = {0};
    for (uint32_t i = 0; i < 100000; i++) {
        float f = rng_f32(42, 7, i);
        assert_true(f >= 0.0f && f < 1.0f);
        buckets[rng_below(42, 8, i, 10)]++;
    }
    for (int b = 0; b < 10; b++) {
        assert_in_range(buckets[b], 9600, 10400); /* more than 4 sigma around 10,000 */
    }
    assert_int_equal(rng_below(1, 1, 1, 1), 0);
}

static void test_sha256(void **state)
{
    (void)state;
    /* FIPS 180-4's "abc" example, whole and in pieces. */
    static const uint8_t expected[SHA256_BYTES] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                                   0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                                   0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                                   0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    uint8_t digest[SHA256_BYTES];
    sha256("abc", 3, digest);
    assert_memory_equal(digest, expected, sizeof digest);
    struct sha256 s;
    sha256_init(&s);
    sha256_update(&s, "a", 1);
    sha256_update(&s, "", 0);
    sha256_update(&s, "bc", 2);
    sha256_final(&s, digest);
    assert_memory_equal(digest, expected, sizeof digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_table),
        cmocka_unit_test(test_base64url),
        cmocka_unit_test(test_rng),
        cmocka_unit_test(test_sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
