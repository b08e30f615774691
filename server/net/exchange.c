/*
 * Implementation of exchange.h.
 *
 * Every request gets a place among the peer's recent ones before anything is done with it, so that a
 * repetition never runs a handler twice: while the answer is on its way the repetition is dropped,
 * afterwards it gets the same bytes. Slices of a blob are the exception: they are not kept (1 KB for
 * each of a thousand peers), because reading the same block again changes nothing.
 */
#include "server/net/exchange.h"

#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "common/assert.h"
#include "server/net/endpoint.h"
#include "server/net/session.h"
#include "server/net/upload.h"

struct net_response exchange_busy(void)
{
    struct net_response busy = NET_RESPONSE(NET_CODE(5, 3));
    busy.max_age_s = 1;
    return busy;
}

/* --- Recent requests ----------------------------------------------------------------------------- */

static struct recent *recent_find(struct peer *peer, uint16_t mid)
{
    for (unsigned i = 0; i < PEER_RECENT_MAX; i++) {
        if (peer->recent[i].state != RECENT_EMPTY && peer->recent[i].mid == mid) {
            return &peer->recent[i];
        }
    }
    return NULL;
}

static void recent_add(struct peer *peer, uint16_t mid)
{
    struct recent *recent = &peer->recent[peer->recent_next];
    peer->recent_next = (uint8_t)((peer->recent_next + 1u) % PEER_RECENT_MAX);
    free(recent->reply);
    *recent = (struct recent){.mid = mid, .state = RECENT_PENDING};
}

static void recent_keep(struct recent *recent, const uint8_t *reply, size_t bytes, bool keep)
{
    free(recent->reply);
    recent->reply = keep ? malloc(bytes) : NULL;
    recent->reply_bytes = (uint16_t)bytes;
    if (recent->reply == NULL) {
        recent->state = RECENT_REPEATABLE;
        return;
    }
    memcpy(recent->reply, reply, bytes);
    recent->state = RECENT_CACHED;
}

/* Deals with a message id that was seen before; false when the request has to be served. */
static bool exchange_repeat(struct endpoint *endpoint, struct peer *peer, uint16_t mid)
{
    struct recent *recent = recent_find(peer, mid);
    if (recent == NULL) {
        recent_add(peer, mid);
        return false;
    }
    switch ((enum recent_state)recent->state) {
    case RECENT_CACHED:
        endpoint->stats.duplicates++;
        (void)session_write(peer->session, recent->reply, recent->reply_bytes);
        return true;
    case RECENT_PENDING:
        endpoint_drop(endpoint, NET_DROP_DUPLICATE_PENDING);
        return true;
    case RECENT_REPEATABLE:
    case RECENT_EMPTY:
        break;
    }
    recent->state = RECENT_PENDING;
    return false;
}

/* --- Answers ------------------------------------------------------------------------------------- */

static void set_payload(struct message_reply *reply, const void *payload, size_t bytes)
{
    reply->payload = payload;
    reply->payload_bytes = bytes;
}

/* Cuts the block that was asked for. The response's code may change: 2.03 when the asker has the
 * blob already, 4.00 when it asks for what lies behind the end. */
static void slice_blob(const struct exchange *exchange, struct net_response *response,
                       struct block *block, struct message_reply *reply)
{
    const uint8_t *bytes = NULL;
    uint32_t count = 0;
    if (exchange->has_etag &&
        memcmp(exchange->etag, blob_etag(response->blob), NET_ETAG_BYTES) == 0) {
        response->code = NET_CODE(2, 3);
        response->content_format = -1;
        reply->etag = blob_etag(response->blob);
        return;
    }
    if (!block_slice(block, response->blob, &bytes, &count)) {
        *response = NET_RESPONSE(NET_CODE(4, 0));
        return;
    }
    reply->etag = blob_etag(response->blob);
    reply->block2 = block;
    reply->size2 = block->number == 0 ? (int64_t)blob_bytes(response->blob) : -1;
    set_payload(reply, bytes, count);
}

int exchange_answer(struct endpoint *endpoint, const struct exchange *exchange,
                    const struct net_response *response)
{
    struct peer *peer = peer_table_by_id(&endpoint->peers, exchange->peer);
    if (peer == NULL) {
        return MYCEL_E_CLOSED;
    }
    struct net_response final = *response;
    struct block block2 = exchange->block2;
    struct block block1 = exchange->block1;
    struct message_reply reply = {
        .type = exchange->confirmable ? MESSAGE_ACK : MESSAGE_NON,
        .mid = exchange->confirmable ? exchange->mid : peer->next_mid++,
        .token = exchange->token,
        .token_bytes = exchange->token_bytes,
        .block1 = exchange->has_block1 ? &block1 : NULL,
        .size2 = -1,
    };
    block1.more = final.code == NET_CODE(2, 31); /* RFC 7959 §2.3: more is wanted */
    set_payload(&reply, final.payload, final.payload_bytes);
    bool sliced = final.blob != NULL;
    if (sliced && final.for_all && exchange->path_bytes > 0) {
        shelf_put(&endpoint->shelf, exchange->path, exchange->path_bytes, &final,
                  endpoint_now_ms(endpoint));
    }
    if (sliced) {
        slice_blob(exchange, &final, &block2, &reply);
    }
    uint8_t out[NET_MESSAGE_BYTES_MAX];
    int bytes = message_write(out, sizeof out, &reply, &final);
    if (bytes < 0) {
        return bytes;
    }
    struct recent *recent = recent_find(peer, exchange->mid);
    if (recent != NULL) {
        recent_keep(recent, out, (size_t)bytes, !sliced);
    }
    return session_write(peer->session, out, (size_t)bytes);
}

void exchange_answer_code(struct endpoint *endpoint, const struct exchange *exchange, uint8_t code)
{
    struct net_response response = NET_RESPONSE(code);
    (void)exchange_answer(endpoint, exchange, &response);
}

void exchange_finish(struct endpoint *endpoint, struct pending *pending)
{
    struct peer *peer = peer_table_by_id(&endpoint->peers, pending->exchange.peer);
    if (peer != NULL && pending->state == PENDING_WAITING) {
        peer->pending--;
    }
    if (pending->body != NULL) {
        bodies_remove(endpoint->bodies, pending->body);
    }
    pending_remove(&endpoint->pending, pending);
}

/* What the shell could not look at now waits for the last block to be sent again. */
static void give_back(struct endpoint *endpoint, struct pending *pending, uint8_t *bytes)
{
    if (bytes != NULL && pending->body != NULL) {
        bodies_return(endpoint->bodies, pending->body, bytes, endpoint_now_ms(endpoint));
        pending->body = NULL;
    } else {
        free(bytes);
    }
}

int endpoint_reply(struct endpoint *endpoint, net_reply_id id, const struct net_response *response)
{
    MYCEL_ASSERT(response->payload_bytes <= NET_PAYLOAD_BYTES_MAX);
    MYCEL_ASSERT(response->blob == NULL || response->payload_bytes == 0);
    struct pending *pending = endpoint->closing ? NULL : pending_find(&endpoint->pending, id);
    if (pending == NULL) {
        free(response->body);
        return MYCEL_E_CLOSED;
    }
    give_back(endpoint, pending, response->body);
    bool late = pending->state == PENDING_EXPIRED;
    struct exchange exchange = pending->exchange;
    exchange_finish(endpoint, pending);
    return late ? MYCEL_E_CLOSED : exchange_answer(endpoint, &exchange, response);
}

struct pending *exchange_wait(struct endpoint *endpoint, struct peer *peer,
                              const struct exchange *exchange)
{
    struct pending *pending = NULL;
    if (peer->pending < NET_PEER_PENDING_MAX) {
        pending = pending_add(&endpoint->pending, exchange, endpoint_now_ms(endpoint));
    }
    if (pending == NULL) {
        endpoint_drop(endpoint, NET_DROP_BUSY);
        struct net_response busy = exchange_busy();
        (void)exchange_answer(endpoint, exchange, &busy);
        return NULL;
    }
    peer->pending++;
    return pending;
}

void exchange_tick(struct endpoint *endpoint)
{
    uint64_t now_ms = endpoint_now_ms(endpoint);
    struct net_response busy = exchange_busy();
    struct pending *pending;
    while ((pending = pending_oldest(&endpoint->pending, PENDING_WAITING, now_ms,
                                     NET_REPLY_DEADLINE_MS)) != NULL) {
        struct exchange exchange = pending->exchange;
        endpoint_drop(endpoint, NET_DROP_REPLY_LATE);
        if (pending->body != NULL) {
            struct peer *peer = peer_table_by_id(&endpoint->peers, exchange.peer);
            if (peer != NULL) {
                peer->pending--;
            }
            pending_expire(&endpoint->pending, pending, now_ms);
        } else {
            exchange_finish(endpoint, pending);
        }
        (void)exchange_answer(endpoint, &exchange, &busy);
    }
    while ((pending = pending_oldest(&endpoint->pending, PENDING_EXPIRED, now_ms,
                                     PENDING_ABANDON_MS)) != NULL) {
        exchange_finish(endpoint, pending);
    }
}

/* --- Requests ------------------------------------------------------------------------------------ */

void exchange_request(const struct peer *peer, const struct message *message,
                      struct net_request *out)
{
    *out = (struct net_request){
        .identity = peer->identity,
        .key = peer->key,
        .method = (enum net_method)message->code,
        .segments = message->segments,
        .content_format = message->content_format,
        .accept = message->accept,
    };
    memcpy(out->segment, message->segment, sizeof out->segment);
}

/* What the answer will need of the request. False for a reserved block size. */
static bool exchange_begin(const struct peer *peer, const struct message *m, struct exchange *out)
{
    *out = (struct exchange){
        .peer = peer->id,
        .mid = m->mid,
        .confirmable = m->type == MESSAGE_CON,
        .has_block1 = m->block1 >= 0,
        .has_etag = m->etag_bytes != 0 && m->code == NET_GET,
        .token_bytes = m->token_bytes,
        .block2 = {.szx = PROTO_BLOCK_SZX_MAX},
    };
    if (m->code == NET_GET) {
        out->path_bytes = m->path_bytes;
        memcpy(out->path, m->path, m->path_bytes);
    }
    memcpy(out->token, m->token, m->token_bytes);
    memcpy(out->etag, m->etag, sizeof out->etag);
    bool valid = m->block2 < 0 || block_decode(&out->block2, (uint32_t)m->block2);
    if (m->block1 >= 0 && !block_decode(&out->block1, (uint32_t)m->block1)) {
        out->has_block1 = false;
        valid = false;
    }
    return valid;
}

static bool is_well_known(const struct message *m)
{
    return m->code == NET_GET && m->segments == 2 &&
           strcmp(m->segment[0], PROTO_PATH_WELL_KNOWN) == 0 &&
           strcmp(m->segment[1], PROTO_PATH_CORE) == 0;
}

/* The code of a refusal that needs no shell, or 0. */
static uint8_t exchange_refusal(const struct message *m, bool valid)
{
    if (m->refuse != 0) {
        return m->refuse;
    }
    if (m->code > NET_DELETE) {
        return NET_CODE(4, 5);
    }
    return valid ? 0 : NET_CODE(4, 0);
}

/* Everything but PUT: one message, one request. */
static void exchange_hand_over(struct endpoint *endpoint, struct peer *peer,
                               const struct exchange *exchange, const struct message *m)
{
    if (m->payload_bytes > NET_PAYLOAD_BYTES_MAX ||
        (exchange->has_block1 && (exchange->block1.more || exchange->block1.number > 0))) {
        struct net_response too_large = NET_RESPONSE(NET_CODE(4, 13));
        too_large.size1 = NET_PAYLOAD_BYTES_MAX;
        (void)exchange_answer(endpoint, exchange, &too_large);
        return;
    }
    struct pending *pending = exchange_wait(endpoint, peer, exchange);
    if (pending == NULL) {
        return;
    }
    struct net_request request;
    exchange_request(peer, m, &request);
    request.payload = m->payload;
    request.payload_bytes = m->payload_bytes;
    request.reply = pending_id(&endpoint->pending, pending);
    endpoint->config.callbacks.handler(endpoint->config.callbacks.user, &request);
}

static void exchange_serve(struct endpoint *endpoint, struct peer *peer, const struct message *m)
{
    struct exchange exchange;
    bool valid = exchange_begin(peer, m, &exchange);
    uint8_t refusal = exchange_refusal(m, valid);
    const struct shelf_item *item =
        shelf_find(&endpoint->shelf, exchange.path, exchange.path_bytes, endpoint_now_ms(endpoint));
    endpoint->stats.requests++;
    if (refusal != 0) {
        exchange_answer_code(endpoint, &exchange, refusal);
    } else if (is_well_known(m) && endpoint->well_known != NULL) {
        struct net_response core = NET_RESPONSE(NET_CODE(2, 5));
        core.content_format = PROTO_FORMAT_LINKS;
        core.blob = endpoint->well_known;
        (void)exchange_answer(endpoint, &exchange, &core);
    } else if (item != NULL) {
        struct net_response shared = NET_RESPONSE(NET_CODE(2, 5));
        shared.content_format = item->content_format;
        shared.blob = item->blob;
        (void)exchange_answer(endpoint, &exchange, &shared);
    } else if (m->code == NET_PUT) {
        upload_receive(endpoint, peer, &exchange, m, false);
    } else {
        exchange_hand_over(endpoint, peer, &exchange, m);
    }
}

void exchange_receive(struct endpoint *endpoint, struct peer *peer, const uint8_t *bytes,
                      size_t count)
{
    struct message message;
    bool malformed;
    uint8_t reset[4];
    switch (message_parse(endpoint->parser, bytes, count, &message, &malformed)) {
    case MESSAGE_IGNORE:
        endpoint_drop(endpoint, malformed ? NET_DROP_MESSAGE_MALFORMED : NET_DROP_MESSAGE_IGNORED);
        break;
    case MESSAGE_RESET:
        if (malformed) {
            endpoint_drop(endpoint, NET_DROP_MESSAGE_MALFORMED);
        }
        (void)message_write_reset(reset, message.mid);
        (void)session_write(peer->session, reset, sizeof reset);
        break;
    case MESSAGE_REQUEST:
        if (!exchange_repeat(endpoint, peer, message.mid)) {
            exchange_serve(endpoint, peer, &message);
        }
        break;
    }
}
