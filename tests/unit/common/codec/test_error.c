/*
 * Statistics of the lossy codecs: normalised mean squared errors as the papers have them, and that those
 * which claim to be unbiased are. DRIVE is averaged over 1,000 seeds.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vectors.h"

#define SEEDS 1000u

struct expectation {
    enum codec_id codec;
    double nmse_least, nmse_most; /* of a single frame, on average */
    double bias_most;             /* ‖mean of all decoded − x‖ / ‖x‖ */
};

/* NMSE of DRIVE is π/2 − 1 = .571 and of EDEN-2 .133. What is left of the bias after S seeds is about
 * √(NMSE / S), so .024 for DRIVE. */
static const struct expectation expectations[] = {
    {CODEC_DRIVE1, 0.52, 0.60, 0.03},
    {CODEC_EDEN2, 0.125, 0.142, 0.02},
    {CODEC_INT4, 0.010, 0.080, 0.01},
    {CODEC_INT8, 0.00003, 0.00025, 0.001},
};

static void averages_over_seeds(void **state)
{
    (void)state;
    enum { PARAMS = 2500 }; /* with a last block that is not full */
    static float values[PARAMS], decoded[PARAMS];
    static double mean[PARAMS];
    vector_fill(values, PARAMS, 40, 0.02f);
    values[17] = 0.2f; /* heavier than normal, as deltas are */
    for (size_t e = 0; e < sizeof expectations / sizeof *expectations; e++) {
        const struct expectation *expected = &expectations[e];
        double nmse = 0, bias = 0, square = 0;
        memset(mean, 0, sizeof mean);
        for (uint32_t seed = 0; seed < SEEDS; seed++) {
            uint32_t bytes;
            uint8_t *data = vector_encode(expected->codec, values, PARAMS, seed, NULL, &bytes);
            struct codec_frame frame = vector_open(data, bytes);
            codec_decode(&frame, 0, PARAMS, decoded);
            nmse += vector_nmse(values, decoded, PARAMS) / SEEDS;
            for (uint32_t i = 0; i < PARAMS; i++) {
                mean[i] += (double)decoded[i] / SEEDS;
            }
            free(data);
        }
        for (uint32_t i = 0; i < PARAMS; i++) {
            bias += pow(mean[i] - (double)values[i], 2);
            square += pow((double)values[i], 2);
        }
        bias = sqrt(bias / square);
        printf("  %-8s NMSE %.5f, bias after %u seeds %.4f\n", codec_name(expected->codec), nmse,
               SEEDS, bias);
        assert_in_range((uint64_t)(nmse * 1e9), (uint64_t)(expected->nmse_least * 1e9),
                        (uint64_t)(expected->nmse_most * 1e9));
        assert_true(bias < expected->bias_most);
    }
}

/* s = ‖y‖² / ‖y‖₁ makes ⟨estimate, x⟩ = ‖x‖² in every single frame, up to the f16 of s. */
static void drive_keeps_the_length_along_x(void **state)
{
    (void)state;
    enum { B = 1024 };
    static float values[B], decoded[B];
    for (uint32_t seed = 0; seed < 50; seed++) {
        uint32_t bytes;
        vector_fill(values, B, 41 + seed, 0.02f);
        uint8_t *data = vector_encode(CODEC_DRIVE1, values, B, seed, NULL, &bytes);
        struct codec_frame frame = vector_open(data, bytes);
        codec_decode(&frame, 0, B, decoded);
        double product = 0, square = 0;
        for (uint32_t i = 0; i < B; i++) {
            product += (double)decoded[i] * (double)values[i];
            square += (double)values[i] * (double)values[i];
        }
        assert_true(fabs(product / square - 1) < 1e-3);
        free(data);
    }
}

/* What error feedback must achieve: the sum of what was sent follows the sum of what was meant. */
static void residuals_lose_nothing(void **state)
{
    (void)state;
    enum { PARAMS = 2500, ROUNDS = 200 };
    static const enum codec_id codecs[] = {CODEC_SIGN, CODEC_TERNARY, CODEC_TOPK};
    static float values[PARAMS], residual[PARAMS], decoded[PARAMS];
    static double meant[PARAMS], sent[PARAMS];
    for (size_t c = 0; c < 3; c++) {
        assert_true(codec_has_residual(codecs[c]));
        memset(residual, 0, sizeof residual);
        memset(meant, 0, sizeof meant);
        memset(sent, 0, sizeof sent);
        double error = 0, square = 0;
        for (uint32_t round = 0; round < ROUNDS; round++) {
            uint32_t bytes;
            vector_fill(values, PARAMS, 50, 0.01f); /* the same direction each time, */
            for (uint32_t i = 0; i < PARAMS; i++) {
                values[i] += 0.001f * (float)(int)(round % 3u); /* nearly */
                meant[i] += (double)values[i];
            }
            uint8_t *data = vector_encode(codecs[c], values, PARAMS, round, residual, &bytes);
            struct codec_frame frame = vector_open(data, bytes);
            codec_decode(&frame, 0, PARAMS, decoded);
            for (uint32_t i = 0; i < PARAMS; i++) {
                sent[i] += (double)decoded[i];
            }
            free(data);
        }
        for (uint32_t i = 0; i < PARAMS; i++) {
            /* The books balance for each coordinate: meant = sent + residual. */
            assert_true(fabs(meant[i] - sent[i] - (double)residual[i]) < 1e-4);
            error += pow(meant[i] - sent[i], 2);
            square += pow(meant[i], 2);
        }
        printf("  %-8s after %d rounds %.4f of the sum is still to be sent\n",
               codec_name(codecs[c]), ROUNDS, sqrt(error / square));
        assert_true(sqrt(error / square) < 0.5);
    }
}

static void codecs_without_residual_leave_it_alone(void **state)
{
    (void)state;
    float values[300], residual[300];
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        uint32_t bytes;
        memset(residual, 0, sizeof residual);
        vector_fill(values, 300, 60, 1);
        free(vector_encode((enum codec_id)codec, values, 300, 1, residual, &bytes));
        double left = 0;
        for (uint32_t i = 0; i < 300; i++) {
            left += fabs((double)residual[i]);
        }
        assert_int_equal(left > 0, codec_has_residual((enum codec_id)codec));
    }
}

/* Rotation makes the error independent of how the values lie; a lone spike is the worst for signs. */
static void a_spike_survives_rotation(void **state)
{
    (void)state;
    static float values[1024], decoded[1024];
    uint32_t bytes;
    memset(values, 0, sizeof values);
    values[321] = 1;
    uint8_t *data = vector_encode(CODEC_DRIVE1, values, 1024, 3, NULL, &bytes);
    struct codec_frame frame = vector_open(data, bytes);
    codec_decode(&frame, 0, 1024, decoded);
    assert_true(fabs((double)decoded[321] - 1) < 1e-3); /* all |y| are equal: exact but for f16 */
    decoded[321] = 0;
    for (uint32_t i = 0; i < 1024; i++) {
        assert_true(fabs((double)decoded[i]) < 1e-3);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(averages_over_seeds),
        cmocka_unit_test(drive_keeps_the_length_along_x),
        cmocka_unit_test(residuals_lose_nothing),
        cmocka_unit_test(codecs_without_residual_leave_it_alone),
        cmocka_unit_test(a_spike_survives_rotation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
