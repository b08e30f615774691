/*
 * Throughput of aggregation: FedAvg over 100 updates of a million parameters (f32 and int8 frames, and the
 * fixed-point kernel by itself), and median, trimmed mean and Krum over 100 updates of 100,000. Beside
 * each the same in plain NumPy, timed in the same run; aggregate_* also as a share of this machine's
 * read bandwidth. One thread, processor time and the best of several runs on both sides.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "common/rng.h"
#include "server/engine/rules/rules.h"

#define UPDATES 100u
#define BIG 1000000u
#define SMALL 100000u
#define RUNS 5
#define LARGE_PAGE ((size_t)2 << 20)
#define BATCH RULE_BATCH_MAX /* updates that a worker holds in memory at once */

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID,
                  &t); /* as the reference: a busy machine disturbs less */
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void *allocate(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 63u) & ~(size_t)63u);
    if (!memory) {
        fprintf(stderr, "bench_aggregate: out of memory\n");
        exit(1);
    }
    return memory;
}

/* One region for all updates of a fleet, as NumPy has its matrix, and like NumPy in large pages if the
 * system has some to give. */
static uint8_t *allocate_region(size_t bytes)
{
    size_t rounded = (bytes + LARGE_PAGE - 1u) / LARGE_PAGE * LARGE_PAGE;
    uint8_t *memory = aligned_alloc(LARGE_PAGE, rounded);
    if (!memory) {
        fprintf(stderr, "bench_aggregate: out of memory\n");
        exit(1);
    }
    (void)madvise(memory, rounded, MADV_HUGEPAGE); /* what is refused costs a few per cent */
    return memory;
}

/* ---- data ----------------------------------------------------------------------------------- */

struct fleet {
    uint32_t params;
    uint8_t *region;
    uint8_t *bytes[UPDATES];
    struct codec_frame frames[UPDATES];
    struct rule_update updates[UPDATES];
};

static void fleet_open(struct fleet *fleet, uint32_t params, enum codec_id codec)
{
    float scratch[CODEC_BLOCK_PARAMS_MAX];
    float *delta = allocate(params * sizeof *delta);
    uint32_t bytes = codec_frame_bytes(codec, params);
    size_t stride = ((size_t)bytes + 63u) / 64u * 64u;
    fleet->params = params;
    fleet->region = allocate_region(UPDATES * stride);
    for (uint32_t u = 0; u < UPDATES; u++) {
        for (uint32_t i = 0; i < params; i++) {
            float sum = rng_f32(u, 1, i) + rng_f32(u, 2, i) + rng_f32(u, 3, i);
            delta[i] = 0.02f * (sum - 1.5f);
        }
        struct codec_header header = {codec, params, 1, u, 600};
        fleet->bytes[u] = fleet->region + u * stride;
        codec_encode(&header, delta, NULL, scratch, fleet->bytes[u], bytes);
        struct rule_update *update = &fleet->updates[u];
        *update = (struct rule_update){&fleet->frames[u], {0, 0}, u, 600, 10, 1, 1};
        if (codec_open(&fleet->frames[u], fleet->bytes[u], bytes) != 0 ||
            codec_scan(&fleet->frames[u], &update->stats) != 0) {
            fprintf(stderr, "bench_aggregate: a frame does not decode\n");
            exit(1);
        }
    }
    free(delta);
}

static void fleet_close(struct fleet *fleet)
{
    free(fleet->region);
}

/* ---- measurements --------------------------------------------------------------------------- */

/* A whole round of a rule, from the encoded frames to the next parameters. */
static double rule_ms(const struct fleet *fleet, const char *text)
{
    struct rule_strategy strategy;
    struct rule_error error;
    if (rule_parse(text, &strategy, &error) != 0) {
        exit(1);
    }
    struct rule_setup setup = {.strategy = &strategy,
                               .params = fleet->params,
                               .updates_max = UPDATES,
                               .weight_max = 1000,
                               .clients = UPDATES,
                               .learning_rate = 0.1f};
    setup.work_bytes = rule_work_bytes(&setup);
    setup.work = allocate(setup.work_bytes);
    setup.state = allocate(rule_state_floats(&strategy, fleet->params) * sizeof(float));
    rule_state_init(&strategy, fleet->params, setup.state);
    float *model = allocate(fleet->params * sizeof *model);
    memset(model, 0, fleet->params * sizeof *model);
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        struct rule_round round;
        double start = now_ms();
        int failed = rule_begin(&round, &setup);
        for (uint32_t u = 0; u < UPDATES && !failed; u += BATCH) {
            int status[BATCH];
            uint32_t count = UPDATES - u < BATCH ? UPDATES - u : BATCH;
            failed = rule_add_batch(&round, fleet->updates + u, count, status) != (int)count;
        }
        failed = failed ? failed : rule_finish(&round, model, model, NULL);
        double took = now_ms() - start;
        if (failed) {
            fprintf(stderr, "bench_aggregate: %s failed with %d\n", text, failed);
            exit(1);
        }
        best = took < best ? took : best;
    }
    free(setup.work);
    free(setup.state);
    free(model);
    return best;
}

/* The fixed-point kernel alone: all updates into a tile that stays in the cache. */
static double fixed_ms(const struct fleet *fleet)
{
    static int64_t acc[RULE_TILE];
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double start = now_ms();
        for (uint32_t first = 0; first < fleet->params; first += RULE_TILE) {
            uint32_t left = fleet->params - first;
            uint32_t count = left < RULE_TILE ? left : RULE_TILE;
            for (uint32_t u = 0; u < UPDATES; u += CODEC_ROWS_MAX) {
                const struct codec_frame *frames[CODEC_ROWS_MAX];
                struct codec_term terms[CODEC_ROWS_MAX];
                for (uint32_t r = 0; r < CODEC_ROWS_MAX; r++) {
                    frames[r] = &fleet->frames[u + r];
                    terms[r] = (struct codec_term){1, 600, fleet->updates[u + r].stats.max_abs, 24};
                }
                codec_accumulate_rows(frames, terms, CODEC_ROWS_MAX, first, count, acc);
            }
        }
        double took = now_ms() - start;
        best = took < best ? took : best;
    }
    return best;
}

/* Bytes a millisecond when all that happens is reading. */
static double read_bandwidth(const struct fleet *fleet)
{
    uint32_t bytes = codec_frame_bytes(CODEC_F32, fleet->params) & ~63u;
    volatile uint64_t sink = 0;
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double start = now_ms();
        uint64_t sum[8] = {0};
        for (uint32_t u = 0; u < UPDATES; u++) {
            const uint64_t *words = (const uint64_t *)(const void *)fleet->bytes[u];
            for (uint32_t i = 0; i < bytes / 8u; i += 8u) {
                for (uint32_t j = 0; j < 8u; j++) {
                    sum[j] += words[i + j];
                }
            }
        }
        sink = sink + sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
        double took = now_ms() - start;
        best = took < best ? took : best;
    }
    return (double)bytes * UPDATES / best;
}

/* ---- NumPy ---------------------------------------------------------------------------------- */

struct reference {
    char name[32];
    double ms;
};

#define REFERENCES_MAX 8

static struct reference references[REFERENCES_MAX];

static void numpy_run(void)
{
    FILE *pipe = popen("/usr/bin/python3 " MYCEL_SOURCE_DIR
                       "/tests/bench/aggregate/numpy_reference.py 2>/dev/null",
                       "r");
    for (int i = 0; pipe && i < REFERENCES_MAX; i++) {
        if (fscanf(pipe, "%31s %lf", references[i].name, &references[i].ms) != 2) {
            break;
        }
    }
    if (!pipe || pclose(pipe) != 0) {
        fprintf(stderr, "bench_aggregate: no NumPy (python3-numpy), so no ratios\n");
    }
}

static void print_case(const char *name, double ms, const char *reference)
{
    double reference_ms = 0;
    for (int i = 0; i < REFERENCES_MAX; i++) {
        if (strcmp(references[i].name, reference) == 0) {
            reference_ms = references[i].ms;
        }
    }
    printf("{\"bench\":\"aggregate\",\"case\":\"%s\",\"value\":%.3f,\"unit\":\"ms\",", name, ms);
    if (reference_ms > 0) {
        printf("\"reference\":%.3f,\"ratio\":%.3f,\"blas\":\"%s\"}\n", reference_ms,
               reference_ms / ms, references[0].name);
    } else {
        printf("\"reference\":null,\"ratio\":null}\n");
    }
    fflush(stdout);
}

static void print_share(const char *name, double bytes, double ms, double bandwidth)
{
    printf("{\"bench\":\"aggregate\",\"case\":\"%s\",\"value\":%.3f,\"unit\":\"GB/s\","
           "\"reference\":%.3f,\"ratio\":%.3f}\n",
           name, bytes / ms * 1e-6, bandwidth * 1e-6, bytes / ms / bandwidth);
    fflush(stdout);
}

int main(void)
{
    struct fleet fleet;
    numpy_run();

    fleet_open(&fleet, BIG, CODEC_F32);
    double bandwidth = read_bandwidth(&fleet);
    double f32 = rule_ms(&fleet, "fedavg"), fixed = fixed_ms(&fleet);
    double f32_bytes = (double)UPDATES * codec_frame_bytes(CODEC_F32, BIG);
    fleet_close(&fleet);
    print_case("aggregate_f32_100x1M", f32, "weighted_sum");
    print_case("aggregate_fixed_100x1M", fixed, "weighted_sum");
    print_share("aggregate_f32_100x1M_read", f32_bytes, f32, bandwidth);

    fleet_open(&fleet, BIG, CODEC_INT8);
    double int8 = rule_ms(&fleet, "fedavg");
    print_case("aggregate_int8_100x1M", int8, "weighted_sum");
    print_share("aggregate_int8_100x1M_read", (double)UPDATES * codec_frame_bytes(CODEC_INT8, BIG),
                int8, bandwidth);
    fleet_close(&fleet);

    fleet_open(&fleet, SMALL, CODEC_F32);
    print_case("median_100x100k", rule_ms(&fleet, "median"), "median");
    print_case("trimmed_100x100k", rule_ms(&fleet, "trimmed f=0.2"), "trimmed");
    print_case("krum_100x100k", rule_ms(&fleet, "krum f=0.2"), "krum");
    fleet_close(&fleet);
    return 0;
}
