/*
 * Reads and sums. Streaming rules see one body at a time; gathering rules need all of them, and keep
 * them in memory until the round is finished.
 */
#include "server/daemon/aggregate.h"

#include "server/desk/sum.h"
#include "server/eval/train.h"

#include <stdlib.h>
#include <string.h>

struct context {
    struct store *reader;
    const struct store_run_config *config;
    const struct engine_action_aggregate *order;
    const struct root_set *root;
    struct rule_strategy strategy;
    struct rule_round round;
    struct store_update *rows; /* of the spooled updates, by device */
    uint32_t count;
    uint64_t weight;
    uint32_t weight_max;
    uint8_t **bodies; /* kept for a gathering rule, else one at a time */
    float *base;
    float *reference; /* what training on the root set moves the base by; NULL: not needed */
    void *work;
    struct run_sum sum;
};

static int count_row(void *user, const struct store_update *update)
{
    struct context *c = user;
    if (c->count == c->order->accepted) {
        return MYCEL_E_CORRUPT;
    }
    c->rows[c->count++] = *update;
    c->weight += update->weight;
    if (update->weight == 0 || update->weight > CODEC_WEIGHT_MAX) {
        return MYCEL_E_CORRUPT;
    }
    if (update->weight > c->weight_max) {
        c->weight_max = (uint32_t)update->weight;
    }
    return MYCEL_OK;
}

/* What the engine counted and what is stored must be the same set. */
static int list_updates(struct context *c)
{
    c->rows = calloc(c->order->accepted + 1u, sizeof *c->rows);
    c->bodies = calloc(c->order->accepted + 1u, sizeof *c->bodies);
    if (!c->rows || !c->bodies) {
        return MYCEL_E_NO_MEMORY;
    }
    int rc = store_spooled(c->reader, c->order->run, c->order->round, count_row, c);
    if (rc == 0 && (c->count != c->order->accepted || c->weight != c->order->weight)) {
        rc = MYCEL_E_CORRUPT;
    }
    return rc;
}

static int load_base(struct context *c, struct store_version *version)
{
    int rc = store_version_get(c->reader, c->order->run, c->order->base_version, version);
    size_t wanted = (size_t)c->config->params * sizeof(float);
    size_t bytes = 0;
    c->base = malloc(wanted);
    c->sum.model = malloc(wanted);
    c->sum.model_bytes = wanted;
    if (!c->base || !c->sum.model) {
        return MYCEL_E_NO_MEMORY;
    }
    if (rc == 0) {
        rc = store_blob_load(c->reader, version->sha256, c->base, wanted, &bytes);
    }
    return rc == 0 && bytes != wanted ? MYCEL_E_CORRUPT : rc;
}

static int load_state(struct context *c, const struct store_version *version)
{
    uint64_t floats = rule_state_floats(&c->strategy, c->config->params);
    size_t bytes = 0;
    c->sum.state_bytes = (size_t)floats * sizeof(float);
    c->sum.state = malloc(c->sum.state_bytes + 1);
    if (!c->sum.state) {
        return MYCEL_E_NO_MEMORY;
    }
    if (!version->has_optimizer) {
        rule_state_init(&c->strategy, c->config->params, c->sum.state);
        return MYCEL_OK;
    }
    int rc = store_blob_load(c->reader, version->optimizer_sha256, c->sum.state, c->sum.state_bytes,
                             &bytes);
    return rc == 0 && bytes != c->sum.state_bytes ? MYCEL_E_CORRUPT : rc;
}

/*
 * FLTrust's reference: the coordinator is one more device of the round, with the run's plan and the same samples
 * all the time, in an order of its own for each base version.
 */
static int train_reference(struct context *c)
{
    const struct store_run_config *config = c->config;
    const struct eval_plan plan = {.seed = config->seed,
                                   .order = c->order->base_version,
                                   .samples = c->root->samples,
                                   .epochs = config->epochs,
                                   .batch = config->batch,
                                   .steps_max = config->steps_max,
                                   .learning_rate = config->learning_rate,
                                   .momentum = config->momentum,
                                   .prox_mu = config->prox_mu};
    if (!rule_needs_reference(&c->strategy)) {
        return MYCEL_OK;
    }
    if (!c->root->set) {
        return MYCEL_E_UNSUPPORTED;
    }
    c->reference = malloc((size_t)config->params * sizeof *c->reference);
    return c->reference ? eval_train_delta(c->root->set, config->model, &plan, c->base,
                                           config->params, c->reference)
                        : MYCEL_E_NO_MEMORY;
}

static int begin(struct context *c)
{
    struct rule_setup setup = {.strategy = &c->strategy,
                               .params = c->config->params,
                               .updates_max = c->count,
                               .weight_max = c->weight_max,
                               .clients = c->count,
                               .learning_rate = c->config->learning_rate,
                               .state = c->sum.state,
                               .reference = c->reference};
    setup.work_bytes = rule_work_bytes(&setup);
    if (setup.work_bytes == 0) {
        return MYCEL_E_TOO_LARGE;
    }
    c->work = malloc(setup.work_bytes);
    setup.work = c->work;
    return c->work ? rule_begin(&c->round, &setup) : MYCEL_E_NO_MEMORY;
}

static int add_update(struct context *c, uint32_t index)
{
    const struct store_update *row = &c->rows[index];
    uint64_t size;
    size_t bytes;
    int rc = store_body_size(c->reader, row->key, &size);
    if (rc < 0) {
        return rc;
    }
    uint8_t *body = malloc((size_t)size);
    if (!body) {
        return MYCEL_E_NO_MEMORY;
    }
    rc = store_body_load(c->reader, row->key, body, (size_t)size, &bytes);
    if (rc == 0) {
        const struct sum_row counted = {.device = row->device,
                                        .weight = (uint32_t)row->weight,
                                        .steps = row->steps,
                                        .scale_q16 = row->scale_q16,
                                        .loss_first = row->loss_first};
        rc = sum_add_body(&c->round, &counted, body, bytes);
    }
    if (rc == 0 && c->strategy.rule->kind == RULE_GATHERING) {
        c->bodies[index] = body; /* the rule reads it again when it finishes */
    } else {
        free(body);
    }
    return rc;
}

static int run_rule(struct context *c)
{
    struct store_version version;
    struct rule_error error;
    int rc = rule_parse(c->config->strategy, &c->strategy, &error);
    if (rc == 0) {
        rc = list_updates(c);
    }
    if (rc == 0) {
        rc = load_base(c, &version);
    }
    if (rc == 0) {
        rc = load_state(c, &version);
    }
    if (rc == 0) {
        rc = train_reference(c);
    }
    if (rc == 0) {
        rc = begin(c);
    }
    for (uint32_t i = 0; rc == 0 && i < c->count; i++) {
        rc = add_update(c, i);
    }
    return rc == 0 ? rule_finish(&c->round, c->base, c->sum.model, NULL) : rc;
}

bool aggregate_may_work_later(int status)
{
    return status == MYCEL_E_NO_MEMORY || status == MYCEL_E_IO || status == MYCEL_E_DISK_FULL ||
           status == MYCEL_E_BUSY;
}

int aggregate_round(struct store *reader, const struct store_run_config *config,
                    const struct engine_action_aggregate *order, const struct root_set *root,
                    struct run_sum *out)
{
    struct context c = {.reader = reader, .config = config, .order = order, .root = root};
    int rc = store_begin_read(reader);
    if (rc == 0) {
        rc = run_rule(&c);
        store_rollback(reader);
    }
    for (uint32_t i = 0; c.bodies && i < c.count; i++) {
        free(c.bodies[i]);
    }
    free(c.bodies);
    free(c.rows);
    free(c.base);
    free(c.reference);
    free(c.work);
    c.sum.round = order->round;
    c.sum.attempt = order->attempt;
    if (rc < 0) {
        run_sum_free(&c.sum);
    }
    *out = c.sum;
    return rc;
}
