/* `mycel device why`: why a device got no work, and why its updates did not count. */
#include <inttypes.h>
#include <stdio.h>

#include "server/cli/device.h"
#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/state.h"
#include "server/engine/types.h"

#define REFUSED_SHOWN 10u

struct why_options {
    bool json;
};

static const struct setting rows[] = {
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, .help = "Print one JSON object"},
};

const struct setting_list device_why_settings = SETTING_LIST(rows, struct why_options);

struct why_walk {
    struct store *store;
    json_t *list; /* NULL: print */
    unsigned count;
};

/* The run's name, or its number where it cannot be read. */
static const char *run_name(struct store *store, uint32_t id, char out[STORE_NAME_BYTES])
{
    struct store_run run;
    if (id != 0 && store_run_get(store, id, &run) == MYCEL_OK) {
        snprintf(out, STORE_NAME_BYTES, "%s", run.config.name);
    } else {
        snprintf(out, STORE_NAME_BYTES, id != 0 ? "%" PRIu32 : "-", id);
    }
    return out;
}

static int append(json_t *list, json_t *row)
{
    return json_array_append_new(list, row) == 0 ? MYCEL_OK : MYCEL_E_NO_MEMORY;
}

/* ---- selection ---------------------------------------------------------------------------- */

static const struct say_column why_columns[] = {{"RUN", -20}, {"TOLD", -20}, {"WHY", -40}};

static int visit_why(void *user, const struct store_why *w)
{
    struct why_walk *walk = user;
    char name[STORE_NAME_BYTES], at[SAY_TIME_BYTES];
    enum engine_why why = (enum engine_why)w->why;
    (void)run_name(walk->store, w->run, name);
    (void)say_time(w->at_ms, at);
    if (walk->list != NULL) {
        return append(walk->list,
                      json_pack("{s:s, s:s, s:s, s:s}", "run", name, "why", engine_why_name(why),
                                "text", engine_why_text(why), "at", at));
    }
    if (walk->count++ == 0) {
        say_heads(why_columns, 3);
    }
    const char *cells[] = {name, at, engine_why_text(why)};
    say_row(why_columns, 3, cells);
    return 0;
}

/* ---- refusals ----------------------------------------------------------------------------- */

static const struct say_column refused_columns[] = {
    {"RUN", -20}, {"ROUND", 5}, {"RECEIVED", -20}, {"REASON", -40}};

static int visit_refused(void *user, const struct store_update *u)
{
    struct why_walk *walk = user;
    char name[STORE_NAME_BYTES], at[SAY_TIME_BYTES], round[16], reason[96];
    (void)run_name(walk->store, u->run, name);
    (void)say_time(u->received_ms, at);
    if (walk->list != NULL) {
        return append(walk->list,
                      json_pack("{s:s, s:I, s:s, s:s, s:b, s:s}", "run", name, "round",
                                (json_int_t)u->round, "reason", mycel_error_name(u->status), "text",
                                mycel_error_text(u->status), "late", (int)u->late, "at", at));
    }
    if (walk->count++ == 0) {
        (void)putchar('\n');
        say_heads(refused_columns, 4);
    }
    snprintf(round, sizeof round, "%" PRIu32, u->round);
    snprintf(reason, sizeof reason, "%s%s", mycel_error_text(u->status), u->late ? " (late)" : "");
    const char *cells[] = {name, round, at, reason};
    say_row(refused_columns, 4, cells);
    return 0;
}

/* ---- both --------------------------------------------------------------------------------- */

static int walk_both(struct store *store, const struct store_device *device, json_t *whys,
                     json_t *refused)
{
    struct why_walk walk = {.store = store, .list = whys};
    int result = store_device_whys(store, device->id, visit_why, &walk);
    if (result == MYCEL_OK && whys == NULL && walk.count == 0) {
        (void)printf("Nothing is noted about its selection: it has not asked for work yet.\n");
    }
    walk = (struct why_walk){.store = store, .list = refused};
    return result < 0
               ? result
               : store_updates_refused(store, device->id, REFUSED_SHOWN, visit_refused, &walk);
}

static int show_json(struct store *store, const struct store_device *d)
{
    char free_at[SAY_TIME_BYTES];
    bool quarantined = d->quarantine_until_ms > state_now_ms();
    json_t *whys = json_array(), *refused = json_array();
    int result = walk_both(store, d, whys, refused);
    json_t *out = json_pack(
        "{s:I, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "id", (json_int_t)d->id, "name",
        d->identity, "state", device_state_name(d->state), "accepted", (json_int_t)d->accepted,
        "rejected", (json_int_t)d->rejected, "strikes", (json_int_t)d->strikes, "quarantined_until",
        quarantined ? json_string(say_time(d->quarantine_until_ms, free_at)) : json_null(),
        "selection", whys, "refused", refused);
    if (result < 0) {
        json_decref(out);
        return state_fail(store, result, d->identity);
    }
    return say_json(out);
}

static int show_text(struct store *store, const struct store_device *d)
{
    char time[SAY_TIME_BYTES];
    (void)printf("Device %" PRIu32 " '%s' is %s: %" PRIu32 " updates counted, %" PRIu32
                 " did not; last at work %s.\n",
                 d->id, d->identity, device_state_name(d->state), d->accepted, d->rejected,
                 d->seen_ms ? say_time(d->seen_ms, time) : "never");
    if (d->quarantine_until_ms > state_now_ms()) {
        (void)printf("It is in quarantine until %s, after %" PRIu32 " rejected updates in a row.\n",
                     say_time(d->quarantine_until_ms, time), d->strikes);
    }
    (void)putchar('\n');
    int result = walk_both(store, d, NULL, NULL);
    return result < 0 ? state_fail(store, result, d->identity) : EXIT_CODE_OK;
}

int device_why_run(const struct invocation *call)
{
    const struct why_options *options = call->options;
    struct store *store = NULL;
    struct store_device device;
    int result = state_open(call->config, STATE_READ, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    result = store_device_find(store, call->words[0], &device);
    int code;
    if (result == MYCEL_E_NOT_FOUND || result == MYCEL_E_INVALID) {
        say_error("there is no device '%.64s'; 'mycel device list' shows them", call->words[0]);
        code = EXIT_CODE_NOT_FOUND;
    } else if (result < 0) {
        code = state_fail(store, result, call->words[0]);
    } else {
        code = options->json ? show_json(store, &device) : show_text(store, &device);
    }
    store_close(store);
    return code;
}
