/*
 * ENCODED and UPLOAD: the body goes to its place block by block, several at a time, the last one last. It
 * owns which blocks are still to be sent; it must never send a byte that is not durable, and never let
 * go of the body before the coordinator's word.
 */
#include "client/runtime/internal.h"

#include "common/base64url.h"

#include <string.h>

/* Stands for the question in a slot; block numbers have 20 bits (RFC 7959 §2.2). */
#define UPLOAD_ASK UINT32_MAX

_Static_assert(PROTO_UPDATE_BYTES_MAX / 64u <= 1u << 20, "numbers of the smallest blocks must fit");

static uint32_t block_bytes(const struct client_upload *u)
{
    return UINT32_C(16) << u->szx;
}

static uint32_t last_block(const struct client *c)
{
    return (c->progress.body_bytes - 1u) / block_bytes(&c->in.upload);
}

uint32_t upload_encoded_step(struct client *c)
{
    uint32_t wait = requests_open(c);
    if (wait > 0) {
        return wait;
    }
    client_set_state(c, MYCEL_CLIENT_UPLOAD);
    struct client_upload *u = &c->in.upload;
    u->szx = c->pace.szx;
    u->ask = c->resumed;
    u->final = last_block(c);
    blocks_init(&u->blocks, 0, u->final);
    return 0;
}

/* As requests_send. */
static int ask(struct client *c, const char *name)
{
    struct mycel_request request = {
        .method = MYCEL_GET,
        .path = {PROTO_PATH_UPDATE, name},
        .content_format = MYCEL_FORMAT_NONE,
    };
    return requests_send(c, &request, UPLOAD_ASK);
}

/* As requests_send; a body that cannot be read ends the job. */
static int send_block(struct client *c, const char *name, uint32_t number)
{
    uint32_t size = block_bytes(&c->in.upload);
    uint32_t offset = number * size;
    uint32_t left = c->progress.body_bytes - offset;
    uint32_t bytes = left < size ? left : size;
    int rc = area_read(c, MYCEL_AREA_BODY, offset, c->config->scratch, bytes);
    if (rc < 0) {
        client_abandon(c, rc, "the update cannot be read back", NULL);
        return rc;
    }
    struct mycel_request request = {
        .method = MYCEL_PUT,
        .path = {PROTO_PATH_UPDATE, name},
        .content_format = PROTO_FORMAT_UPDATE,
        .block = {.kind = MYCEL_BLOCK_1,
                  .number = number,
                  .szx = c->in.upload.szx,
                  .more = number < c->in.upload.final},
        .size1 = c->progress.body_bytes,
        .payload = c->config->scratch,
        .payload_bytes = bytes,
    };
    return requests_send(c, &request, number);
}

/* Another block size is better by now: once nothing is in flight, since requests are counted in it. */
static bool change_size(struct client *c)
{
    struct client_upload *u = &c->in.upload;
    if (u->szx == c->pace.szx) {
        return true;
    }
    if (requests_count(c) > 0) {
        return false;
    }
    uint8_t before = u->szx;
    u->szx = c->pace.szx;
    u->final = last_block(c);
    blocks_resize(&u->blocks, before, u->szx, u->final);
    return true;
}

static uint32_t fill_window(struct client *c, const char *name)
{
    struct client_upload *u = &c->in.upload;
    if (!change_size(c)) {
        return requests_wait_ms(c);
    }
    while (requests_count(c) < pace_window(c)) {
        uint32_t number = blocks_next(&u->blocks, c);
        if (number == UINT32_MAX) {
            break;
        }
        int rc = send_block(c, name, number);
        if (rc < 0) {
            return 0;
        }
        if (rc == 0) {
            return requests_wait_ms(c);
        }
    }
    if (blocks_complete(&u->blocks) && requests_count(c) == 0 &&
        send_block(c, name, u->final) < 0) {
        return 0;
    }
    return requests_wait_ms(c);
}

uint32_t upload_step(struct client *c)
{
    uint32_t wait = requests_open(c);
    if (wait > 0) {
        return wait;
    }
    char name[PROTO_KEY_TEXT + 1u];
    base64url_encode(c->job.key, sizeof c->job.key, name);
    if (!c->in.upload.ask) {
        return fill_window(c, name);
    }
    if (requests_count(c) == 0 && ask(c, name) < 0) {
        return 0;
    }
    return requests_wait_ms(c);
}

static void take_receipt(struct client *c, const struct mycel_response *r)
{
    mycel_Receipt receipt;
    if (WIRE_DECODE(mycel_Receipt, &receipt, r->payload, r->payload_bytes) < 0) {
        client_fail(c, MYCEL_E_MALFORMED, "the receipt cannot be decoded");
        return;
    }
    if (receipt.status == MYCEL_OK && !receipt.late &&
        memcmp(receipt.digest, c->progress.body_sha256, sizeof c->progress.body_sha256) != 0) {
        client_abandon(c, MYCEL_E_CONFLICT, "the receipt is for other content", NULL);
        return;
    }
    requests_cancel(c);
    client_set_state(c, MYCEL_CLIENT_RECEIPT);
    c->in.receipt = (struct client_receipt){
        .earliest_ms = receipt.window.earliest_ms,
        .latest_ms = receipt.window.latest_ms,
        .status = receipt.status,
        .has_window = receipt.has_window,
        .late = receipt.late,
    };
}

/* False: not a size that blocks have (RFC 7959 §2.2). */
static bool szx_of(uint32_t bytes, uint8_t *szx)
{
    for (*szx = 0; *szx < PROTO_BLOCK_SZX_MAX && UINT32_C(16) << *szx < bytes; ++*szx) {
    }
    return UINT32_C(16) << *szx == bytes;
}

/* What the coordinator says it has decides what is sent from now on. */
static void take_status(struct client *c, const struct mycel_response *r)
{
    struct client_upload *u = &c->in.upload;
    mycel_UploadStatus status;
    if (WIRE_DECODE(mycel_UploadStatus, &status, r->payload, r->payload_bytes) < 0) {
        client_fail(c, MYCEL_E_MALFORMED, "the upload's status cannot be decoded");
        return;
    }
    int rc = MYCEL_OK;
    uint8_t status_szx = 0;
    if (status.size == c->progress.body_bytes && szx_of(status.block_bytes, &status_szx)) {
        /* The list is in the size of the latest block that came. */
        bool cut = status.missing_count == sizeof status.missing / sizeof status.missing[0];
        uint32_t final = (c->progress.body_bytes - 1u) / status.block_bytes;
        rc = blocks_from_missing(&u->blocks, status.missing, status.missing_count, cut, final);
        if (rc == MYCEL_OK && status_szx != u->szx) {
            blocks_resize(&u->blocks, status_szx, u->szx, u->final);
        }
    } else {
        blocks_init(&u->blocks, 0, u->final); /* nothing of this body is known there */
    }
    if (rc < 0) {
        client_fail(c, rc, "the upload's status makes no sense");
        return;
    }
    requests_cancel(c);
    u->ask = false;
}

/* A coordinator that loses blocks once is restarted; one that always does must not keep the radio on. */
static void take_incomplete(struct client *c, const struct mycel_response *r)
{
    struct client_upload *u = &c->in.upload;
    u->repeats = client_count_up(u->repeats);
    if (u->repeats > CLIENT_UPLOAD_REPEATS_MAX) {
        client_pause(c, window_backoff(c, u->repeats - CLIENT_UPLOAD_REPEATS_MAX), MYCEL_E_BUSY,
                     "the coordinator keeps losing blocks");
    }
    take_status(c, r);
}

void upload_answer(struct client *c, const struct mycel_response *r, uint32_t asked)
{
    struct client_upload *u = &c->in.upload;
    bool is_receipt = r->content_format == PROTO_FORMAT_RECEIPT;
    if (is_receipt && (r->code == PROTO_CODE(2, 4) || r->code == PROTO_CODE(2, 5))) {
        take_receipt(c, r);
    } else if (r->code == PROTO_CODE(2, 5) && asked == UPLOAD_ASK) {
        take_status(c, r);
    } else if (r->code == PROTO_CODE(2, 31) && asked < u->final &&
               (r->block.kind != MYCEL_BLOCK_1 || r->block.number == asked)) {
        blocks_mark(&u->blocks, asked);
        c->failures = 0;
    } else if (r->code == PROTO_CODE(4, 8) && asked != UPLOAD_ASK) {
        take_incomplete(c, r);
    } else {
        refusal_react(c, r);
    }
}
