/* What the files of the simulated coordinator share, and nobody else sees. */
#ifndef MYCEL_SIM_COORDINATOR_INTERNAL_H
#define MYCEL_SIM_COORDINATOR_INTERNAL_H

#include "server/desk/desk.h"
#include "server/desk/downlink.h"
#include "server/engine/rules/rules.h"
#include "server/eval/eval.h"
#include "server/net/body.h"
#include "sim/coordinator/coordinator.h"
#include "sim/coordinator/ledger.h"
#include "sim/world/world.h"

#define VERSIONS_KEPT (ENGINE_STALENESS_MAX + 2u)

/* A row on its way to the disk. */
struct waiting_row {
    uint64_t batch;
    uint64_t said_us; /* when the engine said it: what "from now" in it means */
    struct engine_action action;
    uint8_t *body;
    uint32_t body_bytes;
};

/* First in, first out; rows[first … first + count - 1]. */
struct waiting_rows {
    struct waiting_row *rows;
    uint32_t first, count, capacity;
};

struct held_actions {
    struct engine_action *list;
    uint32_t first, count, capacity;
};

/* What a worker is at; virtual time passes before its answer is told. */
struct work {
    bool pending;
    uint64_t due_us;
    struct engine_event event; /* AGGREGATED or EVALUATED */
};

/* What may be downloaded: a version, as devices are given it. */
struct version {
    uint8_t sha256[PROTO_SHA256_BYTES]; /* by which the engine knows it */
    struct blob *blob;                  /* the held model where the downlink is made of deltas */
    struct blob *chain;                 /* NULL: it is sent as it is */
    struct downlink_chain known;
};

/* The sum that waits to be published. */
struct sum {
    uint32_t round;
    uint32_t attempt;
    struct blob *model;
    float *state;
    struct ledger_held held;
};

struct coordinator {
    struct world *world;
    const struct scenario *scenario;
    struct ledger ledger;
    struct eval_set *test;
    struct eval_set *root;      /* the coordinator's own samples; NULL: the rule needs none */
    struct eval_set *triggered; /* its samples with a backdoor's trigger; NULL: no backdoor */
    struct rule_strategy strategy;
    struct desk_task task;
    int downlink;                           /* enum downlink */
    struct version versions[VERSIONS_KEPT]; /* a ring */
    uint32_t version_count;
    struct blob *controls[VERSIONS_KEPT]; /* the same of SCAFFOLD's c, in the rule's states */
    uint32_t control_count;

    /* Lost in a crash. */
    uint32_t epoch;
    struct engine *engine;
    void *engine_memory;
    size_t engine_bytes;
    struct body_table bodies;
    struct waiting_rows waiting;
    struct held_actions held;
    uint64_t durable;
    bool storing; /* a WORLD_STORE is under way */
    uint64_t tick_us;
    struct work aggregation;
    struct work evaluation;
    struct sum sum;
    uint8_t *body; /* of the update that is being stepped, until a row takes it */
    uint32_t body_bytes;
};

/* ---- step.c: an event in, its actions carried out or held */
void coordinator_step(struct coordinator *c, struct engine_event *event);
/* A step whose reply is given to the caller: the answer in *answer. False: there is none, or it may not
 * be told yet. */
bool coordinator_query(struct coordinator *c, struct engine_event *event,
                       struct engine_action *answer);
/* Forgets what was not durable. */
void coordinator_forget(struct coordinator *c);

/* ---- answer.c: what a device is told */
void answer_action(struct coordinator *c, const struct engine_action *action);
void answer_message(struct coordinator *c, uint32_t trip, uint8_t code, uint16_t format,
                    const uint8_t *payload, int bytes);
void answer_busy(struct coordinator *c, uint32_t trip);
void answer_problem(struct coordinator *c, uint32_t trip,
                    const struct engine_action_problem *problem);
void answer_receipt(struct coordinator *c, uint32_t trip, uint8_t code,
                    const struct engine_receipt *receipt);
/* An old receipt, or the refusal that stands for it. `code`: 2.04 or 2.05. */
void answer_lookup(struct coordinator *c, uint32_t trip, uint8_t code,
                   const struct engine_action_lookup *lookup);
/* The tag by which the engine names this trip. */
uint64_t answer_tag(struct coordinator *c, uint32_t trip);

/* ---- held.c: what devices hold */
/* Makes the next held model of a sum. */
int held_make(const struct coordinator *c, uint32_t version, struct sum *sum);
/* Puts a version into the ring. held->blob NULL: devices are sent the version itself. */
void version_put(struct coordinator *c, struct blob *model, const struct ledger_held *held);
void versions_free(struct coordinator *c);
/* The version by the engine's name for it, or NULL. */
const struct version *version_find(const struct coordinator *c,
                                   const uint8_t sha256[PROTO_SHA256_BYTES]);
/* Whether its patches are offered: it is one of the newest, and has a chain. */
bool version_is_patched(const struct coordinator *c, const struct version *version);
/* What may be downloaded under that name: a model, or a patch to it, which lies in a blob from *first on. NULL:
 * nothing of that name. */
struct blob *version_blob(struct coordinator *c, const uint8_t sha256[PROTO_SHA256_BYTES],
                          uint32_t *first);

/* ---- work.c: sums and scores */
void work_aggregate(struct coordinator *c, const struct engine_action_aggregate *order);
void work_evaluate(struct coordinator *c, const struct engine_action_evaluate *order);
void sum_clear(struct sum *sum);

/* ---- root.c: FLTrust's reference. Both do nothing where the rule needs none. */
/* Draws the samples. NO_MEMORY, or what eval_adopt says. */
int root_open(struct coordinator *c);
/* What training on them moves the newest version by; the caller frees it. As eval_train_delta. */
int root_reference(struct coordinator *c, uint32_t base_version, float **reference);

#endif
