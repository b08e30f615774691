/*
 * What the engine asks the shell to do. Action memory is the engine's and is valid until the next
 * step. The list is carried out in order:
 *
 * - The STORE_* actions and PUBLISH of one step are one transaction, named by
 * `engine_actions.batch`. Batches are numbered 1, 2, 3… and must become durable in that order; the
 * shell reports each with a COMMITTED event (reporting only the last of several that were committed
 * together is fine).
 * - Every other action may be carried out once batch `after` is durable (0: at once). This is how
 *   nothing is said before it is on disk, also when the same answer is asked for twice while the
 *   first is still on its way there.
 * - If a batch cannot be committed, the shell answers what it holds back with 5.03, drops the
 * engine and builds a new one from the store: the store is the truth, the engine a function of it.
 */
#ifndef MYCEL_ENGINE_ACTION_H
#define MYCEL_ENGINE_ACTION_H

#include "server/engine/types.h"

enum engine_action_type {
    /* Replies to event.tag. */
    ENGINE_ACTION_REPLY_LEASE,    /* lease: CheckInReply */
    ENGINE_ACTION_REPLY_WINDOW,   /* window: CheckInReply */
    ENGINE_ACTION_REPLY_ADMIT,    /* admit: take the body's blocks */
    ENGINE_ACTION_REPLY_RECEIPT,  /* receipt: 2.04 */
    ENGINE_ACTION_REPLY_PROBLEM,  /* problem: 4.03, 4.09, 4.13 or 5.03 by its status */
    ENGINE_ACTION_LOOKUP_RECEIPT, /* lookup: the store may know an old receipt of this key and
                                     device: 2.04 with it (4.09 if `digest` is set and differs),
                                     else as REPLY_PROBLEM with LEASE */
    /* Rows for the store. */
    ENGINE_ACTION_STORE_RUN,     /* run_row: phase, learned */
    ENGINE_ACTION_STORE_ROUND,   /* round_row: insert or replace (run, round) */
    ENGINE_ACTION_STORE_LEASE,   /* lease_row: insert or replace by key */
    ENGINE_ACTION_STORE_UPDATE,  /* update_row: insert; the body of event.tag with it if counted */
    ENGINE_ACTION_STORE_DEVICE,  /* device_row: strikes and quarantine */
    ENGINE_ACTION_STORE_WHY,     /* why_row: why a device was not selected (only when it changes) */
    ENGINE_ACTION_STORE_METRICS, /* metrics_row */
    ENGINE_ACTION_STORE_AUDIT,   /* audit_row */
    ENGINE_ACTION_PUBLISH,       /* publish: new version (blob, parent, optimizer state) */
    /* Work for a worker. Asked for again after a restart, so it must be repeatable. */
    ENGINE_ACTION_AGGREGATE, /* aggregate: answered by AGGREGATED */
    ENGINE_ACTION_EVALUATE,  /* evaluate: answered by EVALUATED */
    /* Time. */
    ENGINE_ACTION_WAKE_AT, /* wake_at_ms: send TICK then; replaces the one before;
                              ENGINE_NEVER: no timer */
};

#define ENGINE_NEVER UINT64_MAX

struct engine_action_lease {
    struct engine_lease lease;
    uint64_t left_ms; /* to the deadline, from now */
};

struct engine_action_window {
    uint32_t device;
    uint32_t run; /* the run that came closest; 0: none */
    enum engine_why why;
    struct engine_window window;
};

struct engine_action_problem {
    int32_t status;              /* LEASE, REVOKED 4.03; CONFLICT 4.09; TOO_LARGE 4.13; BUSY 5.03 */
    uint64_t bytes_max;          /* TOO_LARGE: what would be taken */
    struct engine_window window; /* when to check in again; zeros: not told */
};

struct engine_action_admit {
    uint32_t run;
    uint64_t bytes_max;
};

struct engine_action_lookup {
    uint32_t device;
    uint8_t key[PROTO_KEY_BYTES];
    bool digest_set; /* the whole body is known: compare */
    uint8_t digest[PROTO_SHA256_BYTES];
};

struct engine_action_run {
    uint32_t run;
    enum engine_phase phase;
    struct engine_learned learned;
};

struct engine_action_round {
    uint32_t run;
    uint32_t round;
    uint32_t attempt;
    enum engine_round_state state;
    uint32_t base_version; /* the version that its leases start from */
    uint32_t version;      /* COMMITTED: the version it made, else 0 */
    uint32_t granted;      /* leases of this attempt */
    uint32_t accepted;
    uint32_t rejected;
    uint64_t weight; /* sum over the accepted */
    bool started;    /* comes back in RESTORE_ROUND */
    uint64_t age_ms;
};

struct engine_action_lease_row {
    struct engine_lease lease;
    uint64_t left_ms; /* store it as wall-clock deadline */
};

struct engine_action_update {
    struct engine_receipt receipt; /* counted_round > 0: UNIQUE(device, run, counted_round) */
    struct engine_report report;
    float norm;
    uint64_t weight;    /* samples or 1; 0: not counted */
    uint32_t staleness; /* versions behind */
    uint32_t scale_q16; /* staleness weight, 65536 is 1 */
};

struct engine_action_device {
    uint32_t device;
    uint32_t strikes;
    uint64_t quarantine_ms; /* from now; 0: none */
};

struct engine_action_why {
    uint32_t device;
    uint32_t run;
    enum engine_why why;
};

struct engine_action_metrics {
    uint32_t run;
    uint32_t version;
    struct engine_metrics metrics;
};

/* X(name): what is worth a line in the audit log. */
#define ENGINE_AUDIT_TABLE(X)                                                                      \
    X(RUN_CREATED)                                                                                 \
    X(RUN_PAUSED)                                                                                  \
    X(RUN_RESUMED)                                                                                 \
    X(RUN_STOPPED)                                                                                 \
    X(RUN_FINISHED)                                                                                \
    X(ROUND_ABANDONED)                                                                             \
    X(UPDATE_REJECTED)                                                                             \
    X(UPDATE_CONFLICT)                                                                             \
    X(DEVICE_QUARANTINED)                                                                          \
    X(DEVICE_REVOKED)

enum engine_audit {
#define ENGINE_AUDIT_ENUM(name) ENGINE_AUDIT_##name,
    ENGINE_AUDIT_TABLE(ENGINE_AUDIT_ENUM)
#undef ENGINE_AUDIT_ENUM
};

struct engine_action_audit {
    enum engine_audit what;
    uint32_t run;
    uint32_t round;
    uint32_t device;
    int32_t status; /* MYCEL_E_* where there is one */
};

struct engine_action_publish {
    uint32_t run;
    uint32_t round;
    uint32_t attempt;
    uint32_t parent_version;
    struct engine_version version;
};

struct engine_action_aggregate {
    uint32_t run;
    uint32_t round;
    uint32_t attempt;
    uint32_t base_version; /* the version that the sum is applied to */
    uint32_t accepted;     /* update rows with counted_round = round: check it */
    uint64_t weight;       /* sum of their weights: check it */
};

struct engine_action_evaluate {
    uint32_t run;
    struct engine_version version;
};

struct engine_action {
    enum engine_action_type type;
    uint64_t tag;   /* the event's */
    uint64_t after; /* batch that has to be durable first; 0: none */
    union {
        struct engine_action_lease lease;
        struct engine_action_window window;
        struct engine_action_admit admit;
        struct engine_receipt receipt;
        struct engine_action_problem problem;
        struct engine_action_lookup lookup;
        struct engine_action_run run_row;
        struct engine_action_round round_row;
        struct engine_action_lease_row lease_row;
        struct engine_action_update update_row;
        struct engine_action_device device_row;
        struct engine_action_why why_row;
        struct engine_action_metrics metrics_row;
        struct engine_action_audit audit_row;
        struct engine_action_publish publish;
        struct engine_action_aggregate aggregate;
        struct engine_action_evaluate evaluate;
        uint64_t wake_at_ms;
    } u;
};

struct engine_actions {
    const struct engine_action *list;
    uint32_t count;
    uint64_t batch; /* name of this step's transaction; 0: nothing to store */
};

/* "RUN_CREATED"…; "?" for a number that is not in the table. Static storage. */
const char *engine_audit_name(enum engine_audit what);

#endif
