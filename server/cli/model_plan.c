/* The trainer's memory planner as a table: a row a layer, and the arena's bytes class by class. */
#include "server/cli/model_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <mycel/error.h>
#include <mycel/nn.h>

#include "server/cli/exits.h"
#include "server/cli/model_source.h"
#include "server/cli/model_text.h"
#include "server/cli/say.h"

#define CELL_BYTES 24u

struct plan_options {
    uint64_t batch, micro_batch, ram;
    unsigned optimizer, input, int8;
    bool infer, clip, json, source;
};

/* In the order of the trainer's enums. */
static const char *const optimizers[] = {"sgd", "momentum", "nesterov", "adam", NULL};
static const char *const inputs[] = {"f32", "u8", "i8", NULL};
static const char *const int8_layers[] = {"none", "frozen", "all", NULL};

#define AT(member) .offset = offsetof(struct plan_options, member)

static const struct setting rows[] = {
    {.name = "batch",
     .type = SETTING_COUNT,
     .argument = "N",
     .min = 1,
     .max = MYCEL_NN_BATCH_MAX,
     .fallback = "20",
     AT(batch),
     .help = "Samples per step"},
    {.name = "micro-batch",
     .type = SETTING_COUNT,
     .argument = "N",
     .min = 0,
     .max = MYCEL_NN_BATCH_MAX,
     .fallback = "0",
     AT(micro_batch),
     .help = "Samples in memory at once; 0: the batch"},
    {.name = "optimizer",
     .type = SETTING_CHOICE,
     .argument = "NAME",
     .fallback = "sgd",
     .choices = optimizers,
     AT(optimizer),
     .help = "sgd, momentum, nesterov or adam"},
    {.name = "input",
     .type = SETTING_CHOICE,
     .argument = "TYPE",
     .fallback = "f32",
     .choices = inputs,
     AT(input),
     .help = "How samples are given: f32, u8 or i8"},
    {.name = "int8",
     .type = SETTING_CHOICE,
     .argument = "LAYERS",
     .fallback = "none",
     .choices = int8_layers,
     AT(int8),
     .help = "Layers whose weights are kept as 8-bit integers: none, frozen, all (with --infer)"},
    {.name = "infer",
     .type = SETTING_SWITCH,
     .fallback = "no",
     AT(infer),
     .help = "Predict only: no gradients, no optimizer"},
    {.name = "clip",
     .type = SETTING_SWITCH,
     .fallback = "no",
     AT(clip),
     .help = "With gradient clipping, which needs all gradients at once"},
    {.name = "ram",
     .type = SETTING_COUNT,
     .argument = "BYTES",
     .min = 0,
     .max = UINT32_MAX,
     .fallback = "0",
     AT(ram),
     .help = "Arena that the device has: says what is missing, and ends with 1 if it is too small"},
    {.name = "c",
     .type = SETTING_SWITCH,
     .fallback = "no",
     AT(source),
     .help = "Print model and plan as constants in C, for a device that neither parses nor plans"},
    {.name = "json",
     .letter = 'j',
     .type = SETTING_SWITCH,
     .fallback = "no",
     AT(json),
     .help = "Print JSON"},
};

const struct setting_list model_plan_settings = SETTING_LIST(rows, struct plan_options);

static const char *shape_text(const struct mycel_shape *shape, char out[CELL_BYTES])
{
    if (shape->height == 1 && shape->width == 1) {
        (void)snprintf(out, CELL_BYTES, "%" PRIu32, shape->channels);
    } else {
        (void)snprintf(out, CELL_BYTES, "%ux%ux%" PRIu32, shape->height, shape->width,
                       shape->channels);
    }
    return out;
}

static const char *layer_note(const struct mycel_nn_layer_plan *layer,
                              const struct mycel_layer *described)
{
    if (layer->int8) {
        return "int8";
    }
    if (described->param_count > 0 && !layer->trains) {
        return "frozen";
    }
    return layer->in_place ? "in place" : "";
}

static json_t *layer_json(const struct mycel_nn_plan *plan, uint32_t index)
{
    const struct mycel_layer *described = &plan->model->layer[index];
    const struct mycel_nn_layer_plan *layer = &plan->layer[index];
    char shape[CELL_BYTES];
    return json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "kind",
        mycel_layer_kind_name(described->kind), "activation",
        mycel_activation_name(described->activation), "shape", shape_text(&described->out, shape),
        "params", (json_int_t)described->param_count, "params_bytes",
        (json_int_t)layer->params_bytes, "activation_bytes", (json_int_t)layer->activation_bytes,
        "scratch_bytes", (json_int_t)layer->scratch_bytes, "macs",
        (json_int_t)mycel_layer_macs(described), "trains", (int)layer->trains, "int8",
        (int)layer->int8);
}

static int print_json(const struct mycel_nn_plan *plan, const char *text)
{
    const struct mycel_nn_bytes *bytes = &plan->bytes;
    json_t *layers = json_array();
    uint64_t macs = 0;
    for (uint32_t i = 0; i < plan->model->layer_count; i++) {
        (void)json_array_append_new(layers, layer_json(plan, i));
        macs += mycel_layer_macs(&plan->model->layer[i]);
    }
    return say_json(json_pack(
        "{s:s, s:I, s:I, s:I, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:o}", "model", text, "params",
        (json_int_t)plan->model->param_count, "macs", (json_int_t)macs, "arena_bytes",
        (json_int_t)plan->arena_bytes, "bytes", "context", (json_int_t)bytes->context, "params",
        (json_int_t)bytes->params, "optimizer", (json_int_t)bytes->optimizer, "gradients",
        (json_int_t)bytes->gradients, "activations", (json_int_t)bytes->activations, "stage",
        (json_int_t)bytes->stage, "layers", layers));
}

static void print_layers(const struct mycel_nn_plan *plan)
{
    static const struct say_column columns[] = {
        {"LAYER", -12},      {"OUTPUT", -12}, {"PARAMS", 9}, {"WEIGHTS", 10},
        {"ACTIVATIONS", 11}, {"SCRATCH", 9},  {"MACS", 11},  {"", -8}};
    enum { COLUMNS = sizeof columns / sizeof columns[0] };
    say_heads(columns, COLUMNS);
    for (uint32_t i = 0; i < plan->model->layer_count; i++) {
        const struct mycel_layer *described = &plan->model->layer[i];
        const struct mycel_nn_layer_plan *layer = &plan->layer[i];
        char shape[CELL_BYTES], params[CELL_BYTES], weights[CELL_BYTES], values[CELL_BYTES];
        char scratch[CELL_BYTES], macs[CELL_BYTES];
        (void)snprintf(params, sizeof params, "%" PRIu32, described->param_count);
        (void)snprintf(weights, sizeof weights, "%" PRIu32, layer->params_bytes);
        (void)snprintf(values, sizeof values, "%" PRIu32, layer->activation_bytes);
        (void)snprintf(scratch, sizeof scratch, "%" PRIu32, layer->scratch_bytes);
        (void)snprintf(macs, sizeof macs, "%" PRIu64, mycel_layer_macs(described));
        say_row(columns, COLUMNS,
                (const char *const[]){mycel_layer_kind_name(described->kind),
                                      shape_text(&described->out, shape), params, weights, values,
                                      scratch, macs, layer_note(layer, described)});
    }
}

static void print_table(const struct mycel_nn_plan *plan, const char *text)
{
    const struct mycel_nn_bytes *bytes = &plan->bytes;
    (void)printf("%s\n%" PRIu32 " parameters; all sizes in bytes\n\n", text,
                 plan->model->param_count);
    print_layers(plan);
    (void)printf("\nparameters %10" PRIu32 "\noptimizer  %10" PRIu32 "\ngradients  %10" PRIu32
                 "\nactivations%10" PRIu32 "\ncontext    %10" PRIu32 "\narena      %10" PRIu32 "\n",
                 bytes->params, bytes->optimizer, bytes->gradients, bytes->activations,
                 bytes->context + bytes->stage, plan->arena_bytes);
}

/* Words for an arena that is too small: which class weighs most, and what would help. */
static int check_ram(const struct mycel_nn_plan *plan, uint64_t ram)
{
    if (ram == 0 || plan->arena_bytes <= ram) {
        return EXIT_CODE_OK;
    }
    say_error("the arena lacks %" PRIu64 " bytes: parameters take %" PRIu32 ", activations %" PRIu32
              ", the optimizer %" PRIu32 "; a smaller --batch or --micro-batch, --optimizer sgd or "
              "frozen layers make it smaller",
              plan->arena_bytes - ram, plan->bytes.params, plan->bytes.activations,
              plan->bytes.optimizer);
    return EXIT_CODE_FAILED;
}

int model_plan_run(const struct invocation *call)
{
    static struct mycel_model model;
    static struct mycel_nn_plan plan;
    const struct plan_options *options = call->options;
    const char *text = call->words[0];
    const struct mycel_nn_config config = {.use = options->infer ? MYCEL_NN_INFER : MYCEL_NN_TRAIN,
                                           .input = (uint8_t)options->input,
                                           .int8 = (uint8_t)options->int8,
                                           .optimizer = (uint8_t)options->optimizer,
                                           .batch = (uint32_t)options->batch,
                                           .micro_batch = (uint32_t)options->micro_batch,
                                           .clip_norm = options->clip ? 1.0f : 0.0f};
    if (model_parse_or_say(&model, text) < 0) {
        return EXIT_CODE_USAGE;
    }
    int rc = mycel_nn_plan(&plan, &model, &config);
    if (rc < 0) {
        say_error("this model cannot be planned so: %s", mycel_error_text(rc));
        return EXIT_CODE_USAGE;
    }
    int code = EXIT_CODE_OK;
    if (options->source) {
        code = model_source_write(stdout, &plan, text) < 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
    } else if (options->json) {
        code = print_json(&plan, text);
    } else {
        print_table(&plan, text);
    }
    int fits = check_ram(&plan, options->ram);
    return code == EXIT_CODE_OK ? fits : code;
}
