/*
 * The one record that says what this device was doing. It owns the record's layout; it must never be
 * ahead of the data it speaks of: whatever a record claims (bytes of the model, the encoded update) was
 * made durable before.
 *
 * Record, little endian:
 *   0 'M' 'J'  2 version u8 (3)  3 phase u8  4 boot_count u32  8 fetched u32  12 body_bytes u32
 *   16 body_sha256[32]  48 residual (tag[8], valid u8, next u8)  58 control variate (the same)
 *   68 kept model (place u8, sha256[16])  85 whole u8
 *   86 lease_bytes u16  88 Lease (mycel.proto)  … CRC-32 of all before it, u32
 * A record with another version, a wrong CRC or a lease that this device would refuse is as good as none.
 */
#include "client/runtime/internal.h"

#include "common/bytes.h"
#include "common/crc32.h"

#include <string.h>

#define JOURNAL_VERSION 3u
#define JOURNAL_KEPT_AT 48u
#define JOURNAL_KEPT_BYTES (CLIENT_TAG_BYTES + 2u)
#define JOURNAL_MODEL_AT (JOURNAL_KEPT_AT + CLIENT_KEPT_KINDS * JOURNAL_KEPT_BYTES)
#define JOURNAL_WHOLE_AT (JOURNAL_MODEL_AT + 1u + PROTO_HELD_BYTES)
#define JOURNAL_LEASE_BYTES_AT (JOURNAL_WHOLE_AT + 1u)
#define JOURNAL_HEAD_BYTES (JOURNAL_LEASE_BYTES_AT + 2u)
#define JOURNAL_CRC_BYTES 4u

_Static_assert(JOURNAL_HEAD_BYTES + mycel_Lease_size + JOURNAL_CRC_BYTES <= MYCEL_JOURNAL_BYTES_MAX,
               "a record must fit what ports were promised");
_Static_assert(MYCEL_CLIENT_SCRATCH_BYTES >= MYCEL_JOURNAL_BYTES_MAX,
               "records are made in scratch");

/* Reads the record into scratch and checks its frame. The lease's bytes, or <0. */
static int read_record(struct client *c, uint8_t **record)
{
    uint8_t *p = c->config->scratch;
    int n =
        c->port->store->read(c->port->store_ctx, MYCEL_AREA_JOURNAL, 0, p, MYCEL_JOURNAL_BYTES_MAX);
    if (n < 0) {
        return n;
    }
    if (n == 0) {
        return MYCEL_E_NOT_FOUND;
    }
    if ((size_t)n < JOURNAL_HEAD_BYTES + JOURNAL_CRC_BYTES || p[0] != 'M' || p[1] != 'J' ||
        p[2] != JOURNAL_VERSION || p[3] > CLIENT_PHASE_ENCODED) {
        return MYCEL_E_CORRUPT;
    }
    uint32_t lease_bytes = get_u16le(p + JOURNAL_LEASE_BYTES_AT);
    size_t total = JOURNAL_HEAD_BYTES + lease_bytes + JOURNAL_CRC_BYTES;
    if (total != (size_t)n ||
        get_u32le(p + total - JOURNAL_CRC_BYTES) != crc32_add(0, p, total - JOURNAL_CRC_BYTES)) {
        return MYCEL_E_CORRUPT;
    }
    *record = p;
    return (int)lease_bytes;
}

static void put_kept(uint8_t *p, const struct client_kept *kept)
{
    memcpy(p, kept->tag, CLIENT_TAG_BYTES);
    p[CLIENT_TAG_BYTES] = kept->valid;
    p[CLIENT_TAG_BYTES + 1u] = kept->next;
}

/* Places beyond the pair, or the same twice, are none: zeros are always a residual to go on from. */
static void get_kept(struct client_kept *kept, const uint8_t *p)
{
    memcpy(kept->tag, p, CLIENT_TAG_BYTES);
    kept->valid = p[CLIENT_TAG_BYTES];
    kept->next = p[CLIENT_TAG_BYTES + 1u];
    if (kept->valid > 2u || kept->next > 2u || (kept->valid != 0 && kept->valid == kept->next)) {
        kept->valid = kept->next = 0;
    }
}

/* Writes the progress around lease_bytes bytes of lease that lie in scratch at their place. */
static int write_record(struct client *c, uint32_t lease_bytes)
{
    uint8_t *p = c->config->scratch;
    const struct client_progress *progress = &c->progress;
    p[0] = 'M';
    p[1] = 'J';
    p[2] = JOURNAL_VERSION;
    p[3] = progress->phase;
    put_u32le(p + 4, progress->boot_count);
    put_u32le(p + 8, progress->fetched);
    put_u32le(p + 12, progress->body_bytes);
    memcpy(p + 16, progress->body_sha256, sizeof progress->body_sha256);
    for (unsigned kind = 0; kind < CLIENT_KEPT_KINDS; kind++) {
        put_kept(p + JOURNAL_KEPT_AT + kind * JOURNAL_KEPT_BYTES, &progress->kept[kind]);
    }
    p[JOURNAL_MODEL_AT] = progress->model.place;
    memcpy(p + JOURNAL_MODEL_AT + 1, progress->model.sha256, PROTO_HELD_BYTES);
    p[JOURNAL_WHOLE_AT] = progress->whole;
    put_u16le(p + JOURNAL_LEASE_BYTES_AT, (uint16_t)lease_bytes);
    size_t bytes = JOURNAL_HEAD_BYTES + lease_bytes;
    put_u32le(p + bytes, crc32_add(0, p, bytes));
    return c->port->store->save(c->port->store_ctx, p, bytes + JOURNAL_CRC_BYTES);
}

static bool progress_is_sane(const struct client *c, const struct client_progress *progress)
{
    if (progress->phase == CLIENT_PHASE_ENCODED) {
        return progress->body_bytes > 0 && progress->body_bytes <= PROTO_UPDATE_BYTES_MAX;
    }
    return progress->fetched <= (uint64_t)c->job.model_bytes + control_bytes(c);
}

/* The boot count and what is kept, which outlive any job. `next` goes with the job's body only, and `whole`
 * with the job. */
static void restore_lasting(struct client_progress *progress, const uint8_t *p)
{
    progress->boot_count = get_u32le(p + 4);
    for (unsigned kind = 0; kind < CLIENT_KEPT_KINDS; kind++) {
        get_kept(&progress->kept[kind], p + JOURNAL_KEPT_AT + kind * JOURNAL_KEPT_BYTES);
    }
    if (p[JOURNAL_MODEL_AT] <= 2u) {
        progress->model.place = p[JOURNAL_MODEL_AT];
        memcpy(progress->model.sha256, p + JOURNAL_MODEL_AT + 1, PROTO_HELD_BYTES);
    }
    progress->whole = p[JOURNAL_WHOLE_AT] != 0;
}

/* Restores job and progress. Anything wrong with the record means: no job, and no loss, because the
 * coordinator reclaims the lease when it expires. */
static void restore(struct client *c)
{
    uint8_t *p = NULL;
    int lease_bytes = read_record(c, &p);
    if (lease_bytes < 0) {
        return;
    }
    restore_lasting(&c->progress, p);
    mycel_Lease lease;
    if (p[3] == CLIENT_PHASE_NONE || journal_lease(c, &lease) < 0 ||
        lease_to_job(&c->job, &lease, c) < 0) {
        kept_settle(c, false);
        return;
    }
    struct client_progress progress = c->progress;
    progress.fetched = get_u32le(p + 8);
    progress.body_bytes = get_u32le(p + 12);
    progress.phase = p[3];
    memcpy(progress.body_sha256, p + 16, sizeof progress.body_sha256);
    if (progress_is_sane(c, &progress)) {
        c->progress = progress;
        client_lease_starts(c, lease.deadline_ms);
    } else {
        kept_settle(c, false);
    }
}

int journal_load(struct client *c)
{
    c->progress = (struct client_progress){0};
    restore(c);
    c->progress.boot_count++;
    return c->progress.phase == CLIENT_PHASE_NONE ? write_record(c, 0) : journal_update(c);
}

/* Leaves of the progress only what outlives a job. */
static void forget_job(struct client *c)
{
    struct client_progress lasting = {.boot_count = c->progress.boot_count};
    memcpy(lasting.kept, c->progress.kept, sizeof lasting.kept);
    lasting.model = c->progress.model;
    c->progress = lasting;
}

int journal_begin(struct client *c, const mycel_Lease *lease)
{
    uint8_t *p = c->config->scratch;
    int n = WIRE_ENCODE(mycel_Lease, lease, p + JOURNAL_HEAD_BYTES,
                        MYCEL_JOURNAL_BYTES_MAX - JOURNAL_HEAD_BYTES - JOURNAL_CRC_BYTES);
    if (n < 0) {
        return n;
    }
    forget_job(c);
    c->progress.phase = CLIENT_PHASE_LEASED;
    return write_record(c, (uint32_t)n);
}

int journal_update(struct client *c)
{
    uint8_t *p = NULL;
    int n = read_record(c, &p);
    return n < 0 ? n : write_record(c, (uint32_t)n);
}

int journal_finish(struct client *c, bool counted)
{
    kept_settle(c, counted);
    forget_job(c);
    return write_record(c, 0);
}

int journal_lease(struct client *c, mycel_Lease *lease)
{
    uint8_t *p = NULL;
    int n = read_record(c, &p);
    return n < 0 ? n : WIRE_DECODE(mycel_Lease, lease, p + JOURNAL_HEAD_BYTES, (size_t)n);
}
