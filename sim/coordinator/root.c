/*
 * The coordinator's own samples, for rules that compare devices with a reference (FLTrust: Cao et al., NDSS
 * 2021). They are drawn once from the union of all training data, clean whatever attackers do to theirs
 * (case I of the paper's section 5.1); the held-out set stays out of it. The daemon is given a file.
 */
#include "sim/coordinator/internal.h"

#include "server/eval/train.h"

#include <mycel/error.h>
#include <stdlib.h>

static void choose(uint64_t seed, uint32_t all, uint32_t wanted, uint32_t *chosen)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < all && count < wanted; i++) {
        uint64_t draw = chance_u64(seed, CHANCE_ROOT, i, 0);
        if (chance_chooses(draw, all - i, wanted - count)) {
            chosen[count++] = i;
        }
    }
}

int root_open(struct coordinator *c)
{
    const struct dataset *data = &c->world->fleet.data;
    uint32_t wanted = c->scenario->root_samples;
    if (!rule_needs_reference(&c->strategy)) {
        return MYCEL_OK;
    }
    wanted = wanted < data->samples ? wanted : data->samples;
    uint32_t *chosen = malloc(((size_t)wanted + 1u) * sizeof *chosen);
    if (chosen == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    struct dataset picked = {0};
    choose(c->scenario->seed, data->samples, wanted, chosen);
    int rc = dataset_pick(data, chosen, wanted, &picked);
    free(chosen);
    return rc == 0 ? eval_adopt(&picked, &c->root) : rc;
}

int root_reference(struct coordinator *c, uint32_t base_version, float **reference)
{
    const struct desk_task *task = &c->task;
    const struct eval_plan plan = {.seed = c->scenario->seed,
                                   .order = base_version,
                                   .epochs = task->epochs,
                                   .batch = task->batch,
                                   .steps_max = task->steps_max,
                                   .learning_rate = task->learning_rate,
                                   .momentum = task->momentum,
                                   .prox_mu = task->prox_mu};
    if (c->root == NULL) {
        return MYCEL_OK;
    }
    *reference = malloc((size_t)task->params * sizeof **reference);
    return *reference != NULL ? eval_train_delta(c->root, c->scenario->model, &plan,
                                                 (const float *)(const void *)c->ledger.model->data,
                                                 task->params, *reference)
                              : MYCEL_E_NO_MEMORY;
}
