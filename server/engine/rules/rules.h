/*
 * Server rules: how the accepted updates of a round become the next model. Each rule is a const struct
 * in a file of its own; this header is the table of them and the one way to run any of them.
 *
 * Pure: no I/O, no clock, no threads, no allocation; all memory is the caller's. Sums are int64 fixed
 * point (common/codec), so for the streaming rules neither the order of updates nor how they are
 * split over contexts changes a bit of the result; the gathering rules sort by device first.
 *
 * One round:
 *
 *   rule_begin(round, setup)                    setup: strategy, sizes, persistent state, work memory
 *   rule_add(round, update)                     for each accepted update, in any order
 *   rule_merge(round, other)                    only if several contexts took a share each
 *   rule_finish(round, base, next, &result)     base parameters -> next parameters
 *
 * Weighted rules use p_i = n_i / Σ n with n_i the update's weight. An update's scale (1 / √(1 + staleness)
 * for FedBuff) multiplies its delta and not its weight: a stale update counts less, as if averaged with
 * a zero, which is FedBuff's "divide by K".
 */
#ifndef MYCEL_ENGINE_RULES_H
#define MYCEL_ENGINE_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "common/codec/codec.h"

#define RULE_PARAMS_MAX 5u
#define RULE_NAME_BYTES_MAX 16u
#define RULE_TILE 4096u          /* coordinates at a time */
#define RULE_UPDATES_MAX 131072u /* of one round, streaming rules */
#define RULE_GATHER_MAX 1024u    /* of one round, rules that need all updates */
#define RULE_BATCH_MAX 32u       /* of rule_add_batch */
#define RULE_STATE_HEAD 4u       /* floats before the vectors of a state */
#define RULE_TEXT_BYTES_MAX 256u /* of a strategy's text, with its NUL */
#define RULE_ERROR_BYTES_MAX 128u

enum rule_kind {
    RULE_STREAMING, /* O(model) memory, each update seen once */
    RULE_GATHERING, /* needs all updates: reads the encoded frames again, tile by tile */
};

/* A parameter of a rule, as `key=value` in a strategy's text. */
struct rule_param {
    const char *name;
    const char *title;
    float initial; /* the default */
    float min, max;
};

struct rule_ops; /* how it is computed: rule_internal.h */

struct rule {
    const char *name;  /* "fedadam" */
    const char *title; /* one line for a person */
    const char *equation;
    const char *source; /* the paper */
    enum rule_kind kind;
    uint32_t param_count;
    struct rule_param params[RULE_PARAMS_MAX];
    uint32_t state_vectors; /* f32 vectors of the model's size that live on between rounds */
    const struct rule_ops *ops;
};

/* ---- the table ------------------------------------------------------------------------------ */

uint32_t rule_count(void);
const struct rule *rule_at(uint32_t index); /* 0 … rule_count() − 1 */

/* The rule of that name, or NULL. */
const struct rule *rule_find(const char *name);

/* The rule whose name is closest to a misspelt one, or NULL if none is near. */
const struct rule *rule_nearest(const char *name);

/* ---- strategies ----------------------------------------------------------------------------- */

/*
 * A strategy is a rule with its parameters, perhaps behind a clip:
 *
 *   strategy = [ "clip" ( "adaptive" | "fixed" ) { parameter } ">" ] rule { parameter } ;
 *   parameter = name "=" number ;
 *
 *   "fedavg"
 *   "clip adaptive quantile=0.8 > fedadam lr=0.01"
 *   "clip fixed norm=1 > fedavg lr=1"
 *
 * Words are separated by blanks; no parameter may be given twice.
 */
#define RULE_STRATEGY_DEFAULT "clip adaptive > fedadam lr=0.01"

enum rule_clip { RULE_CLIP_NONE, RULE_CLIP_FIXED, RULE_CLIP_ADAPTIVE };

struct rule_strategy {
    const struct rule *rule;
    float params[RULE_PARAMS_MAX]; /* in the order of rule->params */
    enum rule_clip clip;
    float clip_norm;     /* fixed: C; adaptive: C of the first round */
    float clip_quantile; /* adaptive: share of updates that should not be clipped */
    float clip_rate;     /* adaptive: speed of C */
};

struct rule_error {
    uint32_t column; /* of the text, from 1 */
    char text[RULE_ERROR_BYTES_MAX];
};

/* Parses a strategy's text. 0, or MYCEL_E_INVALID with the place and the reason in *error. */
int rule_parse(const char *text, struct rule_strategy *strategy, struct rule_error *error);

/* The clip stage, described as if it were a rule (for lists and help; not in the table). Its params are
 * norm, quantile and rate. */
const struct rule *rule_clip_description(void);

/* What the devices' plan needs: FedProx' μ; 0 for all other rules. */
float rule_prox_mu(const struct rule_strategy *strategy);

/* Whether devices correct their gradients (SCAFFOLD): then they get the state of the version that they
 * train, whose first vector is c, and rule_setup.clients matters. */
int rule_needs_control(const struct rule_strategy *strategy);

/* Whether rule_setup.reference must be given. */
int rule_needs_reference(const struct rule_strategy *strategy);

/* ---- state between rounds ------------------------------------------------------------------- */

/* Floats of the persistent state: RULE_STATE_HEAD, then the rule's vectors. Stored with the version
 * that it belongs to; loaded before rule_begin. */
uint64_t rule_state_floats(const struct rule_strategy *strategy, uint32_t params);

/* The state before the first round. */
void rule_state_init(const struct rule_strategy *strategy, uint32_t params, float *state);

/* The clip norm that holds for the next round; 0 without a clip. */
float rule_state_clip(const struct rule_strategy *strategy, const float *state);

/* ---- a round -------------------------------------------------------------------------------- */

struct rule_setup {
    const struct rule_strategy *strategy; /* these pointers stay valid until rule_finish */
    uint32_t params;                      /* ≤ CODEC_PARAMS_MAX */
    uint32_t updates_max;   /* ≤ RULE_UPDATES_MAX, or RULE_GATHER_MAX for a gathering rule */
    uint32_t weight_max;    /* ≤ CODEC_WEIGHT_MAX; heavier updates are refused */
    uint32_t clients;       /* in the run (SCAFFOLD's N); ≥ 1 */
    float learning_rate;    /* of the devices (SCAFFOLD, q-FedAvg); > 0 */
    const float *reference; /* FLTrust: the delta of the coordinator's own data; else NULL */
    float *state;           /* rule_state_floats(); changed by rule_finish */
    void *work;             /* rule_work_bytes(), aligned to 16 bytes */
    size_t work_bytes;
};

struct rule_update {
    const struct codec_frame
        *frame;               /* opened and scanned; a gathering rule copies the struct, but its
                                        bytes must stay until rule_finish */
    struct codec_stats stats; /* from codec_scan */
    uint32_t device;          /* unique in the round */
    uint32_t weight;          /* n_i */
    uint32_t steps;           /* local optimizer steps, ≥ 1 */
    float scale;              /* of staleness, 0 < scale ≤ 1 */
    float loss;               /* local loss before training (q-FedAvg), ≥ 0 */
};

struct rule_result {
    uint32_t updates;
    uint64_t weight;  /* Σ n_i */
    uint32_t clipped; /* updates whose norm was above the clip */
    float clip_norm;  /* that held in this round; 0: no clip */
    float step_norm;  /* ‖next − base‖ */
};

/* Caller's memory; the fields are the rules' own. */
struct rule_entry;
struct rule_round {
    struct rule_setup setup;
    int frac_bits;
    uint32_t updates;
    uint32_t clipped;
    uint64_t weight;
    int64_t scalar[2]; /* fixed-point sums of the rule, in units of 2^-RULE_SCALAR_BITS */
    float clip_norm;
    int64_t *sums;              /* streaming: one or two vectors */
    struct rule_entry *entries; /* gathering */
    float *delta;               /* one tile */
    const float **row;          /* gathering: one tile of each update, wherever it lies */
    float *rows;                /* room for those that have to be decoded */
    float *scratch;             /* for sorting, if the rule does */
    double *matrix;             /* updates_max², if the rule needs one */
    double reference_norm;
};

/* Bytes of work memory; 0 if a limit above is exceeded. */
size_t rule_work_bytes(const struct rule_setup *setup);

/* Prepares a round. 0; MYCEL_E_INVALID for a setup outside its limits or without the reference that the
 * rule needs; MYCEL_E_NO_MEMORY; MYCEL_E_TOO_LARGE if updates_max × weight_max leaves too few bits. */
int rule_begin(struct rule_round *round, const struct rule_setup *setup);

/*
 * Takes one update. Whether it is refused depends on itself and the setup alone, except for FULL:
 * MYCEL_E_SHAPE (parameters); MYCEL_E_WEIGHT (0 or above weight_max); MYCEL_E_INVALID (steps, scale, loss);
 * MYCEL_E_NORM (a coordinate, after clipping, of CODEC_VALUE_LIMIT or more); MYCEL_E_FULL.
 * Nothing has changed after an error.
 */
int rule_add(struct rule_round *round, const struct rule_update *update);

/*
 * Takes up to RULE_BATCH_MAX updates at once, with the same result as one by one but fewer passes over the
 * sums. status[i] is what rule_add would have returned. Returns how many were taken.
 */
int rule_add_batch(struct rule_round *round, const struct rule_update *updates, uint32_t count,
                   int *status);

/* Adds what `from` has taken to `into`; both were begun with equal setups but for `work`. Then `from` is
 * spent. 0, or MYCEL_E_FULL. */
int rule_merge(struct rule_round *into, const struct rule_round *from);

/*
 * Computes the next parameters; base and next may be the same memory. 0; MYCEL_E_STATE without updates;
 * MYCEL_E_NONFINITE if a result is not finite: `next` and the setup's state are then spoilt, go on with the
 * stored ones. `result` may be NULL.
 */
int rule_finish(struct rule_round *round, const float *base, float *next,
                struct rule_result *result);

#endif
