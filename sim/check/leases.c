/*
 * Books of the leases: who was granted what and until when. What the engine believes to be live is never
 * more than what has time left; whoever holds a lease that can still count is listened to.
 */
#include "sim/check/internal.h"

#include <mycel/error.h>
#include <string.h>

#define LOOKED_AT 64u /* leases of the ledger after each commit */

static struct seen_lease *find_key(struct check *check, const uint8_t key[PROTO_KEY_BYTES])
{
    for (uint32_t i = check->lease_count; i > 0; i--) {
        struct seen_lease *seen = &check->leases[i - 1u];
        if (memcmp(seen->lease.key, key, PROTO_KEY_BYTES) == 0) {
            return seen;
        }
    }
    return NULL;
}

static uint32_t index_of(const struct check *check, const struct seen_lease *seen)
{
    return (uint32_t)(seen - check->leases);
}

/* ---- grants ------------------------------------------------------------------------------- */

static void grant(struct check *check, const struct engine_action_lease_row *row)
{
    const struct engine_lease *lease = &row->lease;
    struct seen_lease *seen = find_key(check, lease->key);
    if (seen != NULL && (seen->lease.device != lease->device || seen->answered)) {
        check_fail(check, "leases", "the key of device %u is granted again, to device %u%s",
                   seen->lease.device - 1u, lease->device - 1u,
                   seen->answered ? ", and has its verdict" : "");
        return;
    }
    if (seen == NULL) {
        if (!check_reserve(check, (void **)&check->leases, check->lease_count,
                           &check->lease_capacity, sizeof *check->leases)) {
            return;
        }
        seen = &check->leases[check->lease_count++];
        *seen = (struct seen_lease){.lease = *lease};
    }
    seen->granted = ++check->grants;
    seen->until_ms = check_now_ms(check) + row->left_ms;
    check->newest[lease->device - 1u] = index_of(check, seen);
}

static void answer(struct check *check, const struct engine_receipt *receipt)
{
    struct seen_lease *seen = find_key(check, receipt->key);
    if (seen == NULL || seen->lease.device != receipt->device) {
        check_fail(check, "leases", "device %u gets a verdict for a key that it was not leased",
                   receipt->device - 1u);
        return;
    }
    seen->answered = true;
}

/* ---- seats -------------------------------------------------------------------------------- */

static bool may_be_live(const struct check *check, uint32_t device)
{
    if (check->newest[device] == UINT32_MAX) {
        return false;
    }
    const struct seen_lease *seen = &check->leases[check->newest[device]];
    return !seen->answered && seen->until_ms > check_now_ms(check);
}

/* A seat whose lease is over, and which is not free, is lost for the round. */
static void check_seats(struct check *check)
{
    struct engine_run_view view;
    uint32_t devices = check->world->fleet.count;
    uint32_t most = 0;
    if (engine_run_view(coordinator_engine(check->world->coordinator), 0, &view) < 0) {
        return;
    }
    for (uint32_t i = 0; i < devices; i++) {
        most += may_be_live(check, i);
    }
    if (view.live > most) {
        check_fail(check, "lease-reclaimed",
                   "%u leases hold a seat, and only %u that were granted have time left", view.live,
                   most);
    }
}

/* ---- refusals ----------------------------------------------------------------------------- */

/* The engine turns an update away as not leased: only if no lease of that key can still count. */
static void check_refusal(struct check *check, const struct engine_event_update *update)
{
    const struct ledger *ledger = coordinator_ledger(check->world->coordinator);
    const struct seen_lease *seen = find_key(check, update->key);
    if (seen == NULL || seen->lease.device != update->device || !seen->durable ||
        index_of(check, seen) != check->newest[update->device - 1u]) {
        return;
    }
    if (seen->lease.round + ledger->spec.staleness_max >= ledger->round.round) {
        check_fail(check, "lease-honoured",
                   "device %u is told that it holds no lease, and holds one of round %u",
                   update->device - 1u, seen->lease.round);
    }
}

void leases_stepped(struct check *check, const struct engine_event *event,
                    const struct engine_actions *actions)
{
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct engine_action *action = &actions->list[i];
        if (action->type == ENGINE_ACTION_STORE_LEASE) {
            grant(check, &action->u.lease_row);
        } else if (action->type == ENGINE_ACTION_STORE_UPDATE) {
            answer(check, &action->u.update_row.receipt);
        } else if (action->type == ENGINE_ACTION_REPLY_PROBLEM &&
                   event->type == ENGINE_EVENT_UPDATE &&
                   action->u.problem.status == MYCEL_E_LEASE) {
            check_refusal(check, &event->u.update);
        }
    }
    if (check_is_due(check, event)) {
        check_seats(check);
    }
}

/* ---- the disk ----------------------------------------------------------------------------- */

void leases_stored(struct check *check, const struct engine_action *row)
{
    if (row->type == ENGINE_ACTION_STORE_LEASE) {
        struct seen_lease *seen = find_key(check, row->u.lease_row.lease.key);
        if (seen != NULL) {
            seen->durable = true;
        }
    } else if (row->type == ENGINE_ACTION_STORE_UPDATE) {
        struct seen_lease *seen = find_key(check, row->u.update_row.receipt.key);
        if (seen != NULL) {
            seen->answer_stored = true;
        }
    }
}

void leases_told(struct check *check, const struct engine_lease *lease)
{
    const struct seen_lease *seen = find_key(check, lease->key);
    if (seen == NULL || !seen->durable) {
        check_fail(check, "said-before-stored",
                   "device %u is told a lease of round %u that is not in the ledger",
                   lease->device - 1u, lease->round);
    }
}

/* granted = answered + open, on the disk as in the books: the newest, since a run that stands still has
 * thousands. */
void leases_committed(struct check *check)
{
    const struct ledger *ledger = coordinator_ledger(check->world->coordinator);
    uint32_t first = ledger->lease_count > LOOKED_AT ? ledger->lease_count - LOOKED_AT : 0;
    for (uint32_t i = first; i < ledger->lease_count; i++) {
        const struct engine_lease *lease = &ledger->leases[i].lease;
        const struct seen_lease *seen = find_key(check, lease->key);
        if (seen == NULL || seen->answer_stored || seen->lease.device != lease->device) {
            check_fail(check, "leases", "the ledger has an open lease of device %u that is %s",
                       lease->device - 1u, seen == NULL ? "unknown" : "not open");
        }
    }
}

/* A crash: rows that were not durable have never been, and every open lease gets its grace. */
void leases_restored(struct check *check)
{
    uint64_t grace_until = check_now_ms(check) + COORDINATOR_GRACE_MS;
    uint32_t kept = 0;
    memset(check->newest, 0xFF, check->world->fleet.count * sizeof *check->newest);
    for (uint32_t i = 0; i < check->lease_count; i++) {
        struct seen_lease seen = check->leases[i];
        if (!seen.durable) {
            continue;
        }
        seen.answered = seen.answer_stored;
        seen.until_ms = seen.until_ms > grace_until ? seen.until_ms : grace_until;
        check->leases[kept] = seen;
        uint32_t *newest = &check->newest[seen.lease.device - 1u];
        if (*newest == UINT32_MAX || check->leases[*newest].granted < seen.granted) {
            *newest = kept;
        }
        kept++;
    }
    check->lease_count = kept;
}

void leases_ended(struct check *check)
{
    struct check_figures *figures = &check->result->figures;
    for (uint32_t i = 0; i < check->lease_count; i++) {
        const struct seen_lease *seen = &check->leases[i];
        figures->expired += !seen->answered && seen->until_ms <= check_now_ms(check);
    }
}
