/* The coordinator's resources: check-in, model, update; the same answers as the daemon's. */
#include "sim/coordinator/internal.h"

#include "common/base64url.h"
#include "proto/wire.h"
#include "server/desk/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDENTITY_BYTES 16u

static uint32_t device_id(const struct trip *t)
{
    return t->device + 1u; /* the engine's ids start at 1 */
}

/* ---- check-in ----------------------------------------------------------------------------- */

static void refuse_check_in(struct coordinator *c, uint32_t id, int error)
{
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int bytes = desk_write_problem(error, NULL, NULL, payload, sizeof payload);
    answer_message(c, id, error == MYCEL_E_VERSION ? PROTO_CODE(5, 1) : PROTO_CODE(4, 0),
                   PROTO_FORMAT_PROBLEM, payload, bytes);
}

static void take_check_in(struct coordinator *c, uint32_t id, const struct trip *t)
{
    struct engine_event event = {.type = ENGINE_EVENT_CHECKIN, .tag = answer_tag(c, id)};
    struct desk_hello hello;
    int rc = desk_read_check_in(t->request.payload, t->request.payload_bytes,
                                &event.u.checkin.facts, &hello);
    if (rc < 0) {
        refuse_check_in(c, id, rc);
        return;
    }
    c->world->tally.classes[c->world->fleet.devices[t->device].class].check_ins++;
    event.u.checkin.device = device_id(t);
    coordinator_step(c, &event);
}

/* ---- model -------------------------------------------------------------------------------- */

/* A version's parameters, a patch to them, or its control variate. */
static struct blob *find_blob(struct coordinator *c, const uint8_t sha256[PROTO_SHA256_BYTES],
                              uint32_t *first)
{
    struct blob *blob = version_blob(c, sha256, first);
    for (uint32_t i = 0; blob == NULL && i < VERSIONS_KEPT; i++) {
        struct blob *control = c->controls[i];
        blob = control != NULL && memcmp(control->sha256, sha256, PROTO_SHA256_BYTES) == 0 ? control
                                                                                           : NULL;
    }
    return blob;
}

static void give_model(struct coordinator *c, uint32_t id, struct trip *t)
{
    uint8_t sha256[PROTO_SHA256_BYTES];
    struct blob *blob = NULL;
    uint32_t first = 0;
    if (base64url_decode(t->segment[1], strlen(t->segment[1]), sha256, sizeof sha256) >= 0) {
        blob = find_blob(c, sha256, &first);
    }
    struct mycel_block block = t->request.block;
    uint64_t offset = (uint64_t)block.number << (block.szx + 4u);
    size_t bytes = blob != NULL ? blob->bytes - first : 0;
    if (offset >= bytes) {
        const struct engine_action_problem problem = {.status = MYCEL_E_NOT_FOUND};
        uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
        int length = desk_write_problem(problem.status, NULL, NULL, payload, sizeof payload);
        answer_message(c, id, PROTO_CODE(4, 4), PROTO_FORMAT_PROBLEM, payload, length);
        return;
    }
    size_t left = bytes - (size_t)offset;
    size_t size = (size_t)16u << block.szx;
    t->response = (struct mycel_response){.slot = t->slot,
                                          .code = PROTO_CODE(2, 5),
                                          .content_format = PROTO_FORMAT_MODEL,
                                          .block = block,
                                          .etag_bytes = MYCEL_ETAG_BYTES_MAX,
                                          .payload = blob->data + first + offset,
                                          .payload_bytes = left < size ? left : size};
    t->response.block.more = size < left;
    t->response.size2 = block.number == 0 ? (uint32_t)bytes : 0;
    memcpy(t->response.etag, sha256, MYCEL_ETAG_BYTES_MAX);
    t->blob = blob_ref(blob);
    trip_answer(c->world, id);
}

/* ---- update ------------------------------------------------------------------------------- */

/* Asks the engine about a key. False: told to ask again. */
static bool query(struct coordinator *c, const struct trip *t, const uint8_t key[PROTO_KEY_BYTES],
                  uint64_t bytes, struct engine_action *answer)
{
    struct engine_event event = {.type = ENGINE_EVENT_UPLOAD_QUERY};
    event.u.query.device = device_id(t);
    memcpy(event.u.query.key, key, PROTO_KEY_BYTES);
    event.u.query.bytes = bytes;
    return coordinator_query(c, &event, answer);
}

/* True: the body may come in; else the trip was answered. */
static bool admit(struct coordinator *c, uint32_t id, const uint8_t key[PROTO_KEY_BYTES],
                  uint64_t bytes, uint8_t code)
{
    struct engine_action answer;
    if (!query(c, trip_at(&c->world->trips, id), key, bytes, &answer)) {
        answer_busy(c, id);
        return false;
    }
    if (answer.type == ENGINE_ACTION_REPLY_ADMIT) {
        return true;
    }
    if (answer.type == ENGINE_ACTION_LOOKUP_RECEIPT) {
        answer_lookup(c, id, code, &answer.u.lookup);
    } else if (answer.type == ENGINE_ACTION_REPLY_RECEIPT) {
        answer_receipt(c, id, code, &answer.u.receipt);
    } else {
        answer_problem(c, id, &answer.u.problem);
    }
    return false;
}

struct upload {
    char identity[IDENTITY_BYTES];
    char path[NET_PATH_BYTES_MAX];
    struct body_key body_key;
    uint8_t key[PROTO_KEY_BYTES];
};

static bool read_upload(struct upload *u, const struct trip *t)
{
    const char *key = t->segment[1];
    (void)snprintf(u->identity, sizeof u->identity, "%u", t->device);
    int n = snprintf(u->path, sizeof u->path, "%s%c%s", PROTO_PATH_UPDATE, '\0', key);
    u->body_key =
        (struct body_key){.identity = u->identity, .path = u->path, .path_bytes = (size_t)n + 1u};
    return base64url_decode(key, strlen(key), u->key, sizeof u->key) >= 0;
}

static void hand_over(struct coordinator *c, uint32_t id, const struct upload *u, struct body *body)
{
    const struct trip *t = trip_at(&c->world->trips, id);
    const struct verify_expected expected = {.params = c->task.params};
    struct engine_event event = {.type = ENGINE_EVENT_UPDATE, .tag = answer_tag(c, id)};
    c->body_bytes = (uint32_t)body->size;
    c->body = body_take(&c->bodies, body);
    body_table_remove(&c->bodies, body);
    verify_update(c->body, c->body_bytes, &expected, &event.u.update);
    event.u.update.device = device_id(t);
    memcpy(event.u.update.key, u->key, PROTO_KEY_BYTES);
    coordinator_step(c, &event);
    free(c->body); /* unless a row has taken it */
    c->body = NULL;
}

/* The body that a block belongs to; NULL when the trip was answered. */
static struct body *body_of(struct coordinator *c, uint32_t id, const struct upload *u,
                            uint64_t size)
{
    struct body *body = body_table_find(&c->bodies, &u->body_key);
    if (body != NULL || !admit(c, id, u->key, size, PROTO_CODE(2, 4))) {
        return body;
    }
    unsigned evicted;
    if (body_table_add(&c->bodies, &u->body_key, size, c->world->now_us / 1000u, &body, &evicted) <
        0) {
        answer_busy(c, id);
    }
    return body;
}

static void take_block(struct coordinator *c, uint32_t id, const struct trip *t)
{
    struct upload u;
    const struct mycel_block *block = &t->request.block;
    uint64_t offset = (uint64_t)block->number << (block->szx + 4u);
    uint64_t size = block->more ? t->request.size1 : offset + t->request.payload_bytes;
    bool sane = offset + t->request.payload_bytes <= size;
    if (!read_upload(&u, t) || !sane) {
        answer_message(c, id, PROTO_CODE(4, 0), MYCEL_FORMAT_NONE, NULL, 0);
        return;
    }
    struct body *body = body_of(c, id, &u, size);
    if (body == NULL) {
        return;
    }
    if (body->size != size) {
        answer_message(c, id, PROTO_CODE(4, 0), MYCEL_FORMAT_NONE, NULL, 0);
        return;
    }
    body->block_bytes = (uint16_t)(16u << block->szx);
    body_store(&c->bodies, body, offset, t->request.payload, (uint32_t)t->request.payload_bytes,
               c->world->now_us / 1000u);
    if (block->more) {
        answer_message(c, id, PROTO_CODE(2, 31), MYCEL_FORMAT_NONE, NULL, 0);
    } else if (!body_is_complete(body)) {
        uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
        int n = body_status(body, payload, sizeof payload);
        answer_message(c, id, PROTO_CODE(4, 8), PROTO_FORMAT_MESSAGE, payload, n);
    } else {
        hand_over(c, id, &u, body);
    }
}

static void give_status(struct coordinator *c, uint32_t id, const struct trip *t)
{
    struct upload u;
    if (!read_upload(&u, t)) {
        answer_message(c, id, PROTO_CODE(4, 0), MYCEL_FORMAT_NONE, NULL, 0);
    } else if (admit(c, id, u.key, 0, PROTO_CODE(2, 5))) {
        uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
        struct body *body = body_table_find(&c->bodies, &u.body_key);
        int n = body_status(body, payload, sizeof payload);
        answer_message(c, id, PROTO_CODE(2, 5), PROTO_FORMAT_MESSAGE, payload, n);
    }
}

/* ---- routes ------------------------------------------------------------------------------- */

static const struct {
    const char *path;
    enum mycel_method method;
} routes[] = {{PROTO_PATH_CHECKIN, MYCEL_POST},
              {PROTO_PATH_MODEL, MYCEL_GET},
              {PROTO_PATH_UPDATE, MYCEL_PUT},
              {PROTO_PATH_UPDATE, MYCEL_GET}};

enum { ROUTE_CHECK_IN, ROUTE_MODEL, ROUTE_BLOCK, ROUTE_STATUS, ROUTES };

void coordinator_request(struct coordinator *c, uint32_t id)
{
    struct trip *t = trip_at(&c->world->trips, id);
    unsigned route = 0;
    while (route < ROUTES && (routes[route].method != t->request.method ||
                              strcmp(routes[route].path, t->segment[0]) != 0)) {
        route++;
    }
    switch (route) {
    case ROUTE_CHECK_IN:
        take_check_in(c, id, t);
        break;
    case ROUTE_MODEL:
        give_model(c, id, t);
        break;
    case ROUTE_BLOCK:
        take_block(c, id, t);
        break;
    case ROUTE_STATUS:
        give_status(c, id, t);
        break;
    default:
        answer_message(c, id, PROTO_CODE(4, 4), MYCEL_FORMAT_NONE, NULL, 0);
        break;
    }
}
