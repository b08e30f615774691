/*
 * The event log: everything that the engine was told, in order, and a hash of all that it answered. As
 * the engine is a function of its events, the log repeats an incident bit for bit. It holds what events
 * hold (ids, keys of leases, digests), never a body, a model or a device's secret.
 *
 * Layout, little endian (docs/FAULTS.md, "Event log"):
 *
 *   file    "MYCELREC"  version u32  records…
 *   record  bytes u32 (of the payload)  kind u8  payload  crc32 u32 (of all before it in the record)
 *   START   engine_config: a new engine begins here, after a start or a rebuild
 *   STEP    event  result i32  actions u32  hash[8] (record_chain)
 */
#ifndef MYCEL_SERVER_DAEMON_RECORD_H
#define MYCEL_SERVER_DAEMON_RECORD_H

#include "common/crypto/sha256.h"
#include "server/engine/engine.h"

#include <stddef.h>

#define RECORD_VERSION 4u
#define RECORD_HASH_BYTES 8u

/* --- writing; one thread at a time, NULL is a log that is not kept ---------------------------- */

struct record;

/*
 * Opens a log to add to, or makes one (0600). What a killed process left unfinished at its end is cut
 * off. Errors: IO (it cannot be made, read or cut), CORRUPT (no such log, or damaged before its end:
 * it is left as it is), VERSION, NO_MEMORY.
 */
int record_open(const char *path, struct record **out);

/* A new engine begins. */
void record_start(struct record *record, const struct engine_config *config);

/* What the engine was told, and what engine_step returned. Blocks for one write(2), without a sync:
 * the log survives the end of the process, and of the machine only as far as the kernel got. */
void record_step(struct record *record, const struct engine_event *event, int result,
                 const struct engine_actions *actions);

/* 0, or why nothing is written any more: after an error the log ends with the last whole record. */
int record_status(const struct record *record);

void record_close(struct record *record);

/* --- reading ---------------------------------------------------------------------------------- */

enum record_kind { RECORD_START = 1, RECORD_STEP = 2 };

struct record_entry {
    enum record_kind kind;
    uint64_t number;             /* of the record in the file, from 1 */
    struct engine_config config; /* START */
    struct engine_event event;   /* STEP */
    int32_t result;
    uint32_t actions;
    uint8_t hash[RECORD_HASH_BYTES];
};

struct record_reader;

/* NOT_FOUND, IO, NO_MEMORY, CORRUPT (no such log), VERSION. */
int record_reader_open(const char *path, struct record_reader **out);

/* 1: *entry is the next record; 0: the log ends; CORRUPT, IO. */
int record_reader_next(struct record_reader *reader, struct record_entry *entry);

/* Whether the file ends within a record. */
bool record_reader_cut(const struct record_reader *reader);

void record_reader_close(struct record_reader *reader);

/* --- the hash --------------------------------------------------------------------------------- */

/* Goes over every step since START: SHA-256 of the one before, the result, the batch and each action
 * field by field. A log keeps its first RECORD_HASH_BYTES. */
struct record_chain {
    uint8_t digest[SHA256_BYTES];
};

void record_chain_add(struct record_chain *chain, int result, const struct engine_actions *actions);

#endif
