/*
 * One TLS session: the library's context, its retransmission timer, and the way of its records in
 * and out. It must never choose a peer: demux.c gives it a datagram, it says what became of it.
 */
#ifndef MYCEL_SERVER_NET_SESSION_H
#define MYCEL_SERVER_NET_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/net/address.h"

#define SESSION_SPARES_MAX 64u
#define SESSION_SAVED_BYTES_MAX 1024u

struct endpoint;
struct peer;
struct session;

/* Set-up contexts without a peer: making one costs more than restoring a session into it. */
struct session_pool {
    struct session *spare[SESSION_SPARES_MAX];
    unsigned count;
};

enum session_result { SESSION_WANT, SESSION_DONE, SESSION_FAILED };

/* A session that waits for the ClientHello of `peer`, whose connection id it will offer. NULL when
 * there is no memory. */
struct session *session_new(struct endpoint *endpoint, struct peer *peer);

/* Frees it and wipes its keys. NULL is allowed. */
void session_free(struct session *session);

/* Serialises an established session and gives it up: on success `session` is gone and *blob (malloc,
 * the caller's) holds all there is of it, keys included. Errors: STATE (not possible now: the session
 * stays as it is), NO_MEMORY (likewise). */
int session_save(struct session *session, uint8_t **blob, size_t *bytes);

/* The other direction. A blob must not be restored twice. NULL when there is no memory or the blob is
 * not one. */
struct session *session_restore(struct endpoint *endpoint, struct peer *peer, const uint8_t *blob,
                                size_t bytes);

/* Frees the contexts that session_save has left for the next sessions. */
void session_pool_free(struct session_pool *pool);

/* A ClientHello from `from` for the listener's session. WANT: the cookie was right, the handshake
 * goes on, the session belongs to that address now. DONE: answered without keeping anything, ready
 * for the next one. FAILED: the session is unusable. */
enum session_result session_hello(struct session *session, const struct address *from,
                                  const uint8_t *bytes, size_t count);

/* One more datagram of a handshake, or none (NULL) when the retransmission timer has run out. */
enum session_result session_handshake(struct session *session, const uint8_t *bytes, size_t count);

/* Gives the datagram that session_read will take records from. */
void session_feed(struct session *session, const uint8_t *bytes, size_t count);

/* The next message of the datagram. Returns its length, 0 when there is none (any more), or CLOSED
 * when the session ended: by the peer, or because it cannot go on. */
int session_read(struct session *session, uint8_t *out, size_t capacity);

/* Sends one message to the peer's current address. Errors: CLOSED. */
int session_write(struct session *session, const uint8_t *bytes, size_t count);

/* Tells the peer that the session ends. */
void session_notify_close(struct session *session);

/* The handshake's retransmission timer has run out. */
bool session_timer_expired(const struct session *session);

/* Whether records carry our connection id; meaningful after the handshake. */
bool session_uses_cid(struct session *session);

/* The identity that the handshake claims (kept in the peer); authenticated once it is done. */
void session_set_identity(struct session *session, const unsigned char *identity, size_t bytes);
const char *session_identity(const struct session *session);

/* Where the peer is. */
const struct address *session_address(const struct session *session);

/* The handshake's certificate is not good enough: it ends as if its proof were wrong. */
void session_refuse(struct session *session);

/* Which of the identity's keys this handshake is tried with (key_choice.h is told how it ends), and
 * what its number is (kept in the peer). */
void session_set_key(struct session *session, uint64_t identity_hash, unsigned index,
                     unsigned count, uint32_t number);

#endif
