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

/* The first rule that a configuration breaks, in words; NULL: none. */
static const char *broken_rule(const struct store_run_config *c)
{
    const struct {
        bool holds;
        const char *words;
    } rules[] = {
        {memchr(c->name, 0, sizeof c->name) != NULL && store_name_check(c->name) == MYCEL_OK,
         "a run's name is 1 to 48 of a-z 0-9 . _ - and starts with a letter or digit"},
        {c->model[0] != '\0' && memchr(c->model, 0, sizeof c->model) != NULL,
         "the model description is empty or too long"},
        {c->strategy[0] != '\0' && memchr(c->strategy, 0, sizeof c->strategy) != NULL,
         "the strategy is empty or too long"},
        {memchr(c->device_class, 0, sizeof c->device_class) != NULL,
         "the device class is too long"},
        {c->params > 0 && c->params <= PROTO_MODEL_PARAMS_MAX,
         "the model has too many parameters, or none"},
        {c->goal > 0, "the goal must be at least 1 update"},
        {c->minimum > 0 && c->minimum <= c->goal, "the minimum must be 1 to the goal"},
        {c->deadline_ms > 0, "the deadline must be longer than nothing"},
        {isfinite(c->over_selection) && c->over_selection >= 1.0f,
         "over-selection must be 1 or more"},
        {isfinite(c->clip_norm) && c->clip_norm >= 0.0f, "the clip norm must be 0 or more"},
        {c->target_accuracy >= 0.0f && c->target_accuracy <= 1.0f,
         "the target accuracy must be 0 to 1"},
        {c->epochs > 0, "there must be at least 1 epoch"},
        {c->batch > 0, "the batch must hold at least 1 sample"},
        {isfinite(c->learning_rate) && c->learning_rate > 0.0f,
         "the learning rate must be more than 0"},
        {c->momentum >= 0.0f && c->momentum < 1.0f, "momentum must be 0 to less than 1"},
        {isfinite(c->prox_mu) && c->prox_mu >= 0.0f, "prox mu must be 0 or more"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!rules[i].holds) {
            return rules[i].words;
        }
    }
    return NULL;
}

static void bind_config(struct query *q, const struct store_run_config *c)
{
    query_text(q, c->name);
    query_text(q, c->model);
    query_text(q, c->strategy);
    query_text(q, c->device_class);
    query_u64(q, c->params);
    query_bits(q, c->seed);
    query_u64(q, c->rounds);
    query_u64(q, c->goal);
    query_u64(q, c->minimum);
    query_u64(q, c->deadline_ms);
    query_real(q, c->over_selection);
    query_u64(q, c->staleness_max);
    query_u64(q, c->samples_min);
    query_u64(q, c->codec);
    query_real(q, c->clip_norm);
    query_real(q, c->target_accuracy);
    query_u64(q, c->epochs);
    query_u64(q, c->batch);
    query_u64(q, c->steps_max);
    query_real(q, c->learning_rate);
    query_real(q, c->momentum);
    query_real(q, c->prox_mu);
}

static void read_config(struct query *q, struct store_run_config *c)
{
    query_get_text(q, c->name, sizeof c->name);
    query_get_text(q, c->model, sizeof c->model);
    query_get_text(q, c->strategy, sizeof c->strategy);
    query_get_text(q, c->device_class, sizeof c->device_class);
    c->params = query_get_u32(q);
    c->seed = query_get_bits(q);
    c->rounds = query_get_u32(q);
    c->goal = query_get_u32(q);
    c->minimum = query_get_u32(q);
    c->deadline_ms = query_get_u64(q);
    c->over_selection = query_get_real(q);
    c->staleness_max = query_get_u32(q);
    c->samples_min = query_get_u32(q);
    c->codec = query_get_u32(q);
    c->clip_norm = query_get_real(q);
    c->target_accuracy = query_get_real(q);
    c->epochs = query_get_u32(q);
    c->batch = query_get_u32(q);
    c->steps_max = query_get_u32(q);
    c->learning_rate = query_get_real(q);
    c->momentum = query_get_real(q);
    c->prox_mu = query_get_real(q);
}

static void read_run(struct query *q, struct store_run *run)
{
    *run = (struct store_run){.id = query_get_u32(q)};
    run->state = (enum store_run_state)query_get_u32(q);
    read_config(q, &run->config);
    run->created_ms = query_get_u64(q);
    run->ended_ms = query_get_u64(q);
    query_get_text(q, run->reason, sizeof run->reason);
    run->round = query_get_u32(q);
    run->has_version = query_get_has(q);
    run->version = query_get_u32(q);
}

static int insert(struct store *store, const struct store_run_config *config, uint64_t now_ms,
                  uint32_t *id)
{
    struct query q;
    query_open(&q, store, SQL_RUN_ADD);
    bind_config(&q, config);
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
    struct store_run run;
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
