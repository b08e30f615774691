/*
 * Feeds an event log into fresh engines and compares what they answer with what the log says was
 * answered then. Knows no store, no clock and no network: an incident repeats on any machine.
 */
#ifndef MYCEL_SERVER_DAEMON_REPLAY_H
#define MYCEL_SERVER_DAEMON_REPLAY_H

#include "server/daemon/record.h"

struct replay_report {
    uint64_t engines; /* that began in the log: starts and rebuilds */
    uint64_t events;
    uint64_t actions;
    bool cut;                   /* the log ends within a record, as that of a killed process may */
    uint8_t hash[SHA256_BYTES]; /* over the hashes of all steps: the same log, the same hash */
    /* The first record that differs, if replay_run says DIGEST. */
    uint64_t record;
    enum engine_event_type type;
    int32_t result_then, result_now;
    uint32_t actions_then, actions_now;
};

/* Called after each event that was repeated, the one that differs included. */
typedef void replay_each(void *user, const struct record_entry *entry,
                         const struct engine_actions *actions);

/* 0: the same to the bit; DIGEST: something differs, *report says what; else why the log cannot be read
 * (NOT_FOUND, CORRUPT, VERSION, IO) or repeated (NO_MEMORY; INVALID: it does not begin with an engine,
 * or with one that cannot be made). `each` may be NULL. */
int replay_run(const char *path, replay_each *each, void *user, struct replay_report *report);

#endif
