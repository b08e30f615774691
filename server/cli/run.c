/* `mycel run list|show|stop`: what was asked for, and how far it has come. */
#include "server/cli/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/codec.h"
#include "server/cli/codecs.h"
#include "server/cli/exits.h"
#include "server/cli/model_text.h"
#include "server/cli/say.h"
#include "server/cli/state.h"

struct show_options {
    bool json;
};

static const struct setting json_rows[] = {
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, .help = "Print JSON"},
};

const struct setting_list run_list_settings = SETTING_LIST(json_rows, struct show_options);
const struct setting_list run_show_settings = SETTING_LIST(json_rows, struct show_options);

/* ---- one run as JSON ---------------------------------------------------------------------- */

struct rounds_walk {
    struct store *store;
    json_t *rounds;
    uint32_t first; /* number of the first round in the list */
};

static json_t *round_of(const struct rounds_walk *walk, uint32_t number)
{
    return number >= walk->first ? json_array_get(walk->rounds, number - walk->first) : NULL;
}

static int append_round(void *user, const struct store_round *r)
{
    struct rounds_walk *walk = user;
    if (json_array_size(walk->rounds) == 0) {
        walk->first = r->round;
    }
    json_t *row =
        json_pack("{s:I, s:s, s:I, s:[], s:[], s:[], s:{}, s:I, s:o, s:o, s:o, s:o}", "round",
                  (json_int_t)r->round, "state", store_round_state_name(r->state), "attempt",
                  (json_int_t)r->attempt, "accepted", "rejected", "late", "codecs", "leased",
                  (json_int_t)r->granted, "version",
                  r->has_version ? json_integer(r->version) : json_null(), "metrics", json_null(),
                  "started", say_time_json(r->started_ms), "closed", say_time_json(r->closed_ms));
    return json_array_append_new(walk->rounds, row) == 0 ? MYCEL_OK : MYCEL_E_NO_MEMORY;
}

/* How many of a round's counted updates had which encoding. */
static void count_codec(json_t *round, uint32_t codec)
{
    json_t *codecs = json_object_get(round, "codecs");
    const char *name = codec_name((int)codec);
    if (codecs != NULL && name != NULL) {
        json_int_t before = json_integer_value(json_object_get(codecs, name));
        (void)json_object_set_new(codecs, name, json_integer(before + 1));
    }
}

/* An update is listed in the round that counted it, which may come after the round it was made for. */
static int append_update(void *user, const struct store_update *u)
{
    const struct rounds_walk *walk = user;
    json_t *device = json_integer(u->device);
    const char *list = "late";
    uint32_t number = u->round;
    if (u->status < 0) {
        json_t *row = json_pack("{s:o, s:s, s:s}", "device", device, "reason",
                                mycel_error_name(u->status), "text", mycel_error_text(u->status));
        device = row;
        list = "rejected";
    } else if (u->counted_round > 0) {
        number = u->counted_round;
        list = "accepted";
        count_codec(round_of(walk, number), u->codec);
    }
    json_t *array = json_object_get(round_of(walk, number), list);
    if (array == NULL) {
        json_decref(device);
        return MYCEL_OK; /* counted in a round that is not open yet */
    }
    return json_array_append_new(array, device) == 0 ? MYCEL_OK : MYCEL_E_NO_MEMORY;
}

static int fill_rounds(struct rounds_walk *walk, uint32_t run)
{
    int result = store_rounds(walk->store, run, false, append_round, walk);
    size_t i;
    json_t *row;
    json_array_foreach(walk->rounds, i, row)
    {
        struct store_version version;
        json_t *number = json_object_get(row, "version");
        uint32_t round = (uint32_t)json_integer_value(json_object_get(row, "round"));
        if (result == MYCEL_OK) {
            result = store_updates(walk->store, run, round, append_update, walk);
        }
        if (result == MYCEL_OK && json_is_integer(number) &&
            store_version_get(walk->store, run, (uint32_t)json_integer_value(number), &version) ==
                MYCEL_OK) {
            (void)json_object_set_new(row, "metrics", model_metrics_json(&version));
        }
    }
    return result;
}

static json_t *head_json(const struct store_run *run)
{
    const struct store_run_config *c = &run->config;
    const char *codec = codec_name((int)c->codec);
    return json_pack(
        "{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:f, "
        "s:f, s:s, s:s, s:o, s:o, s:o, s:o}",
        "id", (json_int_t)run->id, "name", c->name, "state", store_run_state_name(run->state),
        "reason", run->reason, "model", c->model, "strategy", c->strategy, "params",
        (json_int_t)c->params, "seed", (json_int_t)c->seed, "round_limit", (json_int_t)c->rounds,
        "goal", (json_int_t)c->goal, "minimum", (json_int_t)c->minimum, "staleness_max",
        (json_int_t)c->staleness_max, "interval_s", c->interval_ms / 1000.0, "epochs",
        (json_int_t)c->epochs, "batch", (json_int_t)c->batch, "learning_rate",
        (double)c->learning_rate, "target_accuracy", (double)c->target_accuracy, "codec",
        codec ? codec : "?", "downlink", codecs_downlinks[c->downlink ? 1 : 0], "codecs",
        codecs_json(c->codecs ? c->codecs : 1u << c->codec), "version",
        run->has_version ? json_integer(run->version) : json_null(), "created",
        say_time_json(run->created_ms), "ended", say_time_json(run->ended_ms));
}

/* One run with all its rounds. NULL after having printed why. */
static json_t *run_json(struct store *store, const struct store_run *run)
{
    struct rounds_walk walk = {.store = store, .rounds = json_array()};
    json_t *out = head_json(run);
    int result = out && walk.rounds ? fill_rounds(&walk, run->id) : MYCEL_E_NO_MEMORY;
    if (result < 0 || json_object_set_new(out, "rounds", walk.rounds) != 0) {
        (void)state_fail(store, result, run->config.name);
        json_decref(walk.rounds);
        json_decref(out);
        return NULL;
    }
    return out;
}

/* ---- show --------------------------------------------------------------------------------- */

static const struct say_column round_columns[] = {{"ROUND", 5},    {"STATE", -9}, {"ACCEPTED", 8},
                                                  {"REJECTED", 8}, {"LATE", 4},   {"VERSION", 7},
                                                  {"ACCURACY", 8}, {"LOSS", 8},   {"CLOSED", -20}};
#define ROUND_COLUMNS (sizeof round_columns / sizeof round_columns[0])

static const char *number_cell(const json_t *value, char out[24])
{
    if (json_is_integer(value)) {
        (void)snprintf(out, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        (void)snprintf(out, 24, "%.4f", json_real_value(value));
    } else if (json_is_array(value)) {
        (void)snprintf(out, 24, "%zu", json_array_size(value));
    } else {
        (void)snprintf(out, 24, "-");
    }
    return out;
}

static void print_round(const json_t *row)
{
    char cells[ROUND_COLUMNS][24];
    const json_t *metrics = json_object_get(row, "metrics");
    const char *closed = json_string_value(json_object_get(row, "closed"));
    const char *line[ROUND_COLUMNS] = {number_cell(json_object_get(row, "round"), cells[0]),
                                       json_string_value(json_object_get(row, "state")),
                                       number_cell(json_object_get(row, "accepted"), cells[2]),
                                       number_cell(json_object_get(row, "rejected"), cells[3]),
                                       number_cell(json_object_get(row, "late"), cells[4]),
                                       number_cell(json_object_get(row, "version"), cells[5]),
                                       number_cell(json_object_get(metrics, "accuracy"), cells[6]),
                                       number_cell(json_object_get(metrics, "loss"), cells[7]),
                                       closed ? closed : "-"};
    say_row(round_columns, ROUND_COLUMNS, line);
}

static void print_run(const struct store_run *run, const json_t *json)
{
    char created[SAY_TIME_BYTES], codecs[CODECS_TEXT_BYTES];
    const struct store_run_config *c = &run->config;
    (void)printf("run       %" PRIu32 " '%s', %s%s%s\n", run->id, c->name,
                 store_run_state_name(run->state), run->reason[0] ? ": " : "", run->reason);
    (void)printf("model     %s (%" PRIu32 " parameters)\n", c->model, c->params);
    (void)printf("rounds    %" PRIu32 " of %" PRIu32 ", each with %" PRIu32
                 " updates (at least %" PRIu32 ")",
                 run->round, c->rounds, c->goal, c->minimum);
    if (c->interval_ms > 0) {
        (void)printf(", no sooner than %.6g s after the one before", c->interval_ms / 1000.0);
    }
    (void)putchar('\n');
    (void)printf("devices   %" PRIu32 " epochs, batch %" PRIu32 ", learning rate %.4g\n", c->epochs,
                 c->batch, (double)c->learning_rate);
    (void)printf("updates   %s for most, of %s\n", codec_name((int)c->codec),
                 codecs_text(c->codecs ? c->codecs : 1u << c->codec, codecs));
    (void)printf("downlink  %s\n", codecs_downlinks[c->downlink ? 1 : 0]);
    (void)printf("joined by %s, seed %" PRIu64 ", created %s\n\n", c->strategy, c->seed,
                 say_time(run->created_ms, created));
    say_heads(round_columns, ROUND_COLUMNS);
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(json, "rounds"), i, row)
    {
        print_round(row);
    }
}

int run_show_run(const struct invocation *call)
{
    const struct show_options *options = call->options;
    struct store *store = NULL;
    struct store_run run;
    int result = state_open(call->config, STATE_READ, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    result = store_begin_read(store);
    if (result < 0) {
        int code = state_fail(store, result, "run");
        store_close(store);
        return code;
    }
    json_t *json = NULL;
    result = state_run(store, call->words_count > 0 ? call->words[0] : NULL, &run);
    int code = exit_of_error(result);
    if (result == MYCEL_OK) {
        json = run_json(store, &run);
        code = json ? EXIT_CODE_OK : EXIT_CODE_FAILED;
    }
    store_rollback(store);
    store_close(store);
    if (json != NULL && options->json) {
        return say_json(json);
    }
    if (json != NULL) {
        print_run(&run, json);
    }
    json_decref(json);
    return code;
}

/* ---- list --------------------------------------------------------------------------------- */

static const struct say_column run_columns[] = {{"ID", 4},     {"NAME", -20},  {"STATE", -8},
                                                {"ROUND", 11}, {"VERSION", 7}, {"ACCURACY", 8},
                                                {"MODEL", -40}};
#define RUN_COLUMNS (sizeof run_columns / sizeof run_columns[0])

/* Runs are few: they are collected first, so that looking up versions does not nest queries. */
struct run_list {
    struct store_run *runs;
    size_t count, capacity;
};

static int collect_run(void *user, const struct store_run *run)
{
    struct run_list *list = user;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2u * list->capacity : 16u;
        struct store_run *more = realloc(list->runs, capacity * sizeof *more);
        if (more == NULL) {
            return MYCEL_E_NO_MEMORY;
        }
        list->runs = more;
        list->capacity = capacity;
    }
    list->runs[list->count++] = *run;
    return MYCEL_OK;
}

static void print_run_row(const struct store_run *run, const struct store_version *version)
{
    char id[16], round[32], number[16] = "-", accuracy[16] = "-";
    snprintf(id, sizeof id, "%" PRIu32, run->id);
    snprintf(round, sizeof round, "%" PRIu32 "/%" PRIu32, run->round, run->config.rounds);
    if (version != NULL) {
        snprintf(number, sizeof number, "%" PRIu32, version->number);
    }
    if (version != NULL && version->has_metrics) {
        snprintf(accuracy, sizeof accuracy, "%.4f", (double)version->metrics.accuracy);
    }
    const char *cells[RUN_COLUMNS] = {
        id,       run->config.name, store_run_state_name(run->state), round, number,
        accuracy, run->config.model};
    say_row(run_columns, RUN_COLUMNS, cells);
}

static int print_runs(struct store *store, const struct run_list *list, bool json)
{
    json_t *array = json ? json_array() : NULL;
    if (!json) {
        say_heads(run_columns, RUN_COLUMNS);
    }
    for (size_t i = 0; i < list->count; i++) {
        struct store_version version;
        bool known = store_version_newest(store, list->runs[i].id, &version) == MYCEL_OK;
        if (!json) {
            print_run_row(&list->runs[i], known ? &version : NULL);
            continue;
        }
        json_t *row = head_json(&list->runs[i]);
        (void)json_object_set_new(row, "round", json_integer(list->runs[i].round));
        (void)json_object_set_new(row, "metrics",
                                  known ? model_metrics_json(&version) : json_null());
        (void)json_array_append_new(array, row);
    }
    return json ? say_json(array) : EXIT_CODE_OK;
}

int run_list_run(const struct invocation *call)
{
    const struct show_options *options = call->options;
    struct store *store = NULL;
    struct run_list list = {0};
    int result = state_open(call->config, STATE_READ, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    result = store_runs(store, collect_run, &list);
    int code =
        result < 0 ? state_fail(store, result, "runs") : print_runs(store, &list, options->json);
    free(list.runs);
    store_close(store);
    return code;
}

/* ---- stop, pause, resume ------------------------------------------------------------------ */

static int change_state(const struct invocation *call, enum store_run_state state,
                        const char *reason, const char *done)
{
    struct store *store = NULL;
    struct store_run run;
    int result = state_open(call->config, STATE_WRITE, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    result = state_run(store, call->words[0], &run);
    int code = exit_of_error(result);
    if (result == MYCEL_OK) {
        result = run.state == state
                     ? MYCEL_E_STATE
                     : store_run_set_state(store, run.id, state, reason, "cli", state_now_ms());
        if (result == MYCEL_E_STATE) {
            say_error("run '%s' is %s already", run.config.name, store_run_state_name(run.state));
            code = EXIT_CODE_REFUSED;
        } else if (result < 0) {
            code = state_fail(store, result, run.config.name);
        } else {
            (void)printf("%s run %" PRIu32 " '%s' at version %" PRIu32 ".\n", done, run.id,
                         run.config.name, run.version);
        }
    }
    store_close(store);
    return code;
}

int run_stop_run(const struct invocation *call)
{
    return change_state(call, STORE_RUN_STOPPED, "stopped by an operator", "Stopped");
}

int run_pause_run(const struct invocation *call)
{
    return change_state(call, STORE_RUN_PAUSED, "paused by an operator", "Paused");
}

int run_resume_run(const struct invocation *call)
{
    return change_state(call, STORE_RUN_ACTIVE, "", "Resumed");
}
