/*
 * Implementation of upload.h. The answers, in the order of the checks:
 *
 *   4.00  block sizes that contradict each other, or no Size1 on the first block that comes
 *   4.13  with Size1: larger than any upload may be
 *   ....  whatever the shell's body_admit refuses with (a receipt, an unknown lease)
 *   5.03  no room now, or the body is complete and the shell works on it
 *   2.31  stored, more to come
 *   4.08  with an UploadStatus: the last block came, others are missing
 *   ....  the shell's answer to the whole body
 */
#include "server/net/upload.h"

#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "server/net/endpoint.h"
#include "server/net/exchange.h"

/* One block, checked against itself. */
struct piece {
    uint64_t offset;
    uint32_t block_bytes;
    bool last;
    uint64_t size; /* of the whole body, as far as this block knows */
    bool size_known;
};

static void answer_too_large(struct endpoint *endpoint, const struct exchange *exchange)
{
    struct net_response response = NET_RESPONSE(NET_CODE(4, 13));
    response.size1 = (int64_t)endpoint->config.body_bytes_max;
    (void)exchange_answer(endpoint, exchange, &response);
}

/* False when payload, Block1 and Size1 contradict each other. */
static bool piece_read(struct piece *piece, const struct exchange *exchange,
                       const struct message *m)
{
    struct block block = {.szx = PROTO_BLOCK_SZX_MAX};
    if (exchange->has_block1) {
        block = exchange->block1;
    }
    piece->offset = block_offset(&block);
    piece->block_bytes = block_bytes(&block);
    piece->last = !block.more;
    piece->size_known = piece->last || m->size1 >= 0;
    piece->size = piece->last ? piece->offset + m->payload_bytes : (uint64_t)m->size1;
    if (m->payload_bytes > piece->block_bytes ||
        (block.more && m->payload_bytes != piece->block_bytes) ||
        (piece->last && m->payload_bytes == 0 && piece->offset > 0)) {
        return false;
    }
    if (m->size1 >= 0 && (uint64_t)m->size1 != piece->size) {
        return false;
    }
    /* A block with more to come ends before the end. */
    return piece->last || m->size1 < 0 || piece->offset + m->payload_bytes < piece->size;
}

/* --- UploadStatus -------------------------------------------------------------------------------- */

int upload_status(struct bodies *bodies, const struct net_request *request, uint8_t *out,
                  size_t capacity)
{
    char path[NET_PATH_BYTES_MAX];
    struct body_key key = {.identity = request->identity, .path = path};
    for (unsigned i = 0; i < request->segments; i++) {
        size_t bytes = strlen(request->segment[i]) + 1;
        if (bytes > sizeof path - key.path_bytes) {
            return body_status(NULL, out, capacity);
        }
        memcpy(path + key.path_bytes, request->segment[i], bytes);
        key.path_bytes += bytes;
    }
    struct body_table *table = bodies_lock(bodies, request->identity);
    int bytes = body_status(body_table_find(table, &key), out, capacity);
    bodies_unlock(bodies, table);
    return bytes;
}

/* --- Beginning ----------------------------------------------------------------------------------- */

/* Asks the shell whether this body may begin. False when the block was answered, or waits for the
 * verdict of a shell on another thread. */
static bool upload_may_begin(struct endpoint *endpoint, struct peer *peer,
                             const struct exchange *exchange, const struct message *m,
                             const struct piece *piece)
{
    struct net_request request;
    struct net_response refusal = NET_RESPONSE(NET_CODE(4, 3));
    struct pending *pending = NULL;
    if (!piece->size_known) {
        exchange_answer_code(endpoint, exchange, NET_CODE(4, 0));
        return false;
    }
    if (piece->size > endpoint->config.body_bytes_max) {
        answer_too_large(endpoint, exchange);
        return false;
    }
    exchange_request(peer, m, &request);
    if (endpoint->siblings != NULL) {
        pending = exchange_wait(endpoint, peer, exchange);
        if (pending == NULL) {
            return false;
        }
        pending->block = message_copy(m);
        request.reply = pending_id(&endpoint->pending, pending);
    }
    int verdict = endpoint->config.callbacks.body_admit(endpoint->config.callbacks.user, &request,
                                                        piece->size, &refusal);
    if (verdict == ENDPOINT_ADMIT_LATER) {
        return false;
    }
    if (pending != NULL) {
        exchange_finish(endpoint, pending);
    }
    if (verdict != 0) {
        (void)exchange_answer(endpoint, exchange, &refusal);
    }
    return verdict == 0;
}

/* --- One block ----------------------------------------------------------------------------------- */

/* What became of a block, and what its answer needs to know. */
enum upload_result {
    UPLOAD_STORED,
    UPLOAD_MISSING, /* `status` says what */
    UPLOAD_WHOLE,   /* `request` has the body */
    UPLOAD_ASKED,   /* too many requests wait: answered */
    UPLOAD_AFTER,   /* the shell works on the body already */
    UPLOAD_UNFIT,
    UPLOAD_TOO_LARGE,
    UPLOAD_NO_ROOM
};

struct upload {
    struct peer *peer;
    const struct exchange *exchange;
    const struct message *message;
    struct piece piece;
    struct body_key key;
    struct net_request request;
    uint8_t status[PROTO_MESSAGE_BYTES_MAX];
    int status_bytes;
};

static enum upload_result upload_begin(struct endpoint *endpoint, struct body_table *table,
                                       const struct upload *upload, struct body **body)
{
    unsigned evicted = 0;
    int error = body_table_add(table, &upload->key, upload->piece.size, endpoint_now_ms(endpoint),
                               body, &evicted);
    endpoint->stats.drops[NET_DROP_BODY_EVICTED] += evicted;
    if (error == 0) {
        return UPLOAD_STORED;
    }
    if (error == MYCEL_E_TOO_LARGE) {
        return UPLOAD_TOO_LARGE;
    }
    endpoint_drop(endpoint, error == MYCEL_E_BUSY ? NET_DROP_BODY_BUDGET : NET_DROP_MEMORY);
    return UPLOAD_NO_ROOM;
}

static enum upload_result upload_whole(struct endpoint *endpoint, struct body_table *table,
                                       struct upload *upload, struct body *body)
{
    struct pending *pending = exchange_wait(endpoint, upload->peer, upload->exchange);
    if (pending == NULL) {
        return UPLOAD_ASKED; /* told to ask again; the body stays */
    }
    exchange_request(upload->peer, upload->message, &upload->request);
    upload->request.body_bytes = body->size;
    upload->request.body = body_take(table, body);
    upload->request.reply = pending_id(&endpoint->pending, pending);
    pending->body = body;
    endpoint->stats.bodies++;
    return UPLOAD_WHOLE;
}

/* The table is locked. `body` is NULL when there is none yet and it may begin. */
static enum upload_result upload_store(struct endpoint *endpoint, struct body_table *table,
                                       struct upload *upload, struct body *body)
{
    const struct piece *piece = &upload->piece;
    const struct message *m = upload->message;
    if (body == NULL) {
        enum upload_result result = upload_begin(endpoint, table, upload, &body);
        if (result != UPLOAD_STORED) {
            return result;
        }
    }
    bool fits = piece->size_known ? piece->size == body->size
                                  : piece->offset + m->payload_bytes < body->size;
    if (!fits) {
        return UPLOAD_UNFIT;
    }
    if (body->state == BODY_HANDED_OVER) {
        return UPLOAD_AFTER;
    }
    body->block_bytes = (uint16_t)piece->block_bytes;
    body_store(table, body, piece->offset, m->payload, (uint32_t)m->payload_bytes,
               endpoint_now_ms(endpoint));
    if (!piece->last) {
        return UPLOAD_STORED;
    }
    if (!body_is_complete(body)) {
        upload->status_bytes = body_status(body, upload->status, sizeof upload->status);
        return UPLOAD_MISSING;
    }
    return upload_whole(endpoint, table, upload, body);
}

/* False when the body has not begun and the shell has not been asked yet. */
static bool upload_try(struct endpoint *endpoint, struct upload *upload, bool admitted,
                       enum upload_result *result)
{
    struct body_table *table = bodies_lock(endpoint->bodies, upload->peer->identity);
    struct body *body = body_table_find(table, &upload->key);
    bool known = body != NULL || admitted;
    if (known) {
        *result = upload_store(endpoint, table, upload, body);
    }
    bodies_unlock(endpoint->bodies, table);
    return known;
}

/* --- Answers ------------------------------------------------------------------------------------- */

static void answer_missing(struct endpoint *endpoint, const struct upload *upload)
{
    struct net_response response = NET_RESPONSE(NET_CODE(4, 8));
    if (upload->status_bytes > 0) {
        response.content_format = (int32_t)PROTO_FORMAT_MESSAGE;
        response.payload = upload->status;
        response.payload_bytes = (size_t)upload->status_bytes;
    }
    (void)exchange_answer(endpoint, upload->exchange, &response);
}

static void answer_busy(struct endpoint *endpoint, const struct exchange *exchange,
                        int32_t max_age_s)
{
    struct net_response busy = exchange_busy();
    busy.max_age_s = max_age_s;
    (void)exchange_answer(endpoint, exchange, &busy);
}

static void upload_answer(struct endpoint *endpoint, const struct upload *upload,
                          enum upload_result result)
{
    switch (result) {
    case UPLOAD_STORED:
        exchange_answer_code(endpoint, upload->exchange, NET_CODE(2, 31));
        break;
    case UPLOAD_MISSING:
        answer_missing(endpoint, upload);
        break;
    case UPLOAD_WHOLE:
        endpoint->config.callbacks.handler(endpoint->config.callbacks.user, &upload->request);
        break;
    case UPLOAD_ASKED:
        break;
    case UPLOAD_AFTER:
        if (upload->piece.last) {
            answer_busy(endpoint, upload->exchange, 1);
        } else {
            exchange_answer_code(endpoint, upload->exchange, NET_CODE(2, 31));
        }
        break;
    case UPLOAD_UNFIT:
        exchange_answer_code(endpoint, upload->exchange, NET_CODE(4, 0));
        break;
    case UPLOAD_TOO_LARGE:
        answer_too_large(endpoint, upload->exchange);
        break;
    case UPLOAD_NO_ROOM:
        answer_busy(endpoint, upload->exchange, NET_BODY_BUSY_S);
        break;
    }
}

void upload_receive(struct endpoint *endpoint, struct peer *peer, const struct exchange *exchange,
                    const struct message *message, bool admitted)
{
    struct upload upload = {.peer = peer, .exchange = exchange, .message = message};
    enum upload_result result;
    if (!exchange->has_block1 && message->payload_bytes > PROTO_BLOCK_BYTES_MAX) {
        struct net_response use_blocks = NET_RESPONSE(NET_CODE(4, 13));
        use_blocks.size1 = PROTO_BLOCK_BYTES_MAX;
        (void)exchange_answer(endpoint, exchange, &use_blocks);
        return;
    }
    if (!piece_read(&upload.piece, exchange, message)) {
        exchange_answer_code(endpoint, exchange, NET_CODE(4, 0));
        return;
    }
    upload.key = (struct body_key){
        .identity = peer->identity, .path = message->path, .path_bytes = message->path_bytes};
    if (upload_try(endpoint, &upload, admitted, &result) ||
        (upload_may_begin(endpoint, peer, exchange, message, &upload.piece) &&
         upload_try(endpoint, &upload, true, &result))) {
        upload_answer(endpoint, &upload, result);
    }
}

void endpoint_admit(struct endpoint *endpoint, net_reply_id id, const struct net_response *refusal)
{
    struct pending *pending = endpoint->closing ? NULL : pending_find(&endpoint->pending, id);
    if (pending == NULL) {
        return;
    }
    struct exchange exchange = pending->exchange;
    struct message *block = pending->block;
    struct peer *peer = peer_table_by_id(&endpoint->peers, exchange.peer);
    bool waits = pending->state == PENDING_WAITING && peer != NULL;
    pending->block = NULL;
    exchange_finish(endpoint, pending);
    if (waits && refusal != NULL) {
        (void)exchange_answer(endpoint, &exchange, refusal);
    } else if (waits && block != NULL) {
        upload_receive(endpoint, peer, &exchange, block, true);
    } else if (waits) { /* there was no memory to keep it */
        answer_busy(endpoint, &exchange, 1);
    }
    free(block);
}
