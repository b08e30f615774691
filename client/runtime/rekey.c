/*
 * REKEY: the device and the coordinator each give a half of the device's next key, over the session that
 * they have (docs/PROTOCOL.md section 9). The work at hand waits for one round trip. Whatever goes wrong,
 * it goes on with the old key and the coordinator asks again at the next check-in. It owns the request and
 * must never keep the key: the keyring does.
 */
#include "client/runtime/internal.h"

#include "proto/enrol.h"

#include <string.h>

_Static_assert(MYCEL_SHARE_BYTES == PROTO_SHARE_BYTES && MYCEL_KEY_BYTES == PROTO_PSK_BYTES,
               "the port's sizes are the protocol's");

static void wipe(void *memory, size_t bytes)
{
    volatile uint8_t *byte = memory;
    while (bytes-- > 0) {
        *byte++ = 0;
    }
}

void rekey_begin(struct client *c)
{
    bool at_rest = c->state == MYCEL_CLIENT_SLEEP || c->state == MYCEL_CLIENT_FETCH;
    struct client_rekey begun = {.wake_ms = c->wake_ms, .then = c->state};
    if (!at_rest || !c->session_open || c->port->keyring == NULL ||
        c->port->keyring->share(c->port->keyring_ctx, begun.share) < 0) {
        return;
    }
    requests_cancel(c);
    client_set_state(c, MYCEL_CLIENT_REKEY);
    c->wake_ms = c->now_ms;
    c->in.rekey = begun;
    wipe(&begun, sizeof begun);
}

void rekey_end(struct client *c)
{
    uint64_t wake_ms = c->in.rekey.wake_ms;
    enum mycel_client_state then = (enum mycel_client_state)c->in.rekey.then;
    requests_cancel(c);
    client_set_state(c, then);
    c->wake_ms = wake_ms;
}

uint32_t rekey_step(struct client *c)
{
    if (requests_count(c) > 0) {
        return requests_wait_ms(c);
    }
    mycel_Rekey message = mycel_Rekey_init_zero;
    memcpy(message.share, c->in.rekey.share, sizeof message.share);
    int bytes = WIRE_ENCODE(mycel_Rekey, &message, c->config->scratch, PROTO_MESSAGE_BYTES_MAX);
    MYCEL_ASSERT(bytes > 0);
    const struct mycel_request request = {
        .method = MYCEL_POST,
        .path = {PROTO_PATH_REKEY, NULL},
        .content_format = PROTO_FORMAT_MESSAGE,
        .payload = c->config->scratch,
        .payload_bytes = (size_t)bytes,
    };
    (void)requests_send(c, &request, 0);
    wipe(&message, sizeof message);
    wipe(c->config->scratch, (size_t)bytes);
    return c->state == MYCEL_CLIENT_REKEY ? requests_wait_ms(c) : 0;
}

/* 0, or why there is no other key. */
static int take_key(struct client *c, const struct mycel_response *r)
{
    mycel_Rekeyed answer;
    uint8_t key[PROTO_PSK_BYTES];
    if (r->code != PROTO_CODE(2, 4)) {
        return MYCEL_E_AGAIN;
    }
    if (WIRE_DECODE(mycel_Rekeyed, &answer, r->payload, r->payload_bytes) < 0) {
        return MYCEL_E_MALFORMED;
    }
    enrol_next_key(c->in.rekey.share, answer.share, key);
    int rc = c->port->keyring->replace(c->port->keyring_ctx, key);
    wipe(key, sizeof key);
    wipe(&answer, sizeof answer);
    return rc;
}

void rekey_answer(struct client *c, const struct mycel_response *r, uint32_t block)
{
    (void)block;
    int rc = take_key(c, r);
    rekey_end(c);
    if (rc == MYCEL_OK) {
        requests_close(c); /* the next request shakes hands with the new key */
    }
    struct mycel_event event = {.kind = rc == MYCEL_OK ? MYCEL_EVENT_REKEYED : MYCEL_EVENT_PROBLEM,
                                .code = rc,
                                .text = rc == MYCEL_OK ? "" : "the device keeps its old key"};
    client_emit(c, &event);
}
