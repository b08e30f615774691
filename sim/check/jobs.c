/* Processes that take one seed after the other. See jobs.h. */
#include "sim/check/jobs.h"

#include "sim/check/scenario.h"

#include <errno.h>
#include <mycel/error.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 20000000L /* between two looks at the workers */

/* What one worker is at; written by it alone, read by the parent when it has ended. */
struct worker {
    pid_t pid; /* 0: not running */
    uint64_t seed;
    struct check_result result;
    _Atomic uint64_t done;
    struct check_figures sum;
};

struct shared {
    _Atomic uint64_t next;
    uint64_t end;
    _Atomic bool stop;
    struct worker workers[CHECK_JOBS_MAX];
};

static struct shared *share(void)
{
    void *memory = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

static void note(struct check_result *result, const char *check, const char *words)
{
    struct check_finding *finding = &result->finding;
    (void)snprintf(finding->check, sizeof finding->check, "%s", check);
    (void)snprintf(finding->words, sizeof finding->words, "%s", words);
    finding->event = result->figures.events + 1u; /* the one that was not survived */
    finding->at_us = result->now_us;
}

/* A process that was ended by a signal is a finding of its own. */
static void judge_exit(struct check_result *result, int status)
{
    char words[96];
    if (result->finding.check[0] != '\0' || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        return;
    }
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    (void)snprintf(words, sizeof words, "the process ended with %s %d: %s",
                   number > 0 ? "signal" : "status", number > 0 ? number : WEXITSTATUS(status),
                   number > 0 ? strsignal(number) : "a sanitizer or the library has stopped it");
    note(result, number == SIGALRM ? "hang" : "trap", words);
}

static void add_figures(struct check_figures *sum, const struct check_figures *one)
{
    sum->events += one->events;
    sum->steps += one->steps;
    sum->datagrams += one->datagrams;
    sum->lost += one->lost;
    sum->crashes += one->crashes;
    sum->reboots += one->reboots;
    sum->vanished += one->vanished;
    sum->versions += one->versions;
    sum->counted += one->counted;
    sum->rejected += one->rejected;
    sum->late += one->late;
    sum->expired += one->expired;
}

bool check_isolated(const struct scenario *scenario, struct check_result *result)
{
    struct shared *shared = share();
    int status = 0;
    memset(result, 0, sizeof *result);
    pid_t pid = shared != NULL ? fork() : -1;
    if (pid == 0) {
        (void)alarm(CHECK_HANG_S);
        (void)checked_run(scenario, &shared->workers[0].result);
        _exit(0);
    }
    if (pid < 0) {
        note(result, "run", "no process can be started");
    } else {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        *result = shared->workers[0].result;
        judge_exit(result, status);
    }
    if (shared != NULL) {
        (void)munmap(shared, sizeof *shared);
    }
    return result->finding.check[0] == '\0';
}

/* ---- many seeds --------------------------------------------------------------------------- */

static void work(struct shared *shared, struct worker *self)
{
    while (!atomic_load(&shared->stop)) {
        struct scenario scenario;
        self->seed = atomic_fetch_add(&shared->next, 1);
        if (self->seed >= shared->end) {
            break;
        }
        (void)alarm(CHECK_HANG_S);
        check_scenario_draw(&scenario, self->seed);
        if (!checked_run(&scenario, &self->result)) {
            atomic_store(&shared->stop, true);
            break;
        }
        add_figures(&self->sum, &self->result.figures);
        (void)atomic_fetch_add(&self->done, 1);
    }
    _exit(0);
}

static uint32_t start(struct shared *shared, uint32_t jobs)
{
    uint32_t started = 0;
    for (uint32_t i = 0; i < jobs && i < CHECK_JOBS_MAX; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            work(shared, &shared->workers[i]);
        }
        shared->workers[i].pid = pid > 0 ? pid : 0;
        started += pid > 0;
    }
    return started;
}

static void take_result(struct shared *shared, struct worker *worker, int status,
                        struct check_outcome *outcome)
{
    worker->pid = 0;
    judge_exit(&worker->result, status);
    add_figures(&outcome->sum, &worker->sum);
    outcome->done += atomic_load(&worker->done);
    if (worker->result.finding.check[0] == '\0') {
        return;
    }
    atomic_store(&shared->stop, true);
    if (!outcome->failed || worker->seed < outcome->seed) {
        outcome->failed = true;
        outcome->seed = worker->seed;
        outcome->result = worker->result;
    }
}

/* Those that have ended since; how many still run. */
static uint32_t reap(struct shared *shared, struct check_outcome *outcome)
{
    uint32_t running = 0;
    for (uint32_t i = 0; i < CHECK_JOBS_MAX; i++) {
        struct worker *worker = &shared->workers[i];
        int status = 0;
        if (worker->pid > 0 && waitpid(worker->pid, &status, WNOHANG) == worker->pid) {
            take_result(shared, worker, status, outcome);
        }
        running += worker->pid > 0;
    }
    return running;
}

static bool tell(const struct check_seeds *seeds, const struct shared *shared,
                 const struct check_outcome *outcome)
{
    struct check_figures sum = outcome->sum;
    uint64_t done = outcome->done;
    for (uint32_t i = 0; i < CHECK_JOBS_MAX; i++) {
        const struct worker *worker = &shared->workers[i];
        if (worker->pid > 0) {
            done += atomic_load(&worker->done);
            add_figures(&sum, &worker->sum); /* as far as it is written: only for the screen */
        }
    }
    return seeds->progress == NULL || seeds->progress(seeds->user, done, &sum);
}

int check_seeds_run(const struct check_seeds *seeds, struct check_outcome *outcome)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    struct shared *shared = share();
    int rc = MYCEL_OK;
    memset(outcome, 0, sizeof *outcome);
    if (shared == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    atomic_store(&shared->next, seeds->first);
    shared->end = seeds->first + seeds->count;
    if (start(shared, seeds->jobs) == 0) {
        rc = MYCEL_E_NO_MEMORY;
    }
    while (reap(shared, outcome) > 0) {
        if (!tell(seeds, shared, outcome)) {
            atomic_store(&shared->stop, true);
            rc = MYCEL_E_CLOSED;
        }
        (void)nanosleep(&pause, NULL);
    }
    (void)munmap(shared, sizeof *shared);
    return rc;
}
