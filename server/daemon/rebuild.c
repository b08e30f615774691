/*
 * When the store refuses a batch, the engine believes what is not on disk; when an operator rolls a run
 * back, what is on disk has changed under it. Then nobody is told anything, the engine is dropped and
 * built anew from the store: the store is the truth. Until that works (a full disk may take a while)
 * devices are answered 5.03 and come back.
 *
 *   shell_rebuild -> wait until jobs and batches are back -> restore_build on the pool
 *                 -> adopt, or try again after REBUILD_RETRY_MS
 */
#include "server/daemon/job.h"
#include "server/daemon/settle.h"

#include <stdlib.h>

#define REBUILD_POLL_MS 20u
#define REBUILD_RETRY_MS 1000u
#define REBUILD_SAY_EVERY 60u /* failures: a disk may be full for days */

struct rebuild_job {
    struct job job;
    struct restored restored;
};

static void on_timer(uv_timer_t *timer);

static void again(struct shell *shell, uint64_t delay_ms)
{
    uv_timer_start(&shell->rebuild, on_timer, delay_ms, 0);
}

/* The disk has to take writes again, or the next batch would fail as well. */
static int run(struct job *base)
{
    struct rebuild_job *job = (struct rebuild_job *)base;
    struct store *store;
    struct store_options options = {.folder = base->shell->options->state_dir};
    int rc = store_open(&options, &store, NULL);
    if (rc < 0) {
        return rc;
    }
    rc = store_probe(store);
    if (rc == 0) {
        rc = settle_runs(store, shell_wall_ms());
    }
    if (rc >= 0) {
        rc = restore_build(store, shell_now_ms(), shell_wall_ms(), base->shell->record,
                           &job->restored);
    }
    store_close(store);
    return rc;
}

/* The old roster stays for the moment: the reload that follows compares it with the store, and so ends
 * the sessions of those who were shut out meanwhile. It also finds what else was changed while nobody
 * listened. */
static void adopt(struct shell *shell, struct restored *restored)
{
    struct roster *fresh = restored->roster;
    restored->roster = shell->access.roster;
    restore_adopt(shell, restored);
    roster_free(fresh);
    job_reload(shell);
}

static void done(struct job *base)
{
    struct rebuild_job *job = (struct rebuild_job *)base;
    struct shell *shell = base->shell;
    if (shell->closing) {
        restore_drop(&job->restored);
    } else if (base->status < 0) {
        if (shell->rebuild_failures++ % REBUILD_SAY_EVERY == 0) {
            LOG(&shell->log, LOG_WARN, "still_read_only",
                log_text("error", mycel_error_text(base->status)));
        }
        again(shell, REBUILD_RETRY_MS);
    } else {
        LOG(&shell->log, LOG_INFO, "rebuilt", log_uint("batches", shell->durable));
        adopt(shell, &job->restored);
    }
    free(job);
}

static void refuse_ticket(void *user, uint64_t tag, const struct ticket *ticket)
{
    struct shell *shell = user;
    net_reply_id id = ticket->reply;
    reply_busy_body(shell, id, ticket_end(&shell->tickets, tag));
}

static void on_timer(uv_timer_t *timer)
{
    struct shell *shell = timer->data;
    if (shell->closing) {
        return;
    }
    if (shell->jobs > 0 || shell->batches > 0) {
        again(shell, REBUILD_POLL_MS);
        return;
    }
    ticket_each(&shell->tickets, refuse_ticket, shell);
    struct rebuild_job *job = calloc(1, sizeof *job);
    if (!job) {
        again(shell, REBUILD_RETRY_MS);
        return;
    }
    job->job.run = run;
    job->job.done = done;
    if (job_start(shell, &job->job, true) < 0) {
        free(job);
        again(shell, REBUILD_RETRY_MS);
    }
}

void shell_rebuild(struct shell *shell, int reason)
{
    if (shell->rebuilding || shell->closing) {
        return;
    }
    if (reason < 0) {
        LOG(&shell->log, LOG_ERROR, "store_refused", log_text("error", mycel_error_text(reason)),
            log_text("next", "devices are answered 5.03 until the store takes data again"));
    }
    shell->rebuilding = true;
    shell->rebuild_failures = 0;
    held_clear(&shell->held);
    uv_timer_stop(&shell->wake);
    /* A full memory is not free again at once: starting over straight away would only fail again. */
    again(shell, reason == MYCEL_E_NO_MEMORY ? REBUILD_RETRY_MS : REBUILD_POLL_MS);
}
