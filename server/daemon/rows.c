/* See rows.h. */
#include "server/daemon/rows.h"

#include "server/daemon/shell.h"
#include "server/daemon/translate.h"
#include "server/desk/desk.h"

#include <string.h>

bool rows_is_row(const struct engine_action *action)
{
    return action->type >= ENGINE_ACTION_STORE_RUN && action->type <= ENGINE_ACTION_PUBLISH;
}

static int write_update(struct store *store, const struct rows *rows,
                        const struct engine_action_update *row)
{
    uint8_t receipt[PROTO_MESSAGE_BYTES_MAX];
    int n = desk_write_receipt(&row->receipt, receipt, sizeof receipt);
    struct store_update update;
    translate_update(row, rows->wall_ms, &update);
    update.receipt = receipt;
    update.receipt_bytes = (size_t)n;
    if (row->receipt.counted_round > 0) {
        update.body = rows->body;
        update.body_bytes = rows->body_bytes;
    }
    return store_update_add(store, &update);
}

/* The round row that the same step closes: publishing writes it. */
static const struct engine_action_round *committed_round(const struct rows *rows, uint32_t run)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct engine_action *row = &rows->list[i];
        if (row->type == ENGINE_ACTION_STORE_ROUND && row->u.round_row.run == run &&
            row->u.round_row.state == ENGINE_ROUND_COMMITTED) {
            return &row->u.round_row;
        }
    }
    return NULL;
}

/* The chain's last frame is what is new in it. */
static void add_frame(struct store_publish *publish, const struct run_held *held)
{
    const struct downlink_step *last = &held->known.steps[held->known.frames - 1u];
    publish->frame = (const uint8_t *)held->chain + last->offset;
    publish->frame_bytes = held->known.bytes - last->offset;
    publish->frame_key = held->known.frames == 1;
    memcpy(publish->held_sha256, last->held_sha256, sizeof publish->held_sha256);
}

static int write_publish(struct store *store, const struct rows *rows,
                         const struct engine_action_publish *row)
{
    const struct engine_action_round *round = committed_round(rows, row->run);
    if (!round || !rows->sum || !rows->sum->model) {
        return MYCEL_E_STATE;
    }
    struct store_publish publish = {.model = rows->sum->model,
                                    .model_bytes = rows->sum->model_bytes,
                                    .optimizer = rows->sum->state,
                                    .optimizer_bytes = rows->sum->state_bytes};
    if (rows->sum->held.model) {
        add_frame(&publish, &rows->sum->held);
    }
    translate_version(row, rows->wall_ms, &publish.version);
    translate_round(round, rows->wall_ms, &publish.round);
    uint8_t sha256[PROTO_SHA256_BYTES];
    int rc = store_publish(store, &publish, sha256);
    if (rc == 0 && memcmp(sha256, row->version.sha256, sizeof sha256) != 0) {
        return MYCEL_E_DIGEST;
    }
    return rc;
}

static int write_round(struct store *store, const struct rows *rows,
                       const struct engine_action_round *row)
{
    if (row->state == ENGINE_ROUND_COMMITTED) {
        return MYCEL_OK; /* written by PUBLISH of the same batch */
    }
    struct store_round round;
    translate_round(row, rows->wall_ms, &round);
    return store_round_put(store, &round);
}

static int write_lease(struct store *store, const struct rows *rows,
                       const struct engine_action_lease_row *row)
{
    struct store_lease lease;
    translate_lease(row, rows->wall_ms, &lease);
    return store_lease_put(store, &lease);
}

static int write_run(struct store *store, const struct rows *rows,
                     const struct engine_action_run *row)
{
    struct store_learned learned;
    translate_learned(&row->learned, &learned);
    return store_run_progress(store, row->run, translate_phase(row->phase), &learned,
                              rows->wall_ms);
}

static int write_metrics(struct store *store, const struct engine_action_metrics *row)
{
    const struct store_metrics metrics = {.accuracy = row->metrics.accuracy,
                                          .loss = row->metrics.loss,
                                          .samples = (uint32_t)row->metrics.samples};
    return store_version_measured(store, row->run, row->version, &metrics);
}

static int write_audit(struct store *store, const struct rows *rows,
                       const struct engine_action_audit *row)
{
    char subject[STORE_AUDIT_TEXT_MAX];
    char detail[STORE_AUDIT_TEXT_MAX];
    translate_audit(row, subject, sizeof subject, detail, sizeof detail);
    const struct store_audit entry = {.at_ms = rows->wall_ms,
                                      .actor = "engine",
                                      .action = engine_audit_name(row->what),
                                      .subject = subject,
                                      .detail = detail};
    return store_audit_add(store, &entry);
}

static int write_row(struct store *store, const struct rows *rows, const struct engine_action *row)
{
    switch (row->type) {
    case ENGINE_ACTION_STORE_RUN:
        return write_run(store, rows, &row->u.run_row);
    case ENGINE_ACTION_STORE_ROUND:
        return write_round(store, rows, &row->u.round_row);
    case ENGINE_ACTION_STORE_LEASE:
        return write_lease(store, rows, &row->u.lease_row);
    case ENGINE_ACTION_STORE_UPDATE:
        return write_update(store, rows, &row->u.update_row);
    case ENGINE_ACTION_STORE_DEVICE:
        return store_device_penalty(
            store, row->u.device_row.device, row->u.device_row.strikes,
            row->u.device_row.quarantine_ms ? rows->wall_ms + row->u.device_row.quarantine_ms : 0);
    case ENGINE_ACTION_STORE_WHY:
        return store_device_why(store, row->u.why_row.device, row->u.why_row.run,
                                row->u.why_row.why, rows->wall_ms);
    case ENGINE_ACTION_STORE_METRICS:
        return write_metrics(store, &row->u.metrics_row);
    case ENGINE_ACTION_STORE_AUDIT:
        return write_audit(store, rows, &row->u.audit_row);
    case ENGINE_ACTION_PUBLISH:
        return write_publish(store, rows, &row->u.publish);
    default:
        return MYCEL_E_STATE;
    }
}

int rows_write(struct store *store, const struct rows *rows)
{
    int rc = MYCEL_OK;
    for (uint32_t i = 0; i < rows->count && rc == 0; i++) {
        rc = write_row(store, rows, &rows->list[i]);
    }
    return rc;
}
