/* See coordinator.h. */
#include "coordinator.h"

#include "common/assert.h"
#include "server/daemon/aggregate.h"
#include "server/daemon/rows.h"

#include <stdlib.h>
#include <string.h>

struct pending_batch {
    struct pending_batch *next;
    uint64_t number;
    uint64_t wall_ms;
    const uint8_t *body;
    size_t body_bytes;
    struct run_sum sum;
    uint32_t count;
    struct engine_action rows[];
};

/* --- carrying out ----------------------------------------------------------------------------- */

static void carry_out(struct coordinator *c, const struct engine_action *action)
{
    if (action->type <= ENGINE_ACTION_LOOKUP_RECEIPT) {
        c->reply(c->user, action);
    } else if (action->type == ENGINE_ACTION_AGGREGATE || action->type == ENGINE_ACTION_EVALUATE) {
        MYCEL_ASSERT(c->work_count < 2);
        c->work[c->work_count++] = *action;
    } /* timers: the script ticks */
}

static int queue_rows(struct coordinator *c, const struct engine_actions *actions)
{
    struct pending_batch *batch = calloc(1, sizeof *batch + actions->count * sizeof batch->rows[0]);
    if (batch == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    batch->number = actions->batch;
    batch->wall_ms = c->wall_ms;
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct engine_action *action = &actions->list[i];
        if (!rows_is_row(action)) {
            continue;
        }
        batch->rows[batch->count++] = *action;
        if (action->type == ENGINE_ACTION_STORE_UPDATE) {
            batch->body = c->body(c->user, action->tag, &batch->body_bytes);
        } else if (action->type == ENGINE_ACTION_PUBLISH) {
            struct run_entry *entry = run_table_find(&c->live.runs, action->u.publish.run);
            MYCEL_ASSERT(entry != NULL);
            run_entry_take_sum(entry, action->u.publish.round, action->u.publish.attempt,
                               &batch->sum);
        }
    }
    if (c->last != NULL) {
        c->last->next = batch;
    } else {
        c->first = batch;
    }
    c->last = batch;
    c->pending++;
    return MYCEL_OK;
}

static int step(struct coordinator *c, struct engine_event *event)
{
    struct engine_actions actions;
    event->now_ms = c->now_ms;
    int rc = engine_step(c->live.engine, event, &actions);
    if (rc == 0 && actions.batch > 0) {
        rc = queue_rows(c, &actions);
    }
    for (uint32_t i = 0; i < actions.count && rc == 0; i++) {
        const struct engine_action *action = &actions.list[i];
        if (rows_is_row(action)) {
            continue;
        }
        if (action->after <= c->durable) {
            carry_out(c, action);
        } else {
            rc = held_push(&c->held, action);
        }
    }
    return rc;
}

int coordinator_event(struct coordinator *c, struct engine_event *event)
{
    int rc = step(c, event);
    return rc == 0 && c->pending >= COORDINATOR_GROUP ? coordinator_flush(c) : rc;
}

/* --- committing ------------------------------------------------------------------------------- */

static void drop_first(struct coordinator *c)
{
    struct pending_batch *batch = c->first;
    c->first = batch->next;
    c->last = c->first != NULL ? c->last : NULL;
    c->pending--;
    run_sum_free(&batch->sum);
    free(batch);
}

/* As the daemon does when a version is durable: patches to it are offered from now on. */
static void keep_chain(struct coordinator *c, const struct pending_batch *batch)
{
    if (batch->sum.held.model != NULL) {
        run_entry_add_chain(run_table_find(&c->live.runs, COORDINATOR_RUN), &batch->sum.held.known);
    }
}

/* One commit for all, each batch in a savepoint if they are apart. */
static int commit_all(struct coordinator *c, bool apart)
{
    int rc = apart ? store_begin(c->store) : store_begin_whole(c->store);
    if (rc < 0) {
        return rc;
    }
    for (struct pending_batch *b = c->first; b != NULL && rc == 0; b = b->next) {
        const struct rows rows = {.list = b->rows,
                                  .count = b->count,
                                  .wall_ms = b->wall_ms,
                                  .body = b->body,
                                  .body_bytes = b->body_bytes,
                                  .sum = &b->sum};
        rc = apart ? store_mark(c->store) : MYCEL_OK;
        if (rc == 0) {
            rc = rows_write(c->store, &rows);
        }
        if (rc == 0) {
            rc = apart ? store_release(c->store) : store_intact(c->store);
        }
    }
    if (rc == 0) {
        return store_commit(c->store);
    }
    store_rollback(c->store);
    return rc;
}

int coordinator_flush(struct coordinator *c)
{
    int rc = MYCEL_OK;
    while (c->pending > 0 && rc == 0) {
        uint64_t newest = c->last->number;
        rc = commit_all(c, false);
        if (rc < 0) {
            rc = commit_all(c, true); /* as the store's thread does */
        }
        if (rc < 0) {
            return rc;
        }
        while (c->pending > 0) {
            keep_chain(c, c->first);
            drop_first(c);
        }
        c->durable = newest;
        for (struct held_action *held; (held = held_pop(&c->held, newest)) != NULL;) {
            carry_out(c, &held->action);
            free(held);
        }
        struct engine_event event = {.type = ENGINE_EVENT_COMMITTED};
        event.u.committed = newest;
        rc = step(c, &event);
    }
    return rc;
}

/* --- work ------------------------------------------------------------------------------------- */

static int sum_round(struct coordinator *c, const struct engine_action_aggregate *order)
{
    struct run_entry *entry = run_table_find(&c->live.runs, order->run);
    struct body_set none = {0}; /* each body comes from the disk */
    struct run_sum sum;
    MYCEL_ASSERT(entry != NULL);
    struct engine_event event = {.type = ENGINE_EVENT_AGGREGATED};
    const struct root_set root = {0};
    const struct aggregate_from from = {.reader = c->store,
                                        .config = &entry->run.config,
                                        .order = order,
                                        .root = &root,
                                        .kept = &none};
    int rc = aggregate_round(&from, &sum);
    if (aggregate_may_work_later(rc)) {
        return rc;
    }
    event.u.aggregated.run = order->run;
    event.u.aggregated.round = order->round;
    event.u.aggregated.attempt = order->attempt;
    event.u.aggregated.status = rc;
    if (rc == 0) {
        sha256(sum.model, sum.model_bytes, event.u.aggregated.sha256);
        run_entry_set_sum(entry, &sum);
    }
    return coordinator_event(c, &event);
}

static int score(struct coordinator *c, const struct engine_action_evaluate *order)
{
    struct engine_event event = {.type = ENGINE_EVENT_EVALUATED};
    event.u.evaluated.run = order->run;
    event.u.evaluated.version = order->version.version;
    event.u.evaluated.metrics.accuracy = 0.1f * (float)order->version.version;
    event.u.evaluated.metrics.loss = 1.0f;
    event.u.evaluated.metrics.samples = 10;
    return coordinator_event(c, &event);
}

int coordinator_work(struct coordinator *c)
{
    if (c->work_count == 0) {
        return 0;
    }
    struct engine_action action = c->work[0];
    c->work[0] = c->work[1];
    c->work_count--;
    int rc = action.type == ENGINE_ACTION_AGGREGATE ? sum_round(c, &action.u.aggregate)
                                                    : score(c, &action.u.evaluate);
    return rc < 0 ? rc : 1;
}

/* --- life ------------------------------------------------------------------------------------- */

int coordinator_start(struct coordinator *c)
{
    const struct store_options options = {.folder = c->folder, .check = true, .vfs = c->vfs};
    held_init(&c->held);
    int rc = store_open(&options, &c->store, NULL);
    if (rc == 0) {
        rc = restore_build(c->store, c->now_ms, c->wall_ms, NULL, &c->live);
    }
    if (rc == 0) {
        struct engine_event event = {.type = ENGINE_EVENT_RESTORED};
        rc = coordinator_event(c, &event);
    }
    return rc;
}

void coordinator_stop(struct coordinator *c)
{
    while (c->pending > 0) {
        drop_first(c);
    }
    held_clear(&c->held);
    restore_drop(&c->live);
    store_close(c->store);
    c->store = NULL;
    c->durable = 0;
    c->work_count = 0;
}
