/* See bench.h. */
#include "bench.h"

#include "common/assert.h"
#include "common/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- bodies ----------------------------------------------------------------------------------- */

mycel_UpdateReport bench_report(const struct bench *bench)
{
    mycel_UpdateReport report = mycel_UpdateReport_init_zero;
    report.run = bench->lease.run;
    report.round = bench->lease.round;
    report.base_version = bench->lease.base.version;
    report.samples = BENCH_SAMPLES;
    report.steps = 30;
    report.loss_first = 1.5f;
    report.loss_last = 0.5f;
    report.codec = (mycel_Codec)bench->codec;
    return report;
}

size_t bench_body(const struct bench *bench, const mycel_UpdateReport *report, const float *delta,
                  uint8_t body[BENCH_BODY_MAX], size_t *frame_at)
{
    static float residual[BENCH_PARAMS_MAX];
    float scratch[CODEC_BLOCK_PARAMS_MAX];
    const struct codec_header header = {.codec = bench->codec,
                                        .params = bench->params,
                                        .base_version = report->base_version,
                                        .seed = 11,
                                        .weight = report->samples};
    memset(residual, 0, sizeof residual);
    int head = wire_update_head(report, body, BENCH_BODY_MAX);
    MYCEL_ASSERT(head > 0);
    int frame = codec_encode(&header, delta, codec_has_residual(bench->codec) ? residual : NULL,
                             scratch, body + head, BENCH_BODY_MAX - (size_t)head);
    MYCEL_ASSERT(frame > 0);
    *frame_at = (size_t)head;
    return (size_t)head + (size_t)frame;
}

static void train(const struct bench *bench, uint32_t device, float *delta)
{
    for (uint32_t i = 0; i < bench->params; i++) {
        delta[i] = 0.1f * (rng_f32(7, device, i) - 0.5f);
    }
}

/* --- the engine ------------------------------------------------------------------------------- */

static const struct engine_action *first(const struct engine_actions *actions,
                                         enum engine_action_type type)
{
    for (uint32_t i = 0; i < actions->count; i++) {
        if (actions->list[i].type == type) {
            return &actions->list[i];
        }
    }
    return NULL;
}

static void step(struct bench *bench, struct engine_event *event, struct engine_actions *actions)
{
    event->now_ms = 1000;
    MYCEL_ASSERT(engine_step(bench->engine, event, actions) == 0);
}

static void open_run(struct bench *bench)
{
    struct engine_actions actions;
    struct engine_event restored = {.type = ENGINE_EVENT_RESTORED};
    struct engine_event run = {.type = ENGINE_EVENT_RUN};
    run.u.run.spec = (struct engine_spec){.run = 1,
                                          .seed = 5,
                                          .goal = BENCH_DEVICE + 5,
                                          .minimum = BENCH_DEVICE + 5,
                                          .codec = (uint8_t)bench->codec,
                                          .codecs = 1u << bench->codec,
                                          .model_bytes = 4ull * bench->params};
    step(bench, &restored, &actions);
    step(bench, &run, &actions);
}

static struct engine_lease check_in(struct bench *bench, uint32_t device)
{
    struct engine_actions actions;
    struct engine_event event = {.type = ENGINE_EVENT_CHECKIN};
    event.u.checkin.device = device;
    event.u.checkin.facts = (struct engine_facts){.samples = BENCH_SAMPLES,
                                                  .codecs = ~0u,
                                                  .model_bytes_max = 1u << 20,
                                                  .battery_percent = 255,
                                                  .idle = true};
    step(bench, &event, &actions);
    const struct engine_action *reply = first(&actions, ENGINE_ACTION_REPLY_LEASE);
    MYCEL_ASSERT(reply != NULL);
    return reply->u.lease.lease;
}

/* The receipt's row; NULL: there is none. */
static const struct engine_action_update *send(struct bench *bench, uint32_t device,
                                               const struct engine_lease *lease,
                                               const uint8_t *body, size_t bytes)
{
    const struct verify_expected expected = {.params = bench->params};
    struct engine_actions actions;
    struct engine_event event = {.type = ENGINE_EVENT_UPDATE};
    verify_update(body, bytes, &expected, &event.u.update);
    event.u.update.device = device;
    memcpy(event.u.update.key, lease->key, PROTO_KEY_BYTES);
    step(bench, &event, &actions);
    const struct engine_action *row = first(&actions, ENGINE_ACTION_STORE_UPDATE);
    return row != NULL && first(&actions, ENGINE_ACTION_REPLY_RECEIPT) ? &row->u.update_row : NULL;
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

static int fill_round(struct bench *bench)
{
    static float delta[BENCH_PARAMS_MAX];
    float norms[BENCH_HONEST];
    for (uint32_t device = 1; device <= BENCH_HONEST; device++) {
        uint8_t body[BENCH_BODY_MAX];
        size_t frame_at;
        bench->lease = check_in(bench, device);
        mycel_UpdateReport report = bench_report(bench);
        train(bench, device, delta);
        size_t bytes = bench_body(bench, &report, delta, body, &frame_at);
        const struct engine_action_update *row = send(bench, device, &bench->lease, body, bytes);
        if (row == NULL || row->receipt.counted_round == 0) {
            return -1;
        }
        norms[device - 1] = row->norm;
    }
    qsort(norms, BENCH_HONEST, sizeof norms[0], ascending);
    bench->median = (double)norms[BENCH_HONEST / 2];
    bench->lease = check_in(bench, BENCH_DEVICE);
    mycel_UpdateReport report = bench_report(bench);
    train(bench, BENCH_DEVICE, delta);
    bench->bytes = bench_body(bench, &report, delta, bench->body, &bench->frame_at);
    return 0;
}

int bench_open(struct bench *bench, enum codec_id codec)
{
    const struct engine_config config = {.device_max = 16, .run_max = 1, .receipt_max = 16};
    memset(bench, 0, sizeof *bench);
    bench->codec = codec;
    bench->params = 64;
    while (bench->params < BENCH_PARAMS_MAX &&
           codec_frame_bytes(codec, bench->params) < BENCH_BODY_MIN) {
        bench->params += 64;
    }
    bench->params -= 3; /* the last block is not full */
    bench->memory_bytes = engine_bytes(&config);
    bench->memory = calloc(1, bench->memory_bytes);
    bench->before = malloc(bench->memory_bytes);
    if (bench->memory == NULL || bench->before == NULL ||
        engine_init(bench->memory, bench->memory_bytes, &config, &bench->engine) < 0) {
        return -1;
    }
    open_run(bench);
    if (fill_round(bench) < 0) {
        return -1;
    }
    memcpy(bench->before, bench->memory, bench->memory_bytes);
    return 0;
}

void bench_close(struct bench *bench)
{
    free(bench->memory);
    free(bench->before);
}

/* --- judging ---------------------------------------------------------------------------------- */

/* Looks at a counted update with nothing but the decoder: not with what verify or the engine said. */
static const char *broken_rule(const struct bench *bench, const uint8_t *body, size_t bytes,
                               const struct engine_action_update *row)
{
    static float values[BENCH_PARAMS_MAX];
    struct wire_update update;
    struct codec_frame frame;
    double squares = 0;
    if (wire_update_split(&update, body, bytes) < 0 ||
        codec_open(&frame, update.frame, update.frame_bytes) < 0) {
        return "it cannot be decoded";
    }
    if (frame.header.params != bench->params || frame.header.codec != bench->codec) {
        return "another shape or codec than the lease's";
    }
    if (frame.header.base_version != bench->lease.base.version ||
        update.report.run != bench->lease.run || update.report.round != bench->lease.round) {
        return "another run, round or base than the lease's";
    }
    if (update.report.samples != BENCH_SAMPLES || frame.header.weight != BENCH_SAMPLES ||
        row->weight != BENCH_SAMPLES) {
        return "another weight than was meant";
    }
    if (!isfinite(update.report.loss_first) || !isfinite(update.report.loss_last)) {
        return "a loss that is not finite";
    }
    codec_decode(&frame, 0, bench->params, values);
    for (uint32_t i = 0; i < bench->params; i++) {
        /* A model that takes this update alone: base + delta is finite if the value is below the limit. */
        if (!isfinite(values[i]) || fabsf(values[i]) >= CODEC_VALUE_LIMIT) {
            return "a value that is not finite or beyond the limit";
        }
        squares += (double)values[i] * (double)values[i];
    }
    double norm = sqrt(squares);
    if (norm > BENCH_NORM_FACTOR * bench->median * 1.001) {
        return "a norm beyond ten times the median";
    }
    return fabs(norm - (double)row->norm) > 0.01 * norm + 1e-6 ? "another norm than was judged"
                                                               : NULL;
}

enum bench_verdict bench_judge(struct bench *bench, const uint8_t *body, size_t bytes,
                               const char **why)
{
    struct engine_run_view before, after;
    memcpy(bench->memory, bench->before, bench->memory_bytes);
    MYCEL_ASSERT(engine_run_view(bench->engine, 0, &before) == 0);
    const struct engine_action_update *row = send(bench, BENCH_DEVICE, &bench->lease, body, bytes);
    MYCEL_ASSERT(engine_run_view(bench->engine, 0, &after) == 0);
    *why = "no receipt";
    if (row == NULL) {
        return BENCH_BROKEN;
    }
    if (row->receipt.counted_round == 0) {
        *why = "refused, but not for the device's fault, or it counts all the same";
        bool clean = mycel_error_class(row->receipt.status) == MYCEL_CLASS_PEER &&
                     row->weight == 0 && after.accepted == before.accepted;
        return clean ? BENCH_REFUSED : BENCH_BROKEN;
    }
    *why = broken_rule(bench, body, bytes, row);
    return *why == NULL ? BENCH_COUNTED : BENCH_HOSTILE;
}
