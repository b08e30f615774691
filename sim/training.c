/* The shipped trainer over one device's share of the data. See training.h. */
#include "sim/training.h"

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
    if (training->values == NULL) {
        free(training);
        return NULL;
    }
    return training;
}

void training_free(struct training *training)
{
    if (training != NULL) {
        free(training->values);
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

void training_run(struct training *training, const struct fleet *fleet)
{
    struct nn_trainer trainer;
    uint32_t count;
    const uint32_t *indices = fleet_indices(fleet, training->device, &count);
    nn_trainer_init_part(&trainer, &fleet->data, indices, count);
    training->status = train(training, &trainer);
    nn_trainer_table.release(&trainer);
}
