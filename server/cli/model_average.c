/* `mycel model average`: the exponential moving average of the newest versions, as a new version. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cli/exits.h"
#include "server/cli/model_text.h"
#include "server/cli/registry.h"
#include "server/cli/say.h"
#include "server/cli/state.h"

#define VERSIONS_MAX 1000u

struct average_options {
    uint64_t versions;
    double decay;
    bool adopt;
    bool json;
};

#define AT(member) .offset = offsetof(struct average_options, member)
static const struct setting rows[] = {
    {.name = "versions",
     .letter = 'n',
     .type = SETTING_COUNT,
     .argument = "N",
     .fallback = "10",
     .min = 2,
     .max = VERSIONS_MAX,
     AT(versions),
     .help = "How many of the newest versions to average"},
    {.name = "decay",
     .type = SETTING_REAL,
     .argument = "D",
     .fallback = "0.5",
     .min = 0,
     .max = 0.9999,
     AT(decay),
     .help = "Share of the average that stays at each step; 0 is the newest version alone"},
    {.name = "adopt",
     .type = SETTING_SWITCH,
     AT(adopt),
     .help = "Let training that is under way go on from the average"},
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, AT(json), .help = "Print JSON"},
};
#undef AT

const struct setting_list model_average_settings = SETTING_LIST(rows, struct average_options);

/* The newest versions whose parameters are kept, in a ring. */
struct window {
    struct store_version versions[VERSIONS_MAX];
    size_t size;
    size_t count; /* seen */
};

static int collect(void *user, const struct store_version *version)
{
    struct window *w = user;
    if (version->kept && version->kind != STORE_VERSION_AVERAGE) {
        w->versions[w->count % w->size] = *version;
        w->count++;
    }
    return MYCEL_OK;
}

/* m = decay · m + (1 − decay) · version, from the oldest to the newest; m starts as the oldest. */
static void blend(float *mean, const uint8_t *data, uint32_t count, double decay, bool first)
{
    for (uint32_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, data + 4u * (size_t)i, sizeof value);
        mean[i] = first ? value : (float)(decay * (double)mean[i] + (1.0 - decay) * (double)value);
    }
}

static int average(struct store *store, const struct store_run *run, const struct window *w,
                   double decay, float *mean)
{
    size_t used = w->count < w->size ? w->count : w->size;
    for (size_t i = 0; i < used; i++) {
        const struct store_version *version = &w->versions[(w->count - used + i) % w->size];
        uint8_t *data;
        size_t bytes;
        int result = state_blob(store, version, &data, &bytes);
        if (result < 0) {
            return result;
        }
        if (bytes == 4u * (size_t)run->config.params) {
            blend(mean, data, run->config.params, decay, i == 0);
        } else {
            say_error("version %" PRIu32 " does not hold the parameters of its model",
                      version->number);
            result = MYCEL_E_CORRUPT;
        }
        free(data);
        if (result < 0) {
            return result;
        }
    }
    return MYCEL_OK;
}

/* ---- the new version ---------------------------------------------------------------------- */

static int write_version(struct store *store, const struct store_run *run, const float *mean,
                         const char *detail, uint32_t *number)
{
    char subject[STORE_AUDIT_TEXT_MAX];
    struct store_version newest;
    struct store_version version = {
        .run = run->id, .kind = STORE_VERSION_AVERAGE, .created_ms = state_now_ms()};
    int result = store_version_newest(store, run->id, &newest);
    if (result == MYCEL_OK) {
        result = store_blob_put(store, mean, 4u * (size_t)run->config.params, version.sha256);
    }
    if (result < 0) {
        return result;
    }
    version.number = newest.number + 1u;
    version.has_parent = true;
    version.parent = newest.number;
    version.has_optimizer = newest.has_optimizer; /* the rule's momentum goes on, too */
    memcpy(version.optimizer_sha256, newest.optimizer_sha256, sizeof version.optimizer_sha256);
    result = store_version_add(store, &version);
    if (result < 0) {
        return result;
    }
    *number = version.number;
    snprintf(subject, sizeof subject, "%s/%" PRIu32, run->config.name, version.number);
    const struct store_audit entry = {.at_ms = version.created_ms,
                                      .actor = "cli",
                                      .action = "model.average",
                                      .subject = subject,
                                      .detail = detail};
    return store_audit_add(store, &entry);
}

static int publish(struct store *store, const struct store_run *run, const float *mean,
                   const char *detail, uint32_t *number)
{
    int result = store_begin(store);
    if (result < 0) {
        return result;
    }
    result = write_version(store, run, mean, detail, number);
    if (result < 0) {
        store_rollback(store);
        return result;
    }
    return store_commit(store);
}

static int say_done(const struct store_run *run, const struct window *w,
                    const struct average_options *options, uint32_t number)
{
    size_t used = w->count < w->size ? w->count : w->size;
    if (options->json) {
        return say_json(json_pack("{s:s, s:I, s:I, s:f}", "run", run->config.name, "version",
                                  (json_int_t)number, "averaged", (json_int_t)used, "decay",
                                  options->decay));
    }
    (void)printf("Version %" PRIu32 " of run '%s' is the average of %zu versions.%s\n", number,
                 run->config.name, used,
                 state_run_under_way(run) ? " Training goes on from it; the open round is given up."
                                          : "");
    return EXIT_CODE_OK;
}

/* ---- the command -------------------------------------------------------------------------- */

static int make(struct store *store, const struct store_run *run,
                const struct average_options *options, struct window *w)
{
    char detail[64];
    uint32_t number = 0;
    int result = store_versions(store, run->id, collect, w);
    if (result < 0) {
        return state_fail(store, result, run->config.name);
    }
    if (w->count < 2u) {
        say_error("run '%s' has fewer than two versions to average", run->config.name);
        return EXIT_CODE_REFUSED;
    }
    float *mean = calloc(run->config.params, sizeof *mean);
    if (mean == NULL) {
        say_error("out of memory");
        return EXIT_CODE_FAILED;
    }
    result = average(store, run, w, options->decay, mean);
    int code = exit_of_error(result);
    if (result == MYCEL_OK) {
        snprintf(detail, sizeof detail, "newest %u, decay %g", (unsigned)options->versions,
                 options->decay);
        result = publish(store, run, mean, detail, &number);
        code =
            result < 0 ? state_fail(store, result, "average") : say_done(run, w, options, number);
    }
    free(mean);
    return code;
}

static int start(struct store *store, const struct invocation *call)
{
    const struct average_options *options = call->options;
    struct store_run run;
    int result = state_run(store, call->words_count > 0 ? call->words[0] : NULL, &run);
    if (result < 0) {
        return exit_of_error(result);
    }
    if (state_run_under_way(&run) && !options->adopt) {
        say_error("run '%s' is under way: it would go on from the average; --adopt says so",
                  run.config.name);
        return EXIT_CODE_REFUSED;
    }
    struct window *w = calloc(1, sizeof *w);
    if (w == NULL) {
        say_error("out of memory");
        return EXIT_CODE_FAILED;
    }
    w->size = (size_t)options->versions;
    int code = make(store, &run, options, w);
    free(w);
    return code;
}

int model_average_run(const struct invocation *call)
{
    struct store *store = NULL;
    int result = state_open(call->config, STATE_WRITE, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    int code = start(store, call);
    store_close(store);
    return code;
}
