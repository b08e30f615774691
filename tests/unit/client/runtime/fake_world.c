/* The platform, the trainer, virtual time. See fake.h. */
#include "fake.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define POLLS_PER_MS_MAX 2000u

static struct fake_world world;

static uint64_t random_of(void *ctx)
{
    struct fake_world *w = ctx;
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return w->random ^ w->random >> 29;
}

static void conditions_of(void *ctx, bool training, struct mycel_conditions *conditions)
{
    struct fake_world *w = ctx;
    (void)training;
    conditions->idle = w->idle;
    conditions->battery_percent = 80;
}

static void on_event(void *ctx, const struct mycel_event *event)
{
    struct fake_world *w = ctx;
    assert_non_null(event->text);
    w->events[event->kind]++;
    w->last_event = *event;
    if (event->kind == MYCEL_EVENT_PROBLEM) {
        w->last_problem = event->code;
        w->last_column = event->column ? event->column : w->last_column;
    }
}

static const struct mycel_platform platform = {random_of, conditions_of, on_event};

/* ---- trainer: weight i becomes base + (i mod 7 - 3) / 64, whatever the plan says. */

static uint32_t trainer_samples(void *ctx)
{
    return ((struct fake_world *)ctx)->trainer.samples;
}

static int trainer_prepare(void *ctx, const struct mycel_plan *plan, uint32_t *column)
{
    struct fake_trainer *t = &((struct fake_world *)ctx)->trainer;
    t->prepares++;
    *column = t->prepare_column;
    if (t->prepare_error < 0) {
        return t->prepare_error;
    }
    assert_false(t->prepared);
    if (strcmp(plan->model, "test") != 0) {
        return MYCEL_E_MALFORMED;
    }
    t->params = plan->params;
    t->steps_left = t->steps_total;
    t->corrected = 0;
    t->control = plan->control;
    t->prepared = true;
    return 0;
}

static int trainer_load(void *ctx, uint32_t first, const float *values, uint32_t count)
{
    struct fake_trainer *t = &((struct fake_world *)ctx)->trainer;
    assert_true(t->prepared && first + count <= t->params);
    memcpy(t->weights + first, values, count * sizeof *values);
    return 0;
}

static int trainer_step(void *ctx, uint32_t steps)
{
    struct fake_trainer *t = &((struct fake_world *)ctx)->trainer;
    assert_true(t->prepared);
    t->steps_left -= t->steps_left < steps ? t->steps_left : steps;
    if (t->steps_left > 0) {
        return 1;
    }
    for (uint32_t i = 0; i < t->params; i++) {
        t->weights[i] += ((float)(i % 7u) - 3.0f) / 64.0f;
    }
    t->weights[t->params > 5 ? 5 : 0] += t->poison;
    t->completed++;
    return 0;
}

static int trainer_weights(void *ctx, uint32_t first, float *values, uint32_t count)
{
    struct fake_trainer *t = &((struct fake_world *)ctx)->trainer;
    assert_true(t->prepared && first + count <= t->params);
    memcpy(values, t->weights + first, count * sizeof *values);
    return 0;
}

static void trainer_result(void *ctx, struct mycel_train_result *result)
{
    struct fake_trainer *t = &((struct fake_world *)ctx)->trainer;
    *result = (struct mycel_train_result){
        .samples = t->samples, .steps = t->steps_total, .loss_first = 2.5f, .loss_last = t->loss};
}

static void trainer_release(void *ctx)
{
    struct fake_trainer *t = &((struct fake_world *)ctx)->trainer;
    t->prepared = false;
    t->releases++;
}

static int trainer_correct(void *ctx, uint32_t first, const float *values, uint32_t count)
{
    struct fake_trainer *t = &((struct fake_world *)ctx)->trainer;
    assert_true(t->prepared && first + count <= t->params);
    memcpy(t->correction + first, values, count * sizeof *values);
    t->corrected += count;
    return 0;
}

const struct mycel_trainer fake_trainer_table = {trainer_samples, trainer_prepare, trainer_load,
                                                 trainer_step,    trainer_weights, trainer_result,
                                                 trainer_release, trainer_correct};

/* ---- world */

static void offer_lease(struct fake_world *w, uint32_t params, enum codec_id codec)
{
    struct fake_coordinator *k = &w->coordinator;
    for (uint32_t i = 0; i < params; i++) {
        float value = (float)(i % 101u) * 0.01f - 0.5f;
        memcpy(k->model + i * 4u, &value, 4);
    }
    k->lease = (mycel_Lease){.run = 3,
                             .round = 7,
                             .attempt = 1,
                             .base_version = 11,
                             .model_bytes = params * 4u,
                             .params = params,
                             .model = "test",
                             .has_plan = true,
                             .plan = {.epochs = 1, .batch = 20, .learning_rate = 0.1f, .seed = 99},
                             .codec = (mycel_Codec)codec,
                             .deadline_ms = 86400000};
    sha256(k->model, params * 4u, k->lease.model_sha256);
    memset(k->lease.update_key, 0xA5, sizeof k->lease.update_key);
    k->has_work = true;
    k->model_szx = 6;
    k->window = (mycel_Window){.earliest_ms = 20000, .latest_ms = 30000};
}

struct fake_world *fake_world(uint32_t params, enum codec_id codec)
{
    struct fake_world *w = &world;
    assert_true(params <= FAKE_PARAMS_MAX);
    memset(w, 0, sizeof *w);
    w->now_ms = 1000;
    w->random = 42;
    w->idle = true;
    w->net.delay_min_ms = 10;
    w->net.delay_max_ms = 10;
    w->trainer.samples = 600;
    w->trainer.steps_total = 100;
    w->trainer.loss = 0.5f;
    offer_lease(w, params, codec);
    w->config = (struct mycel_client_config){.device_class = "test",
                                             .tags = {"site=attic"},
                                             .scratch = w->scratch,
                                             .scratch_bytes = sizeof w->scratch};
    w->port = (struct mycel_port){&fake_transport, w, &fake_store, w,   &fake_trainer_table, w,
                                  &platform,       w, NULL,        NULL};
    assert_int_equal(mycel_client_init(&w->client, &w->port, &w->config, w->now_ms), 0);
    return w;
}

void fake_reboot(struct fake_world *w)
{
    struct fake_disk *d = &w->disk;
    d->cut_before = d->cut_after = 0;
    if (d->keeps_unsynced) {
        memcpy(d->safe, d->now, sizeof d->safe);
    } else {
        memcpy(d->now, d->safe, sizeof d->now);
    }
    for (unsigned i = 0; i < FAKE_QUEUE; i++) {
        w->net.queue[i].used = false;
    }
    w->net.open = false;
    w->trainer.prepared = false;
    memset(&w->client, 0xEE, sizeof w->client);
    assert_int_equal(mycel_client_init(&w->client, &w->port, &w->config, w->now_ms), 0);
}

void fake_next_round(struct fake_world *w)
{
    struct fake_coordinator *k = &w->coordinator;
    k->lease.round++;
    k->lease.update_key[0]++;
    k->body_bytes = 0;
    memset(k->have, 0, sizeof k->have);
    k->done = false;
    k->status = 0;
    w->events[MYCEL_EVENT_RECEIPT] = 0;
}

static uint32_t poll_once(struct fake_world *w)
{
    w->polls++;
    w->polls_per_ms++;
    assert_true(w->polls_per_ms < POLLS_PER_MS_MAX);
    return mycel_client_poll(&w->client, w->now_ms);
}

/* Time goes on to the client's wish or to the next delivery, whichever comes first. */
static void advance(struct fake_world *w, uint32_t wait, uint64_t end_ms)
{
    uint64_t next = w->now_ms + wait;
    uint64_t due = fake_net_due(w);
    next = due < next ? due : next;
    next = next > end_ms ? end_ms : next;
    if (next > w->now_ms) {
        w->now_ms = next;
        w->polls_per_ms = 0;
    }
}

bool fake_run_until(struct fake_world *w, enum mycel_client_state state, uint64_t ms)
{
    uint64_t end_ms = w->now_ms + ms;
    while (w->now_ms < end_ms) {
        uint32_t wait = poll_once(w);
        if (mycel_client_state(&w->client) == state) {
            return true;
        }
        advance(w, wait, end_ms);
    }
    return false;
}

void fake_run(struct fake_world *w, uint64_t ms)
{
    uint64_t end_ms = w->now_ms + ms;
    while (w->now_ms < end_ms) {
        advance(w, poll_once(w), end_ms);
    }
}

bool fake_run_round(struct fake_world *w, uint64_t ms)
{
    uint64_t end_ms = w->now_ms + ms;
    while (w->now_ms < end_ms) {
        uint32_t wait = poll_once(w);
        if (w->events[MYCEL_EVENT_RECEIPT] > 0) {
            return mycel_client_state(&w->client) == MYCEL_CLIENT_SLEEP;
        }
        advance(w, wait, end_ms);
    }
    return false;
}

bool fake_run_cut_round(struct fake_world *w, const struct fake_cut *cut, uint64_t ms)
{
    uint32_t number = w->disk.operations + cut->operation;
    *(cut->after ? &w->disk.cut_after : &w->disk.cut_before) = number;
    w->disk.keeps_unsynced = cut->keeps_unsynced;
    bool was_cut = setjmp(w->disk.power) != 0;
    if (!was_cut) {
        assert_true(fake_run_round(w, ms));
    } else {
        bool was_forgotten = w->disk.safe[MYCEL_AREA_JOURNAL].data[3] == CLIENT_PHASE_NONE;
        fake_reboot(w);
        if (!w->coordinator.done || !was_forgotten) {
            assert_true(fake_run_round(w, ms));
        }
    }
    w->disk.cut_before = w->disk.cut_after = 0;
    return was_cut;
}

void fake_cut_everywhere(bool (*run)(const struct fake_cut *cut), uint32_t least, uint32_t most)
{
    for (unsigned variant = 0; variant < 4; variant++) {
        struct fake_cut cut = {
            .operation = 1, .after = variant & 1u, .keeps_unsynced = variant & 2u};
        while (run(&cut)) {
            cut.operation++;
        }
        assert_in_range(cut.operation, least, most);
    }
}
