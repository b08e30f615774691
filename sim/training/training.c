/* The shipped trainer over one device's share of the data. See training.h. */
#include "sim/training/training.h"

#include "client/port/linux/nn_trainer.h"

#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>

struct training *training_new(const struct mycel_plan *plan)
{
    struct training *training = calloc(1, sizeof *training);
    size_t bytes = strlen(plan->model) + 1u;
    if (training == NULL || bytes > sizeof training->model) {
        free(training);
        return NULL;
    }
    training->plan = *plan;
    memcpy(training->model, plan->model, bytes);
    training->plan.model = training->model;
    training->params = plan->params;
    training->values = malloc((size_t)plan->params * sizeof(float));
    training->correction = plan->control ? malloc((size_t)plan->params * sizeof(float)) : NULL;
    if (training->values == NULL || (plan->control && training->correction == NULL)) {
        training_free(training);
        return NULL;
    }
    return training;
}

void training_free(struct training *training)
{
    if (training != NULL) {
        free(training->values);
        free(training->correction);
        free(training);
    }
}

static int train(struct training *training, struct nn_trainer *trainer)
{
    const struct mycel_trainer *table = &nn_trainer_table;
    uint32_t column = 0;
    int rc = table->prepare(trainer, &training->plan, &column);
    if (rc == 0) {
        rc = table->load(trainer, 0, training->values, training->params);
    }
    if (rc == 0 && training->correction != NULL) {
        rc = table->correct(trainer, 0, training->correction, training->params);
    }
    if (rc == 0) {
        do {
            rc = table->step(trainer, UINT32_MAX);
        } while (rc > 0);
    }
    if (rc == 0) {
        rc = table->weights(trainer, 0, training->values, training->params);
        table->result(trainer, &training->result);
    }
    return rc;
}

/* A report that nobody trained for: the claims of one. */
static void pretend(struct training *training, uint32_t samples)
{
    training->result = (struct mycel_train_result){
        .samples = samples, .steps = 1, .loss_first = 1.0f, .loss_last = 1.0f};
    training->status = MYCEL_OK;
}

/* Whether this device's samples are other than those of the set. */
static bool has_own_view(const struct training *training, const struct fleet *fleet)
{
    const struct attack_spec *attack = training->attacker.spec;
    bool poisons =
        attack != NULL && (attack->kind == ATTACK_LABELFLIP || attack->kind == ATTACK_BACKDOOR);
    return poisons || fleet->skew.rotate > 0 || fleet->skew.noise > 0;
}

/* The device's samples as it sees them: a copy, skewed and poisoned. */
static int make_view(const struct training *training, const struct fleet *fleet,
                     const uint32_t *indices, uint32_t count, struct dataset *view)
{
    int rc = dataset_pick(&fleet->data, indices, count, view);
    if (rc == 0 && (fleet->skew.rotate > 0 || fleet->skew.noise > 0)) {
        const struct skew skew = skew_of_part(&fleet->skew, fleet->seed, training->device);
        rc = skew_apply(&skew, view);
    }
    if (rc == 0 && training->attacker.spec != NULL) {
        rc = attack_samples(&training->attacker, view);
    }
    return rc;
}

static int train_on_view(struct training *training, const struct fleet *fleet,
                         const uint32_t *indices, uint32_t count)
{
    struct dataset view = {0};
    int rc = make_view(training, fleet, indices, count, &view);
    if (rc == 0) {
        struct nn_trainer trainer;
        nn_trainer_init(&trainer, &view);
        rc = train(training, &trainer);
        nn_trainer_table.release(&trainer);
    }
    dataset_free(&view);
    return rc;
}

void training_run(struct training *training, const struct fleet *fleet)
{
    uint32_t count;
    const uint32_t *indices = fleet_indices(fleet, training->device, &count);
    if (training->attacker.spec != NULL && !attack_trains(training->attacker.spec)) {
        pretend(training, count);
        return;
    }
    if (has_own_view(training, fleet)) {
        training->status = train_on_view(training, fleet, indices, count);
        return;
    }
    struct nn_trainer trainer;
    nn_trainer_init_part(&trainer, &fleet->data, indices, count);
    training->status = train(training, &trainer);
    nn_trainer_table.release(&trainer);
}
