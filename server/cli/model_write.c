/* Writes model versions in every format that is offered. */
#include "server/cli/model_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "server/cli/model_text.h"
#include "server/cli/npz.h"
#include "server/cli/outfile.h"
#include "server/cli/say.h"

float model_source_value(const struct model_source *s, uint32_t index)
{
    const uint8_t *b = s->data + 4u * (size_t)index;
    uint32_t bits =
        (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- formats ------------------------------------------------------------------------------ */

static int write_raw(const struct model_source *s, FILE *out)
{
    return fwrite(s->data, 1, s->bytes, out) == s->bytes ? MYCEL_OK : MYCEL_E_IO;
}

static int write_npz(const struct model_source *s, FILE *out)
{
    struct npz *z = malloc(sizeof *z);
    if (z == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    npz_begin(z, out);
    int result = npz_add_text(z, "model", s->run.config.model);
    struct model_tensors walk = {0};
    while (result == MYCEL_OK && model_tensors_next(&walk, &s->model)) {
        result =
            npz_add_f32(z, walk.name, walk.tensor.dim, walk.tensor.rank,
                        s->data + 4u * (size_t)walk.tensor.offset, 4u * (size_t)walk.tensor.count);
    }
    result = result < 0 ? result : npz_end(z);
    free(z);
    return result;
}

static void write_tensor(const struct model_source *s, const struct model_tensors *walk, FILE *out)
{
    char shape[MODEL_SHAPE_BYTES];
    char name[MODEL_TENSOR_NAME_BYTES];
    snprintf(name, sizeof name, "%s", walk->name);
    name[strcspn(name, ".")] = '_';
    (void)fprintf(out, "\n/* %s */\nstatic const float mycel_%s[%" PRIu32 "] = {",
                  model_shape_text(&walk->tensor, shape), name, walk->tensor.count);
    for (uint32_t i = 0; i < walk->tensor.count; i++) {
        /* Nine digits bring back the same bits; the exponent keeps whole numbers floating. */
        (void)fprintf(out, "%s%.8ef,", i % 6u == 0 ? "\n    " : " ",
                      (double)model_source_value(s, walk->tensor.offset + i));
    }
    (void)fputs("\n};\n", out);
}

static int write_c_header(const struct model_source *s, FILE *out)
{
    char hash[2 * PROTO_SHA256_BYTES + 1];
    (void)fprintf(
        out,
        "/* Run '%s', version %" PRIu32 ". Parameters of the model\n"
        " *     %s\n"
        " * in PyTorch's order, row-major. Made by `mycel model export`: do not edit. */\n"
        "#ifndef MYCEL_MODEL_PARAMETERS_H\n#define MYCEL_MODEL_PARAMETERS_H\n\n"
        "#define MYCEL_MODEL_TEXT \"%s\"\n"
        "#define MYCEL_MODEL_VERSION %" PRIu32 "u\n"
        "#define MYCEL_MODEL_SHA256 \"%s\"\n"
        "#define MYCEL_MODEL_PARAMS %" PRIu32 "u\n",
        s->run.config.name, s->version.number, s->run.config.model, s->run.config.model,
        s->version.number, say_hex(s->version.sha256, sizeof s->version.sha256, hash),
        s->model.param_count);
    struct model_tensors walk = {0};
    while (model_tensors_next(&walk, &s->model)) {
        write_tensor(s, &walk, out);
    }
    (void)fputs("\n#endif\n", out);
    return ferror(out) ? MYCEL_E_IO : MYCEL_OK;
}

int model_write(const struct model_source *s, enum model_format format, FILE *out)
{
    static int (*const writers[])(const struct model_source *, FILE *) = {write_raw, write_npz,
                                                                          write_c_header};
    int result = writers[format](s, out);
    return result == MYCEL_OK && fflush(out) != 0 ? MYCEL_E_IO : result;
}

/* ---- files -------------------------------------------------------------------------------- */

struct content {
    const struct model_source *source;
    enum model_format format;
    const char *path;
};

static int write_content(FILE *out, void *context)
{
    const struct content *content = context;
    int result = model_write(content->source, content->format, out);
    if (result < 0) {
        say_error("%s: %s", content->path, mycel_error_text(result));
    }
    return result;
}

int model_write_file(const struct model_source *s, enum model_format format, const char *path,
                     bool replace)
{
    struct content content = {s, format, strcmp(path, "-") == 0 ? "stdout" : path};
    return outfile_write(path, replace, write_content, &content);
}

/* ---- loading ------------------------------------------------------------------------------ */

int model_source_load(struct model_source *s, struct store *store, const char *text)
{
    memset(s, 0, sizeof *s);
    int result = state_version(store, text, &s->run, &s->version);
    if (result == MYCEL_OK) {
        result = model_parse_or_say(&s->model, s->run.config.model);
    }
    if (result == MYCEL_OK) {
        result = state_blob(store, &s->version, &s->data, &s->bytes);
    }
    if (result == MYCEL_OK && s->bytes != 4u * (size_t)s->model.param_count) {
        say_error("version %" PRIu32 " does not hold the %" PRIu32 " parameters of its model",
                  s->version.number, s->model.param_count);
        model_source_release(s);
        return MYCEL_E_CORRUPT;
    }
    return result;
}

void model_source_release(struct model_source *s)
{
    free(s->data);
    s->data = NULL;
}
