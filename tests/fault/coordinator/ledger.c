/* What has to be in the store: before the fleet begins, and whatever happened to it. See fleet.h. */
#include "fleet.h"

#include "common/crypto/sha256.h"
#include "server/store/internal.h"

#include <stdio.h>
#include <string.h>

/* --- before ----------------------------------------------------------------------------------- */

static int add_devices(struct store *store)
{
    for (uint32_t id = 1; id <= FLEET_DEVICES; id++) {
        char identity[16];
        uint8_t psk[16] = {(uint8_t)id};
        uint32_t given = 0;
        (void)snprintf(identity, sizeof identity, "device-%u", id);
        int rc = store_device_enroll(store, identity, "", psk, sizeof psk, FLEET_WALL_MS, &given);
        if (rc < 0) {
            return rc;
        }
    }
    return MYCEL_OK;
}

static int add_run(struct store *store, const struct fleet *fleet, uint32_t over_permille)
{
    const struct store_run_config config = {.name = "run",
                                            .model = "m",
                                            .strategy = "fedavg",
                                            .params = fleet->params,
                                            .downlink = fleet->downlink,
                                            .seed = 42,
                                            .goal = FLEET_GOAL,
                                            .minimum = FLEET_GOAL,
                                            .over_permille = over_permille,
                                            .soft_ms = FLEET_HARD_MS / 2,
                                            .hard_ms = FLEET_HARD_MS,
                                            .lease_ms = FLEET_LEASE_MS,
                                            .pace_ms = 1000,
                                            .codecs = 1,
                                            .epochs = 1,
                                            .batch = 1,
                                            .learning_rate = 0.1f,
                                            .rounds = FLEET_ROUNDS};
    struct store_version version = {.kind = STORE_VERSION_INITIAL, .created_ms = FLEET_WALL_MS};
    float model[FLEET_PARAMS_MAX] = {0};
    int rc = store_run_create(store, &config, FLEET_WALL_MS, &version.run);
    if (rc == 0) {
        rc = store_blob_put(store, model, fleet->params * sizeof model[0], version.sha256);
    }
    return rc == 0 ? store_version_add(store, &version) : rc;
}

int fleet_prepare(const struct fleet *fleet, uint32_t over_permille)
{
    const struct store_options options = {
        .folder = fleet->coordinator.folder, .create = true, .vfs = fleet->coordinator.vfs};
    struct store *store;
    int rc = store_open(&options, &store, NULL);
    if (rc < 0) {
        return rc;
    }
    rc = store_begin(store);
    if (rc == 0) {
        rc = add_devices(store);
    }
    if (rc == 0) {
        rc = add_run(store, fleet, over_permille);
    }
    rc = rc == 0 ? store_commit(store) : rc;
    store_close(store);
    return rc;
}

/* --- afterwards ------------------------------------------------------------------------------- */

static int check_receipt(struct fleet *fleet, uint32_t id, uint32_t round)
{
    const struct fleet_sent *sent = &fleet->devices[id].sent[round];
    uint8_t receipt[PROTO_MESSAGE_BYTES_MAX];
    size_t bytes = 0;
    int rc =
        store_receipt(fleet->coordinator.store, sent->key, receipt, sizeof receipt, &bytes, NULL);
    if (rc == MYCEL_E_NOT_FOUND) {
        fleet->lost++;
        (void)fprintf(stderr, "an acknowledged update is lost: device %u, round %u\n", id, round);
        return MYCEL_OK;
    }
    if (rc == 0 && (bytes != sent->receipt_bytes || memcmp(receipt, sent->receipt, bytes) != 0)) {
        fleet_complain(fleet, "another receipt is stored than was given", id, round);
    }
    return rc;
}

static int count(struct fleet *fleet, const char *sql, unsigned *sum)
{
    int64_t value = 0;
    int rc = store_exec_int(fleet->coordinator.store, sql, &value);
    *sum += (unsigned)value;
    return rc;
}

static int check_round(struct fleet *fleet, uint32_t number)
{
    struct store_round round;
    int rc = store_round_get(fleet->coordinator.store, COORDINATOR_RUN, number, &round);
    if (rc == 0 && (round.state != STORE_ROUND_COMMITTED || round.accepted != FLEET_GOAL)) {
        fleet_complain(fleet, "a round did not end with its updates", 0, number);
    }
    return rc;
}

/* The stored frames lead to what is said to be held. */
static int check_chain(struct fleet *fleet, uint32_t version)
{
    struct store *store = fleet->coordinator.store;
    struct store_downlink rows[STORE_CHAIN_FRAMES_MAX];
    uint8_t chain[4096], digest[PROTO_SHA256_BYTES];
    float held[FLEET_PARAMS_MAX] = {0};
    size_t bytes = 0;
    int frames = store_chain(store, COORDINATOR_RUN, version, rows);
    int rc = frames < 0
                 ? frames
                 : store_chain_load(store, COORDINATOR_RUN, version, chain, sizeof chain, &bytes);
    if (rc == 0 && !fleet_add_frames(chain, bytes, fleet->params, held)) {
        fleet_complain(fleet, "a chain cannot be read", 0, version);
    }
    if (rc == 0) {
        sha256(held, fleet->params * sizeof held[0], digest);
    }
    if (rc == 0 && memcmp(digest, rows[frames - 1].held_sha256, sizeof digest) != 0) {
        fleet_complain(fleet, "a chain leads elsewhere", 0, version);
    }
    return rc;
}

int fleet_check(struct fleet *fleet, bool finished)
{
    int rc = count(fleet,
                   "SELECT COUNT(*) FROM (SELECT 1 FROM updates WHERE counted_round > 0"
                   " GROUP BY device, run, counted_round HAVING COUNT(*) > 1)",
                   &fleet->doubled);
    /* Nothing counts that is not good, and every round's row says how many do. */
    if (rc == 0) {
        rc = count(fleet, "SELECT COUNT(*) FROM updates WHERE counted_round > 0 AND status != 0",
                   &fleet->wrong);
    }
    if (rc == 0) {
        rc = count(fleet,
                   "SELECT COUNT(*) FROM rounds AS r WHERE version IS NOT NULL AND accepted !="
                   " (SELECT COUNT(*) FROM updates WHERE run = r.run AND counted_round = r.round)",
                   &fleet->doubled);
    }
    for (uint32_t id = 1; id <= FLEET_DEVICES && rc == 0; id++) {
        for (uint32_t round = 1; round <= FLEET_ROUNDS && rc == 0; round++) {
            rc = fleet->devices[id].sent[round].acknowledged ? check_receipt(fleet, id, round)
                                                             : MYCEL_OK;
        }
    }
    for (uint32_t round = 1; finished && round <= FLEET_ROUNDS && rc == 0; round++) {
        rc = check_round(fleet, round);
    }
    bool deltas = finished && fleet->downlink == DOWNLINK_DELTA;
    for (uint32_t version = 1; deltas && version <= FLEET_ROUNDS && rc == 0; version++) {
        rc = check_chain(fleet, version);
    }
    return rc == 0 ? store_verify(fleet->coordinator.store) : rc;
}

int fleet_model(struct fleet *fleet, uint8_t sha256[PROTO_SHA256_BYTES])
{
    struct store_version version;
    int rc = store_version_newest(fleet->coordinator.store, COORDINATOR_RUN, &version);
    if (rc == 0) {
        memcpy(sha256, version.sha256, PROTO_SHA256_BYTES);
    }
    return rc;
}
