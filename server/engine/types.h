/*
 * The values that events and actions share: limits, states, reasons, and what describes a run, a
 * device and a lease. Plain data without pointers, so that it can be copied, recorded and compared.
 * It must not hold anything that only the inside of the engine needs.
 *
 * Numbers of enums are persisted by the store and printed by the command line: append only.
 */
#ifndef MYCEL_ENGINE_TYPES_H
#define MYCEL_ENGINE_TYPES_H

#include "proto/limits.h"

#include <mycel/error.h>
#include <stdbool.h>
#include <stdint.h>

#define ENGINE_CLASS_BYTES 24u /* device class with its NUL, as in mycel.options */
#define ENGINE_TAG_BYTES 32u   /* "key=value" with its NUL */
#define ENGINE_TAGS_MAX 8u
#define ENGINE_RUNS_MAX 16u         /* upper bound of engine_config.run_max */
#define ENGINE_DEVICES_MAX 1048576u /* upper bound of engine_config.device_max */
#define ENGINE_RECEIPTS_MAX 1048576u
#define ENGINE_GOAL_MAX 65536u
#define ENGINE_STALENESS_MAX 64u

/* X(name, text): what a run is doing. */
#define ENGINE_PHASE_TABLE(X)                                                                      \
    X(RUNNING, "running")                                                                          \
    X(PAUSED, "paused")     /* no new leases; the open round may still end, none is opened */      \
    X(FINISHED, "finished") /* round limit, target or patience reached */                          \
    X(STOPPED, "stopped")   /* by an operator; for good */

enum engine_phase {
#define ENGINE_PHASE_ENUM(name, text) ENGINE_PHASE_##name,
    ENGINE_PHASE_TABLE(ENGINE_PHASE_ENUM)
#undef ENGINE_PHASE_ENUM
};

/* X(name, text): what a round is doing; docs/ENGINE.md has the diagram. PUBLISH is never stored:
 * the transaction that publishes writes COMMITTED. */
#define ENGINE_ROUND_TABLE(X)                                                                      \
    X(IDLE, "idle")           /* no round was opened yet */                                        \
    X(SELECT, "select")       /* seats are free: leases are handed out, updates come in */         \
    X(REPORT, "report")       /* no seat is free: updates come in */                               \
    X(AGGREGATE, "aggregate") /* the set of updates is frozen, a worker sums it */                 \
    X(PUBLISH, "publish")     /* the new version is on its way to the disk */                      \
    X(COMMITTED, "committed") /* the new version is durable */                                     \
    X(ABANDONED, "abandoned") /* this attempt ended without a version */

enum engine_round_state {
#define ENGINE_ROUND_ENUM(name, text) ENGINE_ROUND_##name,
    ENGINE_ROUND_TABLE(ENGINE_ROUND_ENUM)
#undef ENGINE_ROUND_ENUM
};

/* X(name, error, text): why a device got no lease. `error` is what the wire's Window says. */
#define ENGINE_WHY_TABLE(X)                                                                        \
    X(SELECTED, MYCEL_OK, "selected")                                                              \
    X(NO_RUN, MYCEL_OK, "no run is under way")                                                     \
    X(PAUSED, MYCEL_OK, "the run is paused")                                                       \
    X(BETWEEN_ROUNDS, MYCEL_OK, "the round is being aggregated")                                   \
    X(ROUND_FULL, MYCEL_OK, "all seats of the round are taken")                                    \
    X(COUNTED, MYCEL_OK, "the device has already reported in this round")                          \
    X(CLASS, MYCEL_OK, "the run is for another device class")                                      \
    X(TAGS, MYCEL_OK, "a required tag is missing")                                                 \
    X(SAMPLES, MYCEL_OK, "too few training samples")                                               \
    X(NOT_IDLE, MYCEL_OK, "the device's idle policy forbids training now")                         \
    X(BATTERY, MYCEL_OK, "the battery is too low")                                                 \
    X(MODEL_BYTES, MYCEL_E_TOO_LARGE, "the model does not fit the device")                         \
    X(CODEC, MYCEL_E_CODEC, "no common update encoding")                                           \
    X(SPACING, MYCEL_OK, "the device took part too recently")                                      \
    X(CAP, MYCEL_OK, "the device has taken part often enough")                                     \
    X(FAIRNESS, MYCEL_OK, "the seat is kept for devices that took part less often")                \
    X(UTILITY, MYCEL_OK, "other devices' data is more useful now")                                 \
    X(QUARANTINED, MYCEL_E_QUARANTINED, "rejected too often, has to wait")                         \
    X(FULL, MYCEL_E_FULL, "the coordinator has no room for another device")                        \
    X(EARLY, MYCEL_OK, "the device came back before its window")                                   \
    X(CONTROL, MYCEL_E_UNSUPPORTED, "the device cannot keep the control variate of SCAFFOLD")

enum engine_why {
#define ENGINE_WHY_ENUM(name, error, text) ENGINE_WHY_##name,
    ENGINE_WHY_TABLE(ENGINE_WHY_ENUM)
#undef ENGINE_WHY_ENUM
};

/* How the weight of an accepted update follows from its report. */
enum engine_weighting {
    ENGINE_WEIGHT_SAMPLES, /* FedAvg: n_i */
    ENGINE_WEIGHT_UNIFORM, /* 1: differential privacy, robust rules */
};

/*
 * Everything the engine has to know of a run, fixed for the run's life. Synchronous, semi-
 * synchronous and asynchronous training differ only in these numbers:
 *
 *              goal  minimum   concurrency  staleness_max
 *   sync       K     <= K      0            0
 *   semi-sync  K     0.8 K     0            4
 *   async      K     1         M > K        20
 *
 * What only the device needs (model text, epochs, learning rate…) stays with the shell.
 * A 0 takes the default where one is named; engine_spec_check() says what is wrong with the rest.
 */
struct engine_spec {
    uint32_t run;                                 /* store's id, > 0 */
    uint64_t seed;                                /* of every random choice in this run */
    char device_class[ENGINE_CLASS_BYTES];        /* empty: every device */
    char tags[ENGINE_TAGS_MAX][ENGINE_TAG_BYTES]; /* all of them are required; empty: none */

    /* The buffer. */
    uint32_t goal;           /* updates that close a round at once, 1…ENGINE_GOAL_MAX */
    uint32_t minimum;        /* … that close it at a deadline, 1…goal; default: goal */
    uint32_t concurrency;    /* live leases at most, whatever was accepted; 0: by over-selection */
    uint32_t staleness_max;  /* versions that an update may lag behind, 0…ENGINE_STALENESS_MAX */
    bool staleness_discount; /* weigh by (1+τ)^-½ (FedBuff), else 1 */
    uint32_t over_permille;  /* seats = goal × this / 1000, 1000…4000; default 1000 */
    bool over_learn;         /* replace it by 1 / (1 - observed drop-out) once that is known */
    enum engine_weighting weighting;

    /* Time, in ms, counted from the first lease of the round's attempt. */
    uint32_t select_ms; /* seats stay open so long (longer below the minimum); default soft_ms */
    uint32_t soft_ms;   /* from here on the minimum suffices; default 600,000 */
    uint32_t hard_ms;   /* below the minimum: abandon and retry; default 2 × soft_ms */
    uint32_t lease_ms;  /* life of one lease; default hard_ms, never beyond it in sync mode */
    bool
        soft_learn; /* once known, soft_ms is 1.5 × the 95th percentile of the time that devices take
                           to report, within the two below; the other three keep their ratio to it */
    uint32_t soft_min_ms; /* default 60,000 */
    uint32_t soft_max_ms; /* default 86,400,000 */
    uint32_t pace_ms;     /* width of the window in which devices come back; default 60,000 */
    uint32_t interval_ms; /* from one round's opening to the next one's at least; 0: at once */

    /* Who may take part. */
    uint32_t samples_min;      /* default 1 */
    uint32_t samples_max;      /* a report above it is absurd; default PROTO_SAMPLES_MAX */
    uint32_t battery_min;      /* percent; 255 at check-in means mains and always passes */
    bool busy_allowed;         /* also devices that are not idle */
    uint32_t spacing_rounds;   /* rounds to sit out after taking part */
    uint32_t cap;              /* accepted updates of one device in the run; 0: no limit */
    uint32_t fair_permille;    /* seats kept for devices at or below the mean participation */
    uint32_t utility_permille; /* seats kept for devices of high statistical utility (Oort) */

    /* What is sent. */
    uint8_t codec;             /* encoding for most devices (mycel.proto, Codec) */
    uint32_t codecs;           /* bit mask of those allowed; default: only `codec` */
    uint32_t features;         /* PROTO_FEATURE_… that a device must have; 0: none */
    uint64_t model_bytes;      /* of one version's blob */
    uint64_t update_bytes_max; /* body of one update; default PROTO_UPDATE_BYTES_MAX */

    /* When to end. */
    uint32_t round_limit; /* 0: none */
    bool target_set;      /* stop when accuracy ≥ target */
    float target;
    uint32_t patience; /* stop after so many versions without a better accuracy; 0: never */
};

/* A model version by name. `version` counts the run's commits: 0 is the initial model. */
struct engine_version {
    uint32_t version;
    uint8_t sha256[PROTO_SHA256_BYTES];
};

/* What a run learns on its way; stored with it so that a restart does not forget. */
struct engine_learned {
    uint32_t drop_permille; /* share of leases that expired, smoothed */
    uint32_t drop_rounds;   /* rounds that it was observed in */
    uint32_t round_ms;      /* last lease to close, smoothed; 0: unknown */
    uint32_t gap_ms;        /* goal reached to next round, smoothed; 0: unknown */
    uint32_t report_ms;     /* 95th percentile, lease to update; with soft_learn; 0: unknown */
    float best;             /* best accuracy so far */
    uint32_t best_version;
    bool evaluated; /* … of a version > 0 is in `best` */
};

/* Where a run stands, as stored. A run that the operator has just created is all zeros but `base`.
 */
struct engine_progress {
    enum engine_phase phase;
    struct engine_version base; /* newest version */
    uint32_t evaluated_version; /* newest version with metrics */
    struct engine_learned learned;
};

/* What a device says about itself at check-in. */
struct engine_facts {
    char device_class[ENGINE_CLASS_BYTES];
    char tags[ENGINE_TAGS_MAX][ENGINE_TAG_BYTES];
    uint32_t samples;
    uint32_t codecs; /* bit mask of mycel.proto's Codec */
    uint64_t model_bytes_max;
    uint32_t battery_percent; /* 0…100; 255: mains */
    bool idle;
    bool narrow_link;  /* wants the shortest encoding there is */
    uint32_t features; /* PROTO_FEATURE_… */
};

/* One assignment: train this version, upload under this key. */
struct engine_lease {
    uint32_t device;
    uint32_t run;
    uint32_t round;
    uint32_t attempt; /* of the round, from 1 */
    struct engine_version base;
    uint8_t key[PROTO_KEY_BYTES];
    uint64_t seed; /* plan.seed */
    uint8_t codec;
};

/* What the report of an update says, and what the worker found in the update. */
struct engine_report {
    uint32_t run;
    uint32_t round;
    uint32_t base_version;
    uint32_t samples;
    uint32_t steps;
    float loss_first;
    float loss_last;
    uint32_t train_ms;
    uint8_t codec;
};

struct engine_window {
    uint32_t earliest_ms; /* from now; the device draws uniformly between the two */
    uint32_t latest_ms;
};

/* The verdict over one complete update: final, stored, and the same bytes for ever. */
struct engine_receipt {
    uint8_t key[PROTO_KEY_BYTES];
    uint8_t digest[PROTO_SHA256_BYTES]; /* SHA-256 of the body */
    uint32_t device;
    uint32_t run;
    uint32_t round;   /* the round it was leased in (wire: Receipt.round) */
    uint32_t attempt; /* … and its attempt */
    uint32_t base_version;
    uint32_t counted_round; /* the round whose sum it is part of; 0: none */
    int32_t status;         /* 0: counted; else MYCEL_E_*; TIMEOUT with `late` */
    bool late;              /* came after its round: carried over (status 0) or dropped */
    struct engine_window window;
};

struct engine_metrics {
    float loss;
    float accuracy;
    uint64_t samples;
};

/* Short names as in the tables above; "?" for a number that is not in them. Static storage. */
const char *engine_phase_name(enum engine_phase phase);
const char *engine_round_name(enum engine_round_state state);
const char *engine_why_name(enum engine_why why); /* e.g. "ROUND_FULL" */
const char *engine_why_text(enum engine_why why); /* one sentence for a person */
int engine_why_error(enum engine_why why);        /* the wire's reason code */

#endif
