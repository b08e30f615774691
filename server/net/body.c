/* Implementation of body.h. Everything here is constant time per block, except the missing list. */
#include "server/net/body.h"

#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "common/assert.h"
#include "proto/wire.h"
#include "server/net/peer.h"

#define BODY_BUCKETS 4096u /* a power of two; chains stay short up to some ten thousand uploads */

static uint64_t body_words(uint64_t size)
{
    return (size + BODY_WORD_BYTES - 1) / BODY_WORD_BYTES;
}

/* What a body costs: the budgets count book-keeping too, or empty bodies would be free. */
static uint64_t body_cost(uint64_t size)
{
    return size + body_words(size) * sizeof(uint64_t) + sizeof(struct body);
}

static struct body **body_bucket(const struct body_table *table, const char *identity)
{
    uint64_t hash = peer_identity_hash(identity, table->secret);
    return &table->bucket[hash & (BODY_BUCKETS - 1)];
}

static bool body_matches(const struct body *body, const struct body_key *key)
{
    return body->path_bytes == key->path_bytes &&
           memcmp(body->path, key->path, key->path_bytes) == 0 &&
           strcmp(body->identity, key->identity) == 0;
}

/* --- The idle queue ------------------------------------------------------------------------------ */

static void queue_append(struct body_table *table, struct body *body)
{
    body->newer = NULL;
    body->older = table->newest;
    if (table->newest != NULL) {
        table->newest->newer = body;
    } else {
        table->oldest = body;
    }
    table->newest = body;
}

static void queue_take(struct body_table *table, struct body *body)
{
    if (body->older != NULL) {
        body->older->newer = body->newer;
    } else {
        table->oldest = body->newer;
    }
    if (body->newer != NULL) {
        body->newer->older = body->older;
    } else {
        table->newest = body->older;
    }
    body->older = NULL;
    body->newer = NULL;
}

static void body_unreserve(struct body_table *table, uint64_t cost)
{
    table->reserved_bytes -= cost;
    if (table->all_reserved_bytes != NULL) {
        *table->all_reserved_bytes -= cost;
    }
}

/* False when the total budget is used up. */
static bool body_reserve(struct body_table *table, uint64_t cost)
{
    table->reserved_bytes += cost;
    uint64_t all = table->reserved_bytes;
    if (table->all_reserved_bytes != NULL) {
        all = *table->all_reserved_bytes += cost;
    }
    if (all > table->limits.total_bytes) {
        body_unreserve(table, cost);
        return false;
    }
    return true;
}

/* Out of the queue and the budgets. */
static void body_settle(struct body_table *table, struct body *body)
{
    queue_take(table, body);
    body_unreserve(table, body_cost(body->size));
    table->partial--;
}

/* --- The table ----------------------------------------------------------------------------------- */

struct body_limits body_limits_of(const struct net_config *config)
{
    return (struct body_limits){.device_bytes = config->body_bytes_device,
                                .total_bytes = config->body_bytes_total,
                                .expiry_ms = config->body_expiry_ms};
}

int body_table_init(struct body_table *table, const struct body_limits *limits, uint64_t secret)
{
    memset(table, 0, sizeof *table);
    table->limits = *limits;
    table->secret = secret;
    table->bucket = calloc(BODY_BUCKETS, sizeof *table->bucket);
    return table->bucket != NULL ? 0 : MYCEL_E_NO_MEMORY;
}

static void body_free(struct body *body)
{
    free(body->data);
    free(body->have);
    free(body);
}

void body_table_deinit(struct body_table *table)
{
    for (unsigned i = 0; table->bucket != NULL && i < BODY_BUCKETS; i++) {
        struct body *body = table->bucket[i];
        while (body != NULL) {
            struct body *next = body->chain;
            body_free(body);
            body = next;
        }
    }
    free(table->bucket);
    memset(table, 0, sizeof *table);
}

struct body *body_table_find(const struct body_table *table, const struct body_key *key)
{
    struct body *body = *body_bucket(table, key->identity);
    while (body != NULL && !body_matches(body, key)) {
        body = body->chain;
    }
    return body;
}

void body_table_remove(struct body_table *table, struct body *body)
{
    struct body **link = body_bucket(table, body->identity);
    while (*link != body) {
        MYCEL_ASSERT(*link != NULL);
        link = &(*link)->chain;
    }
    *link = body->chain;
    if (body->state == BODY_PARTIAL) {
        body_settle(table, body);
    }
    body_free(body);
}

/* The longest idle partial body of a device, with the number and cost of all of them. */
static struct body *body_of_device(const struct body_table *table, const char *identity,
                                   unsigned *count, uint64_t *cost)
{
    struct body *oldest = NULL;
    *count = 0;
    *cost = 0;
    for (struct body *b = *body_bucket(table, identity); b != NULL; b = b->chain) {
        if (b->state == BODY_PARTIAL && strcmp(b->identity, identity) == 0) {
            *count += 1;
            *cost += body_cost(b->size);
            if (oldest == NULL || b->active_ms < oldest->active_ms) {
                oldest = b;
            }
        }
    }
    return oldest;
}

/* Makes room within the device's own limits. */
static unsigned body_make_room(struct body_table *table, const char *identity, uint64_t cost)
{
    for (unsigned evicted = 0;; evicted++) {
        unsigned count;
        uint64_t used;
        struct body *oldest = body_of_device(table, identity, &count, &used);
        if (oldest == NULL ||
            (count < NET_BODIES_PER_DEVICE_MAX && used + cost <= table->limits.device_bytes)) {
            return evicted;
        }
        body_table_remove(table, oldest);
    }
}

static struct body *body_new(const struct body_key *key, uint64_t size)
{
    struct body *body = calloc(1, sizeof *body);
    if (body == NULL) {
        return NULL;
    }
    body->data = malloc(size > 0 ? size : 1);
    body->have = calloc(body_words(size) + 1, sizeof *body->have);
    if (body->data == NULL || body->have == NULL) {
        body_free(body);
        return NULL;
    }
    body->size = size;
    body->units_missing = (size + BODY_UNIT_BYTES - 1) / BODY_UNIT_BYTES;
    body->block_bytes = PROTO_BLOCK_BYTES_MAX;
    body->path_bytes = (uint8_t)key->path_bytes;
    memcpy(body->path, key->path, key->path_bytes);
    memcpy(body->identity, key->identity, strlen(key->identity) + 1);
    return body;
}

int body_table_add(struct body_table *table, const struct body_key *key, uint64_t size,
                   uint64_t now_ms, struct body **out, unsigned *evicted)
{
    MYCEL_ASSERT(key->path_bytes <= NET_PATH_BYTES_MAX);
    MYCEL_ASSERT(strlen(key->identity) <= PROTO_IDENTITY_BYTES_MAX);
    uint64_t cost = body_cost(size);
    *out = NULL;
    *evicted = 0;
    if (cost > table->limits.device_bytes || cost > table->limits.total_bytes) {
        return MYCEL_E_TOO_LARGE;
    }
    *evicted = body_make_room(table, key->identity, cost);
    if (!body_reserve(table, cost)) {
        return MYCEL_E_BUSY;
    }
    struct body *body = body_new(key, size);
    if (body == NULL) {
        body_unreserve(table, cost);
        return MYCEL_E_NO_MEMORY;
    }
    body->active_ms = now_ms;
    struct body **bucket = body_bucket(table, body->identity);
    body->chain = *bucket;
    *bucket = body;
    queue_append(table, body);
    table->partial++;
    *out = body;
    return 0;
}

void body_table_forget(struct body_table *table, const char *identity)
{
    unsigned count;
    uint64_t cost;
    struct body *body = body_of_device(table, identity, &count, &cost);
    while (body != NULL) {
        body_table_remove(table, body);
        body = body_of_device(table, identity, &count, &cost);
    }
}

unsigned body_table_expire(struct body_table *table, uint64_t now_ms)
{
    unsigned expired = 0;
    struct body *body = table->oldest;
    while (body != NULL && now_ms >= body->active_ms + table->limits.expiry_ms) {
        struct body *next = body->newer;
        body_table_remove(table, body);
        body = next;
        expired++;
    }
    return expired;
}

/* --- One body ------------------------------------------------------------------------------------ */

/* The bits of one word of `have` for `count` bytes at `offset`, which lie within it. */
static uint64_t unit_mask(uint64_t offset, uint64_t count)
{
    uint64_t first = offset % BODY_WORD_BYTES / BODY_UNIT_BYTES;
    uint64_t units = (count + BODY_UNIT_BYTES - 1) / BODY_UNIT_BYTES;
    uint64_t low = units >= 64 ? UINT64_MAX : (UINT64_C(1) << units) - 1;
    return low << first;
}

void body_store(struct body_table *table, struct body *body, uint64_t offset, const uint8_t *bytes,
                uint32_t count, uint64_t now_ms)
{
    MYCEL_ASSERT(body->state == BODY_PARTIAL);
    MYCEL_ASSERT(offset <= body->size && count <= body->size - offset);
    MYCEL_ASSERT(offset % BODY_UNIT_BYTES == 0);
    MYCEL_ASSERT(offset % BODY_WORD_BYTES + count <= BODY_WORD_BYTES);
    body->active_ms = now_ms;
    queue_take(table, body);
    queue_append(table, body);
    if (count == 0) {
        return;
    }
    uint64_t mask = unit_mask(offset, count);
    uint64_t *word = &body->have[offset / BODY_WORD_BYTES];
    uint64_t added = mask & ~*word;
    if (added != 0) {
        memcpy(body->data + offset, bytes, count);
        *word |= mask;
        body->units_missing -= (uint64_t)__builtin_popcountll(added);
    }
}

bool body_is_complete(const struct body *body)
{
    return body->units_missing == 0;
}

/* Whether all units of a word that belong to the body are present. */
static bool word_is_full(const struct body *body, uint64_t word)
{
    uint64_t start = word * BODY_WORD_BYTES;
    uint64_t left = body->size - start;
    uint64_t mask = unit_mask(start, left < BODY_WORD_BYTES ? left : BODY_WORD_BYTES);
    return (body->have[word] & mask) == mask;
}

unsigned body_missing(struct body *body, uint32_t block_bytes, uint32_t out[BODY_MISSING_MAX])
{
    MYCEL_ASSERT(block_bytes >= BODY_UNIT_BYTES && block_bytes <= BODY_WORD_BYTES);
    unsigned found = 0;
    uint64_t words = body_words(body->size);
    while (body->first_gap < words && word_is_full(body, body->first_gap)) {
        body->first_gap++;
    }
    for (uint64_t word = body->first_gap; word < words && found < BODY_MISSING_MAX; word++) {
        if (word_is_full(body, word)) {
            continue;
        }
        for (uint64_t at = word * BODY_WORD_BYTES;
             at < body->size && at < (word + 1) * BODY_WORD_BYTES && found < BODY_MISSING_MAX;
             at += block_bytes) {
            uint64_t left = body->size - at;
            uint64_t mask = unit_mask(at, left < block_bytes ? left : block_bytes);
            if ((body->have[word] & mask) != mask) {
                out[found++] = (uint32_t)(at / block_bytes);
            }
        }
    }
    return found;
}

int body_status(struct body *body, uint8_t *out, size_t capacity)
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
    return WIRE_ENCODE(mycel_UploadStatus, &status, out, capacity);
}

void body_return(struct body_table *table, struct body *body, uint8_t *data, uint64_t now_ms)
{
    MYCEL_ASSERT(body->state == BODY_HANDED_OVER && body_is_complete(body));
    body->data = data;
    if (!body_reserve(table, body_cost(body->size))) {
        body_table_remove(table, body);
        return;
    }
    body->state = BODY_PARTIAL;
    body->active_ms = now_ms;
    queue_append(table, body);
    table->partial++;
}

uint8_t *body_take(struct body_table *table, struct body *body)
{
    MYCEL_ASSERT(body->state == BODY_PARTIAL && body_is_complete(body));
    uint8_t *data = body->data;
    body_settle(table, body);
    body->data = NULL;
    body->state = BODY_HANDED_OVER;
    return data;
}
