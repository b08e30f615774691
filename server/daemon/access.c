/* Implementation of access.h. */
#include "server/daemon/access.h"
#include "server/daemon/shell.h"

#include <stdlib.h>
#include <string.h>

#define OVERLAP_LOOK_MS 60000u /* the wall clock may be set meanwhile */

_Static_assert(NET_KEYS_MAX == ROSTER_KEYS_MAX, "the endpoint tries as many keys as a device has");

/* --- keys ------------------------------------------------------------------------------------- */

int access_keys(void *user, const char *identity, struct net_psk keys[NET_KEYS_MAX])
{
    struct shell *shell = user;
    struct roster_key found[ROSTER_KEYS_MAX];
    uv_rwlock_rdlock(&shell->access.lock);
    unsigned count = roster_keys(shell->access.roster, identity, shell_wall_ms(), found);
    uv_rwlock_rdunlock(&shell->access.lock);
    for (unsigned i = 0; i < count; i++) {
        memcpy(keys[i].key, found[i].psk, found[i].bytes);
        keys[i].bytes = found[i].bytes;
        keys[i].number = found[i].number;
    }
    explicit_bzero(found, sizeof found);
    return (int)count;
}

bool access_has_certificate(void *user, const char *identity)
{
    struct shell *shell = user;
    uv_rwlock_rdlock(&shell->access.lock);
    const struct roster_entry *entry = roster_find(shell->access.roster, identity);
    bool has =
        entry && entry->state == STORE_DEVICE_ACTIVE && entry->mode == STORE_DEVICE_CERTIFICATE;
    uv_rwlock_rdunlock(&shell->access.lock);
    return has;
}

uint64_t access_wall_ms(void *user)
{
    (void)user;
    return shell_wall_ms();
}

struct roster *access_set_roster(struct shell *shell, struct roster *roster)
{
    uv_rwlock_wrlock(&shell->access.lock);
    struct roster *before = shell->access.roster;
    shell->access.roster = roster;
    uv_rwlock_wrunlock(&shell->access.lock);
    return before;
}

/* --- a device has come with its next key -------------------------------------------------------- */

struct finish {
    struct shell_write write; /* first */
    uint32_t device;
    uint32_t generation;
    uint64_t wall_ms;
    bool ended; /* the old key has, with this */
};

static int run_finish(struct store *store, struct store_job *job)
{
    struct finish *f = (struct finish *)(void *)job;
    int rc = store_rotate_finish(store, f->device, f->generation, f->wall_ms);
    f->ended = rc > 0;
    return rc > 0 ? MYCEL_OK : rc;
}

static void end_finish(struct shell *shell, struct shell_write *write)
{
    const struct finish *f = (const struct finish *)(void *)write;
    if (write->job.result == MYCEL_OK && !shell->closing) {
        const struct roster_entry *entry = roster_get(shell->access.roster, f->device);
        if (f->ended) {
            LOG(&shell->log, LOG_INFO, "key_rotated",
                log_text("device", entry ? entry->identity : "?"), log_text("because", "used"));
        }
        job_reload_access(shell);
    } else {
        roster_set_confirming(shell->access.roster, f->device, false); /* its next request */
    }
    free(write);
}

static void drop_finish(struct shell_write *write)
{
    free(write);
}

static void finish_rotation(struct shell *shell, const struct roster_entry *entry)
{
    struct finish *f = entry->confirming ? NULL : calloc(1, sizeof *f);
    if (!f) {
        return; /* on its way, or the next request tries again */
    }
    f->write.job.run = run_finish;
    f->write.job.writes = true;
    f->write.finish = end_finish;
    f->write.drop = drop_finish;
    f->device = entry->device;
    f->generation = entry->next_generation;
    f->wall_ms = shell_wall_ms();
    roster_set_confirming(shell->access.roster, entry->device, true);
    if (shell_write_access(shell, &f->write) < 0) {
        roster_set_confirming(shell->access.roster, entry->device, false);
        free(f);
    }
}

/* The key that a session was begun with may have ended since, and the session's end be on its way. */
const struct roster_entry *access_device(struct shell *shell, const struct net_request *request)
{
    const struct roster_entry *entry = roster_find(shell->access.roster, request->identity);
    if (!entry || entry->state != STORE_DEVICE_ACTIVE) {
        return NULL;
    }
    if (entry->mode == STORE_DEVICE_PSK && request->key != entry->generation) {
        if (entry->next_generation == 0 || request->key != entry->next_generation) {
            return NULL;
        }
        finish_rotation(shell, entry);
    }
    return entry;
}

bool access_wants_key(const struct shell *shell, uint32_t device)
{
    const struct roster_entry *entry = roster_get(shell->access.roster, device);
    return entry && entry->rotation.kind == STORE_ROTATION_AIR && !entry->confirming &&
           shell_wall_ms() >= entry->rotation.from_ms;
}

/* --- an overlap is over ------------------------------------------------------------------------ */

struct expiry {
    struct shell_write write; /* first */
    uint64_t wall_ms;
    int ended;
};

static int run_expiry(struct store *store, struct store_job *job)
{
    struct expiry *e = (struct expiry *)(void *)job;
    e->ended = store_rotate_expire(store, e->wall_ms);
    return e->ended < 0 ? e->ended : MYCEL_OK;
}

static void end_expiry(struct shell *shell, struct shell_write *write)
{
    const struct expiry *e = (const struct expiry *)(void *)write;
    if (!shell->closing && write->job.result < 0) {
        access_set_overlap(shell, e->wall_ms + OVERLAP_LOOK_MS);
    } else if (!shell->closing) {
        if (e->ended > 0) {
            LOG(&shell->log, LOG_INFO, "overlaps_ended", log_int("devices", e->ended));
        }
        job_reload_access(shell); /* which sets the timer again */
    }
    free(write);
}

static void drop_expiry(struct shell_write *write)
{
    free(write);
}

static void on_overlap(uv_timer_t *timer)
{
    struct shell *shell = timer->data;
    struct expiry *e = calloc(1, sizeof *e);
    if (e) {
        e->write.job.run = run_expiry;
        e->write.job.writes = true;
        e->write.finish = end_expiry;
        e->write.drop = drop_expiry;
        e->wall_ms = shell_wall_ms();
    }
    if (!e || shell_write_access(shell, &e->write) < 0) {
        free(e);
        uv_timer_start(timer, on_overlap, OVERLAP_LOOK_MS, 0);
    }
}

void access_set_overlap(struct shell *shell, uint64_t ends_ms)
{
    uv_timer_t *timer = &shell->access.overlap;
    uint64_t now_ms = shell_wall_ms();
    uint64_t wait_ms = ends_ms > now_ms ? ends_ms - now_ms : 0;
    if (ends_ms == UINT64_MAX) {
        uv_timer_stop(timer);
        return;
    }
    uv_timer_start(timer, on_overlap, wait_ms < OVERLAP_LOOK_MS ? wait_ms : OVERLAP_LOOK_MS, 0);
}

/* --- what has changed in the store --------------------------------------------------------------- */

static void device_lost(void *user, const struct roster_entry *before, enum roster_access access)
{
    struct shell *shell = user;
    const struct roster_entry *now = roster_get(shell->access.roster, before->device);
    int sessions;
    if (access == ROSTER_OTHER_KEYS && now) {
        const uint32_t keep[NET_KEYS_MAX] = {now->generation, now->next_generation};
        sessions = net_kick_others(shell->net, before->identity, keep);
    } else {
        sessions = net_kick(shell->net, before->identity);
    }
    LOG(&shell->log, LOG_INFO, "device_access_changed", log_text("device", before->identity),
        log_int("sessions_ended", sessions));
    if (!now || now->state == STORE_DEVICE_REVOKED) {
        struct engine_event event = {.type = ENGINE_EVENT_DEVICE_REVOKED};
        event.u.device = before->device;
        shell_step(shell, &event);
    }
}

/* Spent, replaced or taken back: nobody goes on with its session. */
static void token_lost(void *user, const char *identity)
{
    struct shell *shell = user;
    (void)net_kick(shell->net, identity);
}

static const struct roster_losses losses = {device_lost, token_lost};

static void replace_all(struct shell *shell, struct roster_changes *changes)
{
    struct roster *before = access_set_roster(shell, changes->anew);
    changes->anew = NULL;
    roster_lost(before, shell->access.roster, &losses, shell);
    roster_free(before);
}

/* What fails here (memory) is read again with the next reload, as the roster's head stays behind. */
static int replace_some(struct shell *shell, struct roster_changes *changes)
{
    uv_rwlock_wrlock(&shell->access.lock);
    int rc = roster_apply(shell->access.roster, changes);
    uv_rwlock_wrunlock(&shell->access.lock);
    roster_changes_lost(changes, shell->access.roster, &losses, shell);
    return rc;
}

int access_follow(struct shell *shell, struct roster_changes *changes)
{
    int rc = MYCEL_OK;
    if (changes->anew) {
        replace_all(shell, changes);
    } else {
        rc = replace_some(shell, changes);
    }
    access_set_overlap(shell, changes->ends_ms);
    roster_changes_free(changes);
    return rc;
}

/* --- answers that wait --------------------------------------------------------------------------- */

int access_wait(struct shell *shell, struct access_waiter *waiter)
{
    waiter->seen = false;
    waiter->next = shell->access.waiting;
    shell->access.waiting = waiter;
    int rc = job_reload_access(shell);
    if (rc < 0) {
        shell->access.waiting = waiter->next;
    }
    return rc;
}

void access_reload_begins(struct shell *shell)
{
    for (struct access_waiter *w = shell->access.waiting; w; w = w->next) {
        w->seen = true;
    }
}

void access_reload_ended(struct shell *shell, bool loaded)
{
    struct access_waiter **at = &shell->access.waiting;
    while (*at) {
        struct access_waiter *waiter = *at;
        if (!waiter->seen) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        waiter->ready(shell->closing ? NULL : shell, waiter, loaded);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

int access_init(struct shell *shell)
{
    uv_timer_init(&shell->loop, &shell->access.overlap);
    shell->access.overlap.data = shell;
    return uv_rwlock_init(&shell->access.lock) == 0 ? MYCEL_OK : MYCEL_E_NO_MEMORY;
}

void access_deinit(struct shell *shell)
{
    while (shell->access.waiting) {
        struct access_waiter *waiter = shell->access.waiting;
        shell->access.waiting = waiter->next;
        waiter->ready(NULL, waiter, false);
    }
    roster_free(shell->access.roster);
    uv_rwlock_destroy(&shell->access.lock);
}
