/* A plan as C source, for devices that neither read descriptions nor plan. Nothing but stdio. */
#ifndef MYCEL_CLI_MODEL_SOURCE_H
#define MYCEL_CLI_MODEL_SOURCE_H

#include <stdio.h>

#include <mycel/nn.h>

/* Writes `mycel_static_model` and `mycel_static_plan`, both const, and their bytes in a comment.
 * text: the description; the config's feature arrays must be NULL. Offsets are this machine's: a
 * 32-bit device runs the same plan in the same arena, of which its smaller context leaves some
 * bytes unused. Returns 0, or < 0 when the stream failed. */
int model_source_write(FILE *to, const struct mycel_nn_plan *plan, const char *text);

#endif
