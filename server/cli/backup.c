/* Copies the coordinator's state, and checks it from end to end. Never changes it. */
#include "server/cli/backup.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/state.h"

/* ---- backup ------------------------------------------------------------------------------- */

int backup_run(const struct invocation *call)
{
    const char *path = call->words[0];
    char size[SAY_SIZE_BYTES];
    struct stat info;
    struct store *store = NULL;
    int result = state_open(call->config, STATE_READ, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    result = store_backup(store, path);
    int code = result < 0 ? state_fail(store, result, "backup") : EXIT_CODE_OK;
    store_close(store);
    if (code == EXIT_CODE_OK && stat(path, &info) == 0) {
        (void)printf("Wrote %s to %s. It holds every device's key: keep it as safe as those.\n",
                     say_size((uint64_t)info.st_size, size), path);
    }
    return code;
}

/* ---- check -------------------------------------------------------------------------------- */

struct check_options {
    bool json;
};

static const struct setting rows[] = {
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, .help = "Print one JSON object"},
};

const struct setting_list check_settings = SETTING_LIST(rows, struct check_options);

/* What was looked at, for a person who wants to see that it was not nothing. */
struct counts {
    unsigned devices;
    unsigned runs;
    unsigned versions;
    uint64_t audit;
    struct store *store;
};

static int count_device(void *user, const struct store_device *device)
{
    (void)device;
    ((struct counts *)user)->devices++;
    return MYCEL_OK;
}

static int count_version(void *user, const struct store_version *version)
{
    (void)version;
    ((struct counts *)user)->versions++;
    return MYCEL_OK;
}

static int count_run(void *user, const struct store_run *run)
{
    struct counts *counts = user;
    counts->runs++;
    return store_versions(counts->store, run->id, count_version, counts);
}

static int count(struct store *store, struct counts *counts)
{
    uint8_t hash[STORE_AUDIT_HASH_BYTES];
    counts->store = store;
    int result = store_devices(store, count_device, counts);
    if (result == MYCEL_OK) {
        result = store_runs(store, count_run, counts);
    }
    return result == MYCEL_OK ? store_audit_head(store, &counts->audit, hash) : result;
}

static int say_whole(const struct counts *c, bool json)
{
    if (json) {
        return say_json(json_pack("{s:b, s:i, s:i, s:i, s:I}", "ok", 1, "devices", (int)c->devices,
                                  "runs", (int)c->runs, "versions", (int)c->versions, "audit",
                                  (json_int_t)c->audit));
    }
    (void)printf("Whole: every page, reference and content was read.\n"
                 "devices %u, runs %u, versions %u, audit entries %" PRIu64 "\n",
                 c->devices, c->runs, c->versions, c->audit);
    return EXIT_CODE_OK;
}

static int say_damaged(const char *problem, const char *folder, bool json)
{
    if (json) {
        (void)say_json(json_pack("{s:b, s:s}", "ok", 0, "problem", problem));
    }
    say_error("%s is damaged: %s. Stop the coordinator and restore a backup", folder, problem);
    return EXIT_CODE_FAILED;
}

int check_run(const struct invocation *call)
{
    const struct check_options *options = call->options;
    struct counts counts = {0};
    struct store *store = NULL;
    int result = state_open(call->config, STATE_READ, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    result = store_verify(store);
    if (result == MYCEL_OK) {
        result = count(store, &counts);
    }
    int code;
    if (result == MYCEL_E_CORRUPT) {
        code = say_damaged(store_problem(store), call->config->state, options->json);
    } else if (result < 0) {
        code = state_fail(store, result, call->config->state);
    } else {
        code = say_whole(&counts, options->json);
    }
    store_close(store);
    return code;
}
