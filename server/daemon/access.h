/*
 * Who may connect, as the endpoint and the requests see it: keys for handshakes, the device behind a
 * session, the end of sessions whose key has ended, and answers that have to wait until a key is known.
 * It owns the shell's roster and the timer of overlaps; it must never log a key.
 *
 *   a change in the store -> job_reload -> access_follow -> sessions end, waiters are answered
 *   a request with a next key -> access_device -> store_rotate_finish -> job_reload -> ...
 *   an overlap that is over -> the timer -> store_rotate_expire -> job_reload -> ...
 */
#ifndef MYCEL_SERVER_DAEMON_ACCESS_H
#define MYCEL_SERVER_DAEMON_ACCESS_H

#include "server/daemon/roster.h"
#include "server/net/net.h"

#include <uv.h>

struct shell;

/* An answer that waits until what was written before is in the roster. Whoever waits embeds it. */
struct access_waiter {
    struct access_waiter *next;
    bool seen; /* a reload has begun since the write was committed */
    /* The roster is up to date, or could not be (`loaded`); frees the waiter. `shell` is NULL when the
     * daemon ends: nobody is to be answered. */
    void (*ready)(struct shell *shell, struct access_waiter *waiter, bool loaded);
};

struct access {
    struct roster *roster;
    uv_rwlock_t lock; /* the endpoint's workers look keys up on threads of their own */
    uv_timer_t overlap;
    struct access_waiter *waiting;
};

/* 0, or NO_MEMORY. The timer's handle is closed by whoever walks the loop's handles. */
int access_init(struct shell *shell);
void access_deinit(struct shell *shell);

/* The endpoint's question (struct net_callbacks), on any worker's thread; `user` is the shell. */
int access_keys(void *user, const char *identity, struct net_psk keys[NET_KEYS_MAX]);

/* The same of devices with certificates: whether this is one, and by which clock they are valid. */
bool access_has_certificate(void *user, const char *identity);
uint64_t access_wall_ms(void *user);

/* The device behind a request, if it may be served now; NULL if not. A device that has come with its
 * next key is noted. */
const struct roster_entry *access_device(struct shell *shell, const struct net_request *request);

/* Whether this device is to be asked for its half of another key. */
bool access_wants_key(const struct shell *shell, uint32_t device);

/* Puts a roster in the place of the present one, which is returned. */
struct roster *access_set_roster(struct shell *shell, struct roster *roster);

/* Takes over what a reload has read: ends sessions and handshakes of those who have lost something, and
 * sets the timer. `changes` is used up. NO_MEMORY, TOO_LARGE: some of it is not in place. */
int access_follow(struct shell *shell, struct roster_changes *changes);

/* Sets the timer for the next end of an overlap (wall clock, UINT64_MAX: none). */
void access_set_overlap(struct shell *shell, uint64_t ends_ms);

/* Waits for a reload that begins from now on, which it starts. On an error nobody waits. */
int access_wait(struct shell *shell, struct access_waiter *waiter);
void access_reload_begins(struct shell *shell);
void access_reload_ended(struct shell *shell, bool loaded);

#endif
