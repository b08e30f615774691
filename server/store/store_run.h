/*
 * Runs and their rounds: what is to be trained, and how far it has come. Owns the tables runs and
 * rounds. States are those of the engine, in the numbers that stay on disk.
 */
#ifndef SERVER_STORE_STORE_RUN_H
#define SERVER_STORE_STORE_RUN_H

#include "server/store/store_device.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

#define STORE_NAME_BYTES 49 /* run and tag names with their NUL: [a-z0-9._-], starts with a-z0-9 */
#define STORE_MODEL_BYTES 257    /* model description with its NUL, as Lease.model */
#define STORE_STRATEGY_BYTES 129 /* e.g. "fedavg lr=1" */
#define STORE_REASON_BYTES 97    /* why a run ended, for a person */
#define STORE_TAGS_MAX 8         /* required device properties, as CheckIn.tags */
#define STORE_TAG_BYTES 32       /* "key=value" with its NUL */

enum store_run_state {
    STORE_RUN_ACTIVE = 1,
    STORE_RUN_PAUSED = 2,
    STORE_RUN_FINISHED = 3, /* all rounds done, or the target reached */
    STORE_RUN_STOPPED = 4,  /* by an operator */
};

/* Everything that was decided when the run was created; it never changes afterwards. What the numbers
 * do, and what 0 stands for, is said at struct engine_spec (server/engine/types.h). */
struct store_run_config {
    char name[STORE_NAME_BYTES];
    char model[STORE_MODEL_BYTES];
    char strategy[STORE_STRATEGY_BYTES];
    uint32_t params; /* of the model */
    uint64_t seed;
    /* Who may take part. */
    char device_class[STORE_CLASS_BYTES]; /* "": any device */
    char tags[STORE_TAGS_MAX][STORE_TAG_BYTES];
    uint32_t samples_min;
    uint32_t samples_max;
    uint32_t battery_min;
    bool busy_allowed;
    uint32_t spacing_rounds;
    uint32_t cap;
    uint32_t fair_permille;
    uint32_t utility_permille;
    /* The buffer, and its clock. */
    uint32_t goal;
    uint32_t minimum;
    uint32_t concurrency;
    uint32_t staleness_max;
    bool staleness_discount;
    uint32_t over_permille;
    bool over_learn;
    uint32_t weighting;
    uint32_t select_ms;
    uint32_t soft_ms;
    uint32_t hard_ms;
    uint32_t lease_ms;
    bool soft_learn;
    uint32_t soft_min_ms;
    uint32_t soft_max_ms;
    uint32_t pace_ms;
    uint32_t interval_ms; /* from one round's opening to the next one's at least */
    /* What is sent, and how the device trains. */
    uint32_t codec;    /* of mycel.proto */
    uint32_t codecs;   /* bit mask of those allowed */
    uint32_t downlink; /* how devices are sent versions: enum downlink of server/desk */
    uint64_t update_bytes_max;
    float clip_norm; /* 0: off */
    uint32_t epochs;
    uint32_t batch;
    uint32_t steps_max; /* 0: no limit */
    float learning_rate;
    float momentum;
    float prox_mu;
    /* When to end. */
    uint32_t rounds;       /* how many to commit, 0: until stopped */
    float target_accuracy; /* 0: none; reached: the run is finished */
    uint32_t patience;
};

/* What the engine has learned of the run on its way (struct engine_learned). */
struct store_learned {
    uint32_t drop_permille;
    uint32_t drop_rounds;
    uint32_t round_ms;
    uint32_t gap_ms;
    uint32_t report_ms;
    float best;
    uint32_t best_version;
    bool evaluated;
};

struct store_run {
    uint32_t id; /* 1…; never used again */
    enum store_run_state state;
    struct store_run_config config;
    struct store_learned learned;
    uint64_t created_ms;
    uint64_t ended_ms; /* 0: not yet */
    char reason[STORE_REASON_BYTES];
    uint32_t round; /* newest, 0: none yet (read only) */
    bool has_version;
    uint32_t version; /* newest (read only) */
    bool has_evaluated;
    uint32_t evaluated_version; /* newest one with metrics (read only) */
};

/* As enum engine_round_state. A round that was abandoned may be tried again under its number. */
enum store_round_state {
    STORE_ROUND_IDLE = 0,
    STORE_ROUND_SELECT = 1,
    STORE_ROUND_REPORT = 2,
    STORE_ROUND_AGGREGATE = 3,
    STORE_ROUND_PUBLISH = 4,
    STORE_ROUND_COMMITTED = 5,
    STORE_ROUND_ABANDONED = 6,
};

struct store_round {
    uint32_t run;
    uint32_t round; /* 1… */
    uint32_t attempt;
    enum store_round_state state;
    uint32_t base_version; /* that its leases start from */
    uint32_t granted;      /* leases of this attempt */
    uint32_t accepted;
    uint32_t rejected;
    uint64_t samples;    /* of the accepted updates */
    uint64_t started_ms; /* first lease of this attempt, 0: none yet */
    uint64_t closed_ms;  /* 0: open */
    bool has_version;    /* COMMITTED, and only then */
    uint32_t version;    /* that it made */
};

/* 0 or INVALID: a run's or tag's name. */
int store_name_check(const char *name);

/*
 * Adds a run in state ACTIVE and an audit entry; its first version is added separately, in the same
 * transaction. *id is set on success.
 *   INVALID  a name, a text or a number breaks the rules above; store_problem() says which
 *   EXISTS   the name is taken
 */
int store_run_create(struct store *store, const struct store_run_config *config, uint64_t now_ms,
                     uint32_t *id);

/* An operator's word: changes the state, with an audit entry by `actor`; reason may be "".
 * NOT_FOUND; STATE: the run is FINISHED or STOPPED already. */
int store_run_set_state(struct store *store, uint32_t run, enum store_run_state state,
                        const char *reason, const char *actor, uint64_t now_ms);

/* The engine's word: notes what it has learned, and that the run has ended if it has. It cannot undo
 * an operator's pause or stop of which the engine has not heard yet. NOT_FOUND. */
int store_run_progress(struct store *store, uint32_t run, enum store_run_state state,
                       const struct store_learned *learned, uint64_t now_ms);

/* NOT_FOUND. */
int store_run_get(struct store *store, uint32_t run, struct store_run *out);
int store_run_find(struct store *store, const char *name, struct store_run *out);

/* Every run by id; a result of `each` other than 0 ends the list and is returned. */
int store_runs(struct store *store, int (*each)(void *user, const struct store_run *run),
               void *user);

/* Adds a round, or replaces the row of this run and number. Run and base version must exist (INVALID).
 * A round that is COMMITTED stays as it is (STATE). */
int store_round_put(struct store *store, const struct store_round *round);

/* NOT_FOUND. */
int store_round_get(struct store *store, uint32_t run, uint32_t round, struct store_round *out);

/* Rounds of a run by number; open_only: without COMMITTED ones. */
int store_rounds(struct store *store, uint32_t run, bool open_only,
                 int (*each)(void *user, const struct store_round *round), void *user);

/* The names as scripts see them, e.g. "active", "committed"; "unknown" otherwise. Static storage. */
const char *store_run_state_name(enum store_run_state state);
const char *store_round_state_name(enum store_round_state state);

#endif
