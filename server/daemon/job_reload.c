/*
 * Somebody else has written to the database (the command line): devices and runs are read anew on the
 * pool and compared on the loop. What changed becomes an event; a version that the engine did not make
 * means that it starts over from the store.
 */
#include "server/daemon/job.h"
#include "server/daemon/settle.h"

#include <stdlib.h>
#include <string.h>

#define RELOAD_RUNS_MAX ENGINE_RUNS_MAX

struct reload_job {
    struct job job;
    struct roster *roster;
    struct store *reader; /* during run only */
    uint32_t count;
    struct store_run runs[RELOAD_RUNS_MAX];             /* the newest ones */
    struct engine_event introductions[RELOAD_RUNS_MAX]; /* as RUN events, should they be new */
    struct store_version newest[RELOAD_RUNS_MAX];
};

static int collect_run(void *user, const struct store_run *run)
{
    struct reload_job *job = user;
    if (job->count == RELOAD_RUNS_MAX) { /* the oldest gives way */
        memmove(job->runs, job->runs + 1, (RELOAD_RUNS_MAX - 1) * sizeof job->runs[0]);
        job->count--;
    }
    job->runs[job->count++] = *run;
    return MYCEL_OK;
}

static int read_all(struct reload_job *job)
{
    int rc = store_runs(job->reader, collect_run, job);
    for (uint32_t i = 0; i < job->count && rc == 0; i++) {
        rc = restore_run_event(job->reader, &job->runs[i], &job->introductions[i], &job->newest[i]);
    }
    return rc;
}

static int run(struct job *base)
{
    struct reload_job *job = (struct reload_job *)base;
    int rc = shell_reader(base->shell, &job->reader);
    if (rc < 0) {
        return rc;
    }
    rc = roster_load(job->reader, &job->roster);
    if (rc == 0) {
        rc = store_begin_read(job->reader);
        if (rc == 0) {
            rc = read_all(job);
            store_rollback(job->reader);
        }
    }
    store_close(job->reader);
    return rc;
}

static void device_lost(void *user, const struct roster_entry *entry)
{
    struct shell *shell = user;
    const struct roster_entry *now = roster_get(shell->roster, entry->device.id);
    int sessions = net_kick(shell->net, entry->device.identity);
    LOG(&shell->log, LOG_INFO, "device_access_changed", log_text("device", entry->device.identity),
        log_int("sessions_ended", sessions));
    if (!now || now->device.state == STORE_DEVICE_REVOKED) {
        struct engine_event event = {.type = ENGINE_EVENT_DEVICE_REVOKED};
        event.u.device = entry->device.id;
        shell_step(shell, &event);
    }
}

/* Spent, replaced or taken back: nobody goes on with its session. */
static void token_lost(void *user, const char *identity)
{
    struct shell *shell = user;
    (void)net_kick(shell->net, identity);
}

/* An operator's change of a run that the engine knows. */
static void follow_run(struct shell *shell, struct run_entry *entry, const struct store_run *run)
{
    struct engine_event event = {0};
    event.u.run_id = run->id;
    if (entry->run.state == run->state) {
        return;
    }
    if (run->state == STORE_RUN_STOPPED) {
        event.type = ENGINE_EVENT_RUN_STOPPED;
    } else if (run->state == STORE_RUN_PAUSED) {
        event.type = ENGINE_EVENT_RUN_PAUSED;
    } else if (run->state == STORE_RUN_ACTIVE) {
        event.type = ENGINE_EVENT_RUN_RESUMED;
    } else {
        return; /* FINISHED is the engine's own word */
    }
    entry->run.state = run->state;
    shell_step(shell, &event);
}

static void introduce_run(struct shell *shell, const struct store_run *run,
                          const struct store_version *newest, struct engine_event *event)
{
    if (run->state != STORE_RUN_ACTIVE && run->state != STORE_RUN_PAUSED) {
        return;
    }
    struct run_entry *entry = run_table_put(&shell->runs, run);
    if (entry) {
        run_entry_set_state(entry, newest->number,
                            newest->has_optimizer ? newest->optimizer_sha256 : NULL);
    }
    if (!entry || shell_step(shell, event) < 0) {
        if (entry) {
            entry->used = false; /* tried again when the database changes next */
        }
        LOG(&shell->log, LOG_ERROR, "too_many_runs", log_uint("run", run->id),
            log_uint("limit", ENGINE_RUNS_MAX));
        return;
    }
    LOG(&shell->log, LOG_INFO, "run_started", log_uint("run", run->id),
        log_text("name", run->config.name), log_text("model", run->config.model));
}

/* The version that the engine takes for the newest. */
static uint32_t engine_version(const struct shell *shell, uint32_t run)
{
    struct engine_run_view view;
    for (uint32_t i = 0; engine_run_view(shell->engine, i, &view) == 0; i++) {
        if (view.run == run) {
            return view.version;
        }
    }
    return 0;
}

/* A rollback, or an average that training shall go on from. If the engine publishes at this very
 * moment, the store refuses its version (the number is taken), which has the same effect. */
static bool has_new_base(struct shell *shell, const struct store_run *run,
                         const struct store_version *newest)
{
    bool under_way = run->state == STORE_RUN_ACTIVE || run->state == STORE_RUN_PAUSED;
    if (!under_way || !settle_is_operators(newest) ||
        newest->number <= engine_version(shell, run->id)) {
        return false;
    }
    LOG(&shell->log, LOG_INFO, "version_adopted", log_uint("run", run->id),
        log_uint("version", newest->number),
        log_text("kind", store_version_kind_name(newest->kind)));
    return true;
}

static void follow_all(struct shell *shell, struct reload_job *job)
{
    bool new_base = false;
    for (uint32_t i = 0; i < job->count; i++) {
        struct run_entry *entry = run_table_find(&shell->runs, job->runs[i].id);
        if (entry) {
            follow_run(shell, entry, &job->runs[i]);
            new_base = has_new_base(shell, &job->runs[i], &job->newest[i]) || new_base;
        } else {
            introduce_run(shell, &job->runs[i], &job->newest[i], &job->introductions[i]);
        }
    }
    if (new_base) {
        shell_rebuild(shell, MYCEL_OK);
    }
}

static void done(struct job *base)
{
    struct reload_job *job = (struct reload_job *)base;
    struct shell *shell = base->shell;
    bool loaded = false;
    shell->reloading = false;
    if (base->status < 0) {
        LOG(&shell->log, LOG_WARN, "reload_failed",
            log_text("error", mycel_error_text(base->status)));
    } else if (!shell->rebuilding && !shell->closing) {
        struct roster *before = shell_set_roster(shell, job->roster);
        job->roster = NULL;
        roster_lost(before, shell->roster, device_lost, shell);
        roster_lost_tokens(before, shell->roster, token_lost, shell);
        roster_free(before);
        follow_all(shell, job);
        loaded = true;
    }
    enrol_reload_ended(shell, loaded);
    roster_free(job->roster);
    free(job);
    if (shell->reload_again && !shell->closing) {
        shell->reload_again = false;
        job_reload(shell);
    }
}

int job_reload(struct shell *shell)
{
    if (shell->reloading) {
        shell->reload_again = true;
        return MYCEL_OK;
    }
    struct reload_job *job = calloc(1, sizeof *job);
    if (!job) {
        return MYCEL_E_NO_MEMORY;
    }
    job->job.run = run;
    job->job.done = done;
    int rc = job_start(shell, &job->job, true);
    if (rc < 0) {
        free(job);
    } else {
        shell->reloading = true;
        enrol_reload_begins(shell);
    }
    return rc;
}
