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
#include <pb_encode.h>

#include "proto/mycel.pb.h"
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

static void answer(struct net *net, const struct exchange *exchange, uint8_t code)
{
    struct net_response response = NET_RESPONSE(code);
    (void)exchange_answer(net, exchange, &response);
}

static void answer_too_large(struct net *net, const struct exchange *exchange)
{
    struct net_response response = NET_RESPONSE(NET_CODE(4, 13));
    response.size1 = (int64_t)net->config.body_bytes_max;
    (void)exchange_answer(net, exchange, &response);
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

static int status_encode(struct body *body, uint8_t *out, size_t capacity)
{
    mycel_UploadStatus status = mycel_UploadStatus_init_zero;
    if (body != NULL) {
        status.size = (uint32_t)body->size;
        status.block_bytes = body->block_bytes;
        if (body->state == BODY_PARTIAL) {
            uint32_t missing[BODY_MISSING_MAX];
            status.missing_count = (pb_size_t)body_missing(body, body->block_bytes, missing);
            memcpy(status.missing, missing, status.missing_count * sizeof missing[0]);
        }
    }
    pb_ostream_t stream = pb_ostream_from_buffer(out, capacity);
    return pb_encode(&stream, mycel_UploadStatus_fields, &status) ? (int)stream.bytes_written
                                                                  : MYCEL_E_NO_MEMORY;
}

int net_body_status(struct net *net, const struct net_request *request, uint8_t *out,
                    size_t capacity)
{
    char path[NET_PATH_BYTES_MAX];
    struct body_key key = {.identity = request->identity, .path = path};
    for (unsigned i = 0; i < request->segments; i++) {
        size_t bytes = strlen(request->segment[i]) + 1;
        if (bytes > sizeof path - key.path_bytes) {
            return status_encode(NULL, out, capacity);
        }
        memcpy(path + key.path_bytes, request->segment[i], bytes);
        key.path_bytes += bytes;
    }
    return status_encode(body_table_find(&net->bodies, &key), out, capacity);
}

static void answer_missing(struct net *net, const struct exchange *exchange, struct body *body)
{
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int bytes = status_encode(body, payload, sizeof payload);
    struct net_response response = NET_RESPONSE(NET_CODE(4, 8));
    if (bytes > 0) {
        response.content_format = (int32_t)PROTO_FORMAT_MESSAGE;
        response.payload = payload;
        response.payload_bytes = (size_t)bytes;
    }
    (void)exchange_answer(net, exchange, &response);
}

/* --- Beginning ----------------------------------------------------------------------------------- */

/* Asks the shell, then reserves. NULL when the request was answered. */
static struct body *upload_begin(struct net *net, struct peer *peer,
                                 const struct exchange *exchange, const struct message *m,
                                 const struct body_key *key, uint64_t size)
{
    if (size > net->config.body_bytes_max) {
        answer_too_large(net, exchange);
        return NULL;
    }
    struct net_request request;
    struct net_response refusal = NET_RESPONSE(NET_CODE(4, 3));
    exchange_request(peer, m, &request);
    if (net->config.callbacks.body_admit(net->config.callbacks.user, &request, size, &refusal) !=
        0) {
        (void)exchange_answer(net, exchange, &refusal);
        return NULL;
    }
    struct body *body = NULL;
    unsigned evicted = 0;
    int error = body_table_add(&net->bodies, key, size, net_now_ms(net), &body, &evicted);
    net->stats.drops[NET_DROP_BODY_EVICTED] += evicted;
    if (error == MYCEL_E_TOO_LARGE) {
        answer_too_large(net, exchange);
    } else if (error != 0) {
        net_drop(net, error == MYCEL_E_BUSY ? NET_DROP_BODY_BUDGET : NET_DROP_MEMORY);
        struct net_response busy = exchange_busy();
        busy.max_age_s = NET_BODY_BUSY_S;
        (void)exchange_answer(net, exchange, &busy);
    }
    return body;
}

/* The body of this block, found or begun. NULL when the request was answered. */
static struct body *upload_body(struct net *net, struct peer *peer, const struct exchange *exchange,
                                const struct message *m, const struct piece *piece)
{
    struct body_key key = {
        .identity = peer->identity, .path = m->path, .path_bytes = m->path_bytes};
    struct body *body = body_table_find(&net->bodies, &key);
    if (body == NULL) {
        if (piece->size_known) {
            return upload_begin(net, peer, exchange, m, &key, piece->size);
        }
        answer(net, exchange, NET_CODE(4, 0));
        return NULL;
    }
    bool fits = piece->size_known ? piece->size == body->size
                                  : piece->offset + m->payload_bytes < body->size;
    if (!fits) {
        answer(net, exchange, NET_CODE(4, 0));
        return NULL;
    }
    return body;
}

/* --- One block ----------------------------------------------------------------------------------- */

static void upload_hand_over(struct net *net, struct peer *peer, const struct exchange *exchange,
                             const struct message *m, struct body *body)
{
    struct pending *pending = exchange_wait(net, peer, exchange);
    if (pending == NULL) {
        return; /* told to ask again; the body stays */
    }
    struct net_request request;
    exchange_request(peer, m, &request);
    request.body_bytes = body->size;
    request.body = body_take(&net->bodies, body);
    request.reply = pending_id(&net->pending, pending);
    pending->body = body;
    net->stats.bodies++;
    net->config.callbacks.handler(net->config.callbacks.user, &request);
}

/* Blocks of a body that the shell works on already. */
static void upload_after(struct net *net, const struct exchange *exchange,
                         const struct piece *piece)
{
    if (piece->last) {
        struct net_response busy = exchange_busy();
        (void)exchange_answer(net, exchange, &busy);
    } else {
        answer(net, exchange, NET_CODE(2, 31));
    }
}

void upload_receive(struct net *net, struct peer *peer, const struct exchange *exchange,
                    const struct message *message)
{
    struct piece piece;
    if (!exchange->has_block1 && message->payload_bytes > PROTO_BLOCK_BYTES_MAX) {
        struct net_response use_blocks = NET_RESPONSE(NET_CODE(4, 13));
        use_blocks.size1 = PROTO_BLOCK_BYTES_MAX;
        (void)exchange_answer(net, exchange, &use_blocks);
        return;
    }
    if (!piece_read(&piece, exchange, message)) {
        answer(net, exchange, NET_CODE(4, 0));
        return;
    }
    struct body *body = upload_body(net, peer, exchange, message, &piece);
    if (body == NULL) {
        return;
    }
    if (body->state == BODY_HANDED_OVER) {
        upload_after(net, exchange, &piece);
        return;
    }
    body->block_bytes = (uint16_t)piece.block_bytes;
    body_store(&net->bodies, body, piece.offset, message->payload, (uint32_t)message->payload_bytes,
               net_now_ms(net));
    if (!piece.last) {
        answer(net, exchange, NET_CODE(2, 31));
    } else if (!body_is_complete(body)) {
        answer_missing(net, exchange, body);
    } else {
        upload_hand_over(net, peer, exchange, message, body);
    }
}
