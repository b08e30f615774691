#include "tests/unit/server/engine/shell.h"

#include "common/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make_engine(struct shell *shell)
{
    size_t bytes = engine_bytes(&shell->config);

    shell->memory = calloc(1, bytes);
    MYCEL_ASSERT(shell->memory != NULL);
    MYCEL_ASSERT(engine_init(shell->memory, bytes, &shell->config, &shell->engine) == MYCEL_OK);
    shell->batch = 0;
    shell->committed = 0;
    shell->pending_count = 0;
}

void shell_init(struct shell *shell, const struct engine_config *config)
{
    memset(shell, 0, sizeof *shell);
    shell->config = *config;
    shell->wall_offset_ms = INT64_C(1700000000000);
    make_engine(shell);
}

void shell_deinit(struct shell *shell)
{
    free(shell->memory);
    shell->memory = NULL;
}

static uint64_t wall_ms(const struct shell *shell)
{
    return shell->now_ms + (uint64_t)shell->wall_offset_ms;
}

static bool is_store(enum engine_action_type type)
{
    return type >= ENGINE_ACTION_STORE_RUN && type <= ENGINE_ACTION_PUBLISH;
}

static void check_sum(const struct shell *shell, const struct engine_action_aggregate *work);

static void queue(struct shell *shell, const struct engine_actions *actions)
{
    if (actions->batch != 0) {
        MYCEL_ASSERT(actions->batch == shell->batch + 1);
        shell->batch = actions->batch;
    }
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct engine_action *action = &actions->list[i];

        MYCEL_ASSERT(action->tag == shell->tag);
        MYCEL_ASSERT(action->after <= shell->batch);
        MYCEL_ASSERT(action->after == 0 || action->after > shell->committed);
        if (is_store(action->type)) {
            MYCEL_ASSERT(actions->batch != 0 && shell->pending_count < SHELL_PENDING);
            shell->pending[shell->pending_count++] =
                (struct shell_pending){actions->batch, wall_ms(shell), *action};
        }
    }
}

int shell_step(struct shell *shell, struct engine_event *event, struct engine_actions *actions)
{
    int rc;

    event->now_ms = shell->now_ms;
    event->tag = ++shell->tag;
    rc = engine_step(shell->engine, event, actions);
    engine_check(shell->engine);
    queue(shell, actions);
    for (uint32_t i = 0; i < actions->count; i++) {
        if (actions->list[i].type == ENGINE_ACTION_AGGREGATE) {
            check_sum(shell, &actions->list[i].u.aggregate);
        }
    }
    return rc;
}

/* --- the store ------------------------------------------------------------------------------ */

static struct shell_run *find_run(struct shell *shell, uint32_t id)
{
    for (uint32_t i = 0; i < shell->run_count; i++) {
        if (shell->runs[i].spec.run == id) {
            return &shell->runs[i];
        }
    }
    MYCEL_ASSERT(false);
    return NULL;
}

static struct shell_device *get_device(struct shell *shell, uint32_t id)
{
    for (uint32_t i = 0; i < shell->device_count; i++) {
        if (shell->devices[i].device == id) {
            return &shell->devices[i];
        }
    }
    MYCEL_ASSERT(shell->device_count < SHELL_DEVICES);
    shell->devices[shell->device_count].device = id;
    return &shell->devices[shell->device_count++];
}

void shell_add_run(struct shell *shell, const struct engine_spec *spec)
{
    MYCEL_ASSERT(shell->run_count < SHELL_RUNS);
    shell->runs[shell->run_count++].spec = *spec;
}

static void put_round(struct shell *shell, const struct shell_pending *p)
{
    const struct engine_action_round *row = &p->action.u.round_row;
    struct shell_round round = {*row, p->wall_ms - row->age_ms};

    for (uint32_t i = 0; i < shell->round_count; i++) {
        struct shell_round *old = &shell->rounds[i];

        if (old->row.run == row->run && old->row.round == row->round) {
            MYCEL_ASSERT(old->row.state != ENGINE_ROUND_COMMITTED &&
                         old->row.state != ENGINE_ROUND_ABANDONED);
            *old = round;
            return;
        }
    }
    MYCEL_ASSERT(shell->round_count < SHELL_ROUNDS);
    shell->rounds[shell->round_count++] = round;
}

const struct engine_receipt *shell_receipt(const struct shell *shell,
                                           const uint8_t key[PROTO_KEY_BYTES])
{
    for (uint32_t i = 0; i < shell->update_count; i++) {
        if (memcmp(shell->updates[i].row.receipt.key, key, PROTO_KEY_BYTES) == 0) {
            return &shell->updates[i].row.receipt;
        }
    }
    return NULL;
}

static void put_lease(struct shell *shell, const struct shell_pending *p)
{
    const struct engine_action_lease_row *row = &p->action.u.lease_row;
    struct shell_lease lease = {row->lease, p->wall_ms + row->left_ms};

    MYCEL_ASSERT(shell_receipt(shell, row->lease.key) == NULL); /* a key is never used again */
    for (uint32_t i = 0; i < shell->lease_count; i++) {
        if (memcmp(shell->leases[i].lease.key, row->lease.key, PROTO_KEY_BYTES) == 0) {
            shell->lease_count--; /* rows are in order of issue: a renewed one is the newest */
            memmove(&shell->leases[i], &shell->leases[i + 1],
                    (shell->lease_count - i) * sizeof lease);
            break;
        }
    }
    MYCEL_ASSERT(shell->lease_count < SHELL_LEASES);
    shell->leases[shell->lease_count++] = lease;
}

static void put_update(struct shell *shell, const struct engine_action_update *row)
{
    const struct engine_receipt *new = &row->receipt;

    for (uint32_t i = 0; i < shell->update_count; i++) {
        const struct engine_receipt *old = &shell->updates[i].row.receipt;

        MYCEL_ASSERT(memcmp(old->key, new->key, PROTO_KEY_BYTES) != 0);
        MYCEL_ASSERT(new->counted_round == 0 || old->device != new->device ||
                     old->run != new->run || old->counted_round != new->counted_round);
    }
    MYCEL_ASSERT((new->status == 0) == (new->counted_round > 0));
    MYCEL_ASSERT(shell->update_count < SHELL_UPDATES);
    shell->updates[shell->update_count++].row = *row;
}

static void add_up(const struct engine_action_update *row, uint32_t run, uint32_t round,
                   uint32_t *count, uint64_t *weight)
{
    if (row->receipt.run == run && row->receipt.counted_round == round) {
        (*count)++;
        *weight += row->weight;
    }
}

/* What the engine says of the set is what the rows say, those on their way to the disk included. */
static void check_sum(const struct shell *shell, const struct engine_action_aggregate *work)
{
    uint32_t count = 0;
    uint64_t weight = 0;

    for (uint32_t i = 0; i < shell->update_count; i++) {
        add_up(&shell->updates[i].row, work->run, work->round, &count, &weight);
    }
    for (uint32_t i = 0; i < shell->pending_count; i++) {
        const struct engine_action *action = &shell->pending[i].action;

        if (action->type == ENGINE_ACTION_STORE_UPDATE) {
            add_up(&action->u.update_row, work->run, work->round, &count, &weight);
        }
    }
    MYCEL_ASSERT(count == work->accepted && weight == work->weight);
}

static void put(struct shell *shell, const struct shell_pending *p)
{
    const struct engine_action *action = &p->action;

    switch (action->type) {
    case ENGINE_ACTION_STORE_RUN: {
        struct shell_run *run = find_run(shell, action->u.run_row.run);

        run->progress.phase = action->u.run_row.phase;
        run->progress.learned = action->u.run_row.learned;
        break;
    }
    case ENGINE_ACTION_STORE_ROUND:
        put_round(shell, p);
        break;
    case ENGINE_ACTION_STORE_LEASE:
        put_lease(shell, p);
        break;
    case ENGINE_ACTION_STORE_UPDATE:
        put_update(shell, &action->u.update_row);
        break;
    case ENGINE_ACTION_STORE_DEVICE: {
        struct shell_device *device = get_device(shell, action->u.device_row.device);

        device->strikes = action->u.device_row.strikes;
        device->quarantine_until_ms = action->u.device_row.quarantine_ms > 0
                                          ? p->wall_ms + action->u.device_row.quarantine_ms
                                          : 0;
        break;
    }
    case ENGINE_ACTION_STORE_METRICS: {
        struct shell_run *run = find_run(shell, action->u.metrics_row.run);

        MYCEL_ASSERT(action->u.metrics_row.version > run->progress.evaluated_version);
        run->progress.evaluated_version = action->u.metrics_row.version;
        break;
    }
    case ENGINE_ACTION_PUBLISH: {
        struct shell_run *run = find_run(shell, action->u.publish.run);

        MYCEL_ASSERT(action->u.publish.parent_version == run->progress.base.version);
        MYCEL_ASSERT(action->u.publish.version.version == run->progress.base.version + 1);
        run->progress.base = action->u.publish.version;
        break;
    }
    default: /* why, audit: written and not read here */
        break;
    }
}

void shell_apply(struct shell *shell, uint64_t batch)
{
    uint32_t done = 0;

    MYCEL_ASSERT(batch >= shell->committed && batch <= shell->batch);
    while (done < shell->pending_count && shell->pending[done].batch <= batch) {
        const struct engine_action *action = &shell->pending[done].action;

        put(shell, &shell->pending[done]);
        if (action->type == ENGINE_ACTION_STORE_AUDIT &&
            action->u.audit_row.what == ENGINE_AUDIT_DEVICE_REVOKED) {
            get_device(shell, action->u.audit_row.device)->revoked = true;
        }
        done++;
    }
    memmove(shell->pending, shell->pending + done,
            (shell->pending_count - done) * sizeof shell->pending[0]);
    shell->pending_count -= done;
    shell->committed = batch;
}

/* --- restart -------------------------------------------------------------------------------- */

static void feed(struct shell *shell, struct engine_event *event)
{
    struct engine_actions actions;

    MYCEL_ASSERT(shell_step(shell, event, &actions) == MYCEL_OK);
    MYCEL_ASSERT(actions.count == 0 && actions.batch == 0);
}

static uint64_t left(uint64_t at_ms, uint64_t wall)
{
    return at_ms > wall ? at_ms - wall : 0;
}

static void feed_runs(struct shell *shell)
{
    for (uint32_t i = 0; i < shell->run_count; i++) {
        if (shell->runs[i].progress.phase <= ENGINE_PHASE_PAUSED) {
            struct engine_event event = {.type = ENGINE_EVENT_RUN};

            event.u.run.spec = shell->runs[i].spec;
            event.u.run.progress = shell->runs[i].progress;
            feed(shell, &event);
        }
    }
}

/* The newest of each run: later rows overwrite. */
static void feed_rounds(struct shell *shell)
{
    for (uint32_t i = 0; i < shell->round_count; i++) {
        const struct engine_action_round *row = &shell->rounds[i].row;
        struct engine_event event = {.type = ENGINE_EVENT_RESTORE_ROUND};

        event.u.round =
            (struct engine_event_round){row->run,
                                        row->round,
                                        row->attempt,
                                        row->state,
                                        row->granted,
                                        row->started,
                                        left(wall_ms(shell), shell->rounds[i].started_ms)};
        feed(shell, &event);
    }
}

static void feed_devices(struct shell *shell)
{
    for (uint32_t i = 0; i < shell->device_count; i++) {
        const struct shell_device *row = &shell->devices[i];
        struct engine_event event = {.type = ENGINE_EVENT_RESTORE_DEVICE};

        event.u.restore_device =
            (struct engine_event_device){row->device, row->revoked, row->strikes,
                                         left(row->quarantine_until_ms, wall_ms(shell))};
        feed(shell, &event);
    }
}

/* One row per device and run, at its last counted update. */
static void feed_shares(struct shell *shell)
{
    for (uint32_t i = 0; i < shell->update_count; i++) {
        const struct engine_receipt *receipt = &shell->updates[i].row.receipt;
        struct engine_event event = {.type = ENGINE_EVENT_RESTORE_SHARE};
        uint32_t accepted = 0;
        uint32_t last = 0;

        for (uint32_t k = 0; k < shell->update_count; k++) {
            const struct engine_receipt *other = &shell->updates[k].row.receipt;

            if (other->device == receipt->device && other->run == receipt->run &&
                other->counted_round > 0) {
                accepted++;
                last = k;
            }
        }
        if (accepted > 0 && last == i) {
            event.u.share = (struct engine_event_share){receipt->device, receipt->run, accepted,
                                                        receipt->counted_round};
            feed(shell, &event);
        }
    }
}

static void feed_leases(struct shell *shell)
{
    for (uint32_t i = 0; i < shell->lease_count; i++) {
        const struct shell_lease *row = &shell->leases[i];
        struct engine_event event = {.type = ENGINE_EVENT_RESTORE_LEASE};

        if (shell_receipt(shell, row->lease.key) == NULL) {
            event.u.lease.lease = row->lease;
            event.u.lease.left_ms = left(row->deadline_ms, wall_ms(shell));
            feed(shell, &event);
        }
    }
}

static void feed_updates(struct shell *shell)
{
    for (uint32_t i = 0; i < shell->update_count; i++) {
        struct engine_event event = {.type = ENGINE_EVENT_RESTORE_UPDATE};

        event.u.restore_update.receipt = shell->updates[i].row.receipt;
        event.u.restore_update.report = shell->updates[i].row.report;
        event.u.restore_update.norm = shell->updates[i].row.norm;
        feed(shell, &event);
    }
}

void shell_restart(struct shell *shell, struct engine_actions *actions)
{
    struct engine_event event = {.type = ENGINE_EVENT_RESTORED};

    shell_deinit(shell);
    make_engine(shell);
    shell->restarts++;
    feed_runs(shell);
    feed_rounds(shell);
    feed_devices(shell);
    feed_shares(shell);
    feed_leases(shell);
    feed_updates(shell);
    MYCEL_ASSERT(shell_step(shell, &event, actions) == MYCEL_OK);
}

/* --- as text -------------------------------------------------------------------------------- */

void shell_dump(const struct shell *shell, char *text, size_t bytes)
{
    FILE *out = fmemopen(text, bytes, "w");

    MYCEL_ASSERT(out != NULL);
    for (uint32_t i = 0; i < shell->run_count; i++) {
        const struct shell_run *run = &shell->runs[i];

        fprintf(out, "run %u %s version %u best %.3f\n", run->spec.run,
                engine_phase_name(run->progress.phase), run->progress.base.version,
                (double)run->progress.learned.best);
    }
    for (uint32_t i = 0; i < shell->round_count; i++) {
        const struct engine_action_round *row = &shell->rounds[i].row;

        fprintf(out, "round %u/%u %s accepted %u rejected %u weight %llu version %u\n", row->run,
                row->round, engine_round_name(row->state), row->accepted, row->rejected,
                (unsigned long long)row->weight, row->version);
    }
    for (uint32_t i = 0; i < shell->update_count; i++) {
        const struct engine_receipt *receipt = &shell->updates[i].row.receipt;

        fprintf(out, "update device %u run %u round %u counted %u status %d\n", receipt->device,
                receipt->run, receipt->round, receipt->counted_round, receipt->status);
    }
    fclose(out);
}
