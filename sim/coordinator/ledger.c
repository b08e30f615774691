/* See ledger.h. */
#include "sim/coordinator/ledger.h"

#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_MS 1000u

int ledger_init(struct ledger *ledger, uint32_t devices)
{
    *ledger = (struct ledger){.devices = devices};
    ledger->shares = calloc(devices, sizeof *ledger->shares);
    ledger->strikes = calloc(devices, sizeof *ledger->strikes);
    ledger->strikes_us = calloc(devices, sizeof *ledger->strikes_us);
    ledger->receipts = calloc(LEDGER_RECEIPTS, sizeof *ledger->receipts);
    if (!ledger->shares || !ledger->strikes || !ledger->strikes_us || !ledger->receipts) {
        ledger_free(ledger);
        return MYCEL_E_NO_MEMORY;
    }
    return MYCEL_OK;
}

void ledger_free(struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->update_count; i++) {
        free(ledger->updates[i].body);
    }
    free(ledger->shares);
    free(ledger->strikes);
    free(ledger->strikes_us);
    free(ledger->receipts);
    free(ledger->leases);
    free(ledger->updates);
    blob_unref(ledger->model);
    ledger_held_unref(&ledger->held);
    free(ledger->state);
    *ledger = (struct ledger){0};
}

/* Room for one more element. */
static int reserve(void **array, uint32_t count, uint32_t *capacity, size_t element_bytes)
{
    if (count < *capacity) {
        return MYCEL_OK;
    }
    uint32_t wanted = *capacity == 0 ? 64u : *capacity * 2u;
    void *grown = realloc(*array, wanted * element_bytes);
    if (grown == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    *array = grown;
    *capacity = wanted;
    return MYCEL_OK;
}

/* ---- leases ------------------------------------------------------------------------------- */

static void drop_lease(struct ledger *ledger, uint32_t index)
{
    ledger->lease_count--;
    memmove(&ledger->leases[index], &ledger->leases[index + 1u],
            (ledger->lease_count - index) * sizeof *ledger->leases);
}

static void drop_lease_of_key(struct ledger *ledger, const uint8_t key[PROTO_KEY_BYTES])
{
    for (uint32_t i = 0; i < ledger->lease_count; i++) {
        if (memcmp(ledger->leases[i].lease.key, key, PROTO_KEY_BYTES) == 0) {
            drop_lease(ledger, i);
            return;
        }
    }
}

/* Leases of rounds whose updates cannot count any more are of no use to a restart. */
static void drop_old_leases(struct ledger *ledger)
{
    uint32_t stale = ledger->spec.staleness_max;
    while (ledger->lease_count > 0 && ledger->has_round &&
           ledger->leases[0].lease.round + stale < ledger->round.round) {
        drop_lease(ledger, 0);
        ledger->expired++;
    }
}

static int write_lease(struct ledger *ledger, const struct engine_action_lease_row *row,
                       uint64_t now_us)
{
    drop_lease_of_key(ledger, row->lease.key);
    drop_old_leases(ledger);
    int rc = reserve((void **)&ledger->leases, ledger->lease_count, &ledger->lease_capacity,
                     sizeof *ledger->leases);
    if (rc == 0) {
        ledger->leases[ledger->lease_count++] = (struct ledger_lease){
            .lease = row->lease, .deadline_us = now_us + row->left_ms * US_PER_MS};
    }
    return rc;
}

uint64_t ledger_expired(const struct ledger *ledger, uint64_t now_us)
{
    uint64_t count = ledger->expired;
    for (uint32_t i = 0; i < ledger->lease_count; i++) {
        count += ledger->leases[i].deadline_us <= now_us;
    }
    return count;
}

/* ---- updates ------------------------------------------------------------------------------ */

/* Keeps what a restart asks for: rows of this round and the next, and ENGINE_RESTORE_UPDATES before. */
static void drop_old_updates(struct ledger *ledger)
{
    if (ledger->update_count < 4u * ENGINE_RESTORE_UPDATES) {
        return;
    }
    uint32_t kept = 0;
    uint32_t from = ledger->update_count - ENGINE_RESTORE_UPDATES;
    for (uint32_t i = 0; i < ledger->update_count; i++) {
        struct ledger_update *u = &ledger->updates[i];
        bool recent = u->row.receipt.round >= ledger->round.round ||
                      u->row.receipt.counted_round >= ledger->round.round || u->body != NULL;
        if (i >= from || recent) {
            ledger->updates[kept++] = *u;
        }
    }
    ledger->update_count = kept;
}

static int count_share(struct ledger *ledger, const struct engine_receipt *receipt)
{
    struct ledger_share *share = &ledger->shares[receipt->device - 1u];
    if (receipt->counted_round <= share->last_round) {
        return MYCEL_E_EXISTS;
    }
    share->accepted++;
    share->last_round = receipt->counted_round;
    ledger->counted++;
    return MYCEL_OK;
}

static int write_update(struct ledger *ledger, const struct engine_action_update *row,
                        uint8_t *body, uint32_t body_bytes)
{
    const struct engine_receipt *receipt = &row->receipt;
    int rc = reserve((void **)&ledger->updates, ledger->update_count, &ledger->update_capacity,
                     sizeof *ledger->updates);
    if (rc == 0 && receipt->counted_round > 0) {
        rc = count_share(ledger, receipt);
    }
    if (rc < 0) {
        free(body);
        return rc;
    }
    if (receipt->counted_round == 0) {
        free(body);
        body = NULL;
        body_bytes = 0;
    }
    ledger->rejected += receipt->status < 0 && !receipt->late;
    ledger->late += receipt->late;
    drop_lease_of_key(ledger, receipt->key);
    ledger->receipts[ledger->receipt_count++ % LEDGER_RECEIPTS] = *receipt;
    ledger->updates[ledger->update_count++] =
        (struct ledger_update){.row = *row, .body = body, .body_bytes = body_bytes};
    drop_old_updates(ledger);
    return MYCEL_OK;
}

const struct engine_receipt *ledger_receipt(const struct ledger *ledger, uint32_t device,
                                            const uint8_t key[PROTO_KEY_BYTES])
{
    uint64_t oldest =
        ledger->receipt_count > LEDGER_RECEIPTS ? ledger->receipt_count - LEDGER_RECEIPTS : 0;
    for (uint64_t i = ledger->receipt_count; i > oldest; i--) {
        const struct engine_receipt *receipt = &ledger->receipts[(i - 1u) % LEDGER_RECEIPTS];
        if (receipt->device == device && memcmp(receipt->key, key, PROTO_KEY_BYTES) == 0) {
            return receipt;
        }
    }
    return NULL;
}

const struct ledger_update *ledger_waiting(const struct ledger *ledger, uint32_t round,
                                           const struct ledger_update *previous)
{
    uint32_t next = previous != NULL ? (uint32_t)(previous - ledger->updates) + 1u : 0;
    for (uint32_t i = next; i < ledger->update_count; i++) {
        const struct ledger_update *u = &ledger->updates[i];
        if (u->body != NULL && u->row.receipt.counted_round == round) {
            return u;
        }
    }
    return NULL;
}

void ledger_held_ref(const struct ledger_held *held)
{
    if (held->blob != NULL) {
        blob_ref(held->blob);
        blob_ref(held->chain);
    }
}

void ledger_held_unref(const struct ledger_held *held)
{
    blob_unref(held->blob);
    blob_unref(held->chain);
}

void ledger_publish(struct ledger *ledger, const struct engine_action_publish *publish,
                    struct blob *model, const struct ledger_held *held, float *state)
{
    blob_unref(ledger->model);
    ledger_held_ref(held);
    ledger_held_unref(&ledger->held);
    ledger->held = *held;
    free(ledger->state);
    ledger->model = blob_ref(model);
    ledger->state = state;
    ledger->progress.base = publish->version;
    const struct ledger_update *u = NULL;
    while ((u = ledger_waiting(ledger, publish->round, u)) != NULL) {
        free(u->body);
        ledger->updates[u - ledger->updates].body = NULL;
    }
}

int ledger_write(struct ledger *ledger, const struct engine_action *action, uint8_t *body,
                 uint32_t body_bytes, uint64_t now_us)
{
    switch (action->type) {
    case ENGINE_ACTION_STORE_RUN:
        ledger->progress.phase = action->u.run_row.phase;
        ledger->progress.learned = action->u.run_row.learned;
        break;
    case ENGINE_ACTION_STORE_ROUND:
        ledger->has_round = true;
        ledger->round = action->u.round_row;
        ledger->round_us = now_us;
        break;
    case ENGINE_ACTION_STORE_LEASE:
        return write_lease(ledger, &action->u.lease_row, now_us);
    case ENGINE_ACTION_STORE_UPDATE:
        return write_update(ledger, &action->u.update_row, body, body_bytes);
    case ENGINE_ACTION_STORE_DEVICE:
        ledger->strikes[action->u.device_row.device - 1u] = action->u.device_row;
        ledger->strikes_us[action->u.device_row.device - 1u] = now_us;
        break;
    case ENGINE_ACTION_STORE_METRICS:
        ledger->progress.evaluated_version = action->u.metrics_row.version;
        break;
    default:
        break;
    }
    return MYCEL_OK;
}
