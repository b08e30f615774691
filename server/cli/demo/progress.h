/*
 * How far the demo's run is. Facts about rounds and versions come from the database, so that they
 * are right even after the coordinator was killed; what only lives in the moment (who has reported,
 * bytes on the wire) comes from the coordinator's log.
 */
#ifndef MYCEL_SERVER_CLI_DEMO_PROGRESS_H
#define MYCEL_SERVER_CLI_DEMO_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "server/store/store.h"

#define PROGRESS_ROUNDS_MAX 10000u
#define PROGRESS_DEVICES_MAX 256u
#define PROGRESS_LINE_BYTES 4096u
#define PROGRESS_TOLD_MAX 64u  /* commits between two looks into the database */
#define PROGRESS_TOLD_MS 1000u /* a coordinator that was killed between the two tells nothing */

struct progress_round {
    uint32_t round;
    uint32_t version;
    uint32_t accepted;
    uint32_t rejected;
    bool scored;
    float accuracy, loss;
    uint64_t bytes_up, bytes_down; /* since the demo's start, at the commit */
    bool told;                     /* the log has said so; else they are the latest known */
    uint64_t at_ms;                /* since the demo's start */
};

/* What the log says of a commit, kept until the database shows it, or the other way round. */
struct progress_told {
    uint32_t round;
    uint64_t bytes_up, bytes_down;
};

struct progress {
    uint32_t run;
    struct progress_round rounds[PROGRESS_ROUNDS_MAX]; /* committed ones, by number */
    size_t count;
    uint32_t open_round;                 /* that devices work on */
    bool reported[PROGRESS_DEVICES_MAX]; /* by device id - 1, in open_round */
    uint32_t reported_count;
    uint64_t bytes_up, bytes_down;                /* as counted at the coordinator's socket */
    uint64_t earlier_up, earlier_down;            /* by coordinators that were killed */
    uint64_t here_up, here_down;                  /* by the present one */
    struct progress_told told[PROGRESS_TOLD_MAX]; /* by round */
    bool ended;                                   /* the run is over and its last version scored */
    enum store_run_state state;
    char problem[256]; /* last warning or error of the coordinator, "": none */

    char line[PROGRESS_LINE_BYTES]; /* of the log, until its newline comes */
    size_t line_bytes;
};

void progress_init(struct progress *p, uint32_t run);

/* Takes what the coordinator has logged since. log (may be NULL) gets a copy. true: something of
 * interest has happened and progress_refresh() should be called. Never blocks. */
bool progress_read(struct progress *p, int fd, FILE *log);

/* Whether all that will ever be known of a round is known. */
bool progress_is_settled(const struct progress_round *round, uint64_t elapsed_ms);

/* The coordinator has died: its counters start again from zero. */
void progress_restarted(struct progress *p);

/* Looks into the database; elapsed_ms is noted with rounds that are new. 0 or MYCEL_E_*. */
int progress_refresh(struct progress *p, struct store *store, uint64_t elapsed_ms);

#endif
