/* Opens the store for commands and resolves the names they are given. */
#include "server/cli/state.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/suggest.h"

int state_open(const struct config *config, enum state_access access, struct store **out)
{
    char problem[STORE_PROBLEM_BYTES] = "";
    struct store_options options = {.folder = config->state,
                                    .create = access == STATE_CREATE,
                                    .read_only = access == STATE_READ};
    int result = store_open(&options, out, problem);
    if (result == MYCEL_E_NOT_FOUND) {
        say_error(
            "there is no coordinator state in %s; 'mycel device enroll' or 'mycel run create' "
            "makes it, or name another folder with --state",
            config->state);
    } else if (result < 0) {
        say_error("%s: %s", config->state, problem[0] ? problem : mycel_error_text(result));
    }
    return result;
}

int state_fail(const struct store *store, int error, const char *what)
{
    const char *words = store ? store_problem(store) : "";
    say_error("%s: %s", what, words[0] ? words : mycel_error_text(error));
    return exit_of_error(error);
}

uint64_t state_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- runs --------------------------------------------------------------------------------- */

/* What a walk over all runs is looking for: the newest, and the nearest to a mistyped name. */
struct run_search {
    const char *text;
    struct store_run *newest;
    struct suggest near;
    char nearest[STORE_NAME_BYTES];
};

static int visit_run(void *user, const struct store_run *run)
{
    struct run_search *search = user;
    if (search->newest != NULL) {
        *search->newest = *run; /* by id: the last one stays */
        return 0;
    }
    const char *before = search->near.best;
    suggest_consider(&search->near, search->text, run->config.name);
    if (search->near.best != before) {
        memcpy(search->nearest, run->config.name, sizeof search->nearest);
        search->near.best = search->nearest;
    }
    return 0;
}

static int newest_run(struct store *store, struct store_run *out)
{
    struct run_search search = {.newest = out};
    out->id = 0;
    int result = store_runs(store, visit_run, &search);
    if (result < 0) {
        state_fail(store, result, "runs");
        return result;
    }
    if (out->id == 0) {
        say_error("there is no run yet; make one with 'mycel run create'");
        return MYCEL_E_NOT_FOUND;
    }
    return MYCEL_OK;
}

static bool parse_id(const char *text, uint32_t *id)
{
    char *end = NULL;
    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    unsigned long long value = strtoull(text, &end, 10);
    *id = (uint32_t)value;
    return *end == '\0' && value <= UINT32_MAX;
}

int state_run(struct store *store, const char *text, struct store_run *out)
{
    if (text == NULL) {
        return newest_run(store, out);
    }
    uint32_t id;
    int result = store_run_find(store, text, out);
    if (result == MYCEL_E_NOT_FOUND && parse_id(text, &id)) {
        result = store_run_get(store, id, out);
    }
    if (result == MYCEL_E_NOT_FOUND || result == MYCEL_E_INVALID) {
        struct run_search search = {.text = text};
        (void)store_runs(store, visit_run, &search);
        say_error("there is no run '%.48s'%s%s%s", text,
                  search.near.best ? "; did you mean '" : "; 'mycel run list' shows them",
                  search.near.best ? search.nearest : "", search.near.best ? "'?" : "");
        return MYCEL_E_NOT_FOUND;
    }
    if (result < 0) {
        state_fail(store, result, text);
    }
    return result;
}

bool state_run_under_way(const struct store_run *run)
{
    return run->state == STORE_RUN_ACTIVE || run->state == STORE_RUN_PAUSED;
}

/* ---- versions ----------------------------------------------------------------------------- */

static int version_of(struct store *store, const char *text, const struct store_run *run,
                      struct store_version *version)
{
    uint32_t number;
    struct store_tag tag;
    if (text == NULL || strcmp(text, "latest") == 0) {
        return store_version_newest(store, run->id, version);
    }
    if (parse_id(text, &number)) {
        return store_version_get(store, run->id, number, version);
    }
    int result = store_tag_get(store, run->id, text, &tag);
    return result < 0 ? result : store_version_get(store, run->id, tag.version, version);
}

int state_version(struct store *store, const char *text, struct store_run *run,
                  struct store_version *version)
{
    char name[STORE_NAME_BYTES + 1u];
    const char *colon = text ? strchr(text, ':') : NULL;
    if (colon != NULL) {
        snprintf(name, sizeof name, "%.*s", (int)(colon - text), text);
        text = name[0] ? name : NULL;
    }
    int result = state_run(store, text, run);
    if (result < 0) {
        return result;
    }
    result = version_of(store, colon ? colon + 1 : NULL, run, version);
    if (result == MYCEL_E_NOT_FOUND || result == MYCEL_E_INVALID) {
        say_error("run '%s' has no version '%.48s'; 'mycel model list %s' shows them",
                  run->config.name, colon ? colon + 1 : "latest", run->config.name);
        return MYCEL_E_NOT_FOUND;
    }
    if (result < 0) {
        state_fail(store, result, run->config.name);
    }
    return result;
}

int state_blob(struct store *store, const struct store_version *version, uint8_t **data,
               size_t *bytes)
{
    if (!version->kept || version->bytes > STORE_BLOB_BYTES_MAX) {
        say_error("the parameters of version %u were dropped by retention", version->number);
        return MYCEL_E_NOT_FOUND;
    }
    *data = malloc((size_t)version->bytes + 1u);
    if (*data == NULL) {
        say_error("out of memory");
        return MYCEL_E_NO_MEMORY;
    }
    int result = store_blob_load(store, version->sha256, *data, (size_t)version->bytes, bytes);
    if (result < 0) {
        state_fail(store, result, "parameters");
        free(*data);
        *data = NULL;
    }
    return result;
}
