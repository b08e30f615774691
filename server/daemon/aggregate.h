/*
 * One round's accepted updates become the next version: reads base, optimizer state and spooled bodies
 * from the store and runs the run's rule over them. Repeatable: the same rows give the same bytes,
 * wherever the bodies come from.
 */
#ifndef MYCEL_SERVER_DAEMON_AGGREGATE_H
#define MYCEL_SERVER_DAEMON_AGGREGATE_H

#include "server/daemon/blob_source.h"
#include "server/daemon/body_cache.h"
#include "server/daemon/run_table.h"
#include "server/engine/action.h"
#include "server/eval/eval.h"

/* The coordinator's own samples, for rules that need a reference. */
struct root_set {
    struct eval_set *set; /* NULL: none */
    uint32_t samples;     /* of it that are trained on, 0: all */
};

/* What a round's sum is made of. */
struct aggregate_from {
    struct store *reader;
    const struct store_run_config *config;
    const struct engine_action_aggregate *order;
    const struct root_set *root;
    struct body_set *kept;              /* taken from first; other bodies come from the store */
    const struct blob_views *views;     /* looked into before the store; NULL: nothing in memory */
    const struct downlink_chain *chain; /* of the base version, as far as known; NULL: it is not */
};

/* Fills *out (the caller frees it with run_sum_free). Blocks: store and arithmetic, in proportion to
 * model and updates. NOT_FOUND, CORRUPT (what is stored does not fit the order), NO_MEMORY, what
 * the rule refuses, or UNSUPPORTED: the rule needs a root set. */
int aggregate_round(const struct aggregate_from *from, struct run_sum *out);

/* Whether such a failure says nothing about the round (no memory, a disk that fails): the sum is to be
 * asked for again. What is left would fail the same way for ever, and the round is given up. */
bool aggregate_may_work_later(int status);

#endif
