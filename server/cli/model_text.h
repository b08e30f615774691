/* How model descriptions, tensors and versions are named and shown, in one place for all commands. */
#ifndef MYCEL_SERVER_CLI_MODEL_TEXT_H
#define MYCEL_SERVER_CLI_MODEL_TEXT_H

#include <jansson.h>
#include <mycel/model.h>

#include "server/store/store.h"

#define MODEL_TENSOR_NAME_BYTES 32u
#define MODEL_SHAPE_BYTES 48u

/* Walks all tensors of a model in canonical order; start from {0}. */
struct model_tensors {
    uint32_t layer;
    uint32_t index; /* of the next tensor in the layer */
    struct mycel_tensor tensor;
    char name[MODEL_TENSOR_NAME_BYTES]; /* "dense1.weight": kind, layer from 1, role */
};
bool model_tensors_next(struct model_tensors *walk, const struct mycel_model *model);

/* "(32, 784)"; returns out. */
const char *model_shape_text(const struct mycel_tensor *tensor, char out[MODEL_SHAPE_BYTES]);

/* Parses a description; prints an error with the place underlined. 0 or the parser's MYCEL_E_*. */
int model_parse_or_say(struct mycel_model *model, const char *text);

/* A version as commands show it: run, version, kind, round, parent, source (of
 * a rollback), sha256, bytes, kept, metrics, created.
 * NULL when out of memory. */
json_t *model_version_json(const struct store_version *version);

/* {"accuracy":…, "loss":…, "samples":…}, or null where nothing was measured. */
json_t *model_metrics_json(const struct store_version *version);

#endif
