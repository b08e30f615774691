/*
 * What follows from an enrolment token: known values, computed once with Python's hashlib, and that
 * they differ from each other and with every bit of what goes in.
 */
#include "proto/enrol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void fill(uint8_t *bytes, size_t n, uint8_t first)
{
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(first + i);
    }
}

static void test_known_values(void **state)
{
    (void)state;
    uint8_t token[PROTO_TOKEN_BYTES], ours[PROTO_SHARE_BYTES], theirs[PROTO_SHARE_BYTES];
    char identity[ENROL_IDENTITY_BYTES];
    uint8_t psk[PROTO_PSK_BYTES], proof[PROTO_SHA256_BYTES], key[PROTO_PSK_BYTES];
    fill(token, sizeof token, 0x30);
    fill(ours, sizeof ours, 0xA0);
    fill(theirs, sizeof theirs, 0xC0);
    enrol_identity(token, identity);
    enrol_psk(token, psk);
    enrol_proof(token, proof);
    enrol_device_key(ours, theirs, key);
    static const uint8_t expected_psk[] = {0x7D, 0xAE, 0xD4, 0x34, 0xDE, 0xEE, 0x4E, 0xEE,
                                           0xB2, 0xAC, 0xAF, 0xB2, 0x77, 0xA2, 0xEB, 0x37};
    static const uint8_t expected_proof[] = {0x9B, 0xBC, 0x77, 0xCF, 0x05, 0xF1, 0x58, 0x85,
                                             0x10, 0x7A, 0x32, 0x24, 0x5B, 0x98, 0xD1, 0xFE,
                                             0xFB, 0xE6, 0x79, 0x71, 0xFB, 0x8E, 0x20, 0x18,
                                             0x1C, 0x74, 0xFE, 0x83, 0x2A, 0xBB, 0x32, 0x80};
    static const uint8_t expected_key[] = {0x1D, 0xC1, 0xA6, 0x13, 0xB8, 0x0E, 0xD6, 0x2E,
                                           0x9C, 0x11, 0x5A, 0x90, 0xB2, 0x22, 0xFA, 0xA9};
    assert_string_equal(identity, "enrol:17cfe738599c4bf2");
    assert_memory_equal(psk, expected_psk, sizeof psk);
    assert_memory_equal(proof, expected_proof, sizeof proof);
    assert_memory_equal(key, expected_key, sizeof key);
}

static void test_every_bit_counts(void **state)
{
    (void)state;
    uint8_t token[PROTO_TOKEN_BYTES] = {0}, psk[PROTO_PSK_BYTES], other[PROTO_PSK_BYTES];
    uint8_t proof[PROTO_SHA256_BYTES], proof_of_other[PROTO_SHA256_BYTES];
    enrol_psk(token, psk);
    enrol_proof(token, proof);
    assert_true(enrol_equal(proof, proof));
    for (unsigned bit = 0; bit < 8u * PROTO_TOKEN_BYTES; bit++) {
        token[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
        enrol_psk(token, other);
        enrol_proof(token, proof_of_other);
        assert_memory_not_equal(psk, other, sizeof psk);
        assert_false(enrol_equal(proof, proof_of_other));
        token[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
    }
    uint8_t ours[PROTO_SHARE_BYTES] = {0}, theirs[PROTO_SHARE_BYTES] = {0};
    enrol_device_key(ours, theirs, psk);
    for (unsigned bit = 0; bit < 8u * PROTO_SHARE_BYTES; bit++) {
        ours[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
        enrol_device_key(ours, theirs, other);
        assert_memory_not_equal(psk, other, sizeof psk);
        uint8_t swapped[PROTO_PSK_BYTES];
        enrol_device_key(theirs, ours, swapped);
        assert_memory_not_equal(psk, swapped, sizeof psk);
        assert_memory_not_equal(other, swapped, sizeof swapped);
        ours[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_true(enrol_is_token("enrol:0011223344556677"));
    assert_true(enrol_is_token("enrol:"));
    assert_false(enrol_is_token("enrol"));
    assert_false(enrol_is_token("pump-17"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
