/* `mycel run create`: says what is to be trained, and makes version 0. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <mycel/model.h>

#include "server/cli/codecs.h"
#include "server/cli/exits.h"
#include "server/cli/model_text.h"
#include "server/cli/run.h"
#include "server/cli/say.h"
#include "server/cli/state.h"
#include "server/cli/strategy.h"

#define SEED_BITS 53u /* seeds that were drawn survive JSON readers that only know doubles */

struct create_options {
    const char *model, *name, *initial, *device_class, *strategy, *codecs;
    unsigned codec, downlink;
    uint64_t rounds, goal, minimum, deadline_ms, deadline_min_ms, deadline_max_ms, seed;
    double over_selection;
    uint64_t epochs, batch, steps_max;
    double learning_rate, momentum, prox_mu, clip_norm, target;
    uint64_t staleness_max, samples_min, patience, pace_ms, interval_ms;
    bool json;
};

#define AT(member) .offset = offsetof(struct create_options, member)
#define COUNT(lowest, highest)                                                                     \
    .type = SETTING_COUNT, .argument = "N", .min = (lowest), .max = (highest)
#define REAL(lowest, highest)                                                                      \
    .type = SETTING_REAL, .argument = "X", .min = (lowest), .max = (highest)

static const struct setting rows[] = {
    {.name = "model",
     .letter = 'm',
     .type = SETTING_TEXT,
     .argument = "TEXT",
     .min = 1,
     .max = STORE_MODEL_BYTES - 1,
     AT(model),
     .help = "What to train, e.g. \"28x28x1 > dense 32 relu > dense 10 softmax\"; required"},
    {.name = "name",
     .letter = 'n',
     .type = SETTING_TEXT,
     .argument = "NAME",
     .min = 1,
     .max = STORE_NAME_BYTES - 1,
     AT(name),
     .help = "Name of the run (default run-N)"},
    {.name = "rounds",
     COUNT(0, 1000000),
     .fallback = "20",
     AT(rounds),
     .help = "Rounds to commit; 0: until stopped"},
    {.name = "goal",
     .letter = 'k',
     COUNT(1, 65536),
     .fallback = "10",
     AT(goal),
     .help = "Updates that end a round"},
    {.name = "min",
     COUNT(0, 65536),
     AT(minimum),
     .help = "Updates that suffice at the deadline (default: 80 % of the goal)"},
    {.name = "deadline",
     .type = SETTING_DURATION,
     .argument = "TIME",
     .min = 1000,
     .max = 7.0 * 86400e3,
     AT(deadline_ms),
     .help = "Time a round has; after twice that it is given up and tried again (default: 10m at "
             "first, then half as long again as 95 % of the reports take)"},
    {.name = "deadline-min",
     .type = SETTING_DURATION,
     .argument = "TIME",
     .fallback = "60s",
     .min = 1,
     .max = 7.0 * 86400e3,
     AT(deadline_min_ms),
     .help = "Shortest deadline that is learned"},
    {.name = "deadline-max",
     .type = SETTING_DURATION,
     .argument = "TIME",
     .fallback = "1d",
     .min = 1,
     .max = 7.0 * 86400e3,
     AT(deadline_max_ms),
     .help = "Longest deadline that is learned"},
    {.name = "over-selection",
     REAL(1, 4),
     .fallback = "1.3",
     AT(over_selection),
     .help = "Devices asked per update needed"},
    {.name = "epochs",
     COUNT(1, 1000),
     .fallback = "1",
     AT(epochs),
     .help = "Passes over its data that a device makes"},
    {.name = "batch", COUNT(1, 4096), .fallback = "20", AT(batch), .help = "Samples per step"},
    {.name = "steps-max",
     COUNT(0, 1000000000),
     .fallback = "0",
     AT(steps_max),
     .help = "Steps a device makes at most; 0: no limit"},
    {.name = "learning-rate",
     REAL(1e-9, 100),
     .fallback = "0.1",
     AT(learning_rate),
     .help = "Step size on the device"},
    {.name = "momentum", REAL(0, 0.9999), .fallback = "0", AT(momentum), .help = "0: plain SGD"},
    {.name = "prox-mu",
     REAL(0, 1000),
     .fallback = "0",
     AT(prox_mu),
     .help = "FedProx: pull towards the version a device started from"},
    {.name = "clip-norm",
     REAL(0, 1e6),
     .fallback = "0",
     AT(clip_norm),
     .help = "Longest update (L2) that a device sends; 0: any"},
    {.name = "strategy",
     .type = SETTING_TEXT,
     .argument = "TEXT",
     .fallback = "fedavg",
     .min = 1,
     .max = STORE_STRATEGY_BYTES - 1,
     AT(strategy),
     .help = "How updates are joined, e.g. \"clip adaptive > fedadam lr=0.01\"; see 'mycel "
             "strategy list'"},
    {.name = "codec",
     .type = SETTING_CHOICE,
     .argument = "NAME",
     .fallback = "auto",
     .choices = codecs_choices,
     AT(codec),
     .help = "How most devices encode their updates: f32, f16, int8, int4, eden2 (2 bits a value), "
             "drive1 and sign (1 bit), ternary (0.3), topk (0.25); auto: int8, or the most exact "
             "of --codecs"},
    {.name = "codecs",
     .type = SETTING_TEXT,
     .argument = "LIST",
     .min = 2,
     .max = CODECS_TEXT_BYTES - 1,
     AT(codecs),
     .help = "All that are allowed, e.g. drive1,int8: a device on a narrow link takes the shortest "
             "of them (default: only --codec, or f32,int8,drive1)"},
    {.name = "downlink",
     .type = SETTING_CHOICE,
     .argument = "NAME",
     .fallback = "auto",
     .choices = codecs_downlinks,
     AT(downlink),
     .help =
         "How devices are sent versions: delta (key frames of 8 bits a value and, between them, "
         "what has changed with 1 bit a value) or f32; auto: delta, but f32 for SCAFFOLD"},
    {.name = "staleness-max",
     COUNT(0, 64),
     .fallback = "0",
     AT(staleness_max),
     .help = "Versions an update may lag behind; 0: synchronous rounds"},
    {.name = "samples-min",
     COUNT(1, 100000000),
     .fallback = "1",
     AT(samples_min),
     .help = "Devices with fewer training samples are not asked"},
    {.name = "class",
     .type = SETTING_TEXT,
     .argument = "CLASS",
     .max = STORE_CLASS_BYTES - 1,
     AT(device_class),
     .help = "Only devices of this class"},
    {.name = "pace",
     .type = SETTING_DURATION,
     .argument = "TIME",
     .fallback = "60s",
     .min = 1,
     .max = 86400e3,
     AT(pace_ms),
     .help = "Over how long the devices' check-ins are spread"},
    {.name = "interval",
     .type = SETTING_DURATION,
     .argument = "TIME",
     .max = 7.0 * 86400e3,
     AT(interval_ms),
     .help = "A round opens no sooner than this after the one before (default: at once)"},
    {.name = "target-accuracy",
     REAL(0, 1),
     .fallback = "0",
     AT(target),
     .help = "Finish as soon as it is reached; 0: go through all rounds"},
    {.name = "patience",
     COUNT(0, 100000),
     .fallback = "0",
     AT(patience),
     .help = "Finish after so many versions without a better one; 0: never"},
    {.name = "seed",
     COUNT(0, 9007199254740992.0),
     .fallback = "0",
     AT(seed),
     .help = "Seed of every random choice; 0 draws one"},
    {.name = "initial",
     .type = SETTING_TEXT,
     .argument = "FILE",
     .min = 1,
     .max = PATH_MAX - 1,
     AT(initial),
     .help = "Start from these parameters (raw binary32) and not from random ones"},
    {.name = "json",
     .letter = 'j',
     .type = SETTING_SWITCH,
     AT(json),
     .help = "Print one JSON object"},
};

const struct setting_list run_create_settings = SETTING_LIST(rows, struct create_options);

/* ---- what to store ------------------------------------------------------------------------ */

static uint64_t draw_seed(void)
{
    uint64_t seed = 0;
    while (seed == 0) {
        if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
            seed = state_now_ms();
        }
        seed &= (UINT64_C(1) << SEED_BITS) - 1u;
    }
    return seed;
}

static void copy_text(char *out, size_t out_bytes, const char *text)
{
    (void)snprintf(out, out_bytes, "%s", text ? text : "");
}

static unsigned choose_downlink(const struct create_options *o)
{
    if (o->downlink != CODECS_DOWNLINK_AUTO) {
        return o->downlink;
    }
    return strategy_needs_control(o->strategy) ? CODECS_DOWNLINK_F32 : CODECS_DOWNLINK_DELTA;
}

static void fill_config(const struct create_options *o, const struct codecs *codecs,
                        struct store_run_config *c)
{
    memset(c, 0, sizeof *c);
    copy_text(c->name, sizeof c->name, o->name);
    copy_text(c->model, sizeof c->model, o->model);
    copy_text(c->strategy, sizeof c->strategy, o->strategy);
    copy_text(c->device_class, sizeof c->device_class, o->device_class);
    c->seed = o->seed ? o->seed : draw_seed();
    c->rounds = (uint32_t)o->rounds;
    c->goal = (uint32_t)o->goal;
    c->minimum = o->minimum ? (uint32_t)o->minimum : (uint32_t)(o->goal * 4u + 4u) / 5u;
    c->over_permille = (uint32_t)(o->over_selection * 1000.0 + 0.5);
    c->soft_ms = (uint32_t)o->deadline_ms; /* 0: the engine's default, until it knows better */
    c->soft_learn = o->deadline_ms == 0;
    c->soft_min_ms = (uint32_t)o->deadline_min_ms;
    c->soft_max_ms = (uint32_t)o->deadline_max_ms;
    c->pace_ms = (uint32_t)o->pace_ms;
    c->interval_ms = (uint32_t)o->interval_ms;
    c->staleness_max = (uint32_t)o->staleness_max;
    c->samples_min = (uint32_t)o->samples_min;
    c->codec = codecs->codec;
    c->codecs = codecs->mask;
    c->downlink = choose_downlink(o);
    c->clip_norm = (float)o->clip_norm;
    c->target_accuracy = (float)o->target;
    c->patience = (uint32_t)o->patience;
    c->epochs = (uint32_t)o->epochs;
    c->batch = (uint32_t)o->batch;
    c->steps_max = (uint32_t)o->steps_max;
    c->learning_rate = (float)o->learning_rate;
    c->momentum = (float)o->momentum;
    c->prox_mu = (float)o->prox_mu;
}

static int count_run(void *user, const struct store_run *run)
{
    *(uint32_t *)user = run->id;
    return 0;
}

static int name_run(struct store *store, struct store_run_config *config)
{
    uint32_t newest = 0;
    int result = config->name[0] ? MYCEL_OK : store_runs(store, count_run, &newest);
    if (config->name[0] == '\0') {
        snprintf(config->name, sizeof config->name, "run-%" PRIu32, newest + 1u);
    }
    return result;
}

/* The run and its version 0: both or nothing. */
static int store_it(struct store *store, const struct store_run_config *config, const float *values,
                    uint32_t *id)
{
    struct store_version version = {.kind = STORE_VERSION_INITIAL, .created_ms = state_now_ms()};
    int result = store_begin(store);
    if (result < 0) {
        return result;
    }
    result = store_run_create(store, config, version.created_ms, id);
    if (result == MYCEL_OK) {
        version.run = *id;
        result = store_blob_put(store, values, sizeof *values * config->params, version.sha256);
    }
    result = result == MYCEL_OK ? store_version_add(store, &version) : result;
    if (result < 0) {
        (void)state_fail(store, result, config->name);
        store_rollback(store);
        return result;
    }
    result = store_commit(store);
    return result == MYCEL_OK ? result : (state_fail(store, result, config->name), result);
}

int run_create(struct store *store, struct store_run_config *config, const float *initial,
               uint32_t *id)
{
    struct mycel_model model;
    int result = model_parse_or_say(&model, config->model);
    if (result < 0) {
        return result;
    }
    if (model.param_count > PROTO_MODEL_PARAMS_MAX) {
        say_error("the model has %" PRIu32 " parameters; %u are the most", model.param_count,
                  PROTO_MODEL_PARAMS_MAX);
        return MYCEL_E_INVALID;
    }
    config->params = model.param_count;
    result = name_run(store, config);
    float *drawn = NULL;
    if (result == MYCEL_OK && initial == NULL) {
        drawn = malloc(sizeof *drawn * ((size_t)model.param_count + 1u));
        if (drawn == NULL) {
            say_error("out of memory");
            return MYCEL_E_NO_MEMORY;
        }
        mycel_model_init_params(&model, config->seed, drawn);
        initial = drawn;
    }
    result = result == MYCEL_OK ? store_it(store, config, initial, id) : result;
    free(drawn);
    return result;
}

/* ---- the command -------------------------------------------------------------------------- */

/* Reads the initial parameters; the file must have exactly the model's size. */
static int read_initial(const char *path, const char *model_text, float **out)
{
    struct mycel_model model;
    int result = model_parse_or_say(&model, model_text);
    FILE *file = result == MYCEL_OK ? fopen(path, "rbe") : NULL;
    if (result < 0) {
        return result;
    }
    if (file == NULL) {
        say_error("%s: %s", path, strerror(errno));
        return errno == ENOENT ? MYCEL_E_NOT_FOUND : MYCEL_E_IO;
    }
    size_t count = model.param_count;
    *out = malloc(sizeof **out * (count + 1u));
    bool whole =
        *out != NULL && fread(*out, sizeof **out, count, file) == count && fgetc(file) == EOF;
    (void)fclose(file);
    if (!whole) {
        say_error("%s is not the %zu bytes of the model's %zu parameters", path, 4u * count, count);
        free(*out);
        *out = NULL;
        return MYCEL_E_INVALID;
    }
    return MYCEL_OK;
}

/* The coordinator needs the set in every round; asking now is better than failing after the first. */
static int check_root(const char *strategy, const char *root_data)
{
    if (root_data == NULL && strategy_needs_root(strategy)) {
        say_error(
            "--strategy '%s' measures devices by a root set of the coordinator's own: name it "
            "with --root-data, here and to mycel serve, or once as root-data below [serve] in "
            "the configuration file",
            strategy);
        return MYCEL_E_INVALID;
    }
    return MYCEL_OK;
}

/* SCAFFOLD knows plain SGD in rounds, and its control variate has no deltas. */
static bool control_fits(const struct create_options *o)
{
    if (!strategy_needs_control(o->strategy)) {
        return true;
    }
    if (o->momentum > 0 || o->staleness_max > 0) {
        say_error("SCAFFOLD works with plain SGD in synchronous rounds: --momentum and "
                  "--staleness-max must be 0");
        return false;
    }
    if (o->downlink == CODECS_DOWNLINK_DELTA) {
        say_error("SCAFFOLD's control variate is sent as it is: --downlink must be f32");
        return false;
    }
    return true;
}

static int check(const struct create_options *o, const char *root_data, struct codecs *codecs)
{
    if (o->model == NULL) {
        say_error("--model is missing: say what to train");
        return MYCEL_E_INVALID;
    }
    if (o->minimum > o->goal) {
        say_error("--min (%" PRIu64 ") must not be above --goal (%" PRIu64 ")", o->minimum,
                  o->goal);
        return MYCEL_E_INVALID;
    }
    if (o->deadline_min_ms > o->deadline_max_ms) {
        say_error("--deadline-min must not be above --deadline-max");
        return MYCEL_E_INVALID;
    }
    if (o->name != NULL && store_name_check(o->name) < 0) {
        say_error("--name: '%s' must be made of a-z 0-9 . _ - and begin with a letter or digit",
                  o->name);
        return MYCEL_E_INVALID;
    }
    if (codecs_choose(o->codec, o->codecs, codecs) < 0) {
        return MYCEL_E_INVALID;
    }
    if (strategy_check(o->strategy) < 0) {
        return MYCEL_E_INVALID;
    }
    if (!control_fits(o)) {
        return MYCEL_E_INVALID;
    }
    return check_root(o->strategy, root_data);
}

static int create(const struct invocation *call, struct store_run_config *config, uint32_t *id)
{
    const struct create_options *o = call->options;
    float *initial = NULL;
    struct store *store = NULL;
    int result = o->initial ? read_initial(o->initial, o->model, &initial) : MYCEL_OK;
    if (result == MYCEL_OK) {
        result = state_open(call->config, STATE_CREATE, &store);
    }
    if (result == MYCEL_OK) {
        result = run_create(store, config, initial, id);
        store_close(store);
    }
    free(initial);
    return result;
}

int run_create_run(const struct invocation *call)
{
    const struct create_options *o = call->options;
    struct store_run_config config;
    struct codecs codecs;
    uint32_t id = 0;
    if (check(o, call->config->serve.root_data, &codecs) < 0) {
        return EXIT_CODE_USAGE;
    }
    fill_config(o, &codecs, &config);
    int result = create(call, &config, &id);
    if (result < 0) {
        return mycel_error_class(result) == MYCEL_CLASS_PEER ? EXIT_CODE_USAGE
                                                             : exit_of_error(result);
    }
    if (o->json) {
        return say_json(json_pack("{s:I, s:s, s:s, s:I, s:I}", "id", (json_int_t)id, "name",
                                  config.name, "model", config.model, "params",
                                  (json_int_t)config.params, "seed", (json_int_t)config.seed));
    }
    (void)printf("Created run %" PRIu32 " '%s': %" PRIu32 " parameters, seed %" PRIu64
                 ". A running coordinator picks it up by itself.\n",
                 id, config.name, config.params, config.seed);
    return EXIT_CODE_OK;
}
