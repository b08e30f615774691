/* `mycel model list|show`: versions, what they are worth, and what is in them. */
#include "server/cli/model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <mycel/model.h>

#include "server/cli/exits.h"
#include "server/cli/model_text.h"
#include "server/cli/say.h"
#include "server/cli/state.h"

#define LINEAGE_SHOWN 10u

struct show_options {
    bool json;
};

static const struct setting json_rows[] = {
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, .help = "Print JSON"},
};

const struct setting_list model_list_settings = SETTING_LIST(json_rows, struct show_options);
const struct setting_list model_show_settings = SETTING_LIST(json_rows, struct show_options);

/* ---- list --------------------------------------------------------------------------------- */

static const struct say_column columns[] = {{"VERSION", 7},   {"ROUND", 5},   {"KIND", -8},
                                            {"ACCURACY", 8},  {"LOSS", 8},    {"SIZE", 9},
                                            {"CREATED", -20}, {"SHA256", -16}};
#define COLUMNS (sizeof columns / sizeof columns[0])

static int print_version(void *user, const struct store_version *v)
{
    char number[16], round[16] = "-", accuracy[16] = "-", loss[16] = "-";
    char size[SAY_SIZE_BYTES], created[SAY_TIME_BYTES], hash[2 * PROTO_SHA256_BYTES + 1];
    (void)user;
    snprintf(number, sizeof number, "%" PRIu32, v->number);
    if (v->round > 0) {
        snprintf(round, sizeof round, "%" PRIu32, v->round);
    }
    if (v->has_metrics && isfinite(v->metrics.accuracy)) {
        snprintf(accuracy, sizeof accuracy, "%.4f", (double)v->metrics.accuracy);
    }
    if (v->has_metrics && isfinite(v->metrics.loss)) {
        snprintf(loss, sizeof loss, "%.4f", (double)v->metrics.loss);
    }
    const char *cells[COLUMNS] = {number,
                                  round,
                                  store_version_kind_name(v->kind),
                                  accuracy,
                                  loss,
                                  v->kept ? say_size(v->bytes, size) : "dropped",
                                  say_time(v->created_ms, created),
                                  say_hex(v->sha256, 8, hash)};
    say_row(columns, COLUMNS, cells);
    return 0;
}

static int append_version(void *user, const struct store_version *v)
{
    return json_array_append_new(user, model_version_json(v)) == 0 ? MYCEL_OK : MYCEL_E_NO_MEMORY;
}

static int list_versions(struct store *store, const struct store_run *run, bool json)
{
    json_t *list = json ? json_array() : NULL;
    if (!json) {
        (void)printf("Run %" PRIu32 " '%s': %s\n", run->id, run->config.name, run->config.model);
        say_heads(columns, COLUMNS);
    }
    int result = store_versions(store, run->id, json ? append_version : print_version, list);
    if (result < 0) {
        json_decref(list);
        return state_fail(store, result, run->config.name);
    }
    return json ? say_json(list) : EXIT_CODE_OK;
}

int model_list_run(const struct invocation *call)
{
    const struct show_options *options = call->options;
    struct store *store = NULL;
    struct store_run run;
    int result = state_open(call->config, STATE_READ, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    result = state_run(store, call->words_count > 0 ? call->words[0] : NULL, &run);
    int code = result < 0 ? exit_of_error(result) : list_versions(store, &run, options->json);
    store_close(store);
    return code;
}

/* ---- show --------------------------------------------------------------------------------- */

/* Where a version came from and what it is called. */
struct origin {
    json_t *lineage; /* from itself to its first ancestor */
    json_t *tags;
    uint32_t version;
};

static int append_ancestor(void *user, const struct store_version *v)
{
    struct origin *origin = user;
    json_t *row =
        json_pack("{s:I, s:s, s:o}", "version", (json_int_t)v->number, "kind",
                  store_version_kind_name(v->kind), "source",
                  v->kind == STORE_VERSION_ROLLBACK ? json_integer(v->source) : json_null());
    return json_array_append_new(origin->lineage, row) == 0 ? MYCEL_OK : MYCEL_E_NO_MEMORY;
}

static int append_tag(void *user, const struct store_tag *tag)
{
    struct origin *origin = user;
    return tag->version != origin->version ||
                   json_array_append_new(origin->tags, json_string(tag->name)) == 0
               ? MYCEL_OK
               : MYCEL_E_NO_MEMORY;
}

static int origin_read(struct origin *origin, struct store *store, const struct store_version *v)
{
    *origin = (struct origin){json_array(), json_array(), v->number};
    int result = store_lineage(store, v->run, v->number, append_ancestor, origin);
    if (result == MYCEL_OK) {
        result = store_tags(store, v->run, append_tag, origin);
    }
    if (result < 0) {
        state_fail(store, result, "lineage");
    }
    return result;
}

static void origin_release(struct origin *origin)
{
    json_decref(origin->lineage);
    json_decref(origin->tags);
}

/* "7 (rollback of 2) < 6 < 5 …": rounds are not named, they are the rule. */
static void print_origin(const struct origin *origin)
{
    size_t i;
    json_t *row;
    json_array_foreach(origin->tags, i, row)
    {
        (void)printf("%s%s", i == 0 ? "tags      " : ", ", json_string_value(row));
    }
    (void)printf("%slineage   ", json_array_size(origin->tags) > 0 ? "\n" : "");
    json_array_foreach(origin->lineage, i, row)
    {
        const char *kind = json_string_value(json_object_get(row, "kind"));
        json_t *source = json_object_get(row, "source");
        if (i == LINEAGE_SHOWN) {
            (void)printf(" < … (%zu in all)", json_array_size(origin->lineage));
            break;
        }
        (void)printf("%s%" PRIu32, i > 0 ? " < " : "",
                     (uint32_t)json_integer_value(json_object_get(row, "version")));
        if (json_is_integer(source)) {
            (void)printf(" (%s of %" PRIu32 ")", kind, (uint32_t)json_integer_value(source));
        } else if (strcmp(kind, "round") != 0) {
            (void)printf(" (%s)", kind);
        }
    }
    (void)putchar('\n');
}

static int show_json(const struct store_run *run, const struct mycel_model *model,
                     const struct store_version *v, const struct origin *origin)
{
    json_t *out = model_version_json(v);
    json_t *tensors = json_array();
    struct model_tensors walk = {0};
    while (model_tensors_next(&walk, model)) {
        json_t *shape = json_array();
        for (uint32_t i = 0; i < walk.tensor.rank; i++) {
            (void)json_array_append_new(shape, json_integer(walk.tensor.dim[i]));
        }
        (void)json_array_append_new(tensors,
                                    json_pack("{s:s, s:o, s:I}", "name", walk.name, "shape", shape,
                                              "offset", (json_int_t)walk.tensor.offset));
    }
    if (out == NULL || json_object_set_new(out, "run_name", json_string(run->config.name)) != 0 ||
        json_object_set_new(out, "model", json_string(run->config.model)) != 0 ||
        json_object_set_new(out, "params", json_integer(model->param_count)) != 0 ||
        json_object_set(out, "tags", origin->tags) != 0 ||
        json_object_set(out, "lineage", origin->lineage) != 0 ||
        json_object_set_new(out, "tensors", tensors) != 0) {
        json_decref(out);
        out = NULL;
    }
    return say_json(out);
}

static int show_text(const struct store_run *run, const struct mycel_model *model,
                     const struct store_version *v, const struct origin *origin)
{
    char hash[2 * PROTO_SHA256_BYTES + 1], size[SAY_SIZE_BYTES], created[SAY_TIME_BYTES];
    (void)printf("run       %" PRIu32 " '%s'\n", run->id, run->config.name);
    (void)printf("version   %" PRIu32 " (%s, %s)\n", v->number, store_version_kind_name(v->kind),
                 say_time(v->created_ms, created));
    print_origin(origin);
    if (v->has_metrics) {
        (void)printf("accuracy  %.4f, loss %.4f on %" PRIu32 " held-out samples\n",
                     (double)v->metrics.accuracy, (double)v->metrics.loss, v->metrics.samples);
    }
    (void)printf("sha256    %s\n", say_hex(v->sha256, sizeof v->sha256, hash));
    (void)printf("size      %s%s, %" PRIu32 " parameters\n", say_size(v->bytes, size),
                 v->kept ? "" : " (dropped)", model->param_count);
    (void)printf("model     %s\n\n", run->config.model);
    static const struct say_column heads[] = {{"TENSOR", -20}, {"SHAPE", -20}, {"VALUES", 10}};
    say_heads(heads, 3);
    struct model_tensors walk = {0};
    while (model_tensors_next(&walk, model)) {
        char count[16], shape[MODEL_SHAPE_BYTES];
        snprintf(count, sizeof count, "%" PRIu32, walk.tensor.count);
        const char *cells[] = {walk.name, model_shape_text(&walk.tensor, shape), count};
        say_row(heads, 3, cells);
    }
    return EXIT_CODE_OK;
}

int model_show_run(const struct invocation *call)
{
    const struct show_options *options = call->options;
    struct store *store = NULL;
    struct store_run run;
    struct store_version version;
    struct mycel_model model;
    struct origin origin = {0};
    int result = state_open(call->config, STATE_READ, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    result = state_version(store, call->words_count > 0 ? call->words[0] : NULL, &run, &version);
    if (result == MYCEL_OK) {
        result = model_parse_or_say(&model, run.config.model);
    }
    if (result == MYCEL_OK) {
        result = origin_read(&origin, store, &version);
    }
    store_close(store);
    int code = exit_of_error(result);
    if (result == MYCEL_OK) {
        code = options->json ? show_json(&run, &model, &version, &origin)
                             : show_text(&run, &model, &version, &origin);
    }
    origin_release(&origin);
    return code;
}
