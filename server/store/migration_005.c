/* Schema 5: enrolment tokens that nobody has spent yet. A row goes when its token is spent: what was is
 * in the audit log. */
#include "server/store/internal.h"

const char *const store_migration_005 =
    "CREATE TABLE tokens("
    " identity TEXT PRIMARY KEY NOT NULL, /* of its sessions: follows from the token */"
    " name TEXT NOT NULL UNIQUE CHECK(length(name) BETWEEN 1 AND 64), /* of the device */"
    " class TEXT NOT NULL,"
    " psk BLOB NOT NULL CHECK(length(psk) = 16), /* hashes of the token, … */"
    " proof BLOB NOT NULL CHECK(length(proof) = 32),"
    " share BLOB NOT NULL CHECK(length(share) = 32), /* … and our half of the device's key */"
    " created_ms INTEGER NOT NULL CHECK(created_ms >= 0),"
    " expires_ms INTEGER NOT NULL CHECK(expires_ms >= 0),"
    " device INTEGER UNIQUE REFERENCES devices(id) /* that it made; NULL: none yet */"
    ") STRICT;";
