/*
 * What one update costs the coordinator, all in: devices check in, download the model, upload an encoded
 * delta and get their receipt, over DTLS, from a real `mycel serve` with a real store.
 *
 * CPU is that of the whole coordinator process (user and system, every thread) between two moments, divided
 * by the updates that were receipted in between: both directions of the wire, verification, the commit
 * with its fsync, and the rounds' aggregation. No held-out set is configured, so versions are not scored.
 * Bytes are counted at the devices' sockets with the headers of UDP and IP.
 *
 * Cases without a suffix use DRIVE-1, the default on narrow links; int8 is the default elsewhere. With both, versions
 * come down as deltas; with f32 as they are. References: CPU of Flower 1.8 over TLS with f32 both ways; raw f32 for bytes.
 *
 *   bench_fleet                                                       every case
 *   bench_fleet PARAMS CODEC [DEVICES [ROUNDS [PACE_MS [DOWNLINK]]]]  one case, with its details on stderr
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "common/codec/codec.h"
#include "tests/bench/fleet/coordinator.h"
#include "tests/bench/fleet/worker.h"

#define WORKERS_MAX 4u
#define DEVICES_MAX 60000u
#define ROUND_LIMIT_S 60
#define KEY_FRAME_ROUNDS 32 /* from one to the next */
#define RAW_BYTES_25K 101800.0
#define COUNT_WORDS (sizeof(struct device_counts) / sizeof(uint64_t))

struct scenario {
    uint32_t params;
    const char *model;
    uint32_t devices; /* each takes part in each round */
    uint32_t rounds;  /* measured, after a first one */
    uint32_t pace_ms; /* short, so that the coordinator is busy */
    double flower_us;
};

static const struct scenario scenarios[] = {
    {1000, "99 > dense 10 softmax", 1000, 4, 200, 0}, /* few blocks: the rest of an update's cost */
    {10000, "100 > dense 90 relu > dense 10 softmax", 1000, 4, 200, 750},
    {25450, "28x28x1 > dense 32 relu > dense 10 softmax", 128, 4, 500, 0},
    {100000, "1100 > dense 90 relu > dense 10 softmax", 256, 3, 500, 1600},
    {1000000, "11100 > dense 90 relu > dense 10 softmax", 32, 3, 500, 10700},
};

/* What was seen between two moments. */
struct outcome {
    double cpu_us; /* of the coordinator, for each update */
    double elapsed_s;
    struct device_counts counts;
};

struct bench {
    const struct scenario *scenario;
    enum codec_id codec;
    struct coordinator coordinator;
    struct device_counts *counts; /* WORKERS_MAX of them, shared with the workers */
    pid_t workers[WORKERS_MAX];
    unsigned worker_count;
};

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The workers' counts of this moment, added up. */
static struct device_counts counts_now(const struct bench *b)
{
    uint64_t sum[COUNT_WORDS] = {0};
    struct device_counts out;
    for (unsigned i = 0; i < b->worker_count; i++) {
        const uint64_t *words = (const uint64_t *)(const void *)&b->counts[i];
        for (size_t j = 0; j < COUNT_WORDS; j++) {
            sum[j] += __atomic_load_n(&words[j], __ATOMIC_RELAXED);
        }
    }
    memcpy(&out, sum, sizeof out);
    return out;
}

static struct device_counts counts_minus(struct device_counts a, const struct device_counts *b)
{
    uint64_t words[COUNT_WORDS], less[COUNT_WORDS];
    memcpy(words, &a, sizeof words);
    memcpy(less, b, sizeof less);
    for (size_t i = 0; i < COUNT_WORDS; i++) {
        words[i] -= less[i];
    }
    memcpy(&a, words, sizeof a);
    return a;
}

/* Waits for so many receipts in all. */
static bool wait_receipts(const struct bench *b, uint64_t receipts, double limit_s)
{
    double end_s = now_s() + limit_s;
    const struct timespec pause = {.tv_nsec = 2000000};
    while (now_s() < end_s) {
        if (counts_now(b).receipts >= receipts) {
            return true;
        }
        (void)nanosleep(&pause, NULL);
    }
    struct device_counts seen = counts_now(b);
    (void)fprintf(stderr,
                  "bench_fleet: %llu receipts of %llu in time; %llu refused, %llu problems\n",
                  (unsigned long long)seen.receipts, (unsigned long long)receipts,
                  (unsigned long long)seen.refused, (unsigned long long)seen.problems);
    return false;
}

static bool start_workers(struct bench *b)
{
    uint32_t devices = b->scenario->devices;
    uint32_t each = (devices + WORKERS_MAX - 1u) / WORKERS_MAX;
    for (uint32_t first = 0; first < devices; first += each) {
        struct worker_options options = {.first = first,
                                         .devices = devices - first < each ? devices - first : each,
                                         .port = b->coordinator.port,
                                         .codecs = 1u << b->codec | 1u << CODEC_F32,
                                         .counts = &b->counts[b->worker_count]};
        pid_t pid = worker_start(&options);
        if (pid < 0) {
            return false;
        }
        b->workers[b->worker_count++] = pid;
    }
    return true;
}

static void stop_workers(struct bench *b)
{
    for (unsigned i = 0; i < b->worker_count; i++) {
        (void)kill(b->workers[i], SIGKILL);
        (void)waitpid(b->workers[i], NULL, 0);
    }
}

/* From the end of the first round, when every device has its session, over `rounds` whole ones. */
static bool observe(struct bench *b, struct outcome *out)
{
    const struct scenario *s = b->scenario;
    if (!wait_receipts(b, s->devices, 2 * ROUND_LIMIT_S)) {
        return false;
    }
    struct device_counts before = counts_now(b);
    double cpu_s = coordinator_cpu_s(&b->coordinator);
    double begin_s = now_s();
    if (!wait_receipts(b, before.receipts + (uint64_t)s->devices * s->rounds,
                       (double)ROUND_LIMIT_S * s->rounds)) {
        return false;
    }
    out->counts = counts_minus(counts_now(b), &before);
    out->elapsed_s = now_s() - begin_s;
    out->cpu_us = (coordinator_cpu_s(&b->coordinator) - cpu_s) * 1e6 / (double)out->counts.receipts;
    return true;
}

static bool run_case(const struct scenario *scenario, enum codec_id codec, const char *downlink,
                     struct outcome *out)
{
    struct bench b = {.scenario = scenario, .codec = codec};
    struct coordinator_options options = {.devices = scenario->devices,
                                          .goal = scenario->devices,
                                          .pace_ms = scenario->pace_ms,
                                          .model = scenario->model,
                                          .codec = codec_name((int)codec),
                                          .downlink = downlink};
    size_t bytes = WORKERS_MAX * sizeof *b.counts;
    b.counts = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool ok = b.counts != MAP_FAILED && coordinator_start(&b.coordinator, &options) == 0 &&
              start_workers(&b) && observe(&b, out);
    stop_workers(&b);
    ok = coordinator_stop(&b.coordinator) == 0 && ok;
    if (b.counts != MAP_FAILED) {
        (void)munmap(b.counts, bytes);
    }
    return ok;
}

/* ---- cases */

static void print(const char *name, double value, const char *unit, double reference)
{
    char against[80] = "\"reference\":null,\"ratio\":null";
    if (reference > 0) {
        (void)snprintf(against, sizeof against, "\"reference\":%.6g,\"ratio\":%.4g", reference,
                       value / reference);
    }
    (void)printf("{\"bench\":\"fleet\",\"case\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",%s}\n", name,
                 value, unit, against);
    (void)fflush(stdout);
}

static const struct scenario *scenario_of(uint32_t params)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (scenarios[i].params == params) {
            return &scenarios[i];
        }
    }
    return NULL;
}

/* Encoded updates come with deltas down, which is the default, over a key frame and all deltas up to the next. */
static bool cpu_case(const char *name, uint32_t params, enum codec_id codec)
{
    struct scenario scenario = *scenario_of(params);
    struct outcome outcome;
    bool raw = codec == CODEC_F32;
    scenario.rounds = raw ? scenario.rounds : KEY_FRAME_ROUNDS;
    if (!run_case(&scenario, codec, raw ? "f32" : "delta", &outcome)) {
        return false;
    }
    print(name, outcome.cpu_us, "us", scenario.flower_us);
    return true;
}

/* Everything that a device sends for one update, from the first block to the receipt. */
static bool bytes_case(const char *name, enum codec_id codec)
{
    struct outcome outcome;
    if (!run_case(scenario_of(25450), codec, "f32", &outcome)) {
        return false;
    }
    print(name,
          (double)outcome.counts.traffic.bytes_out[LINK_UPLOAD] / (double)outcome.counts.receipts,
          "B", RAW_BYTES_25K);
    return true;
}

/* Everything that a device sends and is sent for one round but its handshake. */
static bool both_ways(enum codec_id codec, const char *downlink, double *bytes)
{
    static const struct scenario period = {
        25450, "28x28x1 > dense 32 relu > dense 10 softmax", 32, KEY_FRAME_ROUNDS, 500, 0};
    struct outcome outcome;
    if (!run_case(&period, codec, downlink, &outcome)) {
        return false;
    }
    *bytes = 0;
    for (int kind = LINK_CHECKIN; kind <= LINK_UPLOAD; kind++) {
        *bytes += (double)outcome.counts.traffic.bytes_out[kind] +
                  (double)outcome.counts.traffic.bytes_in[kind];
    }
    *bytes /= (double)outcome.counts.receipts;
    return true;
}

static bool ratio_case(void)
{
    double raw, coded;
    if (!both_ways(CODEC_F32, "f32", &raw) || !both_ways(CODEC_DRIVE1, "delta", &coded)) {
        return false;
    }
    print("both_ways_bytes_f32", raw, "B", 0);
    print("both_ways_bytes_drive", coded, "B", raw);
    print("bytes_ratio_both_ways", raw / coded, "", 25);
    return true;
}

static int all_cases(void)
{
    bool ok = cpu_case("fleet_cpu_10k", 10000, CODEC_DRIVE1);
    ok = cpu_case("fleet_cpu_10k_int8", 10000, CODEC_INT8) && ok;
    ok = cpu_case("fleet_cpu_10k_f32", 10000, CODEC_F32) && ok;
    ok = cpu_case("fleet_cpu_100k", 100000, CODEC_DRIVE1) && ok;
    ok = cpu_case("fleet_cpu_100k_int8", 100000, CODEC_INT8) && ok;
    ok = cpu_case("fleet_cpu_100k_f32", 100000, CODEC_F32) && ok;
    ok = cpu_case("fleet_cpu_1M", 1000000, CODEC_DRIVE1) && ok;
    ok = cpu_case("fleet_cpu_1M_int8", 1000000, CODEC_INT8) && ok;
    ok = cpu_case("fleet_cpu_1M_f32", 1000000, CODEC_F32) && ok;
    ok = bytes_case("upload_bytes_drive", CODEC_DRIVE1) && ok;
    ok = bytes_case("upload_bytes_int8", CODEC_INT8) && ok;
    ok = ratio_case() && ok;
    return ok ? 0 : 1;
}

static void explain(const struct outcome *o)
{
    static const char *const kinds[] = {"handshake", "check-in", "download", "upload"};
    const struct device_counts *c = &o->counts;
    double updates = (double)c->receipts;
    (void)fprintf(stderr,
                  "%llu updates in %.1f s; %llu refused, %llu leases, %llu windows, %llu problems, "
                  "%llu retransmissions\n",
                  (unsigned long long)c->receipts, o->elapsed_s, (unsigned long long)c->refused,
                  (unsigned long long)c->leases, (unsigned long long)c->windows,
                  (unsigned long long)c->problems, (unsigned long long)c->traffic.retransmissions);
    for (unsigned i = 0; i < LINK_KINDS; i++) {
        (void)fprintf(stderr, "%-10s %10.1f B out %10.1f B in %8.2f datagrams an update\n",
                      kinds[i], (double)c->traffic.bytes_out[i] / updates,
                      (double)c->traffic.bytes_in[i] / updates,
                      (double)c->traffic.datagrams[i] / updates);
    }
}

static int one_case(int count, char **words)
{
    const struct scenario *known = scenario_of((uint32_t)strtoul(words[1], NULL, 10));
    int codec = codec_from_name(words[2]);
    if (known == NULL || codec < 0) {
        (void)fprintf(stderr,
                      "bench_fleet: 1000, 10000, 25450, 100000 or 1000000 parameters, and a "
                      "codec such as drive1\n");
        return 2;
    }
    struct scenario scenario = *known;
    scenario.devices = count > 3 ? (uint32_t)strtoul(words[3], NULL, 10) : scenario.devices;
    scenario.rounds = count > 4 ? (uint32_t)strtoul(words[4], NULL, 10) : scenario.rounds;
    scenario.pace_ms = count > 5 ? (uint32_t)strtoul(words[5], NULL, 10) : scenario.pace_ms;
    if (scenario.devices == 0 || scenario.devices > DEVICES_MAX || scenario.rounds == 0) {
        (void)fprintf(stderr, "bench_fleet: 1 to %u devices, and a round at least\n", DEVICES_MAX);
        return 2;
    }
    struct outcome outcome;
    if (!run_case(&scenario, (enum codec_id)codec, count > 6 ? words[6] : "f32", &outcome)) {
        return 1;
    }
    explain(&outcome);
    print("fleet_cpu", outcome.cpu_us, "us", scenario.flower_us);
    return 0;
}

int main(int count, char **words)
{
    return count >= 3 ? one_case(count, words) : all_cases();
}
