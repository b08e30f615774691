/*
 * One event in, its actions out: rows wait for the disk, replies for the rows before them, as
 * server/engine/action.h asks of every shell.
 */
#include "sim/coordinator/internal.h"
#include "sim/world/watch.h"

#include <stdlib.h>
#include <string.h>

#define US_PER_MS 1000u

static bool is_row(const struct engine_action *action)
{
    return action->type >= ENGINE_ACTION_STORE_RUN && action->type <= ENGINE_ACTION_PUBLISH;
}

static bool is_reply(const struct engine_action *action)
{
    return action->type <= ENGINE_ACTION_LOOKUP_RECEIPT;
}

/* Room for one more behind the last; what was taken from the front is reused first. */
static int make_room(void **list, uint32_t *first, uint32_t count, uint32_t *capacity, size_t bytes)
{
    if (*first + count < *capacity) {
        return MYCEL_OK;
    }
    if (*first > 0) {
        memmove(*list, (char *)*list + *first * bytes, count * bytes);
        *first = 0;
        return MYCEL_OK;
    }
    uint32_t wanted = *capacity == 0 ? 64u : *capacity * 2u;
    void *grown = realloc(*list, wanted * bytes);
    if (grown == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    *list = grown;
    *capacity = wanted;
    return MYCEL_OK;
}

static void hold(struct coordinator *c, const struct engine_action *action)
{
    struct held_actions *h = &c->held;
    if (make_room((void **)&h->list, &h->first, h->count, &h->capacity, sizeof *h->list) < 0) {
        world_fail(c->world, MYCEL_E_NO_MEMORY, "no memory for a reply that has to wait");
        return;
    }
    h->list[h->first + h->count++] = *action;
}

/* Rows of one step; the body of the update that is being stepped goes with its row. */
static void queue_rows(struct coordinator *c, const struct engine_actions *actions)
{
    struct waiting_rows *w = &c->waiting;
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct engine_action *action = &actions->list[i];
        if (!is_row(action)) {
            continue;
        }
        if (make_room((void **)&w->rows, &w->first, w->count, &w->capacity, sizeof *w->rows) < 0) {
            world_fail(c->world, MYCEL_E_NO_MEMORY, "no memory for a row");
            return;
        }
        struct waiting_row row = {
            .batch = actions->batch, .said_us = c->world->now_us, .action = *action};
        if (action->type == ENGINE_ACTION_STORE_UPDATE) {
            row.body = c->body;
            row.body_bytes = c->body_bytes;
            c->body = NULL;
        }
        w->rows[w->first + w->count++] = row;
    }
    if (!c->storing && w->count > 0) {
        c->storing = true;
        uint64_t disk_us = (uint64_t)(c->scenario->disk_ms * US_PER_MS);
        world_push(c->world, c->world->now_us + disk_us, WORLD_STORE, c->epoch);
    }
}

static void set_tick(struct coordinator *c, uint64_t at_ms)
{
    c->tick_us = at_ms == ENGINE_NEVER ? UINT64_MAX : at_ms * US_PER_MS;
    if (at_ms != ENGINE_NEVER) {
        uint64_t at_us = c->tick_us > c->world->now_us ? c->tick_us : c->world->now_us;
        c->tick_us = at_us;
        world_push(c->world, at_us, WORLD_TICK, c->epoch);
    }
}

static void carry_out(struct coordinator *c, const struct engine_action *action)
{
    if (action->after > c->durable) {
        hold(c, action);
    } else if (is_reply(action)) {
        answer_action(c, action);
    } else if (action->type == ENGINE_ACTION_AGGREGATE) {
        work_aggregate(c, &action->u.aggregate);
    } else if (action->type == ENGINE_ACTION_EVALUATE) {
        work_evaluate(c, &action->u.evaluate);
    } else {
        set_tick(c, action->u.wake_at_ms);
    }
}

/* `skip` is answered by the caller. */
static void run_actions(struct coordinator *c, const struct engine_actions *actions,
                        const struct engine_action *skip)
{
    queue_rows(c, actions);
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct engine_action *action = &actions->list[i];
        if (action != skip && !is_row(action)) {
            carry_out(c, action);
        }
    }
}

static int step(struct coordinator *c, struct engine_event *event, struct engine_actions *actions)
{
    event->now_ms = c->world->now_us / US_PER_MS;
    int rc = engine_step(c->engine, event, actions);
    if (rc < 0) {
        world_fail(c->world, rc, "the engine refused an event");
    } else if (c->world->watch != NULL) {
        c->world->watch->stepped(c->world->watch->user, c->world, event, actions);
    }
    return rc;
}

void coordinator_step(struct coordinator *c, struct engine_event *event)
{
    struct engine_actions actions;
    if (step(c, event, &actions) == 0) {
        run_actions(c, &actions, NULL);
    }
}

bool coordinator_query(struct coordinator *c, struct engine_event *event,
                       struct engine_action *answer)
{
    struct engine_actions actions;
    if (step(c, event, &actions) < 0) {
        return false;
    }
    const struct engine_action *first = NULL;
    for (uint32_t i = 0; i < actions.count && first == NULL; i++) {
        first = is_reply(&actions.list[i]) ? &actions.list[i] : NULL;
    }
    if (first == NULL) {
        return false;
    }
    *answer = *first;
    run_actions(c, &actions, first);
    return answer->after <= c->durable;
}

/* ---- the disk ----------------------------------------------------------------------------- */

/* Whose work is in the new version. */
static void tally_published(struct coordinator *c, uint32_t round)
{
    struct world *world = c->world;
    const struct ledger_update *u = NULL;
    while ((u = ledger_waiting(&c->ledger, round, u)) != NULL) {
        uint32_t device = u->row.receipt.device - 1u;
        world->tally.classes[world->fleet.devices[device].class].published++;
    }
}

/* SCAFFOLD's c, which devices download beside the version. */
static void keep_control(struct coordinator *c)
{
    size_t bytes = (size_t)rule_state_floats(&c->strategy, c->task.params) * sizeof(float);
    struct blob *blob = c->task.control ? blob_new(c->ledger.state, bytes) : NULL;
    if (blob == NULL) {
        if (c->task.control) {
            world_fail(c->world, MYCEL_E_NO_MEMORY, "no memory for the control variate");
        }
        return;
    }
    memcpy(c->task.control_sha256, blob->sha256, sizeof c->task.control_sha256);
    blob_unref(c->controls[c->control_count % VERSIONS_KEPT]);
    c->controls[c->control_count++ % VERSIONS_KEPT] = blob;
}

static void write_row(struct coordinator *c, struct waiting_row *row)
{
    if (c->world->watch != NULL) {
        c->world->watch->stored(c->world->watch->user, c->world, &row->action);
    }
    if (row->action.type == ENGINE_ACTION_PUBLISH) {
        tally_published(c, row->action.u.publish.round);
        ledger_publish(&c->ledger, &row->action.u.publish, c->sum.model, &c->sum.held,
                       c->sum.state);
        version_put(c, c->sum.model, &c->sum.held);
        c->sum.state = NULL; /* the ledger's */
        sum_clear(&c->sum);
        keep_control(c);
        return;
    }
    int rc = ledger_write(&c->ledger, &row->action, row->body, row->body_bytes, row->said_us);
    if (rc < 0) {
        world_fail(c->world, rc, "a row would count a device twice in a round");
    }
}

static void release_held(struct coordinator *c)
{
    struct held_actions *h = &c->held;
    while (h->count > 0 && h->list[h->first].after <= c->durable) {
        const struct engine_action action = h->list[h->first++];
        h->count--;
        carry_out(c, &action);
    }
}

void coordinator_stored(struct coordinator *c, uint32_t epoch)
{
    if (epoch != coordinator_epoch(c)) {
        return;
    }
    struct waiting_rows *w = &c->waiting;
    uint64_t batch = c->durable;
    c->storing = false;
    while (w->count > 0) { /* all that came while the disk was at work: one group */
        struct waiting_row *row = &w->rows[w->first++];
        w->count--;
        batch = row->batch;
        write_row(c, row);
    }
    c->durable = batch;
    if (c->world->watch != NULL) {
        c->world->watch->committed(c->world->watch->user, c->world);
    }
    if (fault_at_commit(c->world)) {
        fault_crash(c->world);
        return;
    }
    release_held(c);
    struct engine_event event = {.type = ENGINE_EVENT_COMMITTED};
    event.u.committed = batch;
    coordinator_step(c, &event);
}

void coordinator_ticked(struct coordinator *c, uint32_t epoch)
{
    if (epoch == coordinator_epoch(c) && c->world->now_us == c->tick_us) {
        struct engine_event event = {.type = ENGINE_EVENT_TICK};
        coordinator_step(c, &event);
    }
}

/* Requests that wait for a held reply lose it; they will be repeated to whoever comes after. */
static void drop_held(struct coordinator *c)
{
    struct held_actions *h = &c->held;
    for (uint32_t i = 0; i < h->count; i++) {
        const struct engine_action *action = &h->list[h->first + i];
        if (is_reply(action) && action->tag == answer_tag(c, (uint32_t)action->tag)) {
            trip_drop(c->world, (uint32_t)action->tag);
        }
    }
    free(h->list);
    *h = (struct held_actions){0};
}

void coordinator_forget(struct coordinator *c)
{
    drop_held(c);
    for (uint32_t i = 0; i < c->waiting.count; i++) {
        free(c->waiting.rows[c->waiting.first + i].body);
    }
    free(c->waiting.rows);
    c->waiting = (struct waiting_rows){0};
    sum_clear(&c->sum);
    c->aggregation.pending = c->evaluation.pending = false;
    c->storing = false;
    c->durable = 0;
    c->tick_us = UINT64_MAX;
}
