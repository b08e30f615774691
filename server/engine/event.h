/*
 * What the world can tell the engine. Event memory is the caller's and is copied if kept. Events
 * carry no pointers, so a recorded log of them repeats an incident bit for bit.
 *
 * Order at start: one RUN for each run that has not ended, then for each of these its ROUND, then
 * DEVICE, SHARE, LEASE and UPDATE rows in the order in which they were stored (rows of other runs are
 * ignored), then RESTORED. Nothing else may come before RESTORED; an empty store needs only
 * RESTORED. A run that is created later is a RUN event after RESTORED.
 */
#ifndef MYCEL_ENGINE_EVENT_H
#define MYCEL_ENGINE_EVENT_H

#include "server/engine/types.h"

enum engine_event_type {
    ENGINE_EVENT_RUN,            /* run: at start, or newly created */
    ENGINE_EVENT_RESTORE_ROUND,  /* round: the newest of a run */
    ENGINE_EVENT_RESTORE_DEVICE, /* restore_device: one with strikes, quarantined or revoked */
    ENGINE_EVENT_RESTORE_SHARE,  /* share: how often a device was counted in a run */
    ENGINE_EVENT_RESTORE_LEASE,  /* lease: one without a receipt, also if it has expired */
    ENGINE_EVENT_RESTORE_UPDATE, /* restore_update: those leased in the newest round, counted in it
                                    or in the one after it, and ENGINE_RESTORE_UPDATES before */
    ENGINE_EVENT_RESTORED,    /* the end of the above: work that was cut off is asked for again */
    ENGINE_EVENT_RUN_PAUSED,  /* run_id */
    ENGINE_EVENT_RUN_RESUMED, /* run_id */
    ENGINE_EVENT_RUN_STOPPED, /* run_id */
    ENGINE_EVENT_DEVICE_REVOKED, /* device */
    /* From here on no event is ever refused. */
    ENGINE_EVENT_CHECKIN,      /* checkin */
    ENGINE_EVENT_UPLOAD_QUERY, /* query: may this body come in? Answered in the same step. */
    ENGINE_EVENT_UPDATE,       /* update: a body is complete and a worker has looked at it */
    ENGINE_EVENT_COMMITTED,    /* committed: this and all earlier batches are durable */
    ENGINE_EVENT_AGGREGATED,   /* aggregated: a worker has finished ENGINE_ACTION_AGGREGATE */
    ENGINE_EVENT_EVALUATED,    /* evaluated: a worker has finished ENGINE_ACTION_EVALUATE */
    ENGINE_EVENT_TICK,         /* the time of the last WAKE_AT has come (early is harmless) */
};

#define ENGINE_RESTORE_UPDATES 128u /* per run: what the running median of norms looks back on */

struct engine_event_round {
    uint32_t run;
    uint32_t round;
    uint32_t attempt;
    enum engine_round_state state; /* as stored */
    uint32_t granted;              /* as stored */
    bool started;                  /* a lease was granted in this attempt: its clock runs */
    uint64_t age_ms;               /* since then, by the wall clock; the engine distrusts it */
};

struct engine_event_device {
    uint32_t device;
    bool revoked;
    uint32_t strikes;
    uint64_t quarantine_ms; /* still to go; 0: none */
};

struct engine_event_share {
    uint32_t device;
    uint32_t run;
    uint32_t accepted;   /* updates with counted_round > 0 */
    uint32_t last_round; /* the highest of these */
};

struct engine_event_lease {
    struct engine_lease lease;
    uint64_t left_ms; /* to its deadline by the wall clock, 0: passed; distrusted as well */
};

struct engine_event_restore_update {
    struct engine_receipt receipt;
    struct engine_report report;
    float norm;
};

struct engine_event_checkin {
    uint32_t device;
    struct engine_facts facts;
};

struct engine_event_query {
    uint32_t device;
    uint8_t key[PROTO_KEY_BYTES];
    uint64_t bytes; /* of the whole body (Size1), 0: not told yet */
};

struct engine_event_update {
    uint32_t device;
    uint8_t key[PROTO_KEY_BYTES];
    uint8_t digest[PROTO_SHA256_BYTES];
    int32_t status; /* the worker's verdict: 0, or MYCEL_E_{MALFORMED,SHAPE,NONFINITE…} */
    struct engine_report report; /* zeros when it could not be decoded */
    float norm;                  /* L2 norm of the decoded delta */
};

struct engine_event_aggregated {
    uint32_t run;
    uint32_t round;
    uint32_t attempt;
    int32_t status;                     /* 0 or MYCEL_E_*; the round is abandoned then */
    uint8_t sha256[PROTO_SHA256_BYTES]; /* of the new version's blob */
};

struct engine_event_evaluated {
    uint32_t run;
    uint32_t version;
    int32_t status; /* 0, or MYCEL_E_*: no metrics, the run goes on without */
    struct engine_metrics metrics;
};

struct engine_event_run {
    struct engine_spec spec;
    struct engine_progress progress;
};

struct engine_event {
    enum engine_event_type type;
    uint64_t now_ms; /* monotonic; one that lies before the last counts as the last */
    uint64_t tag;    /* the shell's name for the request or body; comes back in actions */
    union {
        struct engine_event_run run;
        struct engine_event_round round;
        struct engine_event_device restore_device;
        struct engine_event_share share;
        struct engine_event_lease lease;
        struct engine_event_restore_update restore_update;
        uint32_t run_id;
        uint32_t device;
        struct engine_event_checkin checkin;
        struct engine_event_query query;
        struct engine_event_update update;
        uint64_t committed; /* batch */
        struct engine_event_aggregated aggregated;
        struct engine_event_evaluated evaluated;
    } u;
};

#endif
