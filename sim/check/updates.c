/*
 * Books of the verdicts: who was counted for which round with what weight, what of it is durable, told
 * and published.
 */
#include "sim/check/internal.h"

#include <mycel/error.h>
#include <string.h>

static struct seen_update *find_key(struct check *check, const uint8_t key[PROTO_KEY_BYTES])
{
    for (uint32_t i = check->update_count; i > 0; i--) {
        struct seen_update *update = &check->updates[i - 1u];
        if (memcmp(update->row.receipt.key, key, PROTO_KEY_BYTES) == 0) {
            return update;
        }
    }
    return NULL;
}

/* What is counted for a round: of the engine's mind, or of the disk alone. */
static uint32_t count_round(const struct check *check, uint32_t round, bool durable,
                            uint64_t *weight)
{
    uint32_t count = 0;
    *weight = 0;
    for (uint32_t i = 0; i < check->update_count; i++) {
        const struct seen_update *update = &check->updates[i];
        if (update->row.receipt.counted_round == round && (update->durable || !durable)) {
            count++;
            *weight += update->row.weight;
        }
    }
    return count;
}

/* ---- the engine's verdict ----------------------------------------------------------------- */

static void check_counted_once(struct check *check, const struct engine_receipt *receipt)
{
    for (uint32_t i = 0; i < check->update_count; i++) {
        const struct engine_receipt *other = &check->updates[i].row.receipt;
        if (memcmp(other->key, receipt->key, PROTO_KEY_BYTES) == 0) {
            check_fail(check, "counted-twice", "device %u got two verdicts for one key",
                       receipt->device - 1u);
        }
        if (receipt->counted_round > 0 && other->device == receipt->device &&
            other->counted_round == receipt->counted_round) {
            check_fail(check, "counted-twice", "device %u is counted twice in round %u",
                       receipt->device - 1u, receipt->counted_round);
        }
    }
    if (receipt->counted_round > 0 && receipt->counted_round <= check->round) {
        check_fail(check, "acknowledged-lost",
                   "device %u is counted for round %u, but round %u is a version already",
                   receipt->device - 1u, receipt->counted_round, check->round);
    }
}

/* The samples that an honest device reports, and a lying one. */
static void check_weight(struct check *check, const struct engine_action_update *row)
{
    const struct world *world = check->world;
    uint32_t device = row->receipt.device - 1u;
    uint32_t samples;
    (void)fleet_indices(&world->fleet, device, &samples);
    uint8_t traits = world->fleet.devices[device].traits;
    uint64_t claimed = samples * ((traits & FLEET_LYING) != 0 ? WORLD_LIE_FACTOR : 1u);
    uint64_t expected = row->receipt.counted_round > 0 ? row->report.samples : 0;
    if (row->weight != expected) {
        check_fail(check, "weight", "device %u has weight %llu, its samples are %llu", device,
                   (unsigned long long)row->weight, (unsigned long long)expected);
    }
    if (row->receipt.counted_round > 0 && (traits & FLEET_ATTACKER) == 0 &&
        row->report.samples != claimed) {
        check_fail(check, "weight", "device %u reports %u samples and has %llu", device,
                   row->report.samples, (unsigned long long)claimed);
    }
}

static void add_update(struct check *check, const struct engine_action_update *row)
{
    check_counted_once(check, &row->receipt);
    check_weight(check, row);
    if (check_reserve(check, (void **)&check->updates, check->update_count, &check->update_capacity,
                      sizeof *check->updates)) {
        check->updates[check->update_count++] = (struct seen_update){.row = *row};
    }
}

/* The order to sum names the set that is to be summed. */
static void check_order(struct check *check, const struct engine_action_aggregate *order)
{
    uint64_t weight;
    uint32_t count = count_round(check, order->round, false, &weight);
    uint32_t minimum = coordinator_ledger(check->world->coordinator)->spec.minimum;
    if (order->accepted < minimum) {
        check_fail(check, "quorum", "round %u is to be summed with %u updates; the minimum is %u",
                   order->round, order->accepted, minimum);
    }
    if (count != order->accepted || weight != order->weight) {
        check_fail(check, "weight",
                   "round %u: the sum is to have %u updates of weight %llu, %u of weight %llu were "
                   "counted",
                   order->round, order->accepted, (unsigned long long)order->weight, count,
                   (unsigned long long)weight);
    }
}

/* The engine's own tally of the round is that of the books. */
static void check_tally(struct check *check)
{
    struct engine_run_view view;
    uint64_t weight;
    if (engine_run_view(coordinator_engine(check->world->coordinator), 0, &view) < 0 ||
        view.round <= check->round) {
        return;
    }
    uint32_t count = count_round(check, view.round, false, &weight);
    if (count != view.accepted) {
        check_fail(check, "counted-twice", "round %u: the engine has %u updates, it counted %u",
                   view.round, view.accepted, count);
    }
}

void updates_stepped(struct check *check, const struct engine_event *event,
                     const struct engine_actions *actions)
{
    if (event->type == ENGINE_EVENT_AGGREGATED && event->u.aggregated.status < 0) {
        check_fail(check, "sum", "round %u: %s", event->u.aggregated.round,
                   mycel_error_text(event->u.aggregated.status));
    }
    for (uint32_t i = 0; i < actions->count; i++) {
        if (actions->list[i].type == ENGINE_ACTION_STORE_UPDATE) {
            add_update(check, &actions->list[i].u.update_row);
        }
    }
    check_tally(check);
    for (uint32_t i = 0; i < actions->count; i++) {
        if (actions->list[i].type == ENGINE_ACTION_AGGREGATE) {
            check_order(check, &actions->list[i].u.aggregate);
        }
    }
}

/* ---- the disk ----------------------------------------------------------------------------- */

static void check_published(struct check *check, const struct engine_action_publish *publish)
{
    if (publish->version.version != check->version + 1u ||
        publish->parent_version != check->version || publish->round <= check->round) {
        check_fail(check, "versions", "version %u of round %u with parent %u follows version %u",
                   publish->version.version, publish->round, publish->parent_version,
                   check->version);
    }
    check->version = publish->version.version;
    check->round = publish->round;
    for (uint32_t i = 0; i < check->update_count; i++) {
        struct seen_update *update = &check->updates[i];
        update->published |= update->durable && update->row.receipt.counted_round == publish->round;
    }
}

static void check_committed(struct check *check, const struct engine_action_round *row)
{
    uint64_t weight;
    uint32_t count = count_round(check, row->round, true, &weight);
    uint32_t minimum = coordinator_ledger(check->world->coordinator)->spec.minimum;
    if (count < minimum || count != row->accepted) {
        check_fail(check, "quorum", "version %u has %u updates and says %u; the minimum is %u",
                   row->version, count, row->accepted, minimum);
    }
    if (weight != row->weight) {
        check_fail(check, "weight", "version %u has weight %llu, its updates %llu", row->version,
                   (unsigned long long)row->weight, (unsigned long long)weight);
    }
}

void updates_stored(struct check *check, const struct engine_action *row)
{
    if (row->type == ENGINE_ACTION_STORE_UPDATE) {
        struct seen_update *update = find_key(check, row->u.update_row.receipt.key);
        if (update == NULL) {
            check_fail(check, "counted-twice", "an update is stored that the engine did not judge");
            return;
        }
        update->durable = true;
    } else if (row->type == ENGINE_ACTION_PUBLISH) {
        check_published(check, &row->u.publish);
    } else if (row->type == ENGINE_ACTION_STORE_ROUND &&
               row->u.round_row.state == ENGINE_ROUND_COMMITTED) {
        check_committed(check, &row->u.round_row);
    }
}

/* ---- what devices are told ---------------------------------------------------------------- */

static bool same_verdict(const struct engine_receipt *a, const struct engine_receipt *b)
{
    return a->device == b->device && a->round == b->round && a->counted_round == b->counted_round &&
           a->status == b->status && a->late == b->late && a->base_version == b->base_version &&
           memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static bool is_in_ledger(const struct check *check, const struct engine_receipt *receipt)
{
    const struct engine_receipt *stored = ledger_receipt(
        coordinator_ledger(check->world->coordinator), receipt->device, receipt->key);
    return stored != NULL && same_verdict(stored, receipt);
}

void updates_told(struct check *check, const struct engine_receipt *receipt)
{
    struct seen_update *update = find_key(check, receipt->key);
    if (update == NULL || !update->durable || !is_in_ledger(check, receipt)) {
        check_fail(check, "said-before-stored",
                   "device %u is told a receipt (round %u, status %d) that is not in the ledger",
                   receipt->device - 1u, receipt->round, (int)receipt->status);
        return;
    }
    update->told = true;
}

static void check_told(struct check *check)
{
    for (uint32_t i = 0; i < check->update_count; i++) {
        const struct seen_update *update = &check->updates[i];
        const struct engine_receipt *receipt = &update->row.receipt;
        if (update->told && !is_in_ledger(check, receipt)) {
            check_fail(check, "acknowledged-lost",
                       "device %u has a receipt for round %u that the ledger lacks",
                       receipt->device - 1u, receipt->round);
        }
    }
}

/* A crash: what was not durable has never been. */
void updates_restored(struct check *check)
{
    uint32_t kept = 0;
    check_told(check);
    for (uint32_t i = 0; i < check->update_count; i++) {
        if (check->updates[i].durable) {
            check->updates[kept++] = check->updates[i];
        }
    }
    check->update_count = kept;
}

void updates_ended(struct check *check)
{
    uint32_t counted = 0;
    check_told(check);
    for (uint32_t i = 0; i < check->update_count; i++) {
        const struct seen_update *update = &check->updates[i];
        const struct engine_receipt *receipt = &update->row.receipt;
        counted += update->durable && receipt->counted_round > 0;
        if (update->durable && receipt->counted_round > 0 &&
            receipt->counted_round <= check->round && !update->published) {
            check_fail(check, "acknowledged-lost",
                       "device %u is counted for round %u and part of no version",
                       receipt->device - 1u, receipt->counted_round);
        }
    }
    if (counted != coordinator_ledger(check->world->coordinator)->counted) {
        check_fail(check, "counted-twice", "the ledger has counted %llu updates, the books %u",
                   (unsigned long long)coordinator_ledger(check->world->coordinator)->counted,
                   counted);
    }
}
