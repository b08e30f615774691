/*
 * What the files of the engine share: its state. Nobody outside this folder includes it (tests of
 * single files aside). Slots are numbers into fixed arrays; there are no pointers between records.
 */
#ifndef MYCEL_ENGINE_INTERNAL_H
#define MYCEL_ENGINE_INTERNAL_H

#include "common/assert.h"
#include "server/engine/engine.h"
#include "server/engine/stats.h"
#include "server/engine/table.h"

#define ENGINE_ACTIONS_MAX (16u + 8u * ENGINE_RUNS_MAX)
#define ENGINE_NO_SLOT UINT32_MAX

/* NONE: never had one, or it has its receipt.  LIVE: it holds a seat.  OVER: the seat was taken back
 * (deadline, end of the round, another lease); its body may still come and is judged then. */
enum lease_state { LEASE_NONE, LEASE_LIVE, LEASE_OVER };

struct lease {
    enum lease_state state;
    struct engine_lease what;
    uint32_t run_slot;
    uint64_t deadline_ms;
    bool timed;          /* it was granted by this engine, at … */
    uint64_t granted_ms; /* … engine time; a restart does not know */
    uint64_t batch;      /* that stores it */
};

/* The window that a device was last told, in engine time. */
struct told {
    uint64_t held_until_ms; /* before this it is too early; 0: not held */
    uint64_t earliest_ms;
    uint64_t latest_ms;
};

struct device {
    uint32_t id;
    bool revoked;
    uint32_t strikes;       /* rejections in a row */
    uint64_t quarantine_ms; /* engine time at which it ends; 0: none */
    struct told told;
    uint32_t early;      /* check-ins before a window */
    enum engine_why why; /* last one stored */
    uint32_t why_run;
    struct lease lease;
    uint32_t heap_at; /* place in the expiry heap while LIVE */
};

/* What one device did in one run. */
struct share {
    bool eligible; /* the run's class, tags, … fit it */
    uint32_t accepted;
    uint32_t counted_round; /* last round whose sum it is part of */
    uint32_t verdict_round; /* newest lease that got a receipt: its key is used up */
    uint32_t verdict_attempt;
    float utility; /* samples × last loss of its last accepted update */
};

/* What comes in for one round. */
struct tally {
    uint32_t accepted;
    uint64_t weight;
};

struct round {
    uint32_t number; /* 0: none yet */
    uint32_t attempt;
    enum engine_round_state state;
    struct tally tally;
    uint32_t granted;
    uint32_t rejected;
    uint32_t outliers; /* of these: for their norm, since the norms were last forgotten */
    uint32_t expired;
    uint32_t plain_seats[2]; /* seats given beside the fairness [0] and utility [1] quotas */
    uint64_t opened_ms;
    bool unsaved;        /* started or state is not in the stored row yet */
    bool started;        /* the clock below runs */
    uint64_t started_ms; /* modulo 2^64: may lie before the engine's zero after a restart */
    uint64_t granted_ms; /* last lease granted in it */
    uint64_t select_end_ms;
    uint64_t soft_end_ms;
    uint64_t hard_end_ms;
    uint64_t closed_ms; /* when its set was frozen */
    bool summed; /* AGGREGATE: the worker's answer is in `next` and waits for the evaluation */
    struct engine_version next;
    uint64_t publish_batch;
};

struct run {
    struct engine_spec spec;
    enum engine_phase phase;
    struct engine_version base; /* newest durable version */
    uint64_t ended_batch;       /* that stores the end of the run */
    uint32_t evaluated_version;
    bool evaluating; /* EVALUATE is out for `base` */
    struct engine_learned learned;
    struct round round;
    struct tally carry; /* already counted for the next round */
    uint32_t live;      /* leases in state LIVE */
    uint32_t eligible;  /* shares marked so */
    uint64_t accepted;  /* of all devices, ever */
    struct stats_window norms;
    struct stats_window utilities;
    struct stats_window report_times; /* ms, with soft_learn */
};

struct receipt_slot {
    struct engine_receipt receipt;
    uint64_t batch;
};

struct outbox {
    struct engine_action list[ENGINE_ACTIONS_MAX];
    uint32_t count;
    uint64_t batch; /* of this step; 0: nothing stored yet */
    uint64_t tag;
};

struct engine {
    struct engine_config config;
    uint64_t now_ms;
    uint64_t batch;     /* newest name given */
    uint64_t committed; /* newest known to be durable */
    uint64_t wake_ms;   /* last WAKE_AT */
    bool restored;
    struct outbox out;

    struct run runs[ENGINE_RUNS_MAX];
    uint32_t run_count; /* slots ever used */

    struct device *devices; /* config.device_max */
    uint32_t device_count;
    struct table by_id;
    struct table by_key; /* devices whose lease is not NONE */
    uint32_t *heap;      /* device slots by lease deadline, earliest first */
    uint32_t heap_count;
    struct share *shares; /* device_max × run_max */

    struct receipt_slot *receipts; /* a ring, newest overwrites oldest */
    uint32_t receipt_count;
    uint32_t receipt_next;
    struct table by_receipt;
};

static inline struct share *share_of(struct engine *e, uint32_t device_slot, uint32_t run_slot)
{
    return &e->shares[(size_t)device_slot * e->config.run_max + run_slot];
}

/* Updates that come in now are part of this round's sum. */
static inline bool round_is_collecting(const struct round *round)
{
    return round->state == ENGINE_ROUND_SELECT || round->state == ENGINE_ROUND_REPORT;
}

static inline bool run_is_open(const struct run *run)
{
    return run->phase == ENGINE_PHASE_RUNNING || run->phase == ENGINE_PHASE_PAUSED;
}

#endif
