/*
 * Every statement that is run more than once, in one table, so that the schema's users can be read
 * next to each other. Parameters and columns are bound and read in the order they stand here.
 */
#ifndef SERVER_STORE_STATEMENTS_H
#define SERVER_STORE_STATEMENTS_H

/* The columns of struct store_rotation. */
#define SQL_ROTATION_SELECT                                                                        \
    "CASE WHEN o.device IS NULL THEN 0 WHEN o.share IS NULL THEN 1 ELSE 2 END,"                    \
    " IFNULL(from_ms, 0), IFNULL(ends_ms, 0), o.psk IS NOT NULL"

/* A device; before it come its updates that counted, those that did not, and the time of its last lease. */
#define SQL_DEVICE_COLUMNS                                                                         \
    " id, identity, class, d.state, enrolled_ms, revoked_ms, strikes, quarantine_until_ms,"        \
    " mode, IFNULL(k.generation, 0), IFNULL(since_ms, 0), " SQL_ROTATION_SELECT                    \
    " FROM devices d LEFT JOIN keys k ON k.device = d.id"                                          \
    " LEFT JOIN rotations o ON o.device = d.id "

/* Of one device: a walk through an index of all that counted, and back to its last lease. There is no index
 * for this question, which people ask: each update would have to pay for it. */
#define SQL_DEVICE_SELECT                                                                          \
    "SELECT (SELECT COUNT(*) FROM updates u WHERE u.device = d.id AND u.counted_round > 0),"       \
    " (SELECT COUNT(*) FROM updates u WHERE u.device = d.id AND u.status <> 0),"                   \
    " IFNULL((SELECT issued_ms FROM leases l WHERE l.device = d.id ORDER BY l.id DESC LIMIT 1), "  \
    "0)," SQL_DEVICE_COLUMNS

#define SQL_KEY_SELECT                                                                             \
    "SELECT id, identity, class, state, mode,"                                                     \
    " EXISTS(SELECT 1 FROM tokens t WHERE t.device = d.id), IFNULL(k.generation, 0), "             \
    "k.psk, " SQL_ROTATION_SELECT ", IFNULL(o.generation, 0), o.psk"                               \
    " FROM devices d LEFT JOIN keys k ON k.device = d.id"                                          \
    " LEFT JOIN rotations o ON o.device = d.id "

#define SQL_TOKEN_SELECT                                                                           \
    "SELECT identity, name, class, psk, created_ms, expires_ms, IFNULL(device, 0), proof, share"   \
    " FROM tokens "

/* The columns of struct store_run_config, in the order in which store_run.c binds and reads them. */
#define SQL_RUN_CONFIG                                                                             \
    "name, model, strategy, device_class, tags, seed, update_bytes_max, params, goal, minimum,"    \
    " epochs, batch, concurrency, staleness_max, over_permille, weighting, select_ms, soft_ms,"    \
    " hard_ms, lease_ms, pace_ms, samples_min, samples_max, battery_min, spacing_rounds, cap,"     \
    " fair_permille, utility_permille, codec, codecs, steps_max, rounds, patience,"                \
    " soft_min_ms, soft_max_ms, interval_ms, downlink, staleness_discount, over_learn, "           \
    "soft_learn, "                                                                                 \
    "busy_allowed,"                                                                                \
    " clip_norm, learning_rate, momentum, prox_mu, target_accuracy"

#define SQL_RUN_SELECT                                                                             \
    "SELECT id, state, " SQL_RUN_CONFIG ", drop_permille, drop_rounds, round_ms, gap_ms,"          \
    " report_ms, best, best_version, evaluated, created_ms, ended_ms, reason,"                     \
    " (SELECT IFNULL(MAX(round), 0) FROM rounds t WHERE t.run = r.id),"                            \
    " (SELECT MAX(number) FROM versions v WHERE v.run = r.id),"                                    \
    " (SELECT MAX(number) FROM versions v WHERE v.run = r.id AND v.samples IS NOT NULL)"           \
    " FROM runs r "

#define SQL_ROUND_SELECT                                                                           \
    "SELECT run, round, attempt, state, base_version, granted, accepted, rejected, samples,"       \
    " started_ms, closed_ms, version FROM rounds "

#define SQL_VERSION_SELECT                                                                         \
    "SELECT run, number, kind, source, round, created_ms, sha256, b.bytes, b.data IS NOT NULL,"    \
    " parent, optimizer_sha256, accuracy, loss, samples"                                           \
    " FROM versions v JOIN blobs b USING(sha256) "

/* A lease without an update has no decision. */
#define SQL_UNDECIDED(lease) "NOT EXISTS (SELECT 1 FROM updates u WHERE u.lease = " lease ".id)"

#define SQL_LEASE_SELECT                                                                           \
    "SELECT key, device, l.run, l.round, attempt, base_version, codec, seed, issued_ms,"           \
    " deadline_ms, CASE WHEN " SQL_UNDECIDED(                                                      \
        "l") " THEN state ELSE 2 END, v.sha256"                                                    \
             " FROM leases l JOIN versions v ON v.run = l.run AND v.number = l.base_version "

/* Each round by itself: with `=` SQLite would search by the condition that makes the index usable, which all rows meet. */
#define SQL_COUNTED_IN(round)                                                                      \
    "counted_round >= " round " AND counted_round <= " round " AND counted_round > 0"

/* From updates u, leases l and spool s. */
#define SQL_UPDATE_COLUMNS                                                                         \
    "l.key, u.device, u.run, u.round, l.base_version, u.status, u.late, u.counted_round,"          \
    " u.digest, u.received_ms, u.samples, u.steps, u.train_ms, u.codec, u.loss_first,"             \
    " u.loss_last, u.norm, u.weight, u.staleness, u.scale_q16, u.receipt,"                         \
    " CASE WHEN s.id IS NULL THEN 0 ELSE u.body_bytes END, l.attempt"

#define SQL_UPDATE_SELECT                                                                          \
    "SELECT " SQL_UPDATE_COLUMNS " FROM updates u CROSS JOIN leases l ON l.id = u.lease"           \
    " LEFT JOIN spool s ON s.id = u.spool "

/* Which versions must keep their content: the newest ?1 of each run, tagged ones, and those that a
 * device may still be asked to start from. */
#define SQL_KEPT                                                                                   \
    "WITH ranked AS (SELECT run, number, sha256, optimizer_sha256,"                                \
    "  row_number() OVER (PARTITION BY run ORDER BY number DESC) AS rank FROM versions),"          \
    " kept AS (SELECT run, number, sha256, optimizer_sha256 FROM ranked v WHERE rank <= ?1"        \
    "  OR EXISTS (SELECT 1 FROM tags t WHERE t.run = v.run AND t.version = v.number)"              \
    "  OR number = (SELECT CASE WHEN r.state < 5 THEN r.base_version END FROM rounds r"            \
    "   WHERE r.run = v.run ORDER BY r.round DESC LIMIT 1)) "

/* clang-format off */
#define STORE_STATEMENTS(X) \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE") \
    X(BEGIN_READ, "BEGIN") \
    X(COMMIT, "COMMIT") \
    X(ROLLBACK, "ROLLBACK") \
    X(MARK, "SAVEPOINT mark") \
    X(RELEASE, "RELEASE mark") \
    X(UNDO, "ROLLBACK TO mark") \
    X(DATA_VERSION, "PRAGMA data_version") \
    X(PROBE, "INSERT OR REPLACE INTO probe(id, filler) VALUES(1, randomblob(65536))") \
    \
    X(AUDIT_ADD, "INSERT INTO audit(seq, at_ms, actor, action, subject, detail, hash)" \
        " VALUES(?, ?, ?, ?, ?, ?, ?)") \
    X(AUDIT_HEAD, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1") \
    X(AUDIT_LIST, "SELECT seq, at_ms, actor, action, subject, detail, hash FROM audit" \
        " WHERE seq >= ? ORDER BY seq") \
    \
    X(DEVICE_ADD, "INSERT INTO devices(identity, class, mode, state, enrolled_ms)" \
        " VALUES(?, ?, ?, 1, ?)") \
    X(DEVICE_REVOKE, "UPDATE devices SET state = 2, revoked_ms = ?" \
        " WHERE identity = ? AND state = 1") \
    X(DEVICE_BY_IDENTITY, SQL_DEVICE_SELECT "WHERE identity = ?") \
    X(DEVICE_BY_ID, SQL_DEVICE_SELECT "WHERE id = ?") \
    X(DEVICE_LIST, "SELECT 0, 0, 0," SQL_DEVICE_COLUMNS "ORDER BY id") \
    X(DEVICE_CONDUCT, "WITH counted AS (SELECT device, COUNT(*) AS updates FROM updates" \
        " WHERE counted_round > 0 GROUP BY device), refused AS (SELECT device, COUNT(*) AS updates" \
        " FROM updates WHERE status <> 0 GROUP BY device), seen AS (SELECT device," \
        " MAX(issued_ms) AS at_ms FROM leases GROUP BY device)" \
        " SELECT IFNULL(c.updates, 0), IFNULL(r.updates, 0), IFNULL(s.at_ms, 0)," \
        SQL_DEVICE_COLUMNS "LEFT JOIN counted c ON c.device = d.id" \
        " LEFT JOIN refused r ON r.device = d.id LEFT JOIN seen s ON s.device = d.id" \
        " ORDER BY id") \
    X(DEVICE_PENALTY, "UPDATE devices SET strikes = ?, quarantine_until_ms = ? WHERE id = ?") \
    X(DEVICE_WHY, "INSERT OR REPLACE INTO whys(device, run, why, at_ms) VALUES(?, ?, ?, ?)") \
    X(DEVICE_WHYS, "SELECT device, run, why, at_ms FROM whys WHERE device = ?" \
        " ORDER BY at_ms DESC, run") \
    \
    X(KEY_ADD, "INSERT INTO keys(device, generation, last, since_ms, psk) VALUES(?, 1, 1, ?, ?)") \
    X(KEY_NUMBER, "UPDATE keys SET last = last + 1 WHERE device = ?") \
    X(KEY_RENEW, "UPDATE keys SET psk = ?1, last = last + 1, generation = last + 1," \
        " since_ms = ?2 WHERE device = ?3 AND psk <> ?1") \
    X(KEY_FORGET, "DELETE FROM keys WHERE device = (SELECT id FROM devices WHERE identity = ?)") \
    X(KEY_BY_IDENTITY, SQL_KEY_SELECT "WHERE identity = ?") \
    X(KEY_BY_ID, SQL_KEY_SELECT "WHERE id = ?") \
    X(KEY_LIST, SQL_KEY_SELECT "ORDER BY id") \
    X(KEY_CHANGED, SQL_KEY_SELECT "WHERE id IN (SELECT device FROM changes WHERE seq > ?)" \
        " ORDER BY id") \
    X(CHANGE_RANGE, "SELECT IFNULL((SELECT MIN(seq) FROM changes), 0)," \
        " IFNULL((SELECT MAX(seq) FROM changes), 0)") \
    \
    X(ROTATION_ADD, "INSERT INTO rotations(device, from_ms, ends_ms, share) VALUES(?, ?, ?, ?)") \
    X(ROTATION_SHARE, "SELECT share FROM rotations WHERE device = ? AND share IS NOT NULL" \
        " AND from_ms <= ?") \
    X(ROTATION_HAS, "SELECT 1 FROM rotations WHERE device = ? AND psk = ?") \
    X(ROTATION_KEY, "UPDATE rotations SET psk = ?, generation = (SELECT last FROM keys k" \
        " WHERE k.device = rotations.device) WHERE device = ?") \
    X(ROTATION_TAKE, "UPDATE keys SET generation = o.generation, psk = o.psk, since_ms = ?1" \
        " FROM rotations o WHERE o.device = keys.device AND keys.device = ?2" \
        " AND (o.generation = ?3 OR o.ends_ms <= ?1)") \
    X(ROTATION_DUE, "SELECT device FROM rotations WHERE ends_ms <= ? ORDER BY ends_ms LIMIT 1") \
    X(ROTATION_NEXT, "SELECT MIN(ends_ms) FROM rotations WHERE ends_ms IS NOT NULL") \
    X(ROTATION_END, "DELETE FROM rotations WHERE device = ?") \
    X(ROTATION_FORGET, "DELETE FROM rotations" \
        " WHERE device = (SELECT id FROM devices WHERE identity = ?)") \
    \
    X(TOKEN_ADD, "INSERT INTO tokens(identity, name, class, psk, proof, share, created_ms," \
        " expires_ms, device) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)") \
    X(TOKEN_DISCARD, "DELETE FROM tokens WHERE name = ? OR (device IS NULL AND expires_ms <= ?)") \
    X(TOKEN_FIND, SQL_TOKEN_SELECT "WHERE identity = ?") \
    X(TOKEN_LIST, SQL_TOKEN_SELECT "ORDER BY identity") \
    X(TOKEN_CHANGED, "SELECT c.token, IFNULL(name, ''), IFNULL(class, '')," \
        " IFNULL(psk, zeroblob(16)), IFNULL(created_ms, 0), IFNULL(expires_ms, 0)," \
        " IFNULL(t.device, 0), IFNULL(proof, zeroblob(32)), IFNULL(share, zeroblob(32))" \
        " FROM (SELECT DISTINCT token FROM changes WHERE seq > ? AND token IS NOT NULL) c" \
        " LEFT JOIN tokens t ON t.identity = c.token ORDER BY c.token") \
    X(TOKEN_OF_DEVICE, "SELECT 1 FROM tokens WHERE device = ?") \
    X(TOKEN_LINK, "UPDATE tokens SET device = ? WHERE identity = ?") \
    X(TOKEN_SPEND, "DELETE FROM tokens WHERE device = ?") \
    X(TOKEN_REVOKE, "DELETE FROM tokens WHERE name = ?") \
    \
    X(RUN_ADD, "INSERT INTO runs(" SQL_RUN_CONFIG ", created_ms, state) VALUES(?, ?, ?, ?, ?, ?," \
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?," \
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)") \
    X(RUN_STATE, "UPDATE runs SET state = ?, ended_ms = ?, reason = ? WHERE id = ?") \
    X(RUN_PROGRESS, "UPDATE runs SET drop_permille = ?, drop_rounds = ?, round_ms = ?," \
        " gap_ms = ?, report_ms = ?, best = ?, best_version = ?, evaluated = ?," \
        " ended_ms = CASE WHEN state IN (1, 2) AND ?9 IN (3, 4) THEN ?10 ELSE ended_ms END," \
        " state = CASE WHEN state IN (1, 2) AND ?9 IN (3, 4) THEN ?9 ELSE state END" \
        " WHERE id = ?11") \
    X(RUN_BY_ID, SQL_RUN_SELECT "WHERE id = ?") \
    X(RUN_BY_NAME, SQL_RUN_SELECT "WHERE name = ?") \
    X(RUN_LIST, SQL_RUN_SELECT "ORDER BY id") \
    \
    X(ROUND_PUT, "INSERT INTO rounds(run, round, attempt, state, base_version, granted, accepted," \
        " rejected, samples, started_ms, closed_ms, version)" \
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" \
        " ON CONFLICT(run, round) DO UPDATE SET attempt = excluded.attempt," \
        " state = excluded.state, base_version = excluded.base_version," \
        " granted = excluded.granted, accepted = excluded.accepted," \
        " rejected = excluded.rejected, samples = excluded.samples," \
        " started_ms = excluded.started_ms, closed_ms = excluded.closed_ms," \
        " version = excluded.version WHERE state <> 5") \
    X(ROUND_GET, SQL_ROUND_SELECT "WHERE run = ? AND round = ?") \
    X(ROUND_LIST, SQL_ROUND_SELECT "WHERE run = ? AND (state <> 5 OR NOT ?) ORDER BY round") \
    \
    X(BLOB_PUT, "INSERT INTO blobs(sha256, bytes, data) VALUES(?, ?, ?)" \
        " ON CONFLICT(sha256) DO UPDATE SET data = excluded.data WHERE data IS NULL") \
    X(BLOB_FIND, "SELECT id, bytes FROM blobs WHERE sha256 = ? AND data IS NOT NULL") \
    X(BLOB_LIST, "SELECT id, bytes, sha256 FROM blobs WHERE data IS NOT NULL ORDER BY id") \
    X(BLOB_RETAIN, SQL_KEPT "UPDATE blobs SET data = NULL WHERE data IS NOT NULL" \
        " AND sha256 NOT IN (SELECT sha256 FROM kept UNION SELECT optimizer_sha256 FROM kept" \
        " WHERE optimizer_sha256 IS NOT NULL" \
        " UNION SELECT frame_sha256 FROM downlinks d JOIN kept k ON k.run = d.run" \
        " AND d.version BETWEEN k.number - 31 AND k.number)") \
    \
    X(VERSION_ADD, "INSERT INTO versions(run, number, kind, source, round, created_ms, sha256," \
        " parent, optimizer_sha256, accuracy, loss, samples)" \
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)") \
    X(VERSION_MEASURED, "UPDATE versions SET accuracy = ?, loss = ?, samples = ?" \
        " WHERE run = ? AND number = ?") \
    X(VERSION_GET, SQL_VERSION_SELECT "WHERE run = ? AND number = ?") \
    X(VERSION_NEWEST, SQL_VERSION_SELECT "WHERE run = ? ORDER BY number DESC LIMIT 1") \
    X(VERSION_LIST, SQL_VERSION_SELECT "WHERE run = ? ORDER BY number") \
    \
    X(DOWNLINK_ADD, "INSERT INTO downlinks(run, version, key, held_sha256, frame_sha256)" \
        " VALUES(?, ?, ?, ?, ?)") \
    X(DOWNLINK_LIST, "SELECT run, version, key, held_sha256, frame_sha256 FROM downlinks" \
        " WHERE run = ?1 AND version BETWEEN ?2 - 31 AND ?2 ORDER BY version DESC") \
    \
    X(TAG_SET, "INSERT INTO tags(run, name, version, set_ms) VALUES(?, ?, ?, ?)" \
        " ON CONFLICT(run, name) DO UPDATE SET version = excluded.version," \
        " set_ms = excluded.set_ms") \
    X(TAG_DELETE, "DELETE FROM tags WHERE run = ? AND name = ?") \
    X(TAG_GET, "SELECT run, name, version, set_ms FROM tags WHERE run = ? AND name = ?") \
    X(TAG_LIST, "SELECT run, name, version, set_ms FROM tags WHERE run = ? ORDER BY name") \
    \
    X(LEASE_ADD, "INSERT INTO leases(key, device, run, round, attempt, base_version, codec," \
        " seed, issued_ms, deadline_ms, state) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" \
        " ON CONFLICT(key) DO UPDATE SET codec = excluded.codec, seed = excluded.seed," \
        " deadline_ms = excluded.deadline_ms, state = excluded.state" \
        " WHERE device = excluded.device AND run = excluded.run" \
        " AND round = excluded.round AND base_version = excluded.base_version" \
        " AND " SQL_UNDECIDED("leases")) \
    X(LEASE_GET, SQL_LEASE_SELECT "WHERE key = ?") \
    X(LEASE_UNDECIDED, SQL_LEASE_SELECT "WHERE l.run = ? AND l.round >= ? AND " \
        SQL_UNDECIDED("l") " ORDER BY issued_ms, l.round, attempt, device") \
    \
    X(UPDATE_ADD, "INSERT INTO updates(lease, device, run, round, status, late, counted_round," \
        " digest, received_ms, samples, steps, train_ms, codec, loss_first, loss_last, norm," \
        " weight, staleness, scale_q16, receipt, spool, body_at, body_bytes)" \
        " VALUES((SELECT id FROM leases WHERE key = ?1 AND device = ?2 AND run = ?3" \
        " AND round = ?4), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15," \
        " ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)") \
    X(UPDATE_RECEIPT, "SELECT digest, receipt FROM leases l JOIN updates u ON u.lease = l.id" \
        " WHERE key = ?") \
    X(UPDATE_LIST, SQL_UPDATE_SELECT "WHERE u.id IN (SELECT u.id FROM leases l" \
        " CROSS JOIN updates u ON u.lease = l.id WHERE l.run = ? AND l.round = ?) ORDER BY u.id") \
    X(UPDATE_RECENT, SQL_UPDATE_SELECT "WHERE u.id IN (SELECT u.id FROM leases l" \
        " CROSS JOIN updates u ON u.lease = l.id WHERE l.run = ?1 AND l.round = ?2" \
        " UNION ALL SELECT id FROM updates WHERE run = ?1 AND counted_round >= ?2" \
        " AND counted_round > 0 /* in this order: SQLite searches by the first */ UNION ALL SELECT * FROM (SELECT id FROM updates WHERE run = ?1" \
        " AND round <> ?2 AND counted_round < ?2 ORDER BY id DESC LIMIT ?3)) ORDER BY u.id") \
    X(UPDATE_REFUSED, SQL_UPDATE_SELECT "WHERE u.device = ? AND u.status <> 0" \
        " ORDER BY u.id DESC LIMIT ?") \
    X(SHARE_LIST, "SELECT device, COUNT(*), MAX(counted_round) FROM updates" \
        " WHERE run = ? AND counted_round > 0 GROUP BY device ORDER BY device") \
    X(SPOOL_LIST, "SELECT " SQL_UPDATE_COLUMNS " FROM updates u CROSS JOIN leases l" \
        " ON l.id = u.lease CROSS JOIN spool s ON s.id = u.spool WHERE u.id IN (SELECT id" \
        " FROM updates WHERE run = ?1 AND " SQL_COUNTED_IN("?2") ") ORDER BY u.device, u.round") \
    X(SPOOL_NEXT, "SELECT IFNULL(MAX(id), 0) + 1 FROM updates") \
    X(SPOOL_ADD, "INSERT INTO spool(id, run, counted_round, bodies) VALUES(?, ?, ?, ?)") \
    X(SPOOL_FIND, "SELECT s.id, length(s.bodies), body_at, body_bytes, digest FROM leases l" \
        " JOIN updates u ON u.lease = l.id JOIN spool s ON s.id = u.spool WHERE l.key = ?") \
    X(SPOOL_RETAIN, "DELETE FROM spool WHERE counted_round < (SELECT MAX(round)" \
        " FROM rounds r WHERE r.run = spool.run)") \
    X(SPOOL_DROP, "DELETE FROM spool WHERE run = ? AND counted_round = ?")
/* clang-format on */

enum statement {
#define STATEMENT_ENUM(name, sql) SQL_##name,
    STORE_STATEMENTS(STATEMENT_ENUM)
#undef STATEMENT_ENUM
        SQL_COUNT
};

#endif
