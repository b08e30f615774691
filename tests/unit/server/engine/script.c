#include "tests/unit/server/engine/script.h"

#include "common/assert.h"
#include "server/engine/key.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 32
#define EARLY_SHOWN 64u /* devices */

/* A command in words; "name=value" ones may come in any order. */
struct words {
    char text[SCRIPT_LINE_BYTES];
    const char *word[WORDS_MAX];
    uint32_t count;
};

static void split(struct words *w, const char *command)
{
    char *rest = NULL;

    MYCEL_ASSERT(strlen(command) < sizeof w->text);
    memcpy(w->text, command, strlen(command) + 1);
    w->count = 0;
    for (char *at = strtok_r(w->text, " \n", &rest); at != NULL;
         at = strtok_r(NULL, " \n", &rest)) {
        MYCEL_ASSERT(w->count < WORDS_MAX);
        w->word[w->count++] = at;
    }
}

/* The value of "name=value", or NULL. */
static const char *option(const struct words *w, const char *name)
{
    size_t length = strlen(name);

    for (uint32_t i = 1; i < w->count; i++) {
        if (strncmp(w->word[i], name, length) == 0 && w->word[i][length] == '=') {
            return w->word[i] + length + 1;
        }
    }
    return NULL;
}

static uint64_t number(const struct words *w, const char *name, uint64_t fallback)
{
    const char *value = option(w, name);

    return value != NULL ? strtoull(value, NULL, 10) : fallback;
}

static float real(const struct words *w, const char *name, float fallback)
{
    const char *value = option(w, name);

    return value != NULL ? strtof(value, NULL) : fallback;
}

/* The i-th word as a number. */
static uint32_t position(const struct words *w, uint32_t i)
{
    MYCEL_ASSERT(i < w->count);
    return (uint32_t)strtoul(w->word[i], NULL, 10);
}

static int32_t error_code(const struct words *w)
{
    static const struct {
        const char *name;
        int32_t code;
    } codes[] = {
#define CODE(name, value, cls, text) {#name, value},
        MYCEL_ERROR_TABLE(CODE)
#undef CODE
    };
    const char *name = option(w, "status");

    if (name == NULL) {
        return 0;
    }
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(codes[i].name, name) == 0) {
            return codes[i].code;
        }
    }
    MYCEL_ASSERT(false);
    return 0;
}

static void text_option(const struct words *w, const char *name, char *to, size_t bytes)
{
    const char *value = option(w, name);

    if (value != NULL) {
        MYCEL_ASSERT(strlen(value) < bytes);
        memcpy(to, value, strlen(value) + 1);
    }
}

static void step(struct shell *shell, struct engine_event *event, FILE *out)
{
    struct engine_actions actions;
    int rc = shell_step(shell, event, &actions);

    if (rc < 0) {
        fprintf(out, "  error %s\n", mycel_error_name(rc));
    }
    for (uint32_t i = 0; i < actions.count; i++) {
        script_print(&actions.list[i], out);
    }
    if (actions.batch > 0) {
        fprintf(out, "  = batch %llu\n", (unsigned long long)actions.batch);
    }
}

/* --- events --------------------------------------------------------------------------------- */

static void read_spec(const struct words *w, struct engine_spec *s)
{
    s->run = position(w, 1);
    s->seed = number(w, "seed", 42);
    text_option(w, "class", s->device_class, sizeof s->device_class);
    text_option(w, "tag", s->tags[0], sizeof s->tags[0]);
    s->goal = (uint32_t)number(w, "goal", 1);
    s->minimum = (uint32_t)number(w, "minimum", 0);
    s->concurrency = (uint32_t)number(w, "concurrency", 0);
    s->staleness_max = (uint32_t)number(w, "staleness", 0);
    s->staleness_discount = number(w, "discount", 0) != 0;
    s->over_permille = (uint32_t)number(w, "over", 0);
    s->over_learn = number(w, "learn", 0) != 0;
    s->weighting = (enum engine_weighting)number(w, "weighting", 0);
    s->select_ms = (uint32_t)number(w, "select", 0);
    s->soft_ms = (uint32_t)number(w, "soft", 0);
    s->hard_ms = (uint32_t)number(w, "hard", 0);
    s->lease_ms = (uint32_t)number(w, "lease", 0);
    s->soft_learn = number(w, "soft_learn", 0) != 0;
    s->soft_min_ms = (uint32_t)number(w, "soft_min", 0);
    s->soft_max_ms = (uint32_t)number(w, "soft_max", 0);
    s->pace_ms = (uint32_t)number(w, "pace", 0);
    s->interval_ms = (uint32_t)number(w, "interval", 0);
    s->samples_min = (uint32_t)number(w, "samples_min", 0);
    s->samples_max = (uint32_t)number(w, "samples_max", 0);
    s->battery_min = (uint32_t)number(w, "battery", 0);
    s->busy_allowed = number(w, "busy", 0) != 0;
    s->spacing_rounds = (uint32_t)number(w, "spacing", 0);
    s->cap = (uint32_t)number(w, "cap", 0);
    s->fair_permille = (uint32_t)number(w, "fair", 0);
    s->utility_permille = (uint32_t)number(w, "utility", 0);
    s->codec = (uint8_t)number(w, "codec", 0);
    s->codecs = (uint32_t)number(w, "codecs", 0);
    s->features = (uint32_t)number(w, "features", 0);
    s->model_bytes = number(w, "model", 0);
    s->update_bytes_max = number(w, "update_max", 0);
    s->round_limit = (uint32_t)number(w, "rounds", 0);
    s->target_set = option(w, "target") != NULL;
    s->target = real(w, "target", 0.0f);
    s->patience = (uint32_t)number(w, "patience", 0);
}

static void do_run(struct shell *shell, const struct words *w, FILE *out)
{
    struct engine_event event = {.type = ENGINE_EVENT_RUN};

    read_spec(w, &event.u.run.spec);
    shell_add_run(shell, &event.u.run.spec);
    step(shell, &event, out);
}

static void do_checkin(struct shell *shell, const struct words *w, FILE *out)
{
    struct engine_event event = {.type = ENGINE_EVENT_CHECKIN};
    struct engine_facts *facts = &event.u.checkin.facts;

    event.u.checkin.device = position(w, 1);
    facts->samples = (uint32_t)number(w, "samples", 100);
    facts->idle = number(w, "idle", 1) != 0;
    facts->battery_percent = (uint32_t)number(w, "battery", 255);
    facts->codecs = (uint32_t)number(w, "codecs", 0);
    facts->narrow_link = number(w, "narrow", 0) != 0;
    facts->features = (uint32_t)number(w, "features", 0);
    facts->model_bytes_max = number(w, "room", 0);
    text_option(w, "class", facts->device_class, sizeof facts->device_class);
    text_option(w, "tag", facts->tags[1], sizeof facts->tags[1]);
    step(shell, &event, out);
}

/* The third word, run/round/attempt/base, as a key of the device or of its `owner`. */
static struct engine_lease read_lease(const struct words *w)
{
    struct engine_lease lease;

    memset(&lease, 0, sizeof lease);
    MYCEL_ASSERT(w->count >= 3);
    MYCEL_ASSERT(sscanf(w->word[2], "%u/%u/%u/%u", &lease.run, &lease.round, &lease.attempt,
                        &lease.base.version) == 4);
    lease.device = (uint32_t)number(w, "owner", position(w, 1));
    key_derive(&lease);
    return lease;
}

static void do_query(struct shell *shell, const struct words *w, FILE *out)
{
    struct engine_event event = {.type = ENGINE_EVENT_UPLOAD_QUERY};
    struct engine_lease lease = read_lease(w);

    event.u.query.device = position(w, 1);
    event.u.query.bytes = number(w, "bytes", 0);
    memcpy(event.u.query.key, lease.key, PROTO_KEY_BYTES);
    step(shell, &event, out);
}

static void do_update(struct shell *shell, const struct words *w, FILE *out)
{
    struct engine_event event = {.type = ENGINE_EVENT_UPDATE};
    struct engine_event_update *update = &event.u.update;
    struct engine_lease lease = read_lease(w);

    update->device = position(w, 1);
    update->status = error_code(w);
    update->norm = real(w, "norm", 1.0f);
    memcpy(update->key, lease.key, PROTO_KEY_BYTES);
    memset(update->digest, (int)number(w, "digest", update->device), PROTO_SHA256_BYTES);
    update->report.run = (uint32_t)number(w, "report_run", lease.run);
    update->report.round = (uint32_t)number(w, "report_round", lease.round);
    update->report.base_version = (uint32_t)number(w, "report_base", lease.base.version);
    update->report.samples = (uint32_t)number(w, "samples", 100);
    update->report.codec = (uint8_t)number(w, "codec", 0);
    update->report.loss_last = real(w, "loss", 0.5f);
    step(shell, &event, out);
}

static void do_commit(struct shell *shell, const struct words *w, FILE *out)
{
    struct engine_event event = {.type = ENGINE_EVENT_COMMITTED};

    event.u.committed = w->count > 1 ? position(w, 1) : shell->batch;
    shell_apply(shell, event.u.committed);
    step(shell, &event, out);
}

static void do_aggregated(struct shell *shell, const struct words *w, FILE *out)
{
    struct engine_event event = {.type = ENGINE_EVENT_AGGREGATED};
    struct engine_event_aggregated *a = &event.u.aggregated;

    a->run = position(w, 1);
    a->round = position(w, 2);
    a->attempt = position(w, 3);
    a->status = error_code(w);
    memset(a->sha256, (int)a->round, sizeof a->sha256);
    step(shell, &event, out);
}

static void do_evaluated(struct shell *shell, const struct words *w, FILE *out)
{
    struct engine_event event = {.type = ENGINE_EVENT_EVALUATED};

    event.u.evaluated.run = position(w, 1);
    event.u.evaluated.version = position(w, 2);
    event.u.evaluated.status = error_code(w);
    event.u.evaluated.metrics.accuracy = real(w, "accuracy", 0.5f);
    step(shell, &event, out);
}

static void do_restart(struct shell *shell, const struct words *w, FILE *out)
{
    struct engine_actions actions;

    shell->wall_offset_ms += (int64_t)number(w, "forward", 0);
    shell->wall_offset_ms -= (int64_t)number(w, "back", 0);
    shell_restart(shell, &actions);
    for (uint32_t i = 0; i < actions.count; i++) {
        script_print(&actions.list[i], out);
    }
    if (actions.batch > 0) {
        fprintf(out, "  = batch %llu\n", (unsigned long long)actions.batch);
    }
}

static void do_time(struct shell *shell, const struct words *w, FILE *out)
{
    (void)out;
    shell->now_ms = w->word[1][0] == '+' ? shell->now_ms + strtoull(w->word[1] + 1, NULL, 10)
                                         : strtoull(w->word[1], NULL, 10);
}

static void do_view(struct shell *shell, const struct words *w, FILE *out)
{
    struct engine_run_view view;

    (void)w;
    for (uint32_t i = 0; engine_run_view(shell->engine, i, &view) == MYCEL_OK; i++) {
        fprintf(out, "  run %u %s round %u/%u %s version %u goal %u seats %u live %u accepted %u",
                view.run, engine_phase_name(view.phase), view.round, view.attempt,
                engine_round_name(view.state), view.version, view.goal, view.seats, view.live,
                view.accepted);
        fprintf(out, " rejected %u soft %lld hard %lld\n", view.rejected,
                (long long)view.soft_left_ms, (long long)view.hard_left_ms);
    }
    for (uint32_t device = 1; device <= EARLY_SHOWN; device++) {
        if (engine_early(shell->engine, device) > 0) {
            fprintf(out, "  device %u early %u\n", device, engine_early(shell->engine, device));
        }
    }
}

/* Events that consist of a number, or of nothing. */
static void do_simple(struct shell *shell, const struct words *w, FILE *out)
{
    static const struct {
        const char *name;
        enum engine_event_type type;
    } simple[] = {
        {"restored", ENGINE_EVENT_RESTORED},     {"pause", ENGINE_EVENT_RUN_PAUSED},
        {"resume", ENGINE_EVENT_RUN_RESUMED},    {"stop", ENGINE_EVENT_RUN_STOPPED},
        {"revoke", ENGINE_EVENT_DEVICE_REVOKED}, {"tick", ENGINE_EVENT_TICK},
    };
    struct engine_event event = {.type = ENGINE_EVENT_TICK};
    bool known = false;

    for (size_t i = 0; i < sizeof simple / sizeof simple[0] && !known; i++) {
        known = strcmp(simple[i].name, w->word[0]) == 0;
        event.type = simple[i].type;
    }
    MYCEL_ASSERT(known);
    if (w->count > 1) {
        event.u.run_id = position(w, 1);
    }
    step(shell, &event, out);
}

void script_run(struct shell *shell, const char *command, FILE *out)
{
    static const struct {
        const char *name;
        void (*run)(struct shell *shell, const struct words *w, FILE *out);
    } commands[] = {
        {"run", do_run},       {"checkin", do_checkin},     {"query", do_query},
        {"update", do_update}, {"commit", do_commit},       {"aggregated", do_aggregated},
        {"time", do_time},     {"evaluated", do_evaluated}, {"restart", do_restart},
        {"view", do_view},
    };
    struct words w;

    split(&w, command);
    MYCEL_ASSERT(w.count > 0);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, w.word[0]) == 0) {
            commands[i].run(shell, &w, out);
            return;
        }
    }
    do_simple(shell, &w, out);
}
