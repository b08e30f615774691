/* See fleet.h. */
#include "fleet.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"

#define CONTEXTS_MAX 4u

static void *allocate(size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);
    assert_non_null(memory);
    return memory;
}

void fleet_normal(float *values, uint32_t count, uint32_t seed, uint32_t stream)
{
    for (uint32_t i = 0; i < count; i++) {
        float sum = 0;
        for (uint32_t j = 0; j < 12; j++) {
            sum += rng_f32(seed, stream, (uint64_t)i * 12u + j);
        }
        values[i] = sum - 6.0f;
    }
}

void fleet_set(struct fleet *fleet, uint32_t device, const float *delta, enum codec_id codec)
{
    float scratch[CODEC_BLOCK_PARAMS_MAX];
    uint32_t bytes = codec_frame_bytes(codec, fleet->params);
    struct codec_header header = {codec, fleet->params, 1, device + 77u, 10};
    free(fleet->bytes[device]);
    fleet->bytes[device] = allocate(bytes);
    assert_int_equal(codec_encode(&header, delta, NULL, scratch, fleet->bytes[device], bytes),
                     bytes);
    struct codec_frame *frame = &fleet->frames[device];
    assert_int_equal(codec_open(frame, fleet->bytes[device], bytes), 0);
    assert_int_equal(codec_scan(frame, &fleet->updates[device].stats), 0);
    codec_decode(frame, 0, fleet->params, fleet->deltas[device]);
    fleet->updates[device].frame = frame;
}

void fleet_open(struct fleet *fleet, uint32_t devices, uint32_t params, enum codec_id codec,
                uint32_t seed)
{
    assert_true(devices <= FLEET_MAX);
    memset(fleet, 0, sizeof *fleet);
    fleet->params = params;
    fleet->devices = devices;
    fleet->base = allocate(params * sizeof(float));
    fleet_normal(fleet->base, params, seed, 1000);
    float *common = allocate(params * sizeof(float)), *own = allocate(params * sizeof(float));
    fleet_normal(common, params, seed, 1001);
    for (uint32_t d = 0; d < devices; d++) {
        fleet_normal(own, params, seed, d);
        for (uint32_t i = 0; i < params; i++) {
            own[i] = 0.01f * (common[i] + 0.5f * own[i]);
        }
        fleet->deltas[d] = allocate(params * sizeof(float));
        fleet_set(fleet, d, own, codec);
        struct rule_update *update = &fleet->updates[d];
        update->device = d * 3u + 5u;
        update->weight = 1u + rng_below(seed, 2000, d, 600);
        update->steps = 1u + rng_below(seed, 2001, d, 40);
        update->scale = d % 5u == 4u ? 0.5f : 1.0f;
        update->loss = 0.2f + rng_f32(seed, 2002, d);
    }
    free(common);
    free(own);
}

void fleet_close(struct fleet *fleet)
{
    for (uint32_t d = 0; d < fleet->devices; d++) {
        free(fleet->deltas[d]);
        free(fleet->bytes[d]);
    }
    free(fleet->base);
}

struct rule_strategy fleet_strategy(const char *text)
{
    struct rule_strategy strategy;
    struct rule_error error = {0};
    if (rule_parse(text, &strategy, &error) != 0) {
        fail_msg("%s:%u: %s", text, error.column, error.text);
    }
    return strategy;
}

struct rule_setup fleet_setup(const struct fleet *fleet, const struct rule_strategy *strategy)
{
    return (struct rule_setup){
        .strategy = strategy,
        .params = fleet->params,
        .updates_max = FLEET_MAX,
        .weight_max = 1000,
        .clients = 100,
        .learning_rate = 0.1f,
    };
}

struct rule_result fleet_run(const struct fleet *fleet, const struct rule_setup *setup,
                             const uint32_t *order, uint32_t contexts, float *state, float *next)
{
    struct rule_round rounds[CONTEXTS_MAX];
    struct rule_setup setups[CONTEXTS_MAX];
    struct rule_result result;
    assert_true(contexts >= 1 && contexts <= CONTEXTS_MAX);
    for (uint32_t c = 0; c < contexts; c++) {
        setups[c] = *setup;
        setups[c].state = state;
        setups[c].work_bytes = rule_work_bytes(setup);
        setups[c].work = allocate(setups[c].work_bytes);
        assert_int_equal(rule_begin(&rounds[c], &setups[c]), 0);
    }
    for (uint32_t i = 0; i < fleet->devices;) {
        /* One by one, and in batches. */
        struct rule_update batch[3];
        int status[3];
        uint32_t count = order && fleet->devices - i >= 3u ? 1u + order[i] % 3u : 1u;
        for (uint32_t b = 0; b < count; b++) {
            batch[b] = fleet->updates[order ? order[i + b] : i + b];
        }
        assert_int_equal(rule_add_batch(&rounds[i % contexts], batch, count, status), count);
        i += count;
    }
    for (uint32_t c = 1; c < contexts; c++) {
        assert_int_equal(rule_merge(&rounds[0], &rounds[c]), 0);
    }
    assert_int_equal(rule_finish(&rounds[0], fleet->base, next, &result), 0);
    for (uint32_t c = 0; c < contexts; c++) {
        free(setups[c].work);
    }
    return result;
}

double fleet_distance(const float *a, const float *b, uint32_t count)
{
    double square = 0;
    for (uint32_t i = 0; i < count; i++) {
        square += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    }
    return sqrt(square);
}

double fleet_norm(const float *a, uint32_t count)
{
    double square = 0;
    for (uint32_t i = 0; i < count; i++) {
        square += (double)a[i] * (double)a[i];
    }
    return sqrt(square);
}
