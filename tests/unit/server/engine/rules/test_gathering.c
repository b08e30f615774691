/* Each gathering rule against its definition as plain loops, over full and partial tiles, odd and even
 * numbers of updates, ties and negative zeros. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"
#include "fleet.h"
#include "server/engine/rules/robust.h"

#define PARAMS 5003u

static double value_of(const struct fleet *f, uint32_t d, uint32_t i)
{
    return (double)f->updates[d].scale * (double)f->deltas[d][i];
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void reference_trimmed(const struct fleet *f, uint32_t drop, double *delta)
{
    double column[FLEET_MAX];
    for (uint32_t i = 0; i < f->params; i++) {
        double sum = 0;
        for (uint32_t d = 0; d < f->devices; d++) {
            column[d] = value_of(f, d, i);
        }
        qsort(column, f->devices, sizeof *column, compare_doubles);
        for (uint32_t d = drop; d < f->devices - drop; d++) {
            sum += column[d];
        }
        delta[i] = sum / (f->devices - 2 * drop);
    }
}

static double squared_distance(const struct fleet *f, uint32_t a, uint32_t b)
{
    double square = 0;
    for (uint32_t i = 0; i < f->params; i++) {
        square += pow(value_of(f, a, i) - value_of(f, b, i), 2);
    }
    return square;
}

static void reference_krum(const struct fleet *f, uint32_t attackers, uint32_t kept, double *delta)
{
    double scores[FLEET_MAX], list[FLEET_MAX];
    int taken[FLEET_MAX] = {0};
    for (uint32_t d = 0; d < f->devices; d++) {
        uint32_t others = 0;
        for (uint32_t e = 0; e < f->devices; e++) {
            if (e != d) {
                list[others++] = squared_distance(f, d, e);
            }
        }
        qsort(list, others, sizeof *list, compare_doubles);
        scores[d] = 0;
        for (uint32_t k = 0; k < f->devices - attackers - 2; k++) {
            scores[d] += list[k];
        }
    }
    memset(delta, 0, f->params * sizeof *delta);
    for (uint32_t k = 0; k < kept; k++) {
        uint32_t best = FLEET_MAX;
        for (uint32_t d = 0; d < f->devices; d++) {
            best = !taken[d] && (best == FLEET_MAX || scores[d] < scores[best]) ? d : best;
        }
        taken[best] = 1;
        for (uint32_t i = 0; i < f->params; i++) {
            delta[i] += value_of(f, best, i) / kept;
        }
    }
}

static void reference_rfa(const struct fleet *f, double *delta)
{
    double share[FLEET_MAX];
    for (uint32_t d = 0; d < f->devices; d++) {
        share[d] = f->updates[d].weight;
    }
    for (int iteration = 0; iteration <= 4; iteration++) {
        double total = 0;
        memset(delta, 0, f->params * sizeof *delta);
        for (uint32_t d = 0; d < f->devices; d++) {
            total += share[d];
            for (uint32_t i = 0; i < f->params; i++) {
                delta[i] += share[d] * value_of(f, d, i);
            }
        }
        for (uint32_t i = 0; i < f->params; i++) {
            delta[i] /= total;
        }
        for (uint32_t d = 0; d < f->devices; d++) {
            double square = 0;
            for (uint32_t i = 0; i < f->params; i++) {
                square += pow(delta[i] - value_of(f, d, i), 2);
            }
            share[d] = f->updates[d].weight / fmax(1e-6, sqrt(square));
        }
    }
}

static void expect_delta(const struct fleet *f, const char *text, const double *delta)
{
    struct rule_strategy strategy = fleet_strategy(text);
    struct rule_setup setup = fleet_setup(f, &strategy);
    float state[RULE_STATE_HEAD];
    float *next = calloc(f->params, sizeof *next);
    rule_state_init(&strategy, f->params, state);
    fleet_run(f, &setup, NULL, 1, state, next);
    for (uint32_t i = 0; i < f->params; i++) {
        double expected = (double)f->base[i] + delta[i];
        if (fabs((double)next[i] - expected) > 1e-6 * (1 + fabs(expected))) {
            fail_msg("%s: coordinate %u is %.9g, not %.9g", text, i, (double)next[i], expected);
        }
    }
    free(next);
}

static void median_and_trimmed_mean(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 3, 4, 10, 33};
    static double delta[PARAMS];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct fleet f;
        fleet_open(&f, sizes[s], PARAMS, CODEC_F32, 11);
        reference_trimmed(&f, (f.devices - 1) / 2, delta);
        expect_delta(&f, "median", delta);
        uint32_t drop = (uint32_t)ceil(0.2 * f.devices), most = (f.devices - 1) / 2;
        reference_trimmed(&f, drop < most ? drop : most, delta);
        expect_delta(&f, "trimmed", delta);
        reference_trimmed(&f, 0, delta);
        expect_delta(&f, "trimmed f=0", delta);
        fleet_close(&f);
    }
}

static _Alignas(ROBUST_ALIGN) float scratch[RULE_GATHER_MAX * ROBUST_TILE];

static const float **rows_of(const float *rows, uint32_t n)
{
    static const float *list[RULE_GATHER_MAX];
    for (uint32_t u = 0; u < n; u++) {
        list[u] = rows + (size_t)u * ROBUST_ROW;
    }
    return list;
}

/* A network that sorts zeros and ones sorts everything (Knuth, volume 3, section 5.3.4, theorem Z): all 2^16
 * columns of a block, and all pairs of sorted runs that a merge can meet, at every rank. */
static void sorting_network_by_the_zero_one_principle(void **state)
{
    (void)state;
    enum { N = 16, COUNT = 1 << N };
    static float rows[N][COUNT], out[COUNT];
    const float *list[N];
    for (uint32_t u = 0; u < N; u++) {
        list[u] = rows[u];
        for (uint32_t i = 0; i < COUNT; i++) {
            rows[u][i] = (float)(i >> u & 1u);
        }
    }
    for (uint32_t drop = 0; drop < N / 2; drop++) {
        robust_trimmed(list, N, COUNT, drop, scratch, out);
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t ones = (uint32_t)__builtin_popcount(i), kept = N - 2 * drop;
            uint32_t inside = ones < drop ? 0 : ones - drop < kept ? ones - drop : kept;
            assert_true(out[i] == (float)inside / (float)kept);
        }
    }
}

/* Every number of updates across the borders of blocks and runs, every share: columns of zeros and ones, each
 * with another number of ones in another order. */
static void merges_by_the_zero_one_principle(void **state)
{
    (void)state;
    enum { MOST = 300, COUNT = 64 };
    static float rows[MOST * ROBUST_ROW];
    static const uint32_t sizes[] = {17,  31,  32,  33,  47,  64,  65, 80,
                                     100, 112, 128, 129, 200, 257, 300};
    float out[COUNT];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint32_t n = sizes[s];
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t ones = rng_below(6, n, i, n + 1);
            for (uint32_t u = 0; u < n; u++) { /* of the rest, so many are ones: all orders alike */
                uint32_t is_one = rng_below(7, i * 512u + u, n, n - u) < ones;
                ones -= is_one;
                rows[(size_t)u * ROBUST_ROW + i] = (float)is_one;
            }
        }
        for (uint32_t drop = 0; 2 * drop < n; drop++) {
            robust_trimmed(rows_of(rows, n), n, COUNT, drop, scratch, out);
            for (uint32_t i = 0; i < COUNT; i++) {
                uint32_t ones = 0, kept = n - 2 * drop;
                for (uint32_t u = 0; u < n; u++) {
                    ones += rows[(size_t)u * ROBUST_ROW + i] > 0;
                }
                uint32_t inside = ones < drop ? 0 : ones - drop < kept ? ones - drop : kept;
                assert_true(out[i] == (float)inside / (float)kept);
            }
        }
    }
}

/* The rows themselves: many equal values, both zeros, extremes of f32, and every number of rows. */
static void trimmed_of_awkward_values(void **state)
{
    (void)state;
    enum { N = 40, COUNT = 53 };
    static const float awkward[] = {0.0f,   -0.0f, 1.0f,   -1.0f,   1.0f,
                                    1e-45f, 3e38f, -3e38f, -1e-45f, 0.5f};
    static float rows[N * ROBUST_ROW], out[COUNT];
    for (uint32_t u = 0; u < N; u++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t pick = rng_below(5, u, i, i % 3 ? 10 : 3);
            rows[u * ROBUST_ROW + i] = awkward[pick] * (i % 2 ? 1.0f : 0.01f);
        }
    }
    for (uint32_t n = 1; n <= N; n++) {
        for (uint32_t drop = 0; 2 * drop < n; drop++) {
            robust_trimmed(rows_of(rows, n), n, COUNT, drop, scratch, out);
            for (uint32_t i = 0; i < COUNT; i++) {
                double column[N], sum = 0, magnitude = 0;
                for (uint32_t u = 0; u < n; u++) {
                    column[u] = (double)rows[u * ROBUST_ROW + i];
                }
                qsort(column, n, sizeof *column, compare_doubles);
                for (uint32_t u = drop; u < n - drop; u++) {
                    sum += column[u] / (n - 2 * drop);
                    magnitude += fabs(column[u]) / (n - 2 * drop);
                }
                /* Sums of ±3e38 may leave f32; the frames' value limit keeps them away. */
                if (magnitude < 1e36 && !(fabs((double)out[i] - sum) <= 1e-5 * magnitude + 1e-44)) {
                    fail_msg("n %u drop %u column %u: %g, not %g", n, drop, i, (double)out[i], sum);
                }
            }
        }
    }
}

static void krum_and_multikrum(void **state)
{
    (void)state;
    static double delta[PARAMS];
    struct fleet f;
    fleet_open(&f, 13, PARAMS, CODEC_F32, 12);
    reference_krum(&f, 3, 1, delta); /* ⌈.2 · 13⌉ = 3 */
    expect_delta(&f, "krum", delta);
    reference_krum(&f, 3, 10, delta);
    expect_delta(&f, "multikrum", delta);
    reference_krum(&f, 5, 4, delta); /* f = .5 is more than 13 ≥ 2f + 3 allows: 5 */
    expect_delta(&f, "multikrum f=0.5 m=4", delta);
    fleet_close(&f);
}

static void krum_of_too_few_is_still_an_update(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 4; n++) {
        struct fleet f;
        float head[RULE_STATE_HEAD], next[64];
        fleet_open(&f, n, 64, CODEC_F32, 13);
        struct rule_strategy strategy = fleet_strategy("multikrum");
        struct rule_setup setup = fleet_setup(&f, &strategy);
        rule_state_init(&strategy, 64, head);
        struct rule_result result = fleet_run(&f, &setup, NULL, 1, head, next);
        assert_true(result.step_norm > 0);
        fleet_close(&f);
    }
}

static void geometric_median(void **state)
{
    (void)state;
    static double delta[PARAMS];
    struct fleet f;
    fleet_open(&f, 21, PARAMS, CODEC_INT8, 14);
    reference_rfa(&f, delta);
    expect_delta(&f, "rfa", delta);
    fleet_close(&f);
}

#if ROBUST_HAS_X86
/* Instruction sets must agree to the bit, or two machines would publish two models. */
static void variants_agree(void **state)
{
    (void)state;
    enum { N = 137 };
    static float rows[N * ROBUST_ROW], a[RULE_TILE], b[RULE_TILE];
    static double first[N * N], second[N * N];
    static const struct {
        uint32_t n, count, drop;
    } sizes[] = {{37, 1, 7},     {37, 7, 0},      {9, 8, 4},
                 {100, 101, 20}, {137, 4001, 68}, {70, RULE_TILE, 14}};
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        skip();
    }
    fleet_normal(rows, N * ROBUST_ROW, 9, 9);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint32_t n = sizes[s].n, count = sizes[s].count, drop = sizes[s].drop;
        const float **list = rows_of(rows, n);
        robust_trimmed_base(list, n, count, drop, scratch, a);
        robust_trimmed_avx2(list, n, count, drop, scratch, b);
        assert_memory_equal(a, b, count * sizeof *a);
        if (__builtin_cpu_supports("avx512f")) {
            robust_trimmed_avx512(list, n, count, drop, scratch, b);
            assert_memory_equal(a, b, count * sizeof *a);
        }
        memset(first, 0, sizeof first);
        memset(second, 0, sizeof second);
        robust_gram_base(list, n, count, first, n);
        robust_gram_avx2(list, n, count, second, n);
        assert_memory_equal(first, second, sizeof first);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_and_trimmed_mean),
        cmocka_unit_test(sorting_network_by_the_zero_one_principle),
        cmocka_unit_test(merges_by_the_zero_one_principle),
        cmocka_unit_test(trimmed_of_awkward_values),
        cmocka_unit_test(krum_and_multikrum),
        cmocka_unit_test(krum_of_too_few_is_still_an_update),
        cmocka_unit_test(geometric_median),
#if ROBUST_HAS_X86
        cmocka_unit_test(variants_agree),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
