/*
 * The walk through a model's layers, forward and backward. It owns the order and the table of
 * kinds; what a kind does is in its own file.
 */
#include "client/nn/nn_internal.h"

/* A build with MYCEL_NN_DENSE_ONLY leaves every other kind out of the link. */
const struct nn_layer_ops *nn_ops(const struct mycel_layer *layer)
{
    static const struct nn_layer_ops *const table[MYCEL_LAYER_KINDS] = {
        [MYCEL_LAYER_DENSE] = &nn_dense_ops,
#ifndef MYCEL_NN_DENSE_ONLY
        [MYCEL_LAYER_CONV] = &nn_conv_ops,           [MYCEL_LAYER_DEPTHWISE] = &nn_depthwise_ops,
        [MYCEL_LAYER_MAXPOOL] = &nn_maxpool_ops,     [MYCEL_LAYER_AVGPOOL] = &nn_avgpool_ops,
        [MYCEL_LAYER_GROUPNORM] = &nn_groupnorm_ops, [MYCEL_LAYER_BATCHNORM] = &nn_batchnorm_ops,
        [MYCEL_LAYER_DROPOUT] = &nn_dropout_ops,     [MYCEL_LAYER_ADD] = &nn_add_ops,
#endif
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
    if (nn->plan->input_offset != NN_NONE) {
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
