/*
 * One step's rows as one transaction. The rows are copied when they are submitted, together with the
 * body of an accepted update or the parameters of a new version, written on the store's thread, and
 * reported to the engine when they are durable.
 */
#include "server/daemon/rows.h"
#include "server/daemon/shell.h"
#include "server/daemon/translate.h"

#include <stdlib.h>
#include <string.h>

struct batch {
    struct shell_write write; /* first: the store hands back a pointer to it */
    uint64_t number;
    uint64_t wall_ms;
    uint8_t *body; /* of the update in this step */
    size_t body_bytes;
    struct run_sum *sum; /* of the version in this step; NULL: there is none */
    uint32_t keep;       /* newest versions of each run that keep their content, 0: all */
    uint32_t count;
    struct engine_action rows[];
};

/* --- on the store's thread -------------------------------------------------------------------- */

/* Undone alone if it fails: the version counts for more, and the next one tries again. */
static void drop_old(struct store *store, uint32_t keep)
{
    if (store_mark(store) == 0 && (store_retain(store, keep) < 0 || store_release(store) < 0)) {
        store_undo(store);
    }
}

static int write_batch(struct store *store, struct store_job *job)
{
    const struct batch *batch = (const struct batch *)(void *)job;
    const struct rows rows = {.list = batch->rows,
                              .count = batch->count,
                              .wall_ms = batch->wall_ms,
                              .body = batch->body,
                              .body_bytes = batch->body_bytes,
                              .sum = batch->sum};
    int rc = rows_write(store, &rows);
    if (rc == 0 && batch->sum && batch->keep > 0) {
        drop_old(store, batch->keep);
    }
    return rc;
}

/* --- on the loop ------------------------------------------------------------------------------ */

static void batch_free(struct batch *batch)
{
    free(batch->body);
    if (batch->sum) {
        run_sum_free(batch->sum);
        free(batch->sum);
    }
    free(batch);
}

/* No fewer than a device may still be training from. */
static uint32_t versions_kept(const struct shell *shell)
{
    uint32_t keep = shell->options->keep_versions;
    for (uint32_t i = 0; keep > 0 && i < ENGINE_RUNS_MAX; i++) {
        const struct run_entry *entry = &shell->runs.entries[i];
        if (entry->used && entry->run.config.staleness_max >= keep) {
            keep = entry->run.config.staleness_max + 1u;
        }
    }
    return keep;
}

/* What a row needs beside itself moves from the ticket or the run into the batch. */
static void attach(struct shell *shell, struct batch *batch, const struct engine_action *action)
{
    if (action->type == ENGINE_ACTION_STORE_UPDATE) {
        struct ticket *ticket = ticket_get(&shell->tickets, action->tag);
        if (ticket && !batch->body) {
            batch->body = ticket_move_body(&shell->tickets, ticket, &batch->body_bytes);
        }
        batch->write.job.weight++;
    } else if (action->type == ENGINE_ACTION_PUBLISH) {
        const struct engine_action_publish *publish = &action->u.publish;
        struct run_entry *entry = run_table_find(&shell->runs, publish->run);
        batch->sum = calloc(1, sizeof *batch->sum);
        if (entry && batch->sum) {
            run_entry_take_sum(entry, publish->round, publish->attempt, batch->sum);
        }
        batch->keep = versions_kept(shell);
    }
}

/* The store has refused it: the ticket has its body back, and with the 5.03 the endpoint. */
static void give_back(struct shell *shell, struct batch *batch)
{
    for (uint32_t i = 0; i < batch->count && batch->body; i++) {
        struct ticket *ticket = batch->rows[i].type == ENGINE_ACTION_STORE_UPDATE
                                    ? ticket_get(&shell->tickets, batch->rows[i].tag)
                                    : NULL;
        if (ticket && !ticket->body) {
            ticket_set_body(&shell->tickets, ticket, batch->body, batch->body_bytes);
            batch->body = NULL;
        }
    }
}

/* What devices hold from now on. */
static void keep_held(struct shell *shell, struct run_entry *entry, struct run_held *held)
{
    const struct downlink_chain *chain = &held->known;
    const uint8_t *name = chain->steps[chain->frames - 1u].held_sha256;
    run_entry_add_chain(entry, chain);
    blob_cache_put(&shell->blobs, name, held->model,
                   (size_t)entry->run.config.params * sizeof(float));
    blob_cache_put(&shell->blobs, chain->sha256, held->chain, chain->bytes);
    held->model = NULL;
    held->chain = NULL;
}

/* The new version is what everybody will ask for next, and what the next round begins with: it goes straight
 * into memory. With SCAFFOLD the rule's state does, too. */
static void keep_version(struct shell *shell, struct run_sum *sum,
                         const struct engine_action_publish *publish)
{
    struct run_entry *entry = run_table_find(&shell->runs, publish->run);
    blob_cache_put(&shell->blobs, publish->version.sha256, sum->model, sum->model_bytes);
    sum->model = NULL;
    if (!entry) {
        return;
    }
    if (sum->held.model) {
        keep_held(shell, entry, &sum->held);
    }
    run_entry_set_state(entry, publish->version.version, sum->state_sha256);
    if (translate_features(&entry->run.config) & PROTO_FEATURE_CONTROL) {
        blob_cache_put(&shell->blobs, sum->state_sha256, sum->state, sum->state_bytes);
        sum->state = NULL;
    }
}

static void keep_versions(struct shell *shell, struct batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->rows[i].type == ENGINE_ACTION_PUBLISH && batch->sum) {
            keep_version(shell, batch->sum, &batch->rows[i].u.publish);
        }
    }
}

/* The sum of its round is asked for soon. */
static void keep_body(struct shell *shell, struct batch *batch)
{
    for (uint32_t i = 0; i < batch->count && batch->body; i++) {
        const struct engine_receipt *receipt = &batch->rows[i].u.update_row.receipt;
        if (batch->rows[i].type == ENGINE_ACTION_STORE_UPDATE && receipt->counted_round > 0) {
            struct body_cache_entry entry = {.run = receipt->run,
                                             .round = receipt->counted_round,
                                             .body = batch->body,
                                             .bytes = batch->body_bytes};
            memcpy(entry.key, receipt->key, sizeof entry.key);
            body_cache_put(&shell->bodies, &entry);
            batch->body = NULL;
        }
    }
}

static void finish(struct shell *shell, struct shell_write *write)
{
    struct batch *batch = (struct batch *)(void *)write;
    shell->batches--;
    if (batch->write.job.result < 0) {
        give_back(shell, batch);
        shell_rebuild(shell, batch->write.job.result);
    } else {
        keep_versions(shell, batch);
        keep_body(shell, batch);
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

static void drop(struct shell_write *write)
{
    batch_free((struct batch *)(void *)write);
}

int batch_submit(struct shell *shell, const struct engine_actions *actions)
{
    struct batch *batch = calloc(1, sizeof *batch + (size_t)actions->count * sizeof batch->rows[0]);
    if (!batch) {
        return MYCEL_E_NO_MEMORY;
    }
    batch->write.job.run = write_batch;
    batch->write.job.writes = true;
    batch->write.finish = finish;
    batch->write.drop = drop;
    batch->number = actions->batch;
    batch->wall_ms = shell_wall_ms();
    for (uint32_t i = 0; i < actions->count; i++) {
        if (rows_is_row(&actions->list[i])) {
            batch->rows[batch->count++] = actions->list[i];
            attach(shell, batch, &actions->list[i]);
        }
    }
    int rc = shell_write(shell, &batch->write);
    if (rc < 0) {
        give_back(shell, batch);
        batch_free(batch);
    } else {
        shell->batches++;
    }
    return rc;
}
