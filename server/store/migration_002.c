/* Schema 2: the model registry. Versions learn how they came to be, and get names. */
#include "server/store/internal.h"

const char *const store_migration_002 =
    "ALTER TABLE versions ADD COLUMN kind INTEGER NOT NULL DEFAULT 2"
    " CHECK(kind BETWEEN 1 AND 5); /* initial, round, rollback, import, average */"
    "ALTER TABLE versions ADD COLUMN source INTEGER NOT NULL DEFAULT 0;"
    "UPDATE versions SET kind = 1 WHERE parent IS NULL;"

    "CREATE TABLE tags("
    " run INTEGER NOT NULL,"
    " name TEXT NOT NULL,"
    " version INTEGER NOT NULL,"
    " set_ms INTEGER NOT NULL CHECK(set_ms >= 0),"
    " PRIMARY KEY(run, name),"
    " FOREIGN KEY(run, version) REFERENCES versions(run, number)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX tags_version ON tags(run, version);";
