/*
 * Somebody else has written to the database (the command line): what has changed about devices, and the
 * runs, are read on the pool and compared on the loop. What changed becomes an event; a version that the
 * engine did not make means that it starts over from the store. What the shell itself has changed about
 * devices comes the same way, without the runs.
 */
#include "server/daemon/job.h"
#include "server/daemon/settle.h"

#include <stdlib.h>
#include <string.h>

#define RELOAD_RUNS_MAX ENGINE_RUNS_MAX

struct reload_job {
    struct job job;
    uint64_t head; /* up to which change the roster knows the store */
    bool runs_too;
    struct roster_changes changes;
    struct store *reader; /* the shell's while the job lives; NULL: opened by run */
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
    int rc = job->reader ? MYCEL_OK : shell_reader(base->shell, &job->reader);
    if (rc == 0) {
        rc = roster_read_changes(job->reader, job->head, &job->changes);
    }
    if (rc == 0 && job->runs_too) {
        rc = store_begin_read(job->reader);
        if (rc == 0) {
            rc = read_all(job);
            store_rollback(job->reader);
        }
    }
    return rc;
}

/* Opening a database costs more than reading what has changed in it. After a failure a new connection knows
 * best what is left of it. */
static void keep_reader(struct shell *shell, struct reload_job *job)
{
    if (job->job.status < 0) {
        store_close(job->reader);
        job->reader = NULL;
    }
    shell->reload_reader = job->reader;
    job->reader = NULL;
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
    keep_reader(shell, job);
    if (base->status < 0) {
        LOG(&shell->log, LOG_WARN, "reload_failed",
            log_text("error", mycel_error_text(base->status)));
    } else if (!shell->rebuilding && !shell->closing) {
        access_follow(shell, &job->changes);
        follow_all(shell, job);
        loaded = true;
    }
    if (!loaded) {
        shell->reload_runs = shell->reload_runs || job->runs_too; /* with the next reload */
    }
    access_reload_ended(shell, loaded);
    roster_changes_free(&job->changes);
    free(job);
    if (shell->reload_again && !shell->closing) {
        shell->reload_again = false;
        job_reload_access(shell);
    }
}

int job_reload_access(struct shell *shell)
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
    job->head = roster_head(shell->access.roster);
    job->runs_too = shell->reload_runs;
    job->reader = shell->reload_reader;
    int rc = job_start(shell, &job->job, true);
    if (rc < 0) {
        free(job);
    } else {
        shell->reload_reader = NULL;
        shell->reloading = true;
        shell->reload_runs = false;
        access_reload_begins(shell);
    }
    return rc;
}

int job_reload(struct shell *shell)
{
    shell->reload_runs = true;
    return job_reload_access(shell);
}
