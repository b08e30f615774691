/*
 * One lease and its judge: an engine in the middle of a round, with enough honest updates behind it that the
 * norm rule is in force, and one device whose body is to come. Any body can be put before it, any number of
 * times: each time it is the same engine in the same state.
 */
#ifndef TESTS_FAULT_UPDATE_BENCH_H
#define TESTS_FAULT_UPDATE_BENCH_H

#include "common/codec/codec.h"
#include "proto/wire.h"
#include "server/desk/verify.h"
#include "server/engine/engine.h"

#define BENCH_PARAMS_MAX 65536u /* a sparse codec sends a hundredth of them */
#define BENCH_BODY_MAX 4096u
#define BENCH_BODY_MIN 1024u
#define BENCH_HONEST 9u /* one more than the norm rule needs */
#define BENCH_DEVICE (BENCH_HONEST + 1u)
#define BENCH_SAMPLES 600u
#define BENCH_NORM_FACTOR 10.0 /* docs/ENGINE.md: times the running median */

struct bench {
    enum codec_id codec;
    uint32_t params;
    double median; /* of the honest norms */
    struct engine_lease lease;
    uint8_t body[BENCH_BODY_MAX]; /* what the device would honestly send */
    size_t bytes;
    size_t frame_at;
    struct engine *engine;
    void *memory;
    void *before; /* the engine's memory at the moment of the upload */
    size_t memory_bytes;
};

/* What became of a body. */
enum bench_verdict {
    BENCH_REFUSED, /* with a reason that is the device's fault, and nothing of it counts */
    BENCH_COUNTED, /* and keeps every rule that it claims to keep */
    BENCH_HOSTILE, /* counted although it breaks a rule: *why says which */
    BENCH_BROKEN,  /* neither: no receipt, or a reason that is not the device's fault */
};

/* Picks a size so that the body is BENCH_BODY_MIN…MAX bytes, and fills everything. -1: it cannot. */
int bench_open(struct bench *bench, enum codec_id codec);
void bench_close(struct bench *bench);

/* Writes a body with this report and delta; its bytes. */
size_t bench_body(const struct bench *bench, const mycel_UpdateReport *report, const float *delta,
                  uint8_t body[BENCH_BODY_MAX], size_t *frame_at);
mycel_UpdateReport bench_report(const struct bench *bench);

enum bench_verdict bench_judge(struct bench *bench, const uint8_t *body, size_t bytes,
                               const char **why);

#endif
