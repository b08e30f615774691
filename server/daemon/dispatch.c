/*
 * One event in, its actions carried out: rows go to the store as one batch, everything else is done
 * at once or held until the batch it depends on is durable. It knows what kind of thing an action is,
 * and never what it means.
 */
#include "server/daemon/shell.h"

#include <stdlib.h>
#include <time.h>

uint64_t shell_now_ms(void)
{
    return uv_hrtime() / 1000000u;
}

uint64_t shell_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

enum action_kind { KIND_REPLY, KIND_ROW, KIND_WORK, KIND_TIMER };

static enum action_kind kind_of(enum engine_action_type type)
{
    switch (type) {
    case ENGINE_ACTION_REPLY_LEASE:
    case ENGINE_ACTION_REPLY_WINDOW:
    case ENGINE_ACTION_REPLY_ADMIT:
    case ENGINE_ACTION_REPLY_RECEIPT:
    case ENGINE_ACTION_REPLY_PROBLEM:
    case ENGINE_ACTION_LOOKUP_RECEIPT:
        return KIND_REPLY;
    case ENGINE_ACTION_AGGREGATE:
    case ENGINE_ACTION_EVALUATE:
        return KIND_WORK;
    case ENGINE_ACTION_WAKE_AT:
        return KIND_TIMER;
    default:
        return KIND_ROW;
    }
}

static void on_wake(uv_timer_t *timer)
{
    struct shell *shell = timer->data;
    struct engine_event event = {.type = ENGINE_EVENT_TICK};
    if (!shell->rebuilding) {
        shell_step(shell, &event);
    }
}

static void set_timer(struct shell *shell, uint64_t at_ms)
{
    if (at_ms == ENGINE_NEVER) {
        uv_timer_stop(&shell->wake);
        return;
    }
    uint64_t now = shell_now_ms();
    uv_update_time(&shell->loop);
    uv_timer_start(&shell->wake, on_wake, at_ms > now ? at_ms - now : 0, 0);
}

/* Work that the engine asked for cannot be dropped: without memory the engine starts over. */
static void start_work(struct shell *shell, const struct engine_action *action)
{
    int rc = action->type == ENGINE_ACTION_AGGREGATE ? job_aggregate(shell, &action->u.aggregate)
                                                     : job_evaluate(shell, &action->u.evaluate);
    if (rc < 0) {
        shell_rebuild(shell, rc);
    }
}

static void carry_out(struct shell *shell, const struct engine_action *action)
{
    switch (kind_of(action->type)) {
    case KIND_REPLY:
        reply_action(shell, action);
        break;
    case KIND_WORK:
        start_work(shell, action);
        break;
    case KIND_TIMER:
        set_timer(shell, action->u.wake_at_ms);
        break;
    case KIND_ROW:
        break;
    }
}

static void carry_out_or_hold(struct shell *shell, const struct engine_action *action)
{
    if (action->after <= shell->durable) {
        carry_out(shell, action);
    } else if (held_push(&shell->held, action) < 0) {
        shell_rebuild(shell, MYCEL_E_NO_MEMORY);
    }
}

/* The actions of a step; `skip` is answered by the caller. */
static void run_actions(struct shell *shell, const struct engine_actions *actions,
                        const struct engine_action *skip)
{
    if (actions->batch > 0) {
        int rc = batch_submit(shell, actions);
        if (rc < 0) {
            shell_rebuild(shell, rc);
            return;
        }
    }
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct engine_action *action = &actions->list[i];
        if (action != skip && kind_of(action->type) != KIND_ROW) {
            carry_out_or_hold(shell, action);
        }
    }
}

/* The event log is for later: when it cannot be written any more, training goes on without. */
static int step_and_record(struct shell *shell, struct engine_event *event,
                           struct engine_actions *actions)
{
    event->now_ms = shell_now_ms();
    int rc = engine_step(shell->engine, event, actions);
    record_step(shell->record, event, rc, actions);
    if (record_status(shell->record) < 0 && !shell->record_ended) {
        shell->record_ended = true;
        LOG(&shell->log, LOG_ERROR, "event_log_ended",
            log_text("error", mycel_error_text(record_status(shell->record))));
    }
    return rc;
}

int shell_step(struct shell *shell, struct engine_event *event)
{
    struct engine_actions actions;
    int rc = step_and_record(shell, event, &actions);
    if (rc < 0) {
        LOG(&shell->log, LOG_WARN, "event_refused", log_uint("type", event->type),
            log_text("error", mycel_error_name(rc)));
        return rc;
    }
    run_actions(shell, &actions, NULL);
    return MYCEL_OK;
}

int shell_query(struct shell *shell, struct engine_event *event, struct engine_action *answer)
{
    struct engine_actions actions;
    int rc = step_and_record(shell, event, &actions);
    if (rc < 0) {
        return rc;
    }
    const struct engine_action *first = NULL;
    for (uint32_t i = 0; i < actions.count && !first; i++) {
        if (kind_of(actions.list[i].type) == KIND_REPLY) {
            first = &actions.list[i];
        }
    }
    if (!first) {
        return MYCEL_E_STATE;
    }
    *answer = *first;
    run_actions(shell, &actions, first);
    return MYCEL_OK;
}

void shell_durable(struct shell *shell, uint64_t batch)
{
    shell->durable = batch;
    struct held_action *held;
    while ((held = held_pop(&shell->held, batch))) {
        carry_out(shell, &held->action);
        free(held);
    }
    struct engine_event event = {.type = ENGINE_EVENT_COMMITTED};
    event.u.committed = batch;
    shell_step(shell, &event);
}
