/*
 * The walk through a model's layers, forward and backward. It owns the order and the table of
 * kinds; what a kind does is in its own file.
 */
#include "client/nn/nn_internal.h"

/* Kinds that the build leaves out have no entry, and so no place in the link. */
const struct nn_layer_ops *nn_ops(const struct mycel_layer *layer)
{
    static const struct nn_layer_ops *const table[MYCEL_LAYER_KINDS] = {
        [MYCEL_LAYER_DENSE] = &nn_dense_ops,
        [MYCEL_LAYER_CONV] = MYCEL_NN_WITH_CONV ? &nn_conv_ops : NULL,
        [MYCEL_LAYER_DEPTHWISE] = MYCEL_NN_WITH_DEPTHWISE ? &nn_depthwise_ops : NULL,
        [MYCEL_LAYER_MAXPOOL] = MYCEL_NN_WITH_POOLS ? &nn_maxpool_ops : NULL,
        [MYCEL_LAYER_AVGPOOL] = MYCEL_NN_WITH_POOLS ? &nn_avgpool_ops : NULL,
        [MYCEL_LAYER_GROUPNORM] = MYCEL_NN_WITH_NORMS ? &nn_groupnorm_ops : NULL,
        [MYCEL_LAYER_BATCHNORM] = MYCEL_NN_WITH_NORMS ? &nn_batchnorm_ops : NULL,
        [MYCEL_LAYER_DROPOUT] = MYCEL_NN_WITH_DROPOUT ? &nn_dropout_ops : NULL,
        [MYCEL_LAYER_ADD] = MYCEL_NN_WITH_ADD ? &nn_add_ops : NULL,
    };
    return table[layer->kind];
}

uint32_t nn_scratch_bytes(const struct mycel_nn_plan *plan, uint32_t i, enum nn_phase phase)
{
    if (nn_is_int8(plan, i)) {
        return nn_int8_scratch(plan, i, phase);
    }
    return nn_ops(&plan->model->layer[i])->scratch_bytes(plan, i, phase);
}

void nn_forward(struct mycel_nn *nn)
{
    if (MYCEL_NN_WITH_HOST && nn->plan->config.widen) {
        nn_input_widen(nn);
    }
    if (NN_WITH_INPUT_TENSOR && nn->plan->input_offset != NN_NONE) {
        nn_input_fill(nn);
    }
    for (uint32_t i = 0; i < nn->model->layer_count; i++) {
        if (nn_is_int8(nn->plan, i)) {
            nn_int8_forward(nn, i);
        } else {
            nn_ops(nn_layer(nn, i))->forward(nn, i);
        }
    }
}

void nn_backward(struct mycel_nn *nn)
{
    for (uint32_t i = nn->model->layer_count; i-- > nn->plan->first_trained;) {
        nn_ops(nn_layer(nn, i))->backward(nn, i);
    }
}
