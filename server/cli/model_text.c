/* Names, shapes and JSON of models and versions. */
#include "server/cli/model_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "server/cli/say.h"

static const char *const kind_names[MYCEL_LAYER_KINDS] = {
    [MYCEL_LAYER_DENSE] = "dense",
    [MYCEL_LAYER_CONV] = "conv",
    [MYCEL_LAYER_DEPTHWISE] = "depthwise",
    [MYCEL_LAYER_MAXPOOL] = "maxpool",
    [MYCEL_LAYER_AVGPOOL] = "avgpool",
    [MYCEL_LAYER_GROUPNORM] = "groupnorm",
    [MYCEL_LAYER_BATCHNORM] = "batchnorm",
    [MYCEL_LAYER_DROPOUT] = "dropout",
    [MYCEL_LAYER_ADD] = "add",
};

static const char *const role_names[] = {[MYCEL_TENSOR_WEIGHT] = "weight",
                                         [MYCEL_TENSOR_BIAS] = "bias",
                                         [MYCEL_TENSOR_MEAN] = "mean",
                                         [MYCEL_TENSOR_VARIANCE] = "variance"};

bool model_tensors_next(struct model_tensors *walk, const struct mycel_model *model)
{
    while (walk->layer < model->layer_count) {
        if (mycel_model_tensor(model, walk->layer, walk->index, &walk->tensor) == MYCEL_OK) {
            snprintf(walk->name, sizeof walk->name, "%s%" PRIu32 ".%s",
                     kind_names[model->layer[walk->layer].kind], walk->layer + 1u,
                     role_names[walk->tensor.role]);
            walk->index++;
            return true;
        }
        walk->layer++;
        walk->index = 0;
    }
    return false;
}

const char *model_shape_text(const struct mycel_tensor *tensor, char out[MODEL_SHAPE_BYTES])
{
    int used = 0;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        used += snprintf(out + used, MODEL_SHAPE_BYTES - (size_t)used, "%s%" PRIu32,
                         i > 0 ? ", " : "(", tensor->dim[i]);
    }
    snprintf(out + used, MODEL_SHAPE_BYTES - (size_t)used, ")");
    return out;
}

int model_parse_or_say(struct mycel_model *model, const char *text)
{
    struct mycel_model_error error = {0};
    int result = mycel_model_parse(model, text, &error);
    if (result < 0) {
        say_error("the model description is wrong in column %d: %s\n  %s\n  %*s%.*s", error.column,
                  error.text, text, error.column - 1, "", error.length < 60 ? error.length : 60,
                  "^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~");
    }
    return result;
}

static json_t *real_or_null(float value)
{
    return isfinite(value) ? json_real((double)value) : json_null();
}

json_t *model_metrics_json(const struct store_version *version)
{
    if (!version->has_metrics) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:I}", "accuracy", real_or_null(version->metrics.accuracy), "loss",
                     real_or_null(version->metrics.loss), "samples",
                     (json_int_t)version->metrics.samples);
}

json_t *model_version_json(const struct store_version *v)
{
    char hash[2 * PROTO_SHA256_BYTES + 1], created[SAY_TIME_BYTES];
    return json_pack("{s:I, s:I, s:s, s:I, s:o, s:o, s:s, s:I, s:b, s:o, s:s}", "run",
                     (json_int_t)v->run, "version", (json_int_t)v->number, "kind",
                     store_version_kind_name(v->kind), "round", (json_int_t)v->round, "parent",
                     v->has_parent ? json_integer(v->parent) : json_null(), "source",
                     v->kind == STORE_VERSION_ROLLBACK ? json_integer(v->source) : json_null(),
                     "sha256", say_hex(v->sha256, sizeof v->sha256, hash), "bytes",
                     (json_int_t)v->bytes, "kept", (int)v->kept, "metrics", model_metrics_json(v),
                     "created", say_time(v->created_ms, created));
}
