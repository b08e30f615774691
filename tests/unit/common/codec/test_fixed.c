/*
 * Fixed-point sums: what a term adds, to the unit; that order, tiles and instruction set cannot be seen;
 * and that the bounds are where the header says.
 */
#include <math.h>
#include <mycel/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/codec/kernels.h"
#include "common/rng.h"
#include "vectors.h"

#define PARAMS 3000u

static float values[PARAMS], decoded[PARAMS];
static int64_t sum[PARAMS], other[PARAMS];

static void a_term_adds_what_it_says(void **state)
{
    (void)state;
    vector_fill(values, PARAMS, 1, 0.05f);
    struct codec_term term = {1.0f, 600, 1.0f, 24};
    memset(sum, 0, sizeof sum);
    codec_accumulate_values(values, &term, PARAMS, sum);
    for (uint32_t i = 0; i < PARAMS; i++) {
        int64_t expected = 600 * (int64_t)nearbyint(ldexp((double)values[i], 24));
        assert_int_equal(sum[i], expected);
    }
    term.gain = -0.25f;
    codec_accumulate_values(values, &term, PARAMS, sum);
    for (uint32_t i = 0; i < PARAMS; i++) {
        double quarter = nearbyint(ldexp((double)values[i], 24) * -0.25);
        double whole = nearbyint(ldexp((double)values[i], 24));
        assert_int_equal(sum[i], 600 * (int64_t)whole + 600 * (int64_t)quarter);
    }
}

/* Values too large for 30 bits at this precision lose only what f32 does not have anyway. */
static void large_terms_are_shifted(void **state)
{
    (void)state;
    static const float large[] = {255.999f, -200.0f, 128.0f, 1.0f, 0.5f, 0.001f, -0.0f, 63.25f};
    struct codec_term term = {1.0f, 1000, 255.999f, 30};
    memset(sum, 0, sizeof sum);
    codec_accumulate_values(large, &term, 8, sum);
    for (uint32_t i = 0; i < 8; i++) {
        double expected = 1000 * ldexp((double)large[i], 30);
        assert_true(fabs((double)sum[i] - expected) <= 1000 * 128.0); /* half of 2^8 units */
    }
}

static void order_cannot_be_seen(void **state)
{
    (void)state;
    enum { FRAMES = 9 };
    uint8_t *data[FRAMES];
    struct codec_frame frames[FRAMES];
    struct codec_term terms[FRAMES];
    for (uint32_t f = 0; f < FRAMES; f++) {
        uint32_t bytes;
        vector_fill(values, PARAMS, f, 0.05f);
        data[f] = vector_encode((enum codec_id)f, values, PARAMS, f, NULL, &bytes);
        frames[f] = vector_open(data[f], bytes);
        struct codec_stats stats;
        assert_int_equal(codec_scan(&frames[f], &stats), 0);
        terms[f] = (struct codec_term){1.0f / (float)(f + 1u), 100u + f, stats.max_abs, 30};
    }
    memset(sum, 0, sizeof sum);
    for (uint32_t f = 0; f < FRAMES; f++) {
        codec_accumulate(&frames[f], &terms[f], 0, PARAMS, sum);
    }
    /* Backwards, each in tiles of its own. */
    memset(other, 0, sizeof other);
    for (uint32_t f = FRAMES; f-- > 0;) {
        for (uint32_t first = 0; first < PARAMS;) {
            uint32_t count = 1u + rng_below(f, 1, first, 900);
            count = count < PARAMS - first ? count : PARAMS - first;
            codec_accumulate(&frames[f], &terms[f], first, count, other + first);
            first += count;
        }
    }
    assert_memory_equal(sum, other, sizeof sum);
    /* The same as decoding first. */
    memset(other, 0, sizeof other);
    for (uint32_t f = 0; f < FRAMES; f++) {
        codec_decode(&frames[f], 0, PARAMS, decoded);
        codec_accumulate_values(decoded, &terms[f], PARAMS, other);
        free(data[f]);
    }
    assert_memory_equal(sum, other, sizeof sum);
}

/* Several frames at once, of one codec or of several, in tiles of any place: the same sums as one by one. */
static void together_is_one_by_one(void **state)
{
    (void)state;
    for (uint32_t mix = 0; mix < 3u * CODEC_COUNT; mix++) {
        uint8_t *data[CODEC_ROWS_MAX];
        struct codec_frame frames[CODEC_ROWS_MAX];
        const struct codec_frame *row[CODEC_ROWS_MAX];
        struct codec_term terms[CODEC_ROWS_MAX];
        uint32_t rows = 1u + mix % CODEC_ROWS_MAX;
        memset(sum, 0, sizeof sum);
        memset(other, 0, sizeof other);
        for (uint32_t r = 0; r < rows; r++) {
            uint32_t bytes, codec = mix < 2u * CODEC_COUNT ? mix / 2u : (mix + r) % CODEC_COUNT;
            vector_fill(values, PARAMS, 10u + r, 0.05f);
            data[r] = vector_encode((enum codec_id)codec, values, PARAMS, r, NULL, &bytes);
            frames[r] = vector_open(data[r], bytes);
            row[r] = &frames[r];
            struct codec_stats stats;
            assert_int_equal(codec_scan(&frames[r], &stats), 0);
            terms[r] = (struct codec_term){1.0f / (float)(r + 1u), 100u + r, stats.max_abs, 30};
            codec_accumulate(&frames[r], &terms[r], 0, PARAMS, sum);
        }
        for (uint32_t first = 0, count; first < PARAMS; first += count) {
            count = 1u + rng_below(mix, 1, first, 1500);
            count = count < PARAMS - first ? count : PARAMS - first;
            codec_accumulate_rows(row, terms, rows, first, count, other + first);
        }
        assert_memory_equal(sum, other, sizeof sum);
        for (uint32_t r = 0; r < rows; r++) {
            free(data[r]);
        }
    }
}

static void bounds_are_as_documented(void **state)
{
    (void)state;
    assert_int_equal(codec_frac_bits(1, 1), CODEC_FRAC_BITS_MAX);
    assert_int_equal(codec_frac_bits(100000, 10000), 24);
    assert_int_equal(codec_frac_bits(1u << 20, 1u << 26), 8);
    assert_int_equal(codec_frac_bits(1u << 20, (1u << 26) + 1u), MYCEL_E_TOO_LARGE);
    assert_int_equal(codec_frac_bits(UINT32_MAX, CODEC_WEIGHT_MAX), MYCEL_E_TOO_LARGE);

    struct codec_term term = {1.0f, 1, 255.99f, 20};
    assert_int_equal(codec_term_check(&term), 0);
    term.max_abs = CODEC_VALUE_LIMIT;
    assert_int_equal(codec_term_check(&term), MYCEL_E_NORM);
    term.gain = 0.99f;
    assert_int_equal(codec_term_check(&term), 0);
    term.gain = NAN;
    assert_int_equal(codec_term_check(&term), MYCEL_E_NORM);
    term.gain = INFINITY;
    term.max_abs = 0;
    assert_int_equal(codec_term_check(&term), MYCEL_E_NORM);
    term.gain = 1;
    term.weight = 0;
    assert_int_equal(codec_term_check(&term), MYCEL_E_WEIGHT);
    term.weight = CODEC_WEIGHT_MAX;
    assert_int_equal(codec_term_check(&term), 0);
    term.weight = CODEC_WEIGHT_MAX + 1u;
    assert_int_equal(codec_term_check(&term), MYCEL_E_WEIGHT);
}

/* The heaviest term that can be declared, as often as declared, stays below 2^62. */
static void heaviest_sums_fit(void **state)
{
    (void)state;
    static const float edge[] = {255.99998f, -255.99998f};
    static const struct {
        uint32_t updates, weight;
    } rounds[] = {{1, CODEC_WEIGHT_MAX}, {1000, 1000000}, {60000, 1000000}};
    for (size_t r = 0; r < sizeof rounds / sizeof *rounds; r++) {
        int bits = codec_frac_bits(rounds[r].updates, rounds[r].weight);
        assert_true(bits >= CODEC_FRAC_BITS_MIN);
        struct codec_term term = {1.0f, rounds[r].weight, 255.99998f, bits};
        int64_t total[2] = {0, 0};
        for (uint32_t i = 0; i < rounds[r].updates; i++) {
            codec_accumulate_values(edge, &term, 2, total);
        }
        double expected = 255.99998 * rounds[r].updates * ldexp(rounds[r].weight, bits);
        assert_true(expected < 0x1p62);
        assert_true(fabs((double)total[0] / expected - 1) < 1e-6 && total[1] == -total[0]);
    }
}

/* A frame that was never scanned may hold anything; the result is meaningless but defined. */
static void unscanned_values_do_no_harm(void **state)
{
    (void)state;
    static const float wild[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 0, 1, -1, NAN};
    struct codec_term term = {1.0f, CODEC_WEIGHT_MAX, 1.0f, 30};
    memset(sum, 0, sizeof sum);
    codec_accumulate_values(wild, &term, 9, sum);
    assert_int_equal(sum[5], 0);
    assert_int_equal(sum[9], 0);
}

#if KERNEL_HAS_X86
static void variants_agree(void **state)
{
    (void)state;
    if (!KERNEL_CAN_AVX2) {
        skip();
    }
    static float a[1024], b[1024];
    static uint32_t words[32];
    vector_fill(values, PARAMS, 3, 0.05f);
    for (uint32_t count = 0; count <= 1024u; count += 1u + count / 7u) {
        for (int shift = 0; shift < 9; shift += 4) {
            struct kernel_term term = {0x1.3p24f, 12345, shift};
            memset(sum, 0, sizeof sum);
            memset(other, 0, sizeof other);
            kernel_accumulate_base(values, &term, count, sum);
            kernel_accumulate_avx2(values, &term, count, other);
            assert_memory_equal(sum, other, sizeof sum);
        }
        struct kernel_term int8_term = {0x1.3p20f, 12345, 1};
        memset(sum, 0, sizeof sum);
        memset(other, 0, sizeof other);
        kernel_accumulate_int8_base((const uint8_t *)values, 0.37f, &int8_term, count, sum);
        kernel_accumulate_int8_avx2((const uint8_t *)values, 0.37f, &int8_term, count, other);
        assert_memory_equal(sum, other, sizeof sum);
        struct kernel_stats first = kernel_scan_base(values, count);
        struct kernel_stats second = kernel_scan_avx2(values, count);
        assert_true(first.squares == second.squares && first.max_abs == second.max_abs);
    }
    for (uint32_t size = 8; size <= 1024u; size *= 2u) {
        memcpy(a, values, sizeof a);
        memcpy(b, values, sizeof b);
        kernel_hadamard_base(a, size);
        kernel_hadamard_avx2(b, size);
        assert_memory_equal(a, b, sizeof a);
        memcpy(b, values, sizeof b);
        kernel_hadamard(b, size);
        assert_memory_equal(a, b, sizeof a);
    }
    for (uint32_t i = 0; i < 32u; i++) {
        words[i] = rng_u32(1, 2, i);
    }
    kernel_negate_base(a, words, 1024);
    kernel_negate_avx2(b, words, 1024);
    assert_memory_equal(a, b, sizeof a);
    kernel_negate_base(a, words, 992);
    kernel_negate(b, words, 992);
    assert_memory_equal(a, b, sizeof a);
    kernel_spread_base(a, 0.375f, words, 1024);
    kernel_spread_avx2(b, 0.375f, words, 1024);
    assert_memory_equal(a, b, sizeof a);
    memset(b, 0, sizeof b);
    kernel_spread(b, 0.375f, words, 1024);
    assert_memory_equal(a, b, sizeof a);
    for (uint32_t i = 0; i < 1024u; i++) {
        assert_true(a[i] == (words[i / 32u] >> (i % 32u) & 1u ? 0.375f : -0.375f));
    }
}
#endif

#if KERNEL_HAS_X86
/* Several updates at once, and with AVX-512: the same sums as one after the other, also where a weight is too
 * heavy for 32 bits with its shift. */
static void rows_agree(void **state)
{
    (void)state;
    vector_fill(values, PARAMS, 5, 0.05f);
    for (uint32_t count = 0; count <= 1024u; count += 1u + count / 7u) {
        for (uint32_t rows = 1; rows <= KERNEL_ROWS_MAX; rows++) {
            const void *row[KERNEL_ROWS_MAX];
            struct kernel_term terms[KERNEL_ROWS_MAX];
            for (uint32_t r = 0; r < rows; r++) {
                row[r] = values + 16u * r + r;
                terms[r] =
                    (struct kernel_term){0x1.3p24f / (float)(r + 1u), 600 + (int32_t)r, (int)r % 3};
            }
            terms[0].weight = count % 2u ? 600 : (int32_t)CODEC_WEIGHT_MAX;
            terms[0].shift = count % 2u ? 0 : 2;
            memset(sum, 0, sizeof sum);
            for (uint32_t r = 0; r < rows; r++) {
                kernel_accumulate_base(row[r], &terms[r], count, sum);
            }
            memset(other, 0, sizeof other);
            kernel_accumulate_rows(row, terms, rows, count, other);
            assert_memory_equal(sum, other, sizeof sum);
        }
        struct kernel_term term = {0x1.3p20f, 12345, count % 3u ? 1 : 20};
        memset(sum, 0, sizeof sum);
        memset(other, 0, sizeof other);
        kernel_accumulate_int8_base((const uint8_t *)values, 0.37f, &term, count, sum);
        kernel_accumulate_int8((const uint8_t *)values, 0.37f, &term, count, other);
        assert_memory_equal(sum, other, sizeof sum);
    }
}
#endif

/* The transform by its definition: entry (i, j) of H is −1 where i & j has odd parity. */
static void hadamard_is_hadamard(void **state)
{
    (void)state;
    static float x[1024];
    vector_fill(values, 1024, 4, 1);
    for (uint32_t size = 8; size <= 1024u; size *= 2u) {
        memcpy(x, values, sizeof x);
        kernel_hadamard(x, size);
        for (uint32_t i = 0; i < size; i++) {
            double expected = 0;
            for (uint32_t j = 0; j < size; j++) {
                double value = (double)values[j];
                expected += __builtin_parity(i & j) ? -value : value;
            }
            assert_true(fabs((double)x[i] - expected) < 1e-5 * size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_term_adds_what_it_says),
        cmocka_unit_test(large_terms_are_shifted),
        cmocka_unit_test(order_cannot_be_seen),
        cmocka_unit_test(together_is_one_by_one),
        cmocka_unit_test(bounds_are_as_documented),
        cmocka_unit_test(heaviest_sums_fit),
        cmocka_unit_test(unscanned_values_do_no_harm),
        cmocka_unit_test(hadamard_is_hadamard),
#if KERNEL_HAS_X86
        cmocka_unit_test(variants_agree),
        cmocka_unit_test(rows_agree),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
