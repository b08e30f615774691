/*
 * What the files of the model description share. Nothing outside common/model*.c includes it.
 */
#ifndef MYCEL_COMMON_MODEL_INTERNAL_H
#define MYCEL_COMMON_MODEL_INTERNAL_H

#include "mycel/model.h"

/* Gives layer `index` (kind, arguments and modifiers filled in, earlier layers placed) its input
 * and output shape and its place among the parameters.
 * Returns 0, MYCEL_E_SHAPE or MYCEL_E_TOO_LARGE with *why set to a static sentence. */
int model_layer_place(struct mycel_model *model, uint32_t index, const char **why);

/* Settles the loss and the rules about the last layer. Same results; also MYCEL_E_MALFORMED and
 * MYCEL_E_UNSUPPORTED. */
int model_finish(struct mycel_model *model, const char **why);

#endif
