/* An update's body is looked at, in the pool unless it is small, and comes back as an event. */
#include "server/daemon/job.h"
#include "server/desk/verify.h"

#include "proto/wire.h"

#include <stdlib.h>
#include <string.h>

/* Two threads' wake-ups cost more than looking at so few bytes, which takes less than two requests. */
#define VERIFY_HERE_BYTES_MAX 2048u

struct verify_job {
    struct job job;
    uint64_t tag;
    const uint8_t *body; /* the ticket's, which lives until the engine has answered */
    size_t bytes;
    struct verify_expected expected[ENGINE_RUNS_MAX];
    uint32_t runs[ENGINE_RUNS_MAX]; /* ids, 0: none */
    struct engine_event_update result;
};

/* The run is only known from the report, which is not trusted: a wrong one meets a wrong shape here
 * or a wrong key in the engine. */
static struct verify_expected expected_of(const struct verify_job *job)
{
    struct wire_update update;
    struct verify_expected none = {0};
    if (wire_update_split(&update, job->body, job->bytes) < 0) {
        return none;
    }
    for (size_t i = 0; i < ENGINE_RUNS_MAX; i++) {
        if (job->runs[i] != 0 && job->runs[i] == update.report.run) {
            return job->expected[i];
        }
    }
    return none;
}

static int run(struct job *base)
{
    struct verify_job *job = (struct verify_job *)base;
    const struct verify_expected expected = expected_of(job);
    verify_update(job->body, job->bytes, &expected, &job->result);
    return MYCEL_OK;
}

static void done(struct job *base)
{
    struct verify_job *job = (struct verify_job *)base;
    struct shell *shell = base->shell;
    const struct ticket *ticket = ticket_get(&shell->tickets, job->tag);
    if (ticket && !shell->rebuilding) {
        struct engine_event event = {.type = ENGINE_EVENT_UPDATE, .tag = job->tag};
        event.u.update = job->result;
        event.u.update.device = ticket->device;
        memcpy(event.u.update.key, ticket->key, PROTO_KEY_BYTES);
        if (shell_step(shell, &event) < 0) {
            reply_busy(shell, ticket->reply);
            ticket_drop(&shell->tickets, job->tag);
        }
    }
    free(job);
}

int job_verify(struct shell *shell, uint64_t tag)
{
    const struct ticket *ticket = ticket_get(&shell->tickets, tag);
    struct verify_job *job = calloc(1, sizeof *job);
    if (!job || !ticket) {
        free(job);
        return MYCEL_E_NO_MEMORY;
    }
    job->job.run = run;
    job->job.done = done;
    job->tag = tag;
    job->body = ticket->body;
    job->bytes = ticket->body_bytes;
    for (size_t i = 0; i < ENGINE_RUNS_MAX; i++) {
        const struct run_entry *entry = &shell->runs.entries[i];
        job->runs[i] = entry->used ? entry->run.id : 0;
        job->expected[i].params = entry->run.config.params;
    }
    if (job->bytes <= VERIFY_HERE_BYTES_MAX) {
        job->job.shell = shell;
        job->job.status = run(&job->job);
        done(&job->job);
        return MYCEL_OK;
    }
    int rc = job_start(shell, &job->job, false);
    if (rc < 0) {
        free(job);
    }
    return rc;
}
