/* `mycel model diff`: how far two versions are apart, tensor by tensor. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cli/exits.h"
#include "server/cli/model_text.h"
#include "server/cli/model_write.h"
#include "server/cli/registry.h"
#include "server/cli/say.h"

struct diff_options {
    bool json;
};

static const struct setting rows[] = {
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, .help = "Print one JSON object"},
};

const struct setting_list model_diff_settings = SETTING_LIST(rows, struct diff_options);

/* Sums over the values of a tensor, or of all of them. */
struct distance {
    double aa; /* of squares */
    double bb;
    double ab;
    double dd; /* of squared differences */
    double largest;
};

static void measure(struct distance *d, const struct model_source *a, const struct model_source *b,
                    const struct mycel_tensor *tensor)
{
    for (uint32_t i = tensor->offset; i < tensor->offset + tensor->count; i++) {
        double x = (double)model_source_value(a, i);
        double y = (double)model_source_value(b, i);
        d->aa += x * x;
        d->bb += y * y;
        d->ab += x * y;
        d->dd += (y - x) * (y - x);
        d->largest = fmax(d->largest, fabs(y - x));
    }
}

static void add(struct distance *sum, const struct distance *d)
{
    sum->aa += d->aa;
    sum->bb += d->bb;
    sum->ab += d->ab;
    sum->dd += d->dd;
    sum->largest = fmax(sum->largest, d->largest);
}

/* Of the two as vectors; NaN if one of them is zero. */
static double cosine(const struct distance *d)
{
    return d->aa > 0.0 && d->bb > 0.0 ? d->ab / sqrt(d->aa * d->bb) : (double)NAN;
}

/* ---- saying it ---------------------------------------------------------------------------- */

static const struct say_column columns[] = {{"TENSOR", -20}, {"|A|", 10},     {"|B|", 10},
                                            {"|B-A|", 10},   {"LARGEST", 10}, {"COSINE", 9}};
#define COLUMNS (sizeof columns / sizeof columns[0])
#define CELL 24

static void print(const char *name, const struct distance *d)
{
    char a[CELL], b[CELL], apart[CELL], largest[CELL], angle[CELL];
    snprintf(a, CELL, "%.4g", sqrt(d->aa));
    snprintf(b, CELL, "%.4g", sqrt(d->bb));
    snprintf(apart, CELL, "%.4g", sqrt(d->dd));
    snprintf(largest, CELL, "%.4g", d->largest);
    snprintf(angle, CELL, isfinite(cosine(d)) ? "%.6f" : "-", cosine(d));
    const char *cells[COLUMNS] = {name, a, b, apart, largest, angle};
    say_row(columns, COLUMNS, cells);
}

static json_t *as_json(const char *name, const struct distance *d)
{
    double angle = cosine(d);
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:o}", "name", name, "norm_a", sqrt(d->aa),
                     "norm_b", sqrt(d->bb), "norm_difference", sqrt(d->dd), "largest", d->largest,
                     "cosine", isfinite(angle) ? json_real(angle) : json_null());
}

static int compare(const struct model_source *a, const struct model_source *b, bool json)
{
    json_t *tensors = json ? json_array() : NULL;
    struct distance all = {0};
    struct model_tensors walk = {0};
    if (!json) {
        (void)printf("A is '%s' version %" PRIu32 ", B is '%s' version %" PRIu32 "\n",
                     a->run.config.name, a->version.number, b->run.config.name, b->version.number);
        say_heads(columns, COLUMNS);
    }
    while (model_tensors_next(&walk, &a->model)) {
        struct distance d = {0};
        measure(&d, a, b, &walk.tensor);
        add(&all, &d);
        if (json) {
            (void)json_array_append_new(tensors, as_json(walk.name, &d));
        } else {
            print(walk.name, &d);
        }
    }
    if (!json) {
        print("all", &all);
        return EXIT_CODE_OK;
    }
    json_t *out = as_json("all", &all);
    if (out == NULL || json_object_set_new(out, "tensors", tensors) != 0) {
        json_decref(out);
        out = NULL;
    }
    return say_json(out);
}

/* ---- the command -------------------------------------------------------------------------- */

static int load_both(struct model_source both[2], const struct invocation *call)
{
    struct store *store = NULL;
    int result = state_open(call->config, STATE_READ, &store);
    if (result < 0) {
        return result;
    }
    for (size_t i = 0; i < 2u && result == MYCEL_OK; i++) {
        result = model_source_load(&both[i], store, call->words[i]);
    }
    store_close(store);
    if (result == MYCEL_OK && strcmp(both[0].run.config.model, both[1].run.config.model) != 0) {
        say_error("the two have different models:\n  %s\n  %s", both[0].run.config.model,
                  both[1].run.config.model);
        result = MYCEL_E_INVALID;
    }
    return result;
}

int model_diff_run(const struct invocation *call)
{
    const struct diff_options *options = call->options;
    struct model_source *both = calloc(2, sizeof *both);
    if (both == NULL) {
        say_error("out of memory");
        return EXIT_CODE_FAILED;
    }
    int result = load_both(both, call);
    int code = result < 0 ? exit_of_error(result) : compare(&both[0], &both[1], options->json);
    model_source_release(&both[0]);
    model_source_release(&both[1]);
    free(both);
    return code;
}
