/*
 * One step's rows as one transaction. The rows are copied when they are submitted, together with the
 * body of an accepted update or the parameters of a new version, written on the store's thread, and
 * reported to the engine when they are durable.
 */
#include "server/daemon/shell.h"

#include "server/daemon/translate.h"

#include <stdlib.h>
#include <string.h>

struct batch {
    struct store_job job; /* first: the store hands back a pointer to it */
    uint64_t number;
    uint64_t wall_ms;
    uint8_t *body; /* of the update in this step */
    size_t body_bytes;
    struct run_sum sum; /* of the version in this step */
    uint32_t count;
    struct engine_action rows[];
};

static bool is_row(const struct engine_action *action)
{
    return action->type >= ENGINE_ACTION_STORE_RUN && action->type <= ENGINE_ACTION_PUBLISH;
}

/* --- on the store's thread -------------------------------------------------------------------- */

static int write_update(struct store *store, const struct batch *batch,
                        const struct engine_action_update *row)
{
    uint8_t receipt[PROTO_MESSAGE_BYTES_MAX];
    int n = reply_encode_receipt(&row->receipt, receipt, sizeof receipt);
    struct store_update update;
    translate_update(row, batch->wall_ms, &update);
    update.receipt = receipt;
    update.receipt_bytes = (size_t)n;
    if (row->receipt.counted_round > 0) {
        update.body = batch->body;
        update.body_bytes = batch->body_bytes;
    }
    return store_update_add(store, &update);
}

/* The round row that the same step closes: publishing writes it. */
static const struct engine_action_round *committed_round(const struct batch *batch, uint32_t run)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct engine_action *row = &batch->rows[i];
        if (row->type == ENGINE_ACTION_STORE_ROUND && row->u.round_row.run == run &&
            row->u.round_row.state == ENGINE_ROUND_COMMITTED) {
            return &row->u.round_row;
        }
    }
    return NULL;
}

static int write_publish(struct store *store, const struct batch *batch,
                         const struct engine_action_publish *row)
{
    const struct engine_action_round *round = committed_round(batch, row->run);
    if (!round || !batch->sum.model) {
        return MYCEL_E_STATE;
    }
    struct store_publish publish = {.model = batch->sum.model,
                                    .model_bytes = batch->sum.model_bytes,
                                    .optimizer = batch->sum.state,
                                    .optimizer_bytes = batch->sum.state_bytes};
    translate_version(row, batch->wall_ms, &publish.version);
    translate_round(round, batch->wall_ms, &publish.round);
    uint8_t sha256[PROTO_SHA256_BYTES];
    int rc = store_publish(store, &publish, sha256);
    if (rc == 0 && memcmp(sha256, row->version.sha256, sizeof sha256) != 0) {
        return MYCEL_E_DIGEST;
    }
    return rc;
}

static int write_round(struct store *store, const struct batch *batch,
                       const struct engine_action_round *row)
{
    if (row->state == ENGINE_ROUND_COMMITTED) {
        return MYCEL_OK; /* written by PUBLISH of the same batch */
    }
    struct store_round round;
    translate_round(row, batch->wall_ms, &round);
    return store_round_put(store, &round);
}

static int write_lease(struct store *store, const struct batch *batch,
                       const struct engine_action_lease_row *row)
{
    struct store_lease lease;
    translate_lease(row, batch->wall_ms, &lease);
    return store_lease_put(store, &lease);
}

static int write_run(struct store *store, const struct batch *batch,
                     const struct engine_action_run *row)
{
    struct store_learned learned;
    translate_learned(&row->learned, &learned);
    return store_run_progress(store, row->run, translate_phase(row->phase), &learned,
                              batch->wall_ms);
}

static int write_metrics(struct store *store, const struct engine_action_metrics *row)
{
    const struct store_metrics metrics = {.accuracy = row->metrics.accuracy,
                                          .loss = row->metrics.loss,
                                          .samples = (uint32_t)row->metrics.samples};
    return store_version_measured(store, row->run, row->version, &metrics);
}

static int write_audit(struct store *store, const struct batch *batch,
                       const struct engine_action_audit *row)
{
    char subject[STORE_AUDIT_TEXT_MAX];
    char detail[STORE_AUDIT_TEXT_MAX];
    translate_audit(row, subject, sizeof subject, detail, sizeof detail);
    const struct store_audit entry = {.at_ms = batch->wall_ms,
                                      .actor = "engine",
                                      .action = engine_audit_name(row->what),
                                      .subject = subject,
                                      .detail = detail};
    return store_audit_add(store, &entry);
}

static int write_row(struct store *store, const struct batch *batch,
                     const struct engine_action *row)
{
    switch (row->type) {
    case ENGINE_ACTION_STORE_RUN:
        return write_run(store, batch, &row->u.run_row);
    case ENGINE_ACTION_STORE_ROUND:
        return write_round(store, batch, &row->u.round_row);
    case ENGINE_ACTION_STORE_LEASE:
        return write_lease(store, batch, &row->u.lease_row);
    case ENGINE_ACTION_STORE_UPDATE:
        return write_update(store, batch, &row->u.update_row);
    case ENGINE_ACTION_STORE_DEVICE:
        return store_device_penalty(
            store, row->u.device_row.device, row->u.device_row.strikes,
            row->u.device_row.quarantine_ms ? batch->wall_ms + row->u.device_row.quarantine_ms : 0);
    case ENGINE_ACTION_STORE_WHY:
        return store_device_why(store, row->u.why_row.device, row->u.why_row.run,
                                row->u.why_row.why, batch->wall_ms);
    case ENGINE_ACTION_STORE_METRICS:
        return write_metrics(store, &row->u.metrics_row);
    case ENGINE_ACTION_STORE_AUDIT:
        return write_audit(store, batch, &row->u.audit_row);
    case ENGINE_ACTION_PUBLISH:
        return write_publish(store, batch, &row->u.publish);
    default:
        return MYCEL_E_STATE;
    }
}

static int write_batch(struct store *store, struct store_job *job)
{
    const struct batch *batch = (const struct batch *)(void *)job;
    int rc = MYCEL_OK;
    for (uint32_t i = 0; i < batch->count && rc == 0; i++) {
        rc = write_row(store, batch, &batch->rows[i]);
    }
    return rc;
}

/* --- on the loop ------------------------------------------------------------------------------ */

static void batch_free(struct batch *batch)
{
    free(batch->body);
    run_sum_free(&batch->sum);
    free(batch);
}

/* What a row needs beside itself moves from the ticket or the run into the batch. */
static void attach(struct shell *shell, struct batch *batch, const struct engine_action *action)
{
    if (action->type == ENGINE_ACTION_STORE_UPDATE) {
        struct ticket *ticket = ticket_get(&shell->tickets, action->tag);
        if (ticket && !batch->body) {
            batch->body = ticket_move_body(&shell->tickets, ticket, &batch->body_bytes);
        }
        batch->job.weight++;
    } else if (action->type == ENGINE_ACTION_PUBLISH) {
        const struct engine_action_publish *publish = &action->u.publish;
        struct run_entry *entry = run_table_find(&shell->runs, publish->run);
        if (entry) {
            run_entry_take_sum(entry, publish->round, publish->attempt, &batch->sum);
        }
    }
}

int batch_submit(struct shell *shell, const struct engine_actions *actions)
{
    struct batch *batch = calloc(1, sizeof *batch + (size_t)actions->count * sizeof batch->rows[0]);
    if (!batch) {
        return MYCEL_E_NO_MEMORY;
    }
    batch->job.run = write_batch;
    batch->job.writes = true;
    batch->number = actions->batch;
    batch->wall_ms = shell_wall_ms();
    for (uint32_t i = 0; i < actions->count; i++) {
        if (is_row(&actions->list[i])) {
            batch->rows[batch->count++] = actions->list[i];
            attach(shell, batch, &actions->list[i]);
        }
    }
    int rc = store_thread_submit(shell->store, &batch->job);
    if (rc < 0) {
        batch_free(batch);
    } else {
        shell->batches++;
    }
    return rc;
}

/* The new version is what everybody will ask for next: it goes straight into memory. */
static void keep_model(struct shell *shell, struct batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->rows[i].type == ENGINE_ACTION_PUBLISH && batch->sum.model) {
            blob_cache_put(&shell->blobs, batch->rows[i].u.publish.version.sha256, batch->sum.model,
                           batch->sum.model_bytes);
            batch->sum.model = NULL;
        }
    }
}

static void finish(struct shell *shell, struct batch *batch)
{
    shell->batches--;
    if (batch->job.result < 0) {
        shell_rebuild(shell, batch->job.result);
    } else {
        keep_model(shell, batch);
        const struct batch_facts facts = {.body_bytes = batch->body_bytes};
        for (uint32_t i = 0; i < batch->count; i++) {
            narrate(shell, &batch->rows[i], &facts);
        }
        if (!shell->rebuilding) {
            shell_durable(shell, batch->number);
        }
    }
    batch_free(batch);
}

void batch_collect(struct shell *shell)
{
    struct store_news news;
    store_thread_take(shell->store, &news);
    for (struct store_job *job = news.done, *next; job; job = next) {
        next = job->next;
        finish(shell, (struct batch *)(void *)job);
    }
    if (news.changed && !shell->closing) {
        job_reload(shell);
    }
}

void batch_drop(struct store_job *jobs)
{
    for (struct store_job *job = jobs, *next; job; job = next) {
        next = job->next;
        batch_free((struct batch *)(void *)job);
    }
}
