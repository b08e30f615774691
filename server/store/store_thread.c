/*
 * The store's thread, its queue and the group commit.
 *
 *            submit                 run_group                    take
 *   caller ----------> queue  ------------------->  done list ---------> caller
 *                              begin, jobs, commit
 *
 * Everything above the line "thread only" in the struct is guarded by `lock`; what lies below belongs
 * to the thread alone. No lock is held while a job runs, while the disk is waited for, or while the
 * caller is woken.
 */
#include "server/store/store_thread.h"

#include "common/assert.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct job_list {
    struct store_job *head;
    struct store_job *tail;
};

struct store_thread {
    pthread_mutex_t lock;
    pthread_cond_t work; /* something was queued, or the thread shall stop */
    struct job_list queue;
    struct job_list done;
    uint32_t pending; /* queued or running, at most STORE_QUEUE_MAX */
    bool idle;        /* the thread waits for a job: `work` is only signalled then */
    bool stopping;
    bool changed;
    int health;
    struct store_stats stats;
    void (*wake)(void *user);
    void *user;
    pthread_t thread;
    /* thread only */
    struct store *store;
    int64_t data_version;
    uint64_t watch_us; /* when to look at data_version next */
    uint64_t probe_us; /* when to probe a sick disk next */
    uint64_t pace_us;  /* when to begin the next transaction, unless enough is waiting for it */
    int sick;          /* the thread's copy of health */
};

/* One transaction's worth of jobs. */
struct group {
    struct job_list jobs;
    uint32_t count;
    uint64_t weight;
    uint64_t started_us;
    bool apart;  /* a job has failed: each has a savepoint of its own */
    bool open;   /* the transaction has begun */
    int refused; /* why it could not begin; nobody in the group waits for that again */
};

static uint64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void list_append(struct job_list *list, struct store_job *job)
{
    job->next = NULL;
    if (list->tail != NULL) {
        list->tail->next = job;
    } else {
        list->head = job;
    }
    list->tail = job;
}

static struct store_job *list_pop(struct job_list *list)
{
    struct store_job *job = list->head;
    if (job != NULL) {
        list->head = job->next;
        list->tail = list->head != NULL ? list->tail : NULL;
        job->next = NULL;
    }
    return job;
}

static struct store_job *next_job(struct store_thread *thread)
{
    (void)pthread_mutex_lock(&thread->lock);
    struct store_job *job = list_pop(&thread->queue);
    (void)pthread_mutex_unlock(&thread->lock);
    return job;
}

/* --- running ---------------------------------------------------------------------------------- */

/* Errors of the disk and not of the job: nothing else can be written now either. */
static bool is_sickness(int code)
{
    return code == MYCEL_E_DISK_FULL || code == MYCEL_E_IO || code == MYCEL_E_PERMISSION;
}

static int begin_group(struct store_thread *thread, struct group *group)
{
    if (!group->open && group->refused == MYCEL_OK) {
        group->refused =
            group->apart ? store_begin(thread->store) : store_begin_whole(thread->store);
        group->open = group->refused == MYCEL_OK;
    }
    return group->refused;
}

/* In a savepoint: undone alone if it fails. */
static void run_apart(struct store_thread *thread, struct group *group, struct store_job *job)
{
    int code = begin_group(thread, group);
    if (code == MYCEL_OK) {
        code = store_mark(thread->store);
    }
    if (code != MYCEL_OK) {
        job->result = code;
        return;
    }
    job->result = job->run(thread->store, job);
    if (job->result >= 0) {
        code = store_release(thread->store);
        job->result = code != MYCEL_OK ? code : job->result;
    }
    if (job->result < 0) {
        store_undo(thread->store);
    }
}

/* Hardly any job fails, and savepoints cost more than most jobs: SQLite copies each page that is changed in
 * one. So there are none until a job has failed; then the group starts over with them. */
static void run_write(struct store_thread *thread, struct group *group, struct store_job *job)
{
    if (group->apart) {
        run_apart(thread, group, job);
        return;
    }
    job->result = begin_group(thread, group);
    if (!group->open) {
        return;
    }
    job->result = job->run(thread->store, job);
    if (job->result >= 0 && store_intact(thread->store) == MYCEL_OK) {
        return;
    }
    store_rollback(thread->store);
    group->open = false;
    group->apart = true;
    for (struct store_job *again = group->jobs.head; again != NULL; again = again->next) {
        run_apart(thread, group, again);
    }
}

/* Commits, and passes a failure on to every job that thought it had succeeded. */
static void commit_group(struct store_thread *thread, struct group *group, uint64_t *commit_us,
                         int *failed)
{
    *commit_us = 0;
    *failed = MYCEL_OK;
    if (!group->open) {
        return;
    }
    uint64_t before_us = now_us();
    int code = store_commit(thread->store);
    *commit_us = now_us() - before_us;
    *failed = code;
    for (struct store_job *job = group->jobs.head; job != NULL && code < 0; job = job->next) {
        job->result = job->result < 0 ? job->result : code;
    }
}

static void deliver(struct store_thread *thread, struct group *group, uint64_t commit_us,
                    int failed)
{
    uint64_t written = 0;
    for (struct store_job *job = group->jobs.head; job != NULL; job = job->next) {
        thread->sick = job->writes && is_sickness(job->result) ? job->result : thread->sick;
        written += job->result >= 0 && job->writes ? job->weight : 0;
    }
    (void)pthread_mutex_lock(&thread->lock);
    if (thread->health == MYCEL_OK && thread->sick != MYCEL_OK) {
        thread->probe_us = now_us() + STORE_PROBE_MS * 1000u;
    }
    thread->health = thread->sick;
    thread->pending -= group->count;
    thread->stats.jobs += group->count;
    thread->stats.updates += written;
    thread->stats.commits += group->open && failed == MYCEL_OK;
    thread->stats.failures += failed != MYCEL_OK;
    if (commit_us > thread->stats.commit_us_max) {
        thread->stats.commit_us_max = commit_us;
    }
    if (thread->done.tail != NULL) {
        thread->done.tail->next = group->jobs.head;
    } else {
        thread->done.head = group->jobs.head;
    }
    thread->done.tail = group->jobs.tail;
    (void)pthread_mutex_unlock(&thread->lock);
    thread->wake(thread->user);
}

static bool group_is_full(const struct group *group)
{
    bool enough = group->weight >= STORE_GROUP_UPDATES ||
                  now_us() - group->started_us >= STORE_GROUP_MS * 1000u;
    return (enough && group->refused == MYCEL_OK) || group->count >= STORE_QUEUE_MAX;
}

/* Runs `job` and what may share its commit. Returns a job that was taken from the queue but belongs
 * to the next group, or NULL. A reading job is a group of its own: it sees only what is durable. */
static struct store_job *run_group(struct store_thread *thread, struct store_job *job)
{
    struct group group = {.started_us = now_us()};
    struct store_job *after = NULL;
    while (job != NULL) {
        if (!job->writes && group.count > 0) {
            after = job;
            break;
        }
        list_append(&group.jobs, job);
        group.count++;
        group.weight += job->weight;
        if (!job->writes) {
            job->result = job->run(thread->store, job);
            break;
        }
        if (thread->sick != MYCEL_OK) {
            job->result = thread->sick;
        } else {
            run_write(thread, &group, job);
        }
        job = group_is_full(&group) ? NULL : next_job(thread);
    }
    uint64_t commit_us;
    int failed;
    commit_group(thread, &group, &commit_us, &failed);
    deliver(thread, &group, commit_us, failed);
    return after;
}

/* --- watching --------------------------------------------------------------------------------- */

static void tell(struct store_thread *thread, bool changed)
{
    (void)pthread_mutex_lock(&thread->lock);
    thread->changed = thread->changed || changed;
    thread->health = thread->sick;
    (void)pthread_mutex_unlock(&thread->lock);
    thread->wake(thread->user);
}

/* Looks for other connections' commits, and whether a sick disk has recovered, when it is time. */
static void look_around(struct store_thread *thread)
{
    uint64_t time_us = now_us();
    if (time_us >= thread->watch_us) {
        thread->watch_us = time_us + STORE_WATCH_MS * 1000u;
        int64_t version = store_data_version(thread->store);
        if (version >= 0 && version != thread->data_version) {
            thread->data_version = version;
            tell(thread, true);
        }
    }
    if (thread->sick != MYCEL_OK && time_us >= thread->probe_us) {
        int code = store_probe(thread->store);
        thread->probe_us = now_us() + STORE_PROBE_MS * 1000u;
        if (code != MYCEL_E_BUSY && code != thread->sick) {
            thread->sick = code;
            tell(thread, false);
        }
    }
}

static struct timespec time_of(uint64_t time_us)
{
    return (struct timespec){.tv_sec = (time_t)(time_us / 1000000u),
                             .tv_nsec = (long)(time_us % 1000000u) * 1000};
}

/* With the lock. A commit costs much more than what is in it: under load they are STORE_PACE_MS apart,
 * and the jobs that come meanwhile share one. A job that comes after a pause is not held up. */
static void pace(struct store_thread *thread)
{
    const struct timespec until = time_of(thread->pace_us);
    int rc = now_us() < thread->pace_us ? 0 : 1;
    while (rc == 0 && thread->queue.head != NULL && thread->queue.head->writes &&
           thread->pending < STORE_GROUP_UPDATES && !thread->stopping) {
        rc = pthread_cond_timedwait(&thread->work, &thread->lock, &until);
    }
    thread->pace_us = now_us() + STORE_PACE_MS * 1000u;
}

/* Waits for a job until it is time to look around. NULL: it is, or the thread shall stop. */
static struct store_job *wait_for_job(struct store_thread *thread, bool *stop)
{
    uint64_t until_us = thread->watch_us;
    if (thread->sick != MYCEL_OK && thread->probe_us < until_us) {
        until_us = thread->probe_us;
    }
    const struct timespec until = time_of(until_us);
    int rc = 0;
    (void)pthread_mutex_lock(&thread->lock);
    thread->idle = true;
    while (thread->queue.head == NULL && !thread->stopping && rc == 0) {
        rc = pthread_cond_timedwait(&thread->work, &thread->lock, &until);
    }
    thread->idle = false;
    if (thread->queue.head != NULL) {
        pace(thread);
    }
    struct store_job *job = list_pop(&thread->queue);
    *stop = job == NULL && thread->stopping;
    (void)pthread_mutex_unlock(&thread->lock);
    return job;
}

static void *thread_main(void *argument)
{
    struct store_thread *thread = argument;
    bool stop = false;
    while (!stop) {
        struct store_job *job = wait_for_job(thread, &stop);
        while (job != NULL) {
            job = run_group(thread, job);
        }
        if (!stop) {
            look_around(thread);
        }
    }
    store_close(thread->store);
    return NULL;
}

/* --- the caller's side ------------------------------------------------------------------------ */

/* Signals are the caller's business: the thread is made with all of them blocked. */
static int create_thread(struct store_thread *thread)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = pthread_create(&thread->thread, NULL, thread_main, thread);
    if (rc == 0) {
        (void)pthread_setname_np(thread->thread, "mycel-store"); /* for top, perf and the like */
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? MYCEL_OK : MYCEL_E_IO;
}

static void release(struct store_thread *thread)
{
    (void)pthread_cond_destroy(&thread->work);
    (void)pthread_mutex_destroy(&thread->lock);
    free(thread);
}

int store_thread_start(struct store *store, void (*wake)(void *user), void *user,
                       struct store_thread **out)
{
    *out = NULL;
    struct store_thread *thread = calloc(1, sizeof *thread);
    if (thread == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    pthread_condattr_t clock;
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&thread->work, &clock);
    (void)pthread_condattr_destroy(&clock);
    (void)pthread_mutex_init(&thread->lock, NULL);
    thread->store = store;
    thread->wake = wake;
    thread->user = user;
    thread->data_version = store_data_version(store);
    thread->watch_us = now_us() + STORE_WATCH_MS * 1000u;
    int code = thread->data_version < 0 ? (int)thread->data_version : create_thread(thread);
    if (code != MYCEL_OK) {
        release(thread);
        return code;
    }
    *out = thread;
    return MYCEL_OK;
}

int store_thread_submit(struct store_thread *thread, struct store_job *job)
{
    int code = MYCEL_OK;
    (void)pthread_mutex_lock(&thread->lock);
    if (thread->stopping) {
        code = MYCEL_E_CLOSED;
    } else if (thread->pending >= STORE_QUEUE_MAX) {
        code = MYCEL_E_BUSY;
    } else {
        list_append(&thread->queue, job);
        thread->pending++;
        if (thread->idle || thread->pending >= STORE_GROUP_UPDATES || !job->writes) {
            (void)pthread_cond_signal(&thread->work);
        }
    }
    (void)pthread_mutex_unlock(&thread->lock);
    return code;
}

bool store_thread_has_room(struct store_thread *thread, uint32_t jobs)
{
    (void)pthread_mutex_lock(&thread->lock);
    bool room = thread->pending < jobs;
    (void)pthread_mutex_unlock(&thread->lock);
    return room;
}

void store_thread_take(struct store_thread *thread, struct store_news *news)
{
    (void)pthread_mutex_lock(&thread->lock);
    *news = (struct store_news){
        .done = thread->done.head, .changed = thread->changed, .health = thread->health};
    thread->done = (struct job_list){0};
    thread->changed = false;
    (void)pthread_mutex_unlock(&thread->lock);
}

void store_thread_stats(struct store_thread *thread, struct store_stats *stats)
{
    (void)pthread_mutex_lock(&thread->lock);
    *stats = thread->stats;
    (void)pthread_mutex_unlock(&thread->lock);
}

void store_thread_stop(struct store_thread *thread, struct store_news *news)
{
    (void)pthread_mutex_lock(&thread->lock);
    MYCEL_ASSERT(!thread->stopping);
    thread->stopping = true;
    (void)pthread_cond_signal(&thread->work);
    (void)pthread_mutex_unlock(&thread->lock);
    (void)pthread_join(thread->thread, NULL);
    store_thread_take(thread, news);
    release(thread);
}
