/* Actions as bytes: what the hash of a step is made of. See record_fields.h. */
#include "server/daemon/record_fields.h"

static void reply(struct fields *f, struct engine_action *a)
{
    switch (a->type) {
    case ENGINE_ACTION_REPLY_LEASE:
        fields_lease(f, &a->u.lease.lease);
        fields_u64(f, &a->u.lease.left_ms);
        break;
    case ENGINE_ACTION_REPLY_WINDOW:
        fields_u32(f, &a->u.window.device);
        fields_u32(f, &a->u.window.run);
        FIELDS_ENUM(f, a->u.window.why, engine_why, ENGINE_WHY_EARLY);
        fields_window(f, &a->u.window.window);
        break;
    case ENGINE_ACTION_REPLY_ADMIT:
        fields_u32(f, &a->u.admit.run);
        fields_u64(f, &a->u.admit.bytes_max);
        break;
    case ENGINE_ACTION_REPLY_RECEIPT:
        fields_receipt(f, &a->u.receipt);
        break;
    case ENGINE_ACTION_REPLY_PROBLEM:
        fields_i32(f, &a->u.problem.status);
        fields_u64(f, &a->u.problem.bytes_max);
        fields_window(f, &a->u.problem.window);
        break;
    default: /* LOOKUP_RECEIPT */
        fields_u32(f, &a->u.lookup.device);
        fields_bytes(f, a->u.lookup.key, sizeof a->u.lookup.key);
        fields_bool(f, &a->u.lookup.digest_set);
        fields_bytes(f, a->u.lookup.digest, sizeof a->u.lookup.digest);
        break;
    }
}

static void round_row(struct fields *f, struct engine_action_round *row)
{
    fields_u32(f, &row->run);
    fields_u32(f, &row->round);
    fields_u32(f, &row->attempt);
    FIELDS_ENUM(f, row->state, engine_round_state, ENGINE_ROUND_ABANDONED);
    fields_u32(f, &row->base_version);
    fields_u32(f, &row->version);
    fields_u32(f, &row->granted);
    fields_u32(f, &row->accepted);
    fields_u32(f, &row->rejected);
    fields_u64(f, &row->weight);
    fields_bool(f, &row->started);
    fields_u64(f, &row->age_ms);
}

static void update_row(struct fields *f, struct engine_action_update *row)
{
    fields_receipt(f, &row->receipt);
    fields_report(f, &row->report);
    fields_real(f, &row->norm);
    fields_u64(f, &row->weight);
    fields_u32(f, &row->staleness);
    fields_u32(f, &row->scale_q16);
}

static void publish(struct fields *f, struct engine_action_publish *row)
{
    fields_u32(f, &row->run);
    fields_u32(f, &row->round);
    fields_u32(f, &row->attempt);
    fields_u32(f, &row->parent_version);
    fields_version(f, &row->version);
}

static void audit(struct fields *f, struct engine_action_audit *row)
{
    FIELDS_ENUM(f, row->what, engine_audit, ENGINE_AUDIT_DEVICE_REVOKED);
    fields_u32(f, &row->run);
    fields_u32(f, &row->round);
    fields_u32(f, &row->device);
    fields_i32(f, &row->status);
}

static void why(struct fields *f, struct engine_action_why *row)
{
    fields_u32(f, &row->device);
    fields_u32(f, &row->run);
    FIELDS_ENUM(f, row->why, engine_why, ENGINE_WHY_EARLY);
}

static void row(struct fields *f, struct engine_action *a)
{
    switch (a->type) {
    case ENGINE_ACTION_STORE_RUN:
        fields_u32(f, &a->u.run_row.run);
        FIELDS_ENUM(f, a->u.run_row.phase, engine_phase, ENGINE_PHASE_STOPPED);
        fields_learned(f, &a->u.run_row.learned);
        break;
    case ENGINE_ACTION_STORE_ROUND:
        round_row(f, &a->u.round_row);
        break;
    case ENGINE_ACTION_STORE_LEASE:
        fields_lease(f, &a->u.lease_row.lease);
        fields_u64(f, &a->u.lease_row.left_ms);
        break;
    case ENGINE_ACTION_STORE_UPDATE:
        update_row(f, &a->u.update_row);
        break;
    case ENGINE_ACTION_STORE_DEVICE:
        fields_u32(f, &a->u.device_row.device);
        fields_u32(f, &a->u.device_row.strikes);
        fields_u64(f, &a->u.device_row.quarantine_ms);
        break;
    case ENGINE_ACTION_STORE_WHY:
        why(f, &a->u.why_row);
        break;
    case ENGINE_ACTION_STORE_METRICS:
        fields_u32(f, &a->u.metrics_row.run);
        fields_u32(f, &a->u.metrics_row.version);
        fields_metrics(f, &a->u.metrics_row.metrics);
        break;
    case ENGINE_ACTION_STORE_AUDIT:
        audit(f, &a->u.audit_row);
        break;
    default: /* PUBLISH */
        publish(f, &a->u.publish);
        break;
    }
}

static void work(struct fields *f, struct engine_action *a)
{
    switch (a->type) {
    case ENGINE_ACTION_AGGREGATE:
        fields_u32(f, &a->u.aggregate.run);
        fields_u32(f, &a->u.aggregate.round);
        fields_u32(f, &a->u.aggregate.attempt);
        fields_u32(f, &a->u.aggregate.base_version);
        fields_u32(f, &a->u.aggregate.accepted);
        fields_u64(f, &a->u.aggregate.weight);
        break;
    case ENGINE_ACTION_EVALUATE:
        fields_u32(f, &a->u.evaluate.run);
        fields_version(f, &a->u.evaluate.version);
        break;
    default: /* WAKE_AT */
        fields_u64(f, &a->u.wake_at_ms);
        break;
    }
}

void fields_action(struct fields *f, struct engine_action *action)
{
    FIELDS_ENUM(f, action->type, engine_action_type, ENGINE_ACTION_WAKE_AT);
    fields_u64(f, &action->tag);
    fields_u64(f, &action->after);
    if (action->type <= ENGINE_ACTION_LOOKUP_RECEIPT) {
        reply(f, action);
    } else if (action->type <= ENGINE_ACTION_PUBLISH) {
        row(f, action);
    } else {
        work(f, action);
    }
}
