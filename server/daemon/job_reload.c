/*
 * Somebody else has written to the database (the command line): what has changed about devices, and the
 * runs, are read on the pool and compared on the loop. What changed becomes an event; a version that the
 * engine did not make means that it starts over from the store. What the shell itself has changed about
 * devices comes the same way, without the runs. A revocation must not wait for the next change: what could
 * not be read is tried again, and devices do not wait for runs that cannot be read.
 */
#include "server/daemon/job.h"
#include "server/daemon/settle.h"

#include <stdlib.h>
#include <string.h>

#define RELOAD_RUNS_MAX ENGINE_RUNS_MAX
#define RELOAD_RETRY_MS 1000u
#define RELOAD_SAY_EVERY 60u /* failures */

struct reload_job {
    struct job job;
    uint64_t head; /* up to which change the roster knows the store */
    bool runs_too;
    int runs_status; /* why runs could not be read */
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

/* In one consistent view. */
static int read_runs(struct reload_job *job)
{
    int rc = store_begin_read(job->reader);
    if (rc < 0) {
        return rc;
    }
    rc = store_runs(job->reader, collect_run, job);
    for (uint32_t i = 0; i < job->count && rc == 0; i++) {
        rc = restore_run_event(job->reader, &job->runs[i], &job->introductions[i], &job->newest[i]);
    }
    store_rollback(job->reader);
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
        job->runs_status = read_runs(job);
    }
    return rc;
}

/* Opening a database costs more than reading what has changed in it. After a failure a new connection knows
 * best what is left of it. */
static void keep_reader(struct shell *shell, struct reload_job *job)
{
    if (job->job.status < 0 || job->runs_status < 0) {
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

static void on_retry(uv_timer_t *timer)
{
    (void)job_reload_access(timer->data);
}

static void try_again(struct shell *shell, int reason)
{
    if (shell->reload_failures++ % RELOAD_SAY_EVERY == 0) {
        LOG(&shell->log, LOG_WARN, "reload_failed", log_text("error", mycel_error_text(reason)));
    }
    if (!shell->closing) {
        uv_timer_start(&shell->reload, on_retry, RELOAD_RETRY_MS, 0);
    }
}

/* Why not all of it is in place, or OK. */
static int follow(struct shell *shell, struct reload_job *job)
{
    int rc = access_follow(shell, &job->changes);
    if (job->runs_status == 0) {
        follow_all(shell, job);
    }
    access_reload_ended(shell, rc == 0);
    return rc < 0 ? rc : job->runs_status;
}

static void done(struct job *base)
{
    struct reload_job *job = (struct reload_job *)base;
    struct shell *shell = base->shell;
    int rc = base->status;
    shell->reloading = false;
    keep_reader(shell, job);
    bool wanted = rc == 0 && !shell->rebuilding && !shell->closing;
    if (wanted) {
        rc = follow(shell, job);
    } else {
        access_reload_ended(shell, false);
    }
    if (!wanted || rc < 0) {
        shell->reload_runs = shell->reload_runs || job->runs_too; /* with the next reload */
    }
    roster_changes_free(&job->changes);
    free(job);
    if (rc < 0) {
        try_again(shell, rc);
    } else if (wanted) {
        shell->reload_failures = 0;
    }
    if (shell->reload_again && !shell->closing) {
        shell->reload_again = false;
        (void)job_reload_access(shell);
    }
}

/* A reload that cannot begin is tried again as one that has failed. */
static int start(struct shell *shell)
{
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
    }
    return rc;
}

int job_reload_access(struct shell *shell)
{
    if (shell->reloading) {
        shell->reload_again = true;
        return MYCEL_OK;
    }
    int rc = start(shell);
    if (rc < 0) {
        try_again(shell, rc);
        return rc;
    }
    uv_timer_stop(&shell->reload);
    shell->reload_reader = NULL;
    shell->reloading = true;
    shell->reload_runs = false;
    access_reload_begins(shell);
    return MYCEL_OK;
}

int job_reload(struct shell *shell)
{
    shell->reload_runs = true;
    return job_reload_access(shell);
}
