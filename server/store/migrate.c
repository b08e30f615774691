/* Brings a database's schema up to date, one committed step at a time. It must never change a schema
 * that is newer than this build, nor touch a database that is not Mycel's. */
#include "server/store/internal.h"

#include <stdio.h>

static int step(struct store *store, int from)
{
    const char *const migrations[STORE_MIGRATIONS] = {
        store_migration_001, store_migration_002, store_migration_003,
        store_migration_004, store_migration_005, store_migration_006,
        store_migration_007, store_migration_008, store_migration_009};
    int code = store_exec(store, migrations[from]);
    if (code == MYCEL_OK) {
        char stamp[96];
        (void)snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                       STORE_APPLICATION, from + 1);
        code = store_exec(store, stamp);
    }
    return code;
}

/* Is it ours, and at which schema? A database without any table is a new one. */
static int inspect(struct store *store, int64_t *version)
{
    int64_t application = 0;
    int64_t tables = 0;
    int code = store_exec_int(store, "PRAGMA application_id", &application);
    if (code == MYCEL_OK) {
        code = store_exec_int(store, "PRAGMA user_version", version);
    }
    if (code == MYCEL_OK) {
        code = store_exec_int(store, "SELECT COUNT(*) FROM sqlite_schema", &tables);
    }
    if (code != MYCEL_OK) {
        return code;
    }
    bool fresh = application == 0 && *version == 0 && tables == 0;
    if (application != STORE_APPLICATION && !fresh) {
        return store_fail(store, MYCEL_E_CORRUPT, "this is a database of another program");
    }
    if (*version > STORE_SCHEMA || *version < 0) {
        return store_fail(
            store, MYCEL_E_VERSION,
            "the database has schema %d, this build knows up to %d: use a newer mycel",
            (int)*version, STORE_SCHEMA);
    }
    return MYCEL_OK;
}

int store_migrate(struct store *store, int target)
{
    int64_t version = 0;
    int code = inspect(store, &version);
    if (code == MYCEL_OK && store->read_only && version < target) {
        return store_fail(store, MYCEL_E_VERSION,
                          "the database has schema %d and must be brought to %d first",
                          (int)version, target);
    }
    for (int i = 0; i < STORE_MIGRATIONS && code == MYCEL_OK && version < target; i++) {
        /* Looked at again under the write lock: another process may have been faster. */
        code = store_begin(store);
        if (code == MYCEL_OK) {
            code = inspect(store, &version);
            if (code == MYCEL_OK && version < target) {
                code = step(store, (int)version);
                version++;
            }
            if (code == MYCEL_OK) {
                code = store_commit(store);
            } else {
                store_rollback(store);
            }
        }
    }
    return code;
}
