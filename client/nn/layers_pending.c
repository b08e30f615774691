/*
 * Kinds whose files are being written: named here so that the table links. Planning a model that
 * uses one fails with MYCEL_E_UNSUPPORTED.
 */
#include "client/nn/nn_internal.h"

const struct nn_layer_ops nn_conv_ops;
const struct nn_layer_ops nn_depthwise_ops;
const struct nn_layer_ops nn_maxpool_ops;
const struct nn_layer_ops nn_avgpool_ops;
const struct nn_layer_ops nn_groupnorm_ops;
const struct nn_layer_ops nn_batchnorm_ops;
const struct nn_layer_ops nn_dropout_ops;
const struct nn_layer_ops nn_add_ops;
