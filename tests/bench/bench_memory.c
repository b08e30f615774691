/*
 * Resident memory of a coordinator that has accepted 1,000, 10,000 and 100,000 updates: a real `mycel serve`
 * with a real store, and devices that check in, download, upload and get their receipts over DTLS, round after
 * round. Spool, group commit, aggregation, publication and retention are all at work.
 *
 * The figure of a moment is the median of samples over half a second, so that neither a round's sum nor a
 * pause between two rounds decides it. Fails if the last is more than 1 % above the first.
 *
 *   bench_memory             the three marks
 *   bench_memory UPDATES     half as many and UPDATES, within LIMIT_SHORT and with a larger model: the coordinator's
 *                            working room would hide small change, so a short run looks for whole updates that stay.
 *                            The cache of versions is full after 16 rounds, 512 updates
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

#define DEVICES 32u /* all take part in each round */
#define PACE_MS 20u
#define KEEP_VERSIONS 5u /* so that retention is at work before the first mark */
#define MODEL "64 > dense 32 relu > dense 10 softmax"
#define MODEL_SHORT "784 > dense 32 relu > dense 10 softmax" /* 25 KB an update */
#define SHORT_MIN 100u
#define MARKS_MAX 3u
#define SAMPLES 25u
#define SAMPLE_MS 20u
#define LIMIT 1.01
#define LIMIT_SHORT 1.05
#define WAIT_S 3600

static void pause_ms(unsigned ms)
{
    const struct timespec pause = {.tv_nsec = (long)ms * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* VmRSS in kilobytes; 0 if it cannot be read. */
static unsigned long resident_kb(pid_t pid)
{
    char path[64], line[128];
    unsigned long kb = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && kb == 0 && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "VmRSS: %lu kB", &kb);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kb;
}

static int compare(const void *a, const void *b)
{
    unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;
    return x < y ? -1 : x > y;
}

static unsigned long sample_kb(pid_t pid)
{
    unsigned long seen[SAMPLES];
    for (unsigned i = 0; i < SAMPLES; i++) {
        seen[i] = resident_kb(pid);
        pause_ms(SAMPLE_MS);
    }
    qsort(seen, SAMPLES, sizeof *seen, compare);
    return seen[SAMPLES / 2u];
}

static bool wait_for(const struct device_counts *counts, uint64_t receipts)
{
    for (unsigned waited = 0; waited < WAIT_S * 100u; waited++) {
        if (__atomic_load_n(&counts->receipts, __ATOMIC_RELAXED) >= receipts) {
            return true;
        }
        pause_ms(10);
    }
    (void)fprintf(stderr, "bench_memory: %llu receipts of %llu in time\n",
                  (unsigned long long)counts->receipts, (unsigned long long)receipts);
    return false;
}

static bool measure(const struct coordinator *c, const struct device_counts *counts,
                    const uint64_t marks[MARKS_MAX], double limit)
{
    unsigned long kb = 0, first_kb = 0;
    for (unsigned i = 0; i < MARKS_MAX && marks[i] > 0; i++) {
        if (!wait_for(counts, marks[i]) || (kb = sample_kb(c->pid)) == 0) {
            return false;
        }
        first_kb = i == 0 ? kb : first_kb;
        (void)printf(
            "{\"bench\":\"memory\",\"case\":\"rss_%llu_updates\",\"value\":%lu,\"unit\":\"KB\","
            "\"reference\":%lu,\"ratio\":%.4f}\n",
            (unsigned long long)marks[i], kb, first_kb, (double)kb / (double)first_kb);
        (void)fflush(stdout);
    }
    if ((double)kb > limit * (double)first_kb) {
        (void)fprintf(stderr, "bench_memory: grew from %lu to %lu KB\n", first_kb, kb);
        return false;
    }
    return true;
}

static bool run(const uint64_t marks[MARKS_MAX], const char *model, double limit)
{
    const struct coordinator_options options = {.devices = DEVICES,
                                                .goal = DEVICES,
                                                .pace_ms = PACE_MS,
                                                .keep_versions = KEEP_VERSIONS,
                                                .model = model,
                                                .codec = "int8"};
    struct coordinator coordinator;
    struct device_counts *counts =
        mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED) {
        return false;
    }
    bool ok = coordinator_start(&coordinator, &options) == 0;
    struct worker_options work = {.devices = DEVICES,
                                  .port = coordinator.port,
                                  .codecs = 1u << CODEC_INT8 | 1u << CODEC_F32,
                                  .counts = counts};
    pid_t worker = ok ? worker_start(&work) : -1;
    ok = worker > 0 && measure(&coordinator, counts, marks, limit);
    if (worker > 0) {
        (void)kill(worker, SIGKILL);
        (void)waitpid(worker, NULL, 0);
    }
    ok = coordinator_stop(&coordinator) == 0 && ok;
    (void)munmap(counts, sizeof *counts);
    return ok;
}

int main(int count, char **words)
{
    uint64_t updates = count > 1 ? strtoull(words[1], NULL, 10) : 0;
    if (count > 1 && updates < SHORT_MIN) {
        (void)fprintf(stderr, "bench_memory: at least %u updates\n", SHORT_MIN);
        return 2;
    }
    const uint64_t all[MARKS_MAX] = {1000, 10000, 100000};
    const uint64_t some[MARKS_MAX] = {updates / 2u, updates, 0};
    bool ok = updates > 0 ? run(some, MODEL_SHORT, LIMIT_SHORT) : run(all, MODEL, LIMIT);
    return ok ? 0 : 1;
}
