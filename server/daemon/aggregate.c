/*
 * Reads and sums. Streaming rules see a few bodies at a time; gathering rules need all of them, and keep
 * them in memory until the round is finished.
 */
#include "server/daemon/aggregate.h"

#include "server/daemon/chain.h"
#include "server/desk/sum.h"
#include "server/eval/train.h"

#include <stdlib.h>

#define BATCH_BYTES (8u << 20) /* bodies at a time that fit beside the rest */

struct context {
    struct store *reader;
    struct blob_source source;
    struct body_set *kept;
    const struct downlink_chain *chain;
    const struct store_run_config *config;
    const struct engine_action_aggregate *order;
    const struct root_set *root;
    struct rule_strategy strategy;
    struct rule_round round;
    struct store_update *rows; /* of the spooled updates, by device */
    uint32_t count;
    uint32_t clients;
    uint64_t weight;
    uint32_t weight_max;
    uint8_t **bodies;         /* kept for a gathering rule, else a few at a time */
    struct blob_content base; /* params floats */
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
    c->sum.model = malloc(wanted);
    c->sum.model_bytes = wanted;
    if (!c->sum.model) {
        return MYCEL_E_NO_MEMORY;
    }
    if (rc == 0) {
        rc = blob_source_get(&c->source, version->sha256, &c->base);
    }
    return rc == 0 && c->base.bytes != wanted ? MYCEL_E_CORRUPT : rc;
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
    return c->reference ? eval_train_delta(c->root->set, config->model, &plan, c->base.data,
                                           config->params, c->reference)
                        : MYCEL_E_NO_MEMORY;
}

static int count_device(void *user, const struct store_device *device)
{
    uint32_t *count = user;
    *count += device->state == STORE_DEVICE_ACTIVE;
    return MYCEL_OK;
}

/* SCAFFOLD's N: everybody who may take part. Other rules do not look at it. */
static int count_clients(struct context *c)
{
    c->clients = c->count;
    if (!rule_needs_control(&c->strategy)) {
        return MYCEL_OK;
    }
    uint32_t enrolled = 0;
    int rc = store_devices(c->reader, count_device, &enrolled);
    c->clients = enrolled > c->count ? enrolled : c->count;
    return rc;
}

static int begin(struct context *c)
{
    struct rule_setup setup = {.strategy = &c->strategy,
                               .params = c->config->params,
                               .updates_max = c->count,
                               .weight_max = c->weight_max,
                               .clients = c->clients,
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

/* From memory where it is still there, else from the store, which checks it. */
static int load_body(struct context *c, uint32_t index, size_t *bytes)
{
    const uint8_t *key = c->rows[index].key;
    uint64_t size;
    c->bodies[index] = body_set_take(c->kept, key, bytes);
    if (c->bodies[index]) {
        return MYCEL_OK;
    }
    int rc = store_body_size(c->reader, key, &size);
    if (rc < 0) {
        return rc;
    }
    c->bodies[index] = malloc((size_t)size);
    return c->bodies[index] ? store_body_load(c->reader, key, c->bodies[index], (size_t)size, bytes)
                            : MYCEL_E_NO_MEMORY;
}

/* As many updates as go well together: in number, and in memory. Where the next ones begin, or an
 * error. */
static int add_updates(struct context *c, uint32_t first)
{
    struct sum_body batch[RULE_BATCH_MAX];
    uint32_t count = 0;
    size_t bytes = 0;
    while (count < RULE_BATCH_MAX && first + count < c->count && bytes < BATCH_BYTES) {
        const struct store_update *row = &c->rows[first + count];
        struct sum_body *next = &batch[count];
        int rc = load_body(c, first + count, &next->bytes);
        if (rc < 0) {
            return rc;
        }
        next->body = c->bodies[first + count];
        next->row = (struct sum_row){.device = row->device,
                                     .weight = (uint32_t)row->weight,
                                     .steps = row->steps,
                                     .scale_q16 = row->scale_q16,
                                     .loss_first = row->loss_first};
        bytes += next->bytes;
        count++;
    }
    int rc = sum_add_bodies(&c->round, batch, count);
    for (uint32_t i = first; i < first + count && c->strategy.rule->kind != RULE_GATHERING; i++) {
        free(c->bodies[i]);
        c->bodies[i] = NULL;
    }
    return rc < 0 ? rc : (int)(first + count);
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
        rc = count_clients(c);
    }
    if (rc == 0) {
        rc = begin(c);
    }
    while (rc >= 0 && (uint32_t)rc < c->count) {
        rc = add_updates(c, (uint32_t)rc);
    }
    rc = rc >= 0 ? rule_finish(&c->round, c->base.data, c->sum.model, NULL) : rc;
    if (rc == 0 && c->config->downlink == DOWNLINK_DELTA) {
        const struct chain_from from = {.source = &c->source,
                                        .config = c->config,
                                        .known = c->chain,
                                        .run = c->order->run,
                                        .base = c->order->base_version};
        rc = chain_next(&from, c->sum.model, &c->sum.held);
    }
    return rc;
}

bool aggregate_may_work_later(int status)
{
    return status == MYCEL_E_NO_MEMORY || status == MYCEL_E_IO || status == MYCEL_E_DISK_FULL ||
           status == MYCEL_E_BUSY;
}

int aggregate_round(const struct aggregate_from *from, struct run_sum *out)
{
    struct context c = {.reader = from->reader,
                        .source = {.reader = from->reader, .views = from->views},
                        .kept = from->kept,
                        .chain = from->chain,
                        .config = from->config,
                        .order = from->order,
                        .root = from->root};
    int rc = store_begin_read(from->reader);
    if (rc == 0) {
        rc = run_rule(&c);
        store_rollback(from->reader);
    }
    for (uint32_t i = 0; c.bodies && i < c.count; i++) {
        free(c.bodies[i]);
    }
    free(c.bodies);
    free(c.rows);
    blob_content_free(&c.base);
    free(c.reference);
    free(c.work);
    c.sum.round = from->order->round;
    c.sum.attempt = from->order->attempt;
    if (rc < 0) {
        run_sum_free(&c.sum);
    }
    *out = c.sum;
    return rc;
}
