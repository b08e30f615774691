/* Schema 7: a device's credential apart from the device. Keys get a table of their own, so that a device may
 * have none (certificate), one, or, while it changes from one to the other, two; and what changes about
 * who may connect is numbered, so that a coordinator need not read its whole fleet to learn of it. */
#include "server/store/internal.h"

/* How many changes are remembered. Who has missed more reads everything. */
#define CHANGES_KEPT "65536"

const char *const store_migration_007 =
    "ALTER TABLE devices ADD COLUMN mode INTEGER NOT NULL DEFAULT 1"
    " CHECK(mode IN (1, 2)); /* pre-shared key, certificate */"

    "CREATE TABLE keys( /* of devices with a pre-shared key, until they are revoked */"
    " device INTEGER PRIMARY KEY REFERENCES devices(id),"
    " generation INTEGER NOT NULL CHECK(generation BETWEEN 1 AND last), /* its number */"
    " last INTEGER NOT NULL CHECK(last BETWEEN 1 AND 4294967295), /* number given */"
    " since_ms INTEGER NOT NULL CHECK(since_ms >= 0),"
    " psk BLOB NOT NULL CHECK(length(psk) BETWEEN 16 AND 32)"
    ") STRICT;"
    "INSERT INTO keys SELECT id, 1, 1, enrolled_ms, psk FROM devices WHERE state = 1 ORDER BY id;"
    "ALTER TABLE devices DROP COLUMN psk;"

    "CREATE TABLE rotations( /* the next key of a device, or that one is due */"
    " device INTEGER PRIMARY KEY REFERENCES keys(device),"
    " from_ms INTEGER NOT NULL CHECK(from_ms >= 0), /* not before: valid, or asked for */"
    " ends_ms INTEGER CHECK(ends_ms >= from_ms), /* of the present key; NULL: with the next "
    "one's first use */"
    " share BLOB CHECK(length(share) = 32), /* our half of it; NULL: it was made in a file */"
    " psk BLOB CHECK(length(psk) BETWEEN 16 AND 32), /* NULL: not made yet */"
    " generation INTEGER CHECK(generation BETWEEN 2 AND 4294967295), /* its number */"
    " CHECK((psk IS NULL) = (generation IS NULL))"
    ") STRICT;"
    "CREATE INDEX rotations_ends ON rotations(ends_ms) WHERE ends_ms IS NOT NULL;"

    "CREATE TABLE changes( /* of who may connect, and how: the newest " CHANGES_KEPT " */"
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " device INTEGER, /* whose row or key is new, other or gone */"
    " token TEXT /* the same of a token; its device, if it has one, has changed, too */"
    ") STRICT;"
    "CREATE TRIGGER changes_kept AFTER INSERT ON changes BEGIN"
    " DELETE FROM changes WHERE seq <= NEW.seq - " CHANGES_KEPT "; END;"

    "CREATE TRIGGER devices_added AFTER INSERT ON devices BEGIN"
    " INSERT INTO changes(device) VALUES(NEW.id); END;"
    "CREATE TRIGGER devices_changed AFTER UPDATE OF state, mode, class ON devices BEGIN"
    " INSERT INTO changes(device) VALUES(NEW.id); END;"
    "CREATE TRIGGER keys_changed AFTER UPDATE OF psk ON keys BEGIN"
    " INSERT INTO changes(device) VALUES(NEW.device); END;"
    "CREATE TRIGGER rotations_added AFTER INSERT ON rotations BEGIN"
    " INSERT INTO changes(device) VALUES(NEW.device); END;"
    "CREATE TRIGGER rotations_changed AFTER UPDATE ON rotations BEGIN"
    " INSERT INTO changes(device) VALUES(NEW.device); END;"
    "CREATE TRIGGER rotations_ended AFTER DELETE ON rotations BEGIN"
    " INSERT INTO changes(device) VALUES(OLD.device); END;"
    "CREATE TRIGGER tokens_added AFTER INSERT ON tokens BEGIN"
    " INSERT INTO changes(device, token) VALUES(NEW.device, NEW.identity); END;"
    "CREATE TRIGGER tokens_changed AFTER UPDATE ON tokens BEGIN"
    " INSERT INTO changes(device, token) VALUES(NEW.device, NEW.identity); END;"
    "CREATE TRIGGER tokens_ended AFTER DELETE ON tokens BEGIN"
    " INSERT INTO changes(device, token) VALUES(OLD.device, OLD.identity); END;";
