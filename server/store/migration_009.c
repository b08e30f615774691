/*
 * Schema 9: of what devices hold each version adds one frame. Frames before it are not stored with it again, and
 * what they lead to is not stored at all: whoever needs it adds them up. Versions from before are sent whole.
 */
#include "server/store/internal.h"

const char *const store_migration_009 =
    "CREATE TABLE stale AS SELECT held_sha256 AS name FROM downlinks"
    " UNION SELECT chain_sha256 FROM downlinks;"
    "DROP TABLE downlinks;"
    "DELETE FROM blobs WHERE sha256 IN (SELECT name FROM stale)"
    " AND sha256 NOT IN (SELECT sha256 FROM versions UNION SELECT optimizer_sha256 FROM versions"
    " WHERE optimizer_sha256 IS NOT NULL);"
    "DROP TABLE stale;"
    "CREATE TABLE downlinks( /* what devices hold of a version, where it is not the version itself "
    "*/"
    " run INTEGER NOT NULL,"
    " version INTEGER NOT NULL,"
    " key INTEGER NOT NULL CHECK(key IN (0, 1)), /* the frame is added to zeros, else to what */"
    " /* devices held of the version before */"
    " held_sha256 BLOB NOT NULL CHECK(length(held_sha256) = 32), /* of the sum */"
    " frame_sha256 BLOB NOT NULL REFERENCES blobs(sha256),"
    " PRIMARY KEY(run, version),"
    " FOREIGN KEY(run, version) REFERENCES versions(run, number)"
    ") STRICT, WITHOUT ROWID;";
