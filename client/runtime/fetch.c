/*
 * FETCH: the model, block by block and several at a time, into the store; then its hash. Or a patch in its
 * place, of which patch.c makes the model. With SCAFFOLD the control variate c after it, in the same way. It owns the download's progress; it must never call a byte
 * good before the hash of the whole was right.
 */
#include "client/runtime/internal.h"

#include "common/base64url.h"

#include <string.h>

/* What of the whole download is under way: an area, its size, and the bytes that came before. */
static enum mycel_area part_area(const struct client *c)
{
    if (c->in.fetch.part == CLIENT_FETCH_CONTROL) {
        return MYCEL_AREA_CONTROL_SERVER;
    }
    return c->job.patched ? MYCEL_AREA_PATCH : patch_next_area(c);
}

static uint32_t part_bytes(const struct client *c)
{
    if (c->in.fetch.part == CLIENT_FETCH_CONTROL) {
        return control_bytes(c);
    }
    return c->job.patched ? c->job.patch_bytes : c->job.model_bytes;
}

static uint32_t part_start(const struct client *c)
{
    return c->in.fetch.part == CLIENT_FETCH_MODEL ? 0 : c->job.model_bytes;
}

static uint32_t block_bytes(const struct client_fetch *f)
{
    return UINT32_C(16) << f->szx;
}

static uint32_t block_count(const struct client *c)
{
    return (part_bytes(c) - 1u) / block_bytes(&c->in.fetch) + 1u;
}

static void resize(struct client *c, uint8_t szx)
{
    struct client_fetch *f = &c->in.fetch;
    uint8_t before = f->szx;
    f->szx = szx;
    blocks_resize(&f->blocks, before, szx, block_count(c));
}

/* Starts at the first byte that is not durable yet. */
static void set_up(struct client *c)
{
    struct client_fetch *f = &c->in.fetch;
    f->szx_max = PROTO_BLOCK_SZX_MAX;
    f->szx = c->pace.szx;
    uint32_t start = part_start(c);
    uint32_t durable = c->progress.fetched > start ? c->progress.fetched - start : 0;
    uint32_t end = block_count(c);
    uint32_t base = durable >= part_bytes(c) ? end : durable / block_bytes(f);
    blocks_init(&f->blocks, base, end);
}

/* Writes the progress down, but only when it took a while: losing the last seconds' blocks costs less
 * than wearing out the flash for each of them. */
static int persist(struct client *c, uint32_t bytes)
{
    if (c->now_ms - c->in.fetch.persisted_ms < CLIENT_FETCH_PERSIST_MS) {
        return MYCEL_OK;
    }
    int rc = c->port->store->sync(c->port->store_ctx, part_area(c));
    if (rc < 0) {
        return rc;
    }
    uint32_t fetched = part_start(c) + bytes;
    c->progress.fetched = fetched > c->progress.fetched ? fetched : c->progress.fetched;
    c->in.fetch.persisted_ms = c->now_ms;
    return journal_update(c);
}

/* Asks for one block. As requests_send. */
static int request_block(struct client *c, uint32_t number)
{
    char name[PROTO_SHA256_TEXT + 1u];
    base64url_encode(c->job.blob_sha256, sizeof c->job.blob_sha256, name);
    struct mycel_request request = {
        .method = MYCEL_GET,
        .path = {PROTO_PATH_MODEL, name},
        .content_format = MYCEL_FORMAT_NONE,
        .block = {.kind = MYCEL_BLOCK_2, .number = number, .szx = c->in.fetch.szx},
    };
    return requests_send(c, &request, number);
}

/* Another block size is better by now: once nothing is in flight, since requests are counted in it. */
static bool change_size(struct client *c)
{
    struct client_fetch *f = &c->in.fetch;
    uint8_t wanted = c->pace.szx < f->szx_max ? c->pace.szx : f->szx_max;
    if (f->szx == wanted) {
        return true;
    }
    if (requests_count(c) > 0) {
        return false;
    }
    resize(c, wanted);
    f->agreed = false;
    return true;
}

static uint32_t fill_window(struct client *c)
{
    if (!change_size(c)) {
        return requests_wait_ms(c);
    }
    /* The first answer of a session settles the block size; only then more are worth asking for. */
    unsigned window = c->in.fetch.agreed ? pace_window(c) : 1u;
    while (requests_count(c) < window) {
        uint32_t number = blocks_next(&c->in.fetch.blocks, c);
        if (number == UINT32_MAX) {
            break;
        }
        int rc = request_block(c, number);
        if (rc < 0) {
            return 0; /* paused by client_fail */
        }
        if (rc == 0) {
            break;
        }
    }
    return requests_wait_ms(c);
}

/* The content is not what its name says: again from the start, a few times. */
static void discard(struct client *c)
{
    uint8_t repeats = (uint8_t)(c->in.fetch.repeats + 1u);
    c->progress.fetched = part_start(c);
    int rc = journal_update(c);
    if (rc < 0 || repeats > CLIENT_FETCH_REPEATS_MAX) {
        client_abandon(c, rc < 0 ? rc : MYCEL_E_DIGEST, "the model does not match its hash", NULL);
        return;
    }
    c->in.fetch = (struct client_fetch){.repeats = repeats, .part = c->in.fetch.part};
    client_fail(c, MYCEL_E_DIGEST, "the model does not match its hash");
}

/* The model is good: goes on with c. From here on progress speaks of bytes behind the model, so the model
 * has to be durable, however short the download was. */
static void next_part(struct client *c)
{
    mycel_Lease lease;
    int rc = c->port->store->sync(c->port->store_ctx, MYCEL_AREA_MODEL);
    if (rc >= 0) {
        rc = journal_lease(c, &lease);
    }
    if (rc < 0) {
        client_abandon(c, rc, "the model cannot be stored", NULL);
        return;
    }
    memcpy(c->job.blob_sha256, lease.control_sha256, sizeof c->job.blob_sha256);
    c->in.fetch = (struct client_fetch){.part = CLIENT_FETCH_CONTROL};
}

/* Says why, and goes on with the whole model. */
static void give_patch_up(struct client *c, int code)
{
    struct mycel_event event = {
        .kind = MYCEL_EVENT_PROBLEM, .code = code, .text = "the patch is of no use"};
    client_emit(c, &event);
    int rc = patch_give_up(c);
    if (rc < 0) {
        client_abandon(c, rc, "the journal cannot be written", NULL);
    }
}

static void mismatch(struct client *c)
{
    if (c->in.fetch.part == CLIENT_FETCH_MODEL && c->job.patched) {
        give_patch_up(c, MYCEL_E_DIGEST);
        return;
    }
    if (c->job.held) { /* the flash has lost it */
        c->job.held = false;
        c->progress.model = (struct client_model){0};
    }
    discard(c);
}

static void hash_begin(struct client *c)
{
    c->in.fetch.verifying = true;
    area_hash_begin(c);
}

/* The patch is good: the model is made of it, and has a hash of its own. */
static uint32_t build(struct client *c)
{
    int rc = patch_build(c);
    if (rc == 0) {
        rc = patch_expect_model(c);
        c->in.fetch.patching = false;
        hash_begin(c);
    }
    if (rc == MYCEL_E_CORRUPT || rc == MYCEL_E_MALFORMED || rc == MYCEL_E_CODEC ||
        rc == MYCEL_E_TOO_LARGE || rc == MYCEL_E_UNSUPPORTED) {
        give_patch_up(c, rc);
    } else if (rc < 0) {
        client_abandon(c, rc, "the model cannot be stored", NULL);
    }
    return 0;
}

/* The model is complete, wherever it came from. */
static void finish_model(struct client *c, const uint8_t digest[SHA256_BYTES])
{
    uint32_t bytes = c->job.held ? 0 : part_bytes(c);
    int rc = c->job.keeps && !c->job.held ? patch_adopt(c, digest) : MYCEL_OK;
    if (rc < 0) {
        client_abandon(c, rc, "the model cannot be stored", NULL);
        return;
    }
    client_set_state(c, MYCEL_CLIENT_TRAIN);
    struct mycel_event event = {.kind = MYCEL_EVENT_FETCHED, .bytes = bytes + control_bytes(c)};
    client_emit(c, &event);
}

/* What is hashed: the kept model, the one that was built, or what was downloaded. */
static int hash(struct client *c, uint8_t digest[SHA256_BYTES])
{
    if (c->in.fetch.part == CLIENT_FETCH_MODEL && c->job.held) {
        return area_hash(c, patch_model_area(c), c->job.model_bytes, digest);
    }
    if (c->in.fetch.built > 0) {
        return area_hash(c, patch_next_area(c), c->job.model_bytes, digest);
    }
    return area_hash(c, part_area(c), part_bytes(c), digest);
}

static uint32_t verify(struct client *c)
{
    struct client_fetch *f = &c->in.fetch;
    uint8_t digest[SHA256_BYTES];
    int rc = hash(c, digest);
    if (rc > 0) {
        return 0;
    }
    if (rc < 0 && rc != MYCEL_E_CORRUPT) {
        client_abandon(c, rc, "the model cannot be read back", NULL);
    } else if (rc < 0 || memcmp(digest, c->job.blob_sha256, sizeof digest) != 0) {
        mismatch(c);
    } else if (f->part == CLIENT_FETCH_MODEL && c->job.patched && f->built == 0) {
        f->verifying = false;
        f->patching = true;
    } else if (f->part == CLIENT_FETCH_MODEL && control_bytes(c) > 0) {
        next_part(c);
    } else if (f->part == CLIENT_FETCH_CONTROL) {
        client_set_state(c, MYCEL_CLIENT_TRAIN);
        struct mycel_event event = {.kind = MYCEL_EVENT_FETCHED,
                                    .bytes = c->job.model_bytes + control_bytes(c)};
        client_emit(c, &event);
    } else {
        finish_model(c, digest);
    }
    return 0;
}

/* Areas of a pair are written again and again, and nothing of what they held is wanted. */
static int begin(struct client *c)
{
    bool fresh = c->job.keeps && c->progress.fetched == 0;
    set_up(c);
    c->in.fetch.persisted_ms = c->now_ms;
    return fresh ? c->port->store->erase(c->port->store_ctx, part_area(c)) : MYCEL_OK;
}

uint32_t fetch_step(struct client *c)
{
    struct client_fetch *f = &c->in.fetch;
    if (client_lease_expired(c)) {
        client_abandon(c, MYCEL_E_TIMEOUT, "the lease expired during the download", NULL);
        return 0;
    }
    if (f->verifying) {
        return verify(c);
    }
    if (f->patching) {
        return build(c);
    }
    if (c->job.held && f->part == CLIENT_FETCH_MODEL) {
        hash_begin(c);
        return 0;
    }
    int rc = f->blocks.end == 0 ? begin(c) : MYCEL_OK;
    if (rc < 0) {
        client_abandon(c, rc, "the model cannot be stored", NULL);
        return 0;
    }
    if (blocks_complete(&f->blocks)) {
        requests_cancel(c);
        rc = persist(c, part_bytes(c));
        if (rc < 0) {
            client_abandon(c, rc, "the model cannot be stored", NULL);
            return 0;
        }
        hash_begin(c);
        return 0;
    }
    uint32_t wait = requests_open(c);
    return wait > 0 ? wait : fill_window(c);
}

/* A server may answer the first request with smaller blocks than asked for (RFC 7959 §2.4), at the
 * same offset. Later it may not: the requests in flight are counted in the size agreed on. */
static bool agree_on_size(struct client *c, const struct mycel_block *b, uint32_t asked)
{
    struct client_fetch *f = &c->in.fetch;
    if (b->szx < f->szx && !f->agreed &&
        (uint64_t)b->number << b->szx == (uint64_t)asked << f->szx) {
        f->szx_max = b->szx;
        resize(c, b->szx);
        return b->number == f->blocks.base;
    }
    return b->szx == f->szx && b->number == asked;
}

/* Everything but the content itself. */
static bool is_block_of_model(const struct client *c, const struct mycel_response *r,
                              uint32_t offset)
{
    const struct client_job *job = &c->job;
    uint32_t bytes = part_bytes(c);
    uint32_t left = bytes - offset;
    uint32_t size = block_bytes(&c->in.fetch);
    uint32_t expected = left < size ? left : size;
    return r->payload_bytes == expected && r->block.more == (expected < left) &&
           (r->size2 == 0 || r->size2 == bytes) &&
           (r->etag_bytes == 0 || (r->etag_bytes == MYCEL_ETAG_BYTES_MAX &&
                                   memcmp(r->etag, job->blob_sha256, MYCEL_ETAG_BYTES_MAX) == 0));
}

void fetch_answer(struct client *c, const struct mycel_response *r, uint32_t asked)
{
    struct client_fetch *f = &c->in.fetch;
    if (r->code == PROTO_CODE(4, 4) && c->job.patched && !f->patching) {
        give_patch_up(c, MYCEL_E_NOT_FOUND);
        return;
    }
    if (r->code != PROTO_CODE(2, 5)) {
        refusal_react(c, r);
        return;
    }
    if (f->verifying || f->blocks.end == 0 || r->block.kind != MYCEL_BLOCK_2 ||
        !agree_on_size(c, &r->block, asked) ||
        !is_block_of_model(c, r, r->block.number * block_bytes(f))) {
        client_fail(c, MYCEL_E_MALFORMED, "a block of the model is not what was asked for");
        return;
    }
    int rc = c->port->store->write(c->port->store_ctx, part_area(c),
                                   r->block.number * block_bytes(f), r->payload, r->payload_bytes);
    f->agreed = true;
    c->failures = 0;
    blocks_mark(&f->blocks, r->block.number);
    if (rc >= 0 && !blocks_complete(&f->blocks)) {
        rc = persist(c, f->blocks.base * block_bytes(f));
    }
    if (rc < 0) {
        client_abandon(c, rc, "the model cannot be stored", NULL);
    }
}
