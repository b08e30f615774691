/*
 * Work for the pool: whatever is proportional to a model runs there. A job embeds this struct first,
 * is allocated by whoever starts it, and is freed by its `done`. `run` sees only what the job holds:
 * never the shell's own state, which belongs to the loop.
 */
#ifndef MYCEL_SERVER_DAEMON_JOB_H
#define MYCEL_SERVER_DAEMON_JOB_H

#include "server/daemon/shell.h"

struct job {
    uv_work_t work;
    struct shell *shell;
    int status;                    /* of run: 0 or MYCEL_E_* */
    int (*run)(struct job *job);   /* on a pool thread */
    void (*done)(struct job *job); /* on the loop; frees the job */
};

/* Queues a job. BUSY when it is a device's (`urgent` off) and SHELL_JOBS_MAX are under way: the job
 * is still the caller's then. */
int job_start(struct shell *shell, struct job *job, bool urgent);

#endif
