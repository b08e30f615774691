/*
 * Implementation of session.h over mbedTLS. The library pulls its input through a callback, so the
 * datagram being handled lies in the shared struct dtls and is taken once.
 */
#include "server/net/session.h"

#include <stdlib.h>
#include <string.h>

#include <mbedtls/ssl.h>
#include <mycel/error.h>

#include "server/net/certificates.h"
#include "server/net/endpoint.h"

/* Calls to the library for one datagram: an expired timer makes it retransmit before it reads. */
#define SESSION_STEPS_MAX 4

struct session {
    mbedtls_ssl_context ssl;
    struct endpoint *endpoint;
    struct peer *peer;
    const struct address *to; /* the peer's, or for the listener that of the ClientHello */
    uint64_t timer_start_ms;
    uint32_t timer_intermediate_ms;
    uint32_t timer_final_ms; /* 0: not running */
    uint64_t identity_hash;  /* of the handshake's identity, with the key that is tried */
    uint8_t key_index;
    uint8_t key_count; /* 0: none known */
    bool refused;      /* the certificate is not good enough: ends when its key was looked at */
};

/* --- The library's callbacks --------------------------------------------------------------------- */

static int on_send(void *user, const unsigned char *bytes, size_t count)
{
    struct session *session = user;
    udp_send(session->endpoint->udp, session->to, bytes, count);
    return (int)count; /* a datagram that could not be sent is a lost one */
}

static int on_receive(void *user, unsigned char *out, size_t capacity)
{
    struct session *session = user;
    struct dtls *dtls = &session->endpoint->dtls;
    if (dtls->in == NULL) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    size_t count = dtls->in_bytes < capacity ? dtls->in_bytes : capacity;
    memcpy(out, dtls->in, count);
    dtls->in = NULL;
    return (int)count;
}

static void on_set_timer(void *user, uint32_t intermediate_ms, uint32_t final_ms)
{
    struct session *session = user;
    session->timer_start_ms = endpoint_now_ms(session->endpoint);
    session->timer_intermediate_ms = intermediate_ms;
    session->timer_final_ms = final_ms < DTLS_RETRANSMIT_MAX_MS ? final_ms : DTLS_RETRANSMIT_MAX_MS;
}

/* -1 not running, 0 running, 1 intermediate delay passed, 2 final delay passed. */
static int on_get_timer(void *user)
{
    const struct session *session = user;
    if (session->timer_final_ms == 0) {
        return -1;
    }
    uint64_t elapsed_ms = endpoint_now_ms(session->endpoint) - session->timer_start_ms;
    if (elapsed_ms >= session->timer_final_ms) {
        return 2;
    }
    return elapsed_ms >= session->timer_intermediate_ms ? 1 : 0;
}

static int on_verify(void *user, mbedtls_x509_crt *link, int depth, uint32_t *flags)
{
    struct session *session = user;
    return certificates_verify(session->endpoint, session, link, depth, flags);
}

/* --- Life ---------------------------------------------------------------------------------------- */

/* What a fresh context and a reset one both need. */
static int session_prepare(struct session *session)
{
    session->key_count = 0;
    session->refused = false;
    return mbedtls_ssl_set_cid(&session->ssl, MBEDTLS_SSL_CID_ENABLED, session->peer->cid,
                               PEER_CID_BYTES);
}

static struct session *session_create(struct endpoint *endpoint)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return NULL;
    }
    session->endpoint = endpoint;
    mbedtls_ssl_init(&session->ssl);
    if (mbedtls_ssl_setup(&session->ssl, &endpoint->dtls.config) != 0) {
        /* A set-up that fails forgets the configuration, which freeing then needs (mbedTLS 3.6.7). */
        session->ssl.MBEDTLS_PRIVATE(conf) = &endpoint->dtls.config;
        session_free(session);
        return NULL;
    }
    mbedtls_ssl_set_user_data_p(&session->ssl, session);
    mbedtls_ssl_set_bio(&session->ssl, session, on_send, on_receive, NULL);
    mbedtls_ssl_set_timer_cb(&session->ssl, session, on_set_timer, on_get_timer);
    mbedtls_ssl_set_mtu(&session->ssl, DTLS_MTU_BYTES);
    mbedtls_ssl_set_verify(&session->ssl, on_verify, session);
    return session;
}

struct session *session_new(struct endpoint *endpoint, struct peer *peer)
{
    struct session_pool *pool = &endpoint->spares;
    struct session *session =
        pool->count > 0 ? pool->spare[--pool->count] : session_create(endpoint);
    if (session == NULL) {
        return NULL;
    }
    session->peer = peer;
    session->to = &peer->address;
    if (session_prepare(session) != 0) {
        session_free(session);
        return NULL;
    }
    return session;
}

void session_free(struct session *session)
{
    if (session != NULL) {
        mbedtls_ssl_free(&session->ssl);
        free(session);
    }
}

/* Keeps a context that was reset for the next session. */
static void session_spare(struct session *session)
{
    struct session_pool *pool = &session->endpoint->spares;
    session->peer = NULL;
    session->to = NULL;
    session->timer_final_ms = 0;
    if (pool->count < SESSION_SPARES_MAX) {
        pool->spare[pool->count++] = session;
    } else {
        session_free(session);
    }
}

void session_pool_free(struct session_pool *pool)
{
    while (pool->count > 0) {
        session_free(pool->spare[--pool->count]);
    }
}

/* --- Parking ------------------------------------------------------------------------------------- */

int session_save(struct session *session, uint8_t **blob, size_t *bytes)
{
    uint8_t saved[SESSION_SAVED_BYTES_MAX];
    uint8_t *copy = malloc(sizeof saved);
    *bytes = 0;
    if (copy == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    int error = mbedtls_ssl_context_save(&session->ssl, saved, sizeof saved, bytes);
    if (error == MBEDTLS_ERR_SSL_BAD_INPUT_DATA || error == MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL) {
        free(copy);
        return MYCEL_E_STATE;
    }
    memcpy(copy, saved, *bytes);
    explicit_bzero(saved, sizeof saved);
    uint8_t *shrunk = realloc(copy, *bytes); /* cannot grow; if it fails the copy is just larger */
    *blob = shrunk != NULL ? shrunk : copy;
    if (error == 0) {
        session_spare(session);
    } else { /* saved, but without memory to reset the context */
        session_free(session);
    }
    return 0;
}

struct session *session_restore(struct endpoint *endpoint, struct peer *peer, const uint8_t *blob,
                                size_t bytes)
{
    struct session *session = session_new(endpoint, peer);
    if (session != NULL && mbedtls_ssl_context_load(&session->ssl, blob, bytes) != 0) {
        free(session); /* a load that fails has freed what is inside */
        session = NULL;
    }
    return session;
}

/* --- Handshake ----------------------------------------------------------------------------------- */

static bool wants_more(int result)
{
    return result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE;
}

enum session_result session_hello(struct session *session, const struct address *from,
                                  const uint8_t *bytes, size_t count)
{
    struct dtls *dtls = &session->endpoint->dtls;
    const unsigned char *client = (const unsigned char *)from;
    if (mbedtls_ssl_set_client_transport_id(&session->ssl, client, sizeof *from) != 0) {
        return SESSION_DONE; /* no memory: as if the datagram had been lost */
    }
    dtls->cookie_verified = false;
    session->to = from;
    session_feed(session, bytes, count);
    int result = mbedtls_ssl_handshake(&session->ssl);
    dtls->in = NULL;
    session->to = &session->peer->address;
    if (wants_more(result) && dtls->cookie_verified) {
        return SESSION_WANT;
    }
    bool usable = mbedtls_ssl_session_reset(&session->ssl) == 0 && session_prepare(session) == 0;
    return usable ? SESSION_DONE : SESSION_FAILED;
}

/* The certificate is refused, or what was to prove it: one answer for both. */
static int deny(struct session *session)
{
    (void)mbedtls_ssl_send_alert_message(&session->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                         MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED);
    return MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
}

/* mbedtls_ssl_handshake, with a look in between: whoever comes with a certificate that is refused goes on
 * up to the proof that it has the key, and learns no more than one whose proof is wrong. */
static int advance(struct session *session)
{
    mbedtls_ssl_context *ssl = &session->ssl;
    int result = 0;
    while (result == 0 && !mbedtls_ssl_is_handshake_over(ssl)) { /* each step is another state */
        int before = ssl->MBEDTLS_PRIVATE(state);
        result = mbedtls_ssl_handshake_step(ssl);
        if (result == MBEDTLS_ERR_X509_FATAL_ERROR) {
            certificates_given_up(session->endpoint, session);
        }
        bool proved = before == MBEDTLS_SSL_CERTIFICATE_VERIFY && !wants_more(result);
        if (proved && (session->refused || result != 0)) {
            if (!session->refused) {
                certificates_unproved(session->endpoint, session->peer->identity);
            }
            return deny(session);
        }
    }
    return result;
}

enum session_result session_handshake(struct session *session, const uint8_t *bytes, size_t count)
{
    session_feed(session, bytes, count);
    int result = MBEDTLS_ERR_SSL_WANT_READ;
    for (int step = 0; step < SESSION_STEPS_MAX && wants_more(result); step++) {
        result = advance(session);
        if (session->endpoint->dtls.in == NULL) {
            break;
        }
    }
    if (wants_more(result)) {
        session->endpoint->dtls.in = NULL;
        return SESSION_WANT;
    }
    key_choice_result(session->endpoint->dtls.key_choice, session->identity_hash,
                      session->key_index, session->key_count, result == 0);
    if (result != 0) {
        session->endpoint->dtls.in = NULL;
        return SESSION_FAILED;
    }
    return SESSION_DONE;
}

/* --- Records ------------------------------------------------------------------------------------- */

void session_feed(struct session *session, const uint8_t *bytes, size_t count)
{
    session->endpoint->dtls.in = bytes;
    session->endpoint->dtls.in_bytes = count;
}

int session_read(struct session *session, uint8_t *out, size_t capacity)
{
    int result = mbedtls_ssl_read(&session->ssl, out, capacity);
    if (result >= 0) {
        return result;
    }
    session->endpoint->dtls.in = NULL;
    return wants_more(result) ? 0 : MYCEL_E_CLOSED;
}

int session_write(struct session *session, const uint8_t *bytes, size_t count)
{
    int written = mbedtls_ssl_write(&session->ssl, bytes, count);
    return written == (int)count ? 0 : MYCEL_E_CLOSED;
}

void session_notify_close(struct session *session)
{
    (void)mbedtls_ssl_close_notify(&session->ssl);
}

bool session_timer_expired(const struct session *session)
{
    return session->timer_final_ms != 0 &&
           endpoint_now_ms(session->endpoint) - session->timer_start_ms >= session->timer_final_ms;
}

bool session_uses_cid(struct session *session)
{
    int enabled = MBEDTLS_SSL_CID_DISABLED;
    return mbedtls_ssl_get_peer_cid(&session->ssl, &enabled, NULL, NULL) == 0 &&
           enabled == MBEDTLS_SSL_CID_ENABLED;
}

void session_set_identity(struct session *session, const unsigned char *identity, size_t bytes)
{
    memcpy(session->peer->identity, identity, bytes);
    session->peer->identity[bytes] = '\0';
}

void session_refuse(struct session *session)
{
    session->refused = true;
}

const struct address *session_address(const struct session *session)
{
    return session->to;
}

const char *session_identity(const struct session *session)
{
    return session->peer->identity;
}

void session_set_key(struct session *session, uint64_t identity_hash, unsigned index,
                     unsigned count, uint32_t number)
{
    session->peer->key = number;
    session->identity_hash = identity_hash;
    session->key_index = (uint8_t)index;
    session->key_count = (uint8_t)count;
}
