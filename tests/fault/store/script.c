/* See script.h. */
#include "script.h"

#include "enrol_script.h"
#include "rotate_script.h"

#include "common/crypto/sha256.h"
#include "common/rng.h"
#include "server/store/internal.h"

#include <stdio.h>
#include <string.h>

#define MODEL_BYTES 6000 /* more than a page */
#define BODY_BYTES 5000
#define RECEIPT_BYTES 40

/* Small enough for several checkpoints in one script; the daemon's is 4,000 pages. */
#define CHECKPOINT_PAGES "24"

static uint64_t time_of(uint32_t round, uint32_t step)
{
    return 1000000u * (uint64_t)round + step;
}

static void identity_of(uint32_t device, char identity[16])
{
    (void)snprintf(identity, 16, "device-%u", device);
}

/* The devices' ids are 1, 2… since they are the first to be enrolled. */
static void key_of(uint32_t round, uint32_t device, uint8_t key[PROTO_KEY_BYTES])
{
    const uint32_t name[4] = {device, 1, round, 1};
    memcpy(key, name, PROTO_KEY_BYTES);
}

static void fill(uint8_t *data, size_t bytes, uint64_t stream)
{
    for (size_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)rng_u64(99, stream, i);
    }
}

/* The last device's updates are refused. */
static int status_of(uint32_t device)
{
    return device == SCRIPT_DEVICES ? MYCEL_E_NORM : 0;
}

static void receipt_of(uint32_t round, uint32_t device, char receipt[RECEIPT_BYTES])
{
    memset(receipt, 0, RECEIPT_BYTES);
    (void)snprintf(receipt, RECEIPT_BYTES, "receipt %u %u %d", round, device, status_of(device));
}

/* --- steps ------------------------------------------------------------------------------------ */

int script_open(struct script *s)
{
    if (s->store != NULL) {
        return MYCEL_OK;
    }
    const struct store_options options = {
        .folder = s->folder, .create = true, .check = true, .vfs = s->vfs};
    int code = store_open(&options, &s->store, NULL);
    return code != MYCEL_OK ? code
                            : store_exec(s->store, "PRAGMA wal_autocheckpoint = " CHECKPOINT_PAGES);
}

static int ensure_devices(struct script *s)
{
    for (uint32_t i = 1; i <= SCRIPT_DEVICES; i++) {
        char identity[16];
        struct store_device device;
        uint8_t psk[16];
        uint32_t id = 0;
        identity_of(i, identity);
        memset(psk, (int)i, sizeof psk);
        int code = i == SCRIPT_SELF_ENROLLED ? enrol_script_run(s, identity, i)
                                             : store_device_find(s->store, identity, &device);
        if (code == MYCEL_E_NOT_FOUND) {
            code = store_device_enroll(s->store, identity, "", psk, sizeof psk, i, &id);
        }
        if (code == MYCEL_OK && i == SCRIPT_ROTATED) {
            code = rotate_script_run(s, identity, i);
        }
        if (code != MYCEL_OK) {
            return code;
        }
    }
    return MYCEL_OK;
}

static int create_run(struct script *s)
{
    const struct store_run_config config = {.name = "run",
                                            .model = "m",
                                            .strategy = "s",
                                            .params = MODEL_BYTES / 4,
                                            .goal = SCRIPT_DEVICES,
                                            .epochs = 1,
                                            .batch = 1,
                                            .learning_rate = 0.1f};
    struct store_version version = {.kind = STORE_VERSION_INITIAL, .created_ms = 50};
    uint8_t model[MODEL_BYTES];
    fill(model, sizeof model, 0);
    int code = store_run_create(s->store, &config, 50, &version.run);
    if (code == MYCEL_OK) {
        code = store_blob_put(s->store, model, sizeof model, version.sha256);
    }
    return code != MYCEL_OK ? code : store_version_add(s->store, &version);
}

/* Runs `step` as one transaction. */
static int as_one(struct script *s, int (*step)(struct script *s))
{
    int code = store_begin(s->store);
    if (code != MYCEL_OK) {
        return code;
    }
    code = step(s);
    if (code == MYCEL_OK) {
        return store_commit(s->store);
    }
    store_rollback(s->store);
    return code;
}

static int ensure_run(struct script *s)
{
    struct store_run run;
    int code = store_run_find(s->store, "run", &run);
    return code == MYCEL_E_NOT_FOUND ? as_one(s, create_run) : code;
}

/* The round's row and all its leases, as one batch. */
static int open_round(struct script *s, uint32_t round)
{
    const struct store_round row = {.run = 1,
                                    .round = round,
                                    .attempt = 1,
                                    .state = STORE_ROUND_SELECT,
                                    .base_version = round - 1,
                                    .started_ms = time_of(round, 0)};
    int code = store_begin(s->store);
    if (code != MYCEL_OK) {
        return code;
    }
    code = store_round_put(s->store, &row);
    for (uint32_t device = 1; device <= SCRIPT_DEVICES && code == MYCEL_OK; device++) {
        struct store_lease lease = {.device = device,
                                    .run = 1,
                                    .round = round,
                                    .attempt = 1,
                                    .base_version = round - 1,
                                    .issued_ms = time_of(round, device),
                                    .deadline_ms = time_of(round, 5000),
                                    .state = STORE_LEASE_OPEN};
        key_of(round, device, lease.key);
        code = store_lease_put(s->store, &lease);
    }
    if (code == MYCEL_OK) {
        return store_commit(s->store);
    }
    store_rollback(s->store);
    return code;
}

static int add_update(struct script *s, uint32_t round, uint32_t device)
{
    uint8_t body[BODY_BYTES];
    char receipt[RECEIPT_BYTES];
    fill(body, sizeof body, round * 100 + device);
    receipt_of(round, device, receipt);
    struct store_update update = {.device = device,
                                  .run = 1,
                                  .round = round,
                                  .base_version = round - 1,
                                  .status = status_of(device),
                                  .counted_round = status_of(device) == 0 ? round : 0,
                                  .received_ms = time_of(round, 100 + device),
                                  .samples = device * 10,
                                  .weight = device * 10,
                                  .scale_q16 = 65536,
                                  .receipt = receipt,
                                  .receipt_bytes = sizeof receipt,
                                  .body = body,
                                  .body_bytes = sizeof body};
    key_of(round, device, update.key);
    sha256(body, sizeof body, update.digest);
    return store_update_add(s->store, &update);
}

static int send_update(struct script *s, uint32_t round, uint32_t device)
{
    int code = add_update(s, round, device);
    if (code == MYCEL_OK || code == MYCEL_E_EXISTS) {
        s->acknowledged[round][device] = true;
        return MYCEL_OK;
    }
    return code;
}

/* All of a round in one transaction, whose bodies share a row. EXISTS: one of them was there already. */
static int send_together(struct script *s, uint32_t round)
{
    int code = store_begin_whole(s->store);
    if (code != MYCEL_OK) {
        return code;
    }
    for (uint32_t device = 1; device <= SCRIPT_DEVICES && code == MYCEL_OK; device++) {
        code = add_update(s, round, device);
    }
    if (code != MYCEL_OK) {
        store_rollback(s->store);
        return code;
    }
    code = store_commit(s->store);
    for (uint32_t device = 1; device <= SCRIPT_DEVICES && code == MYCEL_OK; device++) {
        s->acknowledged[round][device] = true;
    }
    return code;
}

/* One by one in odd rounds, and where a round's transaction was there before a crash. */
static int send_updates(struct script *s, uint32_t round)
{
    int code = round % 2 == 0 ? send_together(s, round) : MYCEL_E_EXISTS;
    if (code != MYCEL_E_EXISTS) {
        return code;
    }
    code = MYCEL_OK;
    for (uint32_t device = 1; device <= SCRIPT_DEVICES && code == MYCEL_OK; device++) {
        code = send_update(s, round, device);
    }
    return code;
}

struct sum {
    struct script *script;
    uint8_t *model;
    unsigned count;
};

/* Adds one spooled body to the model, weighted: a body more or less, or another, shows in the result. */
static int add_body(void *user, const struct store_update *update)
{
    struct sum *sum = user;
    uint8_t body[BODY_BYTES];
    size_t bytes = 0;
    int code = store_body_load(sum->script->store, update->key, body, sizeof body, &bytes);
    for (size_t i = 0; code == MYCEL_OK && i < MODEL_BYTES; i++) {
        sum->model[i] = (uint8_t)(sum->model[i] + update->weight * body[i % bytes]);
    }
    sum->count++;
    return code;
}

static int publish(struct script *s, uint32_t round)
{
    uint8_t model[MODEL_BYTES];
    uint8_t optimizer[SHA256_BYTES];
    uint8_t name[SHA256_BYTES];
    size_t bytes = 0;
    struct store_version base;
    struct sum sum = {.script = s, .model = model};
    int code = store_version_get(s->store, 1, round - 1, &base);
    if (code == MYCEL_OK) {
        code = store_blob_load(s->store, base.sha256, model, sizeof model, &bytes);
    }
    if (code == MYCEL_OK) {
        code = store_spooled(s->store, 1, round, add_body, &sum);
    }
    if (code != MYCEL_OK) {
        return code;
    }
    s->lost += sum.count < SCRIPT_DEVICES - 1;
    s->doubled += sum.count > SCRIPT_DEVICES - 1;
    sha256(model, sizeof model, optimizer);
    const struct store_publish what = {.version = {.run = 1,
                                                   .number = round,
                                                   .has_parent = true,
                                                   .parent = round - 1,
                                                   .kind = STORE_VERSION_ROUND,
                                                   .round = round,
                                                   .created_ms = time_of(round, 900)},
                                       .model = model,
                                       .model_bytes = sizeof model,
                                       .optimizer = optimizer,
                                       .optimizer_bytes = sizeof optimizer,
                                       .round = {.run = 1,
                                                 .round = round,
                                                 .attempt = 1,
                                                 .base_version = round - 1,
                                                 .granted = SCRIPT_DEVICES,
                                                 .accepted = SCRIPT_DEVICES - 1,
                                                 .rejected = 1,
                                                 .started_ms = time_of(round, 0),
                                                 .closed_ms = time_of(round, 900)}};
    code = store_publish(s->store, &what, name);
    if (code == MYCEL_OK || code == MYCEL_E_EXISTS) {
        s->published[round] = true;
        return MYCEL_OK;
    }
    return code;
}

static int ensure_measured(struct script *s, uint32_t round)
{
    struct store_version version;
    const struct store_metrics metrics = {.accuracy = 0.5f, .loss = 1.0f, .samples = round};
    int code = store_version_get(s->store, 1, round, &version);
    if (code == MYCEL_OK && !version.has_metrics) {
        code = store_version_measured(s->store, 1, round, &metrics);
    }
    return code;
}

static int ensure_round(struct script *s, uint32_t round)
{
    struct store_round row;
    int code = store_round_get(s->store, 1, round, &row);
    if (code == MYCEL_E_NOT_FOUND) {
        row.state = STORE_ROUND_SELECT;
        code = open_round(s, round);
    }
    if (code == MYCEL_OK) {
        code = send_updates(s, round);
    }
    if (code == MYCEL_OK) {
        code = send_update(s, round, 1); /* the first one did not hear its receipt */
    }
    if (code == MYCEL_OK && row.state != STORE_ROUND_COMMITTED) {
        code = publish(s, round);
    }
    return code != MYCEL_OK ? code : ensure_measured(s, round);
}

/* What an operator does in the end: a tag, once, and the old contents dropped. */
static int ensure_tidy(struct script *s)
{
    struct store_tag tag;
    int code = store_tag_get(s->store, 1, "best", &tag);
    if (code == MYCEL_E_NOT_FOUND) {
        code = store_tag_set(s->store, 1, "best", 2, "script", 7);
    }
    if (code == MYCEL_OK) {
        int dropped = store_retain(s->store, 1);
        code = dropped < 0 ? dropped : MYCEL_OK;
    }
    return code;
}

int script_run(struct script *s)
{
    int code = script_open(s);
    if (code == MYCEL_OK) {
        code = ensure_devices(s);
    }
    if (code == MYCEL_OK) {
        code = ensure_run(s);
    }
    for (uint32_t round = 1; round <= SCRIPT_ROUNDS && code == MYCEL_OK; round++) {
        code = ensure_round(s, round);
    }
    return code != MYCEL_OK ? code : ensure_tidy(s);
}

void script_stop(struct script *s)
{
    store_close(s->store);
    s->store = NULL;
}

/* --- checking --------------------------------------------------------------------------------- */

static int check_receipt(struct script *s, uint32_t round, uint32_t device)
{
    uint8_t key[PROTO_KEY_BYTES];
    char receipt[RECEIPT_BYTES];
    char expected[RECEIPT_BYTES];
    size_t bytes = 0;
    key_of(round, device, key);
    receipt_of(round, device, expected);
    int code = store_receipt(s->store, key, receipt, sizeof receipt, &bytes, NULL);
    if (code == MYCEL_E_NOT_FOUND) {
        s->lost++;
        return MYCEL_OK;
    }
    s->wrong +=
        code == MYCEL_OK && (bytes != sizeof expected || memcmp(receipt, expected, bytes) != 0);
    return code;
}

static int check_published(struct script *s, uint32_t round)
{
    struct store_version version;
    int code = store_version_get(s->store, 1, round, &version);
    s->lost += code == MYCEL_E_NOT_FOUND;
    return code == MYCEL_E_NOT_FOUND ? MYCEL_OK : code;
}

int script_check(struct script *s)
{
    int64_t doubled = 0;
    int code = store_exec_int(s->store,
                              "SELECT COUNT(*) FROM (SELECT 1 FROM updates WHERE status = 0"
                              " GROUP BY device, run, round HAVING COUNT(*) > 1)",
                              &doubled);
    s->doubled += (unsigned)doubled;
    for (uint32_t round = 1; round <= SCRIPT_ROUNDS && code == MYCEL_OK; round++) {
        for (uint32_t device = 1; device <= SCRIPT_DEVICES && code == MYCEL_OK; device++) {
            code = s->acknowledged[round][device] ? check_receipt(s, round, device) : MYCEL_OK;
        }
        if (code == MYCEL_OK && s->published[round]) {
            code = check_published(s, round);
        }
    }
    if (code == MYCEL_OK) {
        char identity[16];
        identity_of(SCRIPT_SELF_ENROLLED, identity);
        code = enrol_script_check(s, identity);
    }
    if (code == MYCEL_OK) {
        char identity[16];
        identity_of(SCRIPT_ROTATED, identity);
        code = rotate_script_check(s, identity);
    }
    return code != MYCEL_OK ? code : store_verify(s->store);
}

static void hash_u32(struct sha256 *hash, uint32_t value)
{
    sha256_update(hash, &value, sizeof value);
}

static int hash_version(void *user, const struct store_version *version)
{
    struct sha256 *hash = user;
    hash_u32(hash, version->number);
    hash_u32(hash, version->kept);
    hash_u32(hash, version->metrics.samples);
    sha256_update(hash, version->sha256, sizeof version->sha256);
    sha256_update(hash, version->optimizer_sha256, sizeof version->optimizer_sha256);
    return MYCEL_OK;
}

static int hash_update(void *user, const struct store_update *update)
{
    struct sha256 *hash = user;
    sha256_update(hash, update->key, sizeof update->key);
    sha256_update(hash, update->digest, sizeof update->digest);
    sha256_update(hash, update->receipt, update->receipt_bytes);
    hash_u32(hash, (uint32_t)update->status);
    hash_u32(hash, update->counted_round);
    hash_u32(hash, (uint32_t)update->body_bytes);
    return MYCEL_OK;
}

/* The audit chain's head is part of it: each deed stands there once, in order. */
int script_digest(struct script *s, uint8_t digest[32])
{
    struct sha256 hash;
    uint64_t seq = 0;
    uint8_t head[STORE_AUDIT_HASH_BYTES];
    sha256_init(&hash);
    int code = store_versions(s->store, 1, hash_version, &hash);
    for (uint32_t round = 1; round <= SCRIPT_ROUNDS && code == MYCEL_OK; round++) {
        code = store_updates(s->store, 1, round, hash_update, &hash);
    }
    if (code == MYCEL_OK) {
        code = store_audit_head(s->store, &seq, head);
        sha256_update(&hash, head, sizeof head);
    }
    sha256_final(&hash, digest);
    return code;
}
