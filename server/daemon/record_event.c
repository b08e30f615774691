/* Events as bytes. See record_fields.h. */
#include "server/daemon/record_fields.h"

static void event_run(struct fields *f, struct engine_event_run *e)
{
    fields_spec(f, &e->spec);
    FIELDS_ENUM(f, e->progress.phase, engine_phase, ENGINE_PHASE_STOPPED);
    fields_version(f, &e->progress.base);
    fields_u32(f, &e->progress.evaluated_version);
    fields_learned(f, &e->progress.learned);
}

static void event_round(struct fields *f, struct engine_event_round *e)
{
    fields_u32(f, &e->run);
    fields_u32(f, &e->round);
    fields_u32(f, &e->attempt);
    FIELDS_ENUM(f, e->state, engine_round_state, ENGINE_ROUND_ABANDONED);
    fields_u32(f, &e->granted);
    fields_bool(f, &e->started);
    fields_u64(f, &e->age_ms);
}

static void event_device(struct fields *f, struct engine_event_device *e)
{
    fields_u32(f, &e->device);
    fields_bool(f, &e->revoked);
    fields_u32(f, &e->strikes);
    fields_u64(f, &e->quarantine_ms);
}

static void event_share(struct fields *f, struct engine_event_share *e)
{
    fields_u32(f, &e->device);
    fields_u32(f, &e->run);
    fields_u32(f, &e->accepted);
    fields_u32(f, &e->last_round);
}

static void event_checkin(struct fields *f, struct engine_event_checkin *e)
{
    fields_u32(f, &e->device);
    fields_text(f, e->facts.device_class, sizeof e->facts.device_class);
    fields_tags(f, e->facts.tags);
    fields_u32(f, &e->facts.samples);
    fields_u32(f, &e->facts.codecs);
    fields_u64(f, &e->facts.model_bytes_max);
    fields_u32(f, &e->facts.battery_percent);
    fields_bool(f, &e->facts.idle);
    fields_bool(f, &e->facts.narrow_link);
    fields_u32(f, &e->facts.features);
}

static void event_query(struct fields *f, struct engine_event_query *e)
{
    fields_u32(f, &e->device);
    fields_bytes(f, e->key, sizeof e->key);
    fields_u64(f, &e->bytes);
}

static void event_update(struct fields *f, struct engine_event_update *e)
{
    fields_u32(f, &e->device);
    fields_bytes(f, e->key, sizeof e->key);
    fields_bytes(f, e->digest, sizeof e->digest);
    fields_i32(f, &e->status);
    fields_report(f, &e->report);
    fields_real(f, &e->norm);
}

static void event_aggregated(struct fields *f, struct engine_event_aggregated *e)
{
    fields_u32(f, &e->run);
    fields_u32(f, &e->round);
    fields_u32(f, &e->attempt);
    fields_i32(f, &e->status);
    fields_bytes(f, e->sha256, sizeof e->sha256);
}

static void event_evaluated(struct fields *f, struct engine_event_evaluated *e)
{
    fields_u32(f, &e->run);
    fields_u32(f, &e->version);
    fields_i32(f, &e->status);
    fields_metrics(f, &e->metrics);
}

/* What the store or an operator says. */
static void event_told(struct fields *f, struct engine_event *e)
{
    switch (e->type) {
    case ENGINE_EVENT_RUN:
        event_run(f, &e->u.run);
        break;
    case ENGINE_EVENT_RESTORE_ROUND:
        event_round(f, &e->u.round);
        break;
    case ENGINE_EVENT_RESTORE_DEVICE:
        event_device(f, &e->u.restore_device);
        break;
    case ENGINE_EVENT_RESTORE_SHARE:
        event_share(f, &e->u.share);
        break;
    case ENGINE_EVENT_RESTORE_LEASE:
        fields_lease(f, &e->u.lease.lease);
        fields_u64(f, &e->u.lease.left_ms);
        break;
    case ENGINE_EVENT_RESTORE_UPDATE:
        fields_receipt(f, &e->u.restore_update.receipt);
        fields_report(f, &e->u.restore_update.report);
        fields_real(f, &e->u.restore_update.norm);
        break;
    case ENGINE_EVENT_RUN_PAUSED:
    case ENGINE_EVENT_RUN_RESUMED:
    case ENGINE_EVENT_RUN_STOPPED:
        fields_u32(f, &e->u.run_id);
        break;
    case ENGINE_EVENT_DEVICE_REVOKED:
        fields_u32(f, &e->u.device);
        break;
    default: /* RESTORED */
        break;
    }
}

static void event_happened(struct fields *f, struct engine_event *e)
{
    switch (e->type) {
    case ENGINE_EVENT_CHECKIN:
        event_checkin(f, &e->u.checkin);
        break;
    case ENGINE_EVENT_UPLOAD_QUERY:
        event_query(f, &e->u.query);
        break;
    case ENGINE_EVENT_UPDATE:
        event_update(f, &e->u.update);
        break;
    case ENGINE_EVENT_COMMITTED:
        fields_u64(f, &e->u.committed);
        break;
    case ENGINE_EVENT_AGGREGATED:
        event_aggregated(f, &e->u.aggregated);
        break;
    case ENGINE_EVENT_EVALUATED:
        event_evaluated(f, &e->u.evaluated);
        break;
    default: /* TICK */
        break;
    }
}

void fields_event(struct fields *f, struct engine_event *e)
{
    FIELDS_ENUM(f, e->type, engine_event_type, ENGINE_EVENT_TICK);
    fields_u64(f, &e->now_ms);
    fields_u64(f, &e->tag);
    if (e->type < ENGINE_EVENT_CHECKIN) {
        event_told(f, e);
    } else {
        event_happened(f, e);
    }
}

const char *fields_event_name(enum engine_event_type type)
{
    static const char *const names[] = {"RUN",           "RESTORE_ROUND",  "RESTORE_DEVICE",
                                        "RESTORE_SHARE", "RESTORE_LEASE",  "RESTORE_UPDATE",
                                        "RESTORED",      "RUN_PAUSED",     "RUN_RESUMED",
                                        "RUN_STOPPED",   "DEVICE_REVOKED", "CHECKIN",
                                        "UPLOAD_QUERY",  "UPDATE",         "COMMITTED",
                                        "AGGREGATED",    "EVALUATED",      "TICK"};
    _Static_assert(sizeof names / sizeof names[0] == ENGINE_EVENT_TICK + 1, "one name for each");
    return (unsigned)type <= ENGINE_EVENT_TICK ? names[type] : "?";
}
