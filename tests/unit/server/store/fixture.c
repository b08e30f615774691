/* See fixture.h. Everything is asserted on the spot, so that the tests need not. */
#include "fixture.h"

#include "common/crypto/sha256.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/mycel-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    fixture_reopen(f);
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    int rc = nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return rc;
}

void fixture_path(const struct fixture *f, const char *name, char path[PATH_MAX])
{
    assert_true(snprintf(path, PATH_MAX, "%s/%s", f->folder, name) < PATH_MAX);
}

int fixture_try_open(const struct fixture *f, bool create, struct store **out, char *problem)
{
    const struct store_options options = {.folder = f->folder, .create = create, .check = true};
    return store_open(&options, out, problem);
}

void fixture_reopen(struct fixture *f)
{
    char problem[STORE_PROBLEM_BYTES] = "";
    store_close(f->store);
    int code = fixture_try_open(f, true, &f->store, problem);
    assert_string_equal(problem, "");
    assert_int_equal(code, 0);
}

struct store *fixture_second(const struct fixture *f, bool read_only)
{
    const struct store_options options = {.folder = f->folder, .read_only = read_only};
    struct store *store = NULL;
    assert_int_equal(store_open(&options, &store, NULL), 0);
    return store;
}

int fixture_sql(const struct fixture *f, const char *sql)
{
    char path[PATH_MAX];
    fixture_path(f, STORE_FILE, path);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return rc;
}

long long fixture_number(const struct fixture *f, const char *sql)
{
    char path[PATH_MAX];
    fixture_path(f, STORE_FILE, path);
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    long long number = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return number;
}

struct store_run_config fixture_config(const char *name)
{
    struct store_run_config config = {
        .model = "4x5x5 > dense 1",
        .strategy = "fedavg lr=1",
        .device_class = "linux",
        .tags = {"site=a", "kind=b"},
        .params = MODEL_BYTES / 4,
        .seed = 0xFEDCBA9876543210u,
        .samples_min = 1,
        .goal = 4,
        .minimum = 2,
        .over_permille = 1300,
        .over_learn = true,
        .soft_ms = 600000,
        .codec = 2,
        .codecs = 4,
        .update_bytes_max = 1u << 20,
        .clip_norm = 1.5f,
        .epochs = 1,
        .batch = 20,
        .learning_rate = 0.1f,
        .momentum = 0.9f,
        .rounds = 20,
        .target_accuracy = 0.85f,
    };
    (void)snprintf(config.name, sizeof config.name, "%s", name);
    return config;
}

uint32_t fixture_device(struct store *store, unsigned number)
{
    char identity[32];
    uint8_t psk[16];
    uint32_t id = 0;
    (void)snprintf(identity, sizeof identity, "device-%u", number);
    memset(psk, (int)number, sizeof psk);
    assert_int_equal(store_device_enroll(store, identity, "linux", psk, sizeof psk, 1000, &id), 0);
    return id;
}

uint32_t fixture_run(struct store *store, const char *name, uint8_t fill)
{
    struct store_run_config config = fixture_config(name);
    uint8_t model[MODEL_BYTES];
    struct store_version version = {.kind = STORE_VERSION_INITIAL, .created_ms = 2000};
    memset(model, fill, sizeof model);
    assert_int_equal(store_begin(store), 0);
    assert_int_equal(store_run_create(store, &config, 2000, &version.run), 0);
    assert_int_equal(store_blob_put(store, model, sizeof model, version.sha256), 0);
    assert_int_equal(store_version_add(store, &version), 0);
    assert_int_equal(store_commit(store), 0);
    return version.run;
}

void fixture_round(struct store *store, uint32_t run, uint32_t round, uint32_t base)
{
    const struct store_round row = {.run = run,
                                    .round = round,
                                    .attempt = 1,
                                    .state = STORE_ROUND_SELECT,
                                    .base_version = base,
                                    .started_ms = 3000};
    assert_int_equal(store_round_put(store, &row), 0);
}

struct store_lease fixture_lease(struct store *store, uint32_t device, uint32_t run, uint32_t round,
                                 uint32_t attempt, uint32_t base)
{
    struct store_lease lease = {.device = device,
                                .run = run,
                                .round = round,
                                .attempt = attempt,
                                .base_version = base,
                                .codec = 2,
                                .seed = UINT64_MAX - device,
                                .issued_ms = 4000 + device,
                                .deadline_ms = 9000,
                                .state = STORE_LEASE_OPEN};
    const uint32_t name[4] = {device, run, round, attempt};
    memcpy(lease.key, name, sizeof lease.key);
    assert_int_equal(store_lease_put(store, &lease), 0);
    return lease;
}

struct store_update fixture_update(const struct store_lease *lease, int status, uint8_t fill)
{
    static uint8_t body[BODY_BYTES];
    static char receipt[64];
    struct store_update update = {.device = lease->device,
                                  .run = lease->run,
                                  .round = lease->round,
                                  .base_version = lease->base_version,
                                  .status = status,
                                  .counted_round = status == 0 ? lease->round : 0,
                                  .received_ms = 5000 + lease->device,
                                  .samples = 100 + lease->device,
                                  .steps = 30,
                                  .train_ms = 1234,
                                  .codec = 2,
                                  .loss_first = 2.25f,
                                  .loss_last = 1.125f,
                                  .norm = 0.1f,
                                  .weight = 100 + lease->device,
                                  .scale_q16 = 65536,
                                  .receipt = receipt,
                                  .body = body,
                                  .body_bytes = sizeof body};
    memcpy(update.key, lease->key, sizeof update.key);
    memset(body, fill, sizeof body);
    sha256(body, sizeof body, update.digest);
    update.receipt_bytes = (size_t)snprintf(receipt, sizeof receipt, "receipt %u/%u/%u %d",
                                            lease->device, lease->run, lease->round, status);
    return update;
}

struct store_publish fixture_publish(uint32_t run, uint32_t round, uint32_t parent, uint8_t fill)
{
    static uint8_t model[MODEL_BYTES];
    static uint8_t optimizer[MODEL_BYTES];
    memset(model, fill, sizeof model);
    memset(optimizer, ~fill, sizeof optimizer);
    return (struct store_publish){
        .version = {.run = run,
                    .number = parent + 1,
                    .has_parent = true,
                    .parent = parent,
                    .kind = STORE_VERSION_ROUND,
                    .round = round,
                    .created_ms = 6000},
        .model = model,
        .model_bytes = sizeof model,
        .optimizer = optimizer,
        .optimizer_bytes = sizeof optimizer,
        .round = {.run = run,
                  .round = round,
                  .attempt = 1,
                  .base_version = parent,
                  .granted = 3,
                  .accepted = 2,
                  .rejected = 1,
                  .samples = 250,
                  .started_ms = 3000,
                  .closed_ms = 6000},
    };
}
