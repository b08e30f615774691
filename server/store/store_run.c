/* Runs: what is to be trained. It owns the rules for a run's settings and the changes of its state;
 * a run's settings are never changed once it exists. */
#include "server/store/internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int store_name_check(const char *name)
{
    size_t bytes = strnlen(name, STORE_NAME_BYTES);
    if (bytes == 0 || bytes == STORE_NAME_BYTES) {
        return MYCEL_E_INVALID;
    }
    for (size_t i = 0; i < bytes; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        bool mark = c == '.' || c == '_' || c == '-';
        if (!plain && !(mark && i > 0)) {
            return MYCEL_E_INVALID;
        }
    }
    return MYCEL_OK;
}

static bool fits(const char *text, size_t capacity)
{
    return memchr(text, 0, capacity) != NULL;
}

static bool tags_fit(const struct store_run_config *c)
{
    for (size_t i = 0; i < STORE_TAGS_MAX; i++) {
        if (!fits(c->tags[i], sizeof c->tags[i]) || strchr(c->tags[i], '\n') != NULL) {
            return false;
        }
    }
    return true;
}

static bool at_least_0(float value)
{
    return isfinite(value) && value >= 0.0f;
}

/* The first rule that a configuration breaks, in words; NULL: none. Only what this file stores is
 * judged: whether the numbers make sense together is engine_spec_check()'s to say. */
static const char *broken_rule(const struct store_run_config *c)
{
    const struct {
        bool holds;
        const char *words;
    } rules[] = {
        {fits(c->name, sizeof c->name) && store_name_check(c->name) == MYCEL_OK,
         "a run's name is 1 to 48 of a-z 0-9 . _ - and starts with a letter or digit"},
        {c->model[0] != '\0' && fits(c->model, sizeof c->model),
         "the model description is empty or too long"},
        {c->strategy[0] != '\0' && fits(c->strategy, sizeof c->strategy),
         "the strategy is empty or too long"},
        {fits(c->device_class, sizeof c->device_class), "the device class is too long"},
        {tags_fit(c), "a tag is too long or has a line break"},
        {c->params > 0 && c->params <= PROTO_MODEL_PARAMS_MAX,
         "the model has too many parameters, or none"},
        {c->goal > 0, "the goal must be at least 1 update"},
        {c->minimum <= c->goal, "the minimum must not exceed the goal"},
        {at_least_0(c->clip_norm), "the clip norm must be 0 or more"},
        {at_least_0(c->target_accuracy) && c->target_accuracy <= 1.0f,
         "the target accuracy must be 0 to 1"},
        {c->epochs > 0, "there must be at least 1 epoch"},
        {c->batch > 0, "the batch must hold at least 1 sample"},
        {at_least_0(c->learning_rate) && c->learning_rate > 0.0f,
         "the learning rate must be more than 0"},
        {at_least_0(c->momentum) && c->momentum < 1.0f, "momentum must be 0 to less than 1"},
        {at_least_0(c->prox_mu), "prox mu must be 0 or more"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!rules[i].holds) {
            return rules[i].words;
        }
    }
    return NULL;
}

/* The numbers of a configuration, in the order of SQL_RUN_CONFIG. */
#define RUN_NUMBERS(X)                                                                             \
    X(params)                                                                                      \
    X(goal)                                                                                        \
    X(minimum)                                                                                     \
    X(epochs)                                                                                      \
    X(batch)                                                                                       \
    X(concurrency)                                                                                 \
    X(staleness_max)                                                                               \
    X(over_permille)                                                                               \
    X(weighting)                                                                                   \
    X(select_ms)                                                                                   \
    X(soft_ms)                                                                                     \
    X(hard_ms)                                                                                     \
    X(lease_ms)                                                                                    \
    X(pace_ms)                                                                                     \
    X(samples_min)                                                                                 \
    X(samples_max)                                                                                 \
    X(battery_min)                                                                                 \
    X(spacing_rounds)                                                                              \
    X(cap)                                                                                         \
    X(fair_permille)                                                                               \
    X(utility_permille)                                                                            \
    X(codec)                                                                                       \
    X(codecs)                                                                                      \
    X(steps_max)                                                                                   \
    X(rounds)                                                                                      \
    X(patience)                                                                                    \
    X(soft_min_ms)                                                                                 \
    X(soft_max_ms)                                                                                 \
    X(interval_ms)                                                                                 \
    X(downlink)

#define RUN_FLAGS(X)                                                                               \
    X(staleness_discount)                                                                          \
    X(over_learn)                                                                                  \
    X(soft_learn)                                                                                  \
    X(busy_allowed)

#define RUN_REALS(X)                                                                               \
    X(clip_norm)                                                                                   \
    X(learning_rate)                                                                               \
    X(momentum)                                                                                    \
    X(prox_mu)                                                                                     \
    X(target_accuracy)

#define TAGS_BYTES (STORE_TAGS_MAX * STORE_TAG_BYTES)

/* One tag a line, in the caller's memory. */
static void join_tags(const struct store_run_config *c, char text[TAGS_BYTES])
{
    size_t used = 0;
    for (size_t i = 0; i < STORE_TAGS_MAX; i++) {
        size_t bytes = strlen(c->tags[i]);
        if (bytes > 0) {
            memcpy(text + used, c->tags[i], bytes);
            used += bytes;
            text[used++] = '\n';
        }
    }
    text[used > 0 ? used - 1 : 0] = '\0';
}

static void split_tags(const char *text, struct store_run_config *c)
{
    for (size_t i = 0; i < STORE_TAGS_MAX && *text != '\0'; i++) {
        size_t bytes = strcspn(text, "\n");
        size_t kept = bytes < STORE_TAG_BYTES ? bytes : STORE_TAG_BYTES - 1;
        memcpy(c->tags[i], text, kept);
        text += bytes + (text[bytes] == '\n');
    }
}

static void bind_config(struct query *q, const struct store_run_config *c, const char *tags)
{
    query_text(q, c->name);
    query_text(q, c->model);
    query_text(q, c->strategy);
    query_text(q, c->device_class);
    query_text(q, tags);
    query_bits(q, c->seed);
    query_u64(q, c->update_bytes_max);
#define BIND_NUMBER(name) query_u64(q, c->name);
    RUN_NUMBERS(BIND_NUMBER)
    RUN_FLAGS(BIND_NUMBER)
#undef BIND_NUMBER
#define BIND_REAL(name) query_real(q, c->name);
    RUN_REALS(BIND_REAL)
#undef BIND_REAL
}

static void read_config(struct query *q, struct store_run_config *c)
{
    char tags[TAGS_BYTES];
    query_get_text(q, c->name, sizeof c->name);
    query_get_text(q, c->model, sizeof c->model);
    query_get_text(q, c->strategy, sizeof c->strategy);
    query_get_text(q, c->device_class, sizeof c->device_class);
    query_get_text(q, tags, sizeof tags);
    split_tags(tags, c);
    c->seed = query_get_bits(q);
    c->update_bytes_max = query_get_u64(q);
#define READ_NUMBER(name) c->name = query_get_u32(q);
    RUN_NUMBERS(READ_NUMBER)
#undef READ_NUMBER
#define READ_FLAG(name) c->name = query_get_u32(q) != 0;
    RUN_FLAGS(READ_FLAG)
#undef READ_FLAG
#define READ_REAL(name) c->name = query_get_real(q);
    RUN_REALS(READ_REAL)
#undef READ_REAL
}

static void read_run(struct query *q, struct store_run *run)
{
    *run = (struct store_run){.id = query_get_u32(q)};
    run->state = (enum store_run_state)query_get_u32(q);
    read_config(q, &run->config);
    run->learned.drop_permille = query_get_u32(q);
    run->learned.drop_rounds = query_get_u32(q);
    run->learned.round_ms = query_get_u32(q);
    run->learned.gap_ms = query_get_u32(q);
    run->learned.report_ms = query_get_u32(q);
    run->learned.best = query_get_real(q);
    run->learned.best_version = query_get_u32(q);
    run->learned.evaluated = query_get_u32(q) != 0;
    run->created_ms = query_get_u64(q);
    run->ended_ms = query_get_u64(q);
    query_get_text(q, run->reason, sizeof run->reason);
    run->round = query_get_u32(q);
    run->has_version = query_get_has(q);
    run->version = query_get_u32(q);
    run->has_evaluated = query_get_has(q);
    run->evaluated_version = query_get_u32(q);
}

static int insert(struct store *store, const struct store_run_config *config, uint64_t now_ms,
                  uint32_t *id)
{
    struct query q;
    char tags[TAGS_BYTES];
    join_tags(config, tags);
    query_open(&q, store, SQL_RUN_ADD);
    bind_config(&q, config, tags);
    query_u64(&q, now_ms);
    int code = query_run(&q);
    if (code == MYCEL_E_EXISTS) {
        return store_fail(store, code, "there is a run %s already", config->name);
    }
    if (code != MYCEL_OK) {
        return code;
    }
    *id = (uint32_t)sqlite3_last_insert_rowid(store->db);
    return store_audit_note(store, now_ms, "store", "run.create", config->name, config->model);
}

int store_run_create(struct store *store, const struct store_run_config *config, uint64_t now_ms,
                     uint32_t *id)
{
    const char *broken = broken_rule(config);
    if (broken != NULL) {
        return store_fail(store, MYCEL_E_INVALID, "%s", broken);
    }
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, insert(store, config, now_ms, id));
}

static bool over(enum store_run_state state)
{
    return state == STORE_RUN_FINISHED || state == STORE_RUN_STOPPED;
}

static int change_state(struct store *store, uint32_t id, enum store_run_state state,
                        const char *reason, const char *actor, uint64_t now_ms)
{
    struct store_run run = {.id = id};
    int code = store_run_get(store, id, &run);
    if (code != MYCEL_OK) {
        return code;
    }
    if (over(run.state)) {
        return store_fail(store, MYCEL_E_STATE, "run %s is %s already", run.config.name,
                          store_run_state_name(run.state));
    }
    struct query q;
    query_open(&q, store, SQL_RUN_STATE);
    query_u64(&q, (uint64_t)state);
    query_u64(&q, over(state) ? now_ms : 0);
    query_text(&q, reason);
    query_u64(&q, id);
    code = query_run(&q);
    if (code != MYCEL_OK) {
        return code;
    }
    char action[32];
    (void)snprintf(action, sizeof action, "run.%s", store_run_state_name(state));
    return store_audit_note(store, now_ms, actor, action, run.config.name, reason);
}

int store_run_set_state(struct store *store, uint32_t run, enum store_run_state state,
                        const char *reason, const char *actor, uint64_t now_ms)
{
    if (strnlen(reason, STORE_REASON_BYTES) >= STORE_REASON_BYTES) {
        return store_fail(store, MYCEL_E_INVALID, "the reason is too long");
    }
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, change_state(store, run, state, reason, actor, now_ms));
}

static int note_progress(struct store *store, uint32_t run, enum store_run_state state,
                         const struct store_learned *learned, uint64_t now_ms)
{
    struct query q;
    query_open(&q, store, SQL_RUN_PROGRESS);
    query_u64(&q, learned->drop_permille);
    query_u64(&q, learned->drop_rounds);
    query_u64(&q, learned->round_ms);
    query_u64(&q, learned->gap_ms);
    query_u64(&q, learned->report_ms);
    query_real(&q, learned->best);
    query_u64(&q, learned->best_version);
    query_u64(&q, learned->evaluated);
    query_u64(&q, (uint64_t)state);
    query_u64(&q, now_ms);
    query_u64(&q, run);
    int code = query_run(&q);
    return code == MYCEL_OK && sqlite3_changes(store->db) == 0
               ? store_fail(store, MYCEL_E_NOT_FOUND, "there is no run %u", run)
               : code;
}

int store_run_progress(struct store *store, uint32_t run, enum store_run_state state,
                       const struct store_learned *learned, uint64_t now_ms)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, note_progress(store, run, state, learned, now_ms));
}

/* Reads the one row of an opened query and closes it. */
static int read_one(struct query *q, struct store_run *out, bool *found)
{
    *found = query_row(q) == 1;
    if (*found) {
        read_run(q, out);
    }
    return query_close(q);
}

int store_run_get(struct store *store, uint32_t run, struct store_run *out)
{
    struct query q;
    bool found;
    query_open(&q, store, SQL_RUN_BY_ID);
    query_u64(&q, run);
    int code = read_one(&q, out, &found);
    return code == MYCEL_OK && !found
               ? store_fail(store, MYCEL_E_NOT_FOUND, "there is no run %u", run)
               : code;
}

int store_run_find(struct store *store, const char *name, struct store_run *out)
{
    struct query q;
    bool found;
    query_open(&q, store, SQL_RUN_BY_NAME);
    query_text(&q, name);
    int code = read_one(&q, out, &found);
    return code == MYCEL_OK && !found
               ? store_fail(store, MYCEL_E_NOT_FOUND, "there is no run %s", name)
               : code;
}

int store_runs(struct store *store, int (*each)(void *user, const struct store_run *run),
               void *user)
{
    struct query q;
    query_open(&q, store, SQL_RUN_LIST);
    int result = MYCEL_OK;
    while (result == MYCEL_OK && query_row(&q) == 1) {
        struct store_run run;
        read_run(&q, &run);
        result = q.code != MYCEL_OK ? q.code : each(user, &run);
    }
    int code = query_close(&q);
    return result != MYCEL_OK ? result : code;
}

const char *store_run_state_name(enum store_run_state state)
{
    switch (state) {
    case STORE_RUN_ACTIVE:
        return "active";
    case STORE_RUN_PAUSED:
        return "paused";
    case STORE_RUN_FINISHED:
        return "finished";
    case STORE_RUN_STOPPED:
        return "stopped";
    }
    return "unknown";
}
