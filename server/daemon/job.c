/* The one place that talks to libuv's pool. */
#include "server/daemon/job.h"

#include <pthread.h>

static void on_pool(uv_work_t *work)
{
    struct job *job = work->data;
    /* For top, perf and the like. libuv's threads have no beginning of ours; the name costs 0.1 us. */
    (void)pthread_setname_np(pthread_self(), "mycel-pool");
    job->status = job->run(job);
}

static void on_loop(uv_work_t *work, int canceled)
{
    struct job *job = work->data;
    (void)canceled; /* never canceled: what was started is waited for */
    job->shell->jobs--;
    job->done(job);
}

int job_start(struct shell *shell, struct job *job, bool urgent)
{
    if (!urgent && shell->jobs >= SHELL_JOBS_MAX) {
        return MYCEL_E_BUSY;
    }
    job->shell = shell;
    job->work.data = job;
    if (uv_queue_work(&shell->loop, &job->work, on_pool, on_loop) < 0) {
        return MYCEL_E_NO_MEMORY;
    }
    shell->jobs++;
    return MYCEL_OK;
}
