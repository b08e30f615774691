/* Schema 6: the downlink as key frames and deltas. Runs from before go on sending versions as they are. */
#include "server/store/internal.h"

const char *const store_migration_006 =
    "ALTER TABLE runs ADD COLUMN downlink INTEGER NOT NULL DEFAULT 0"
    " CHECK(downlink BETWEEN 0 AND 1);"

    "CREATE TABLE downlinks( /* what devices hold of a version, where it is not the version itself "
    "*/"
    " run INTEGER NOT NULL,"
    " version INTEGER NOT NULL,"
    " held_sha256 BLOB NOT NULL REFERENCES blobs(sha256),"
    " chain_sha256 BLOB NOT NULL REFERENCES blobs(sha256), /* frames from the key frame on */"
    " PRIMARY KEY(run, version),"
    " FOREIGN KEY(run, version) REFERENCES versions(run, number)"
    ") STRICT, WITHOUT ROWID;";
