/*
 * The one thread that writes. It owns a store, a bounded queue of jobs and the group commit; it must
 * never know what a job means. The event loop submits jobs and, when told, collects the finished ones:
 * it never waits for the disk.
 *
 * Group commit: the thread takes what is queued, runs it in one transaction and commits when nothing
 * is left, after STORE_GROUP_UPDATES of weight, or after STORE_GROUP_MS, whichever comes first. A job
 * that fails is undone alone: its group starts over with a savepoint for each job, which costs too much to
 * have always. A job is reported as done only after the commit that holds it. Under load, groups begin
 * STORE_PACE_MS apart, or when STORE_GROUP_UPDATES jobs wait: devices sleep longer than that.
 *
 * Health: when the disk is full or fails, writing jobs are answered with that error at once, without
 * being run, until a probe (every STORE_PROBE_MS) succeeds. Reading jobs go on.
 */
#ifndef SERVER_STORE_STORE_THREAD_H
#define SERVER_STORE_STORE_THREAD_H

#include "server/store/store.h"

#define STORE_GROUP_MS 50u
#define STORE_GROUP_UPDATES 256u
#define STORE_PACE_MS 50u     /* between two transactions, as long as fewer jobs than that wait */
#define STORE_QUEUE_MAX 2048u /* jobs waiting or running */
#define STORE_WATCH_MS 500u   /* how often other connections' commits are looked for */
#define STORE_PROBE_MS 1000u

struct store_thread;

/* A job is the caller's memory (embed it), untouched by the caller between submit and take. */
struct store_job {
    struct store_job *next; /* the queue's */
    /* On the store's thread; run again if it is undone because of another job. */
    int (*run)(struct store *store, struct store_job *job);
    bool writes;     /* false: only reads; runs even while the disk is full */
    uint32_t weight; /* updates in it, for the group's limit */
    int result;      /* 0 or what run, or the commit, returned */
};

/* What happened since the last look. */
struct store_news {
    struct store_job *done; /* finished jobs in order of submission, linked by next */
    bool changed;           /* another connection has committed something */
    int health;             /* 0, or DISK_FULL, IO, …: why nothing can be written now */
};

/* Counters since the start, for metrics and tests. */
struct store_stats {
    uint64_t jobs;
    uint64_t updates; /* their weight */
    uint64_t commits;
    uint64_t commit_us_max;
    uint64_t failures; /* commits that failed */
};

/*
 * Starts the thread; it owns `store` from now on and closes it at the end. `wake` is called on the
 * store's thread whenever there is news, and must only signal (uv_async_send). NO_MEMORY; IO if no
 * thread can be made, and then the store is still the caller's.
 */
int store_thread_start(struct store *store, void (*wake)(void *user), void *user,
                       struct store_thread **out);

/* Queues a job. Never blocks. BUSY: the queue is full; CLOSED: the thread is stopping. */
int store_thread_submit(struct store_thread *thread, struct store_job *job);

/* Whether fewer than that many jobs are waiting or running. */
bool store_thread_has_room(struct store_thread *thread, uint32_t jobs);

/* Collects the news. Never blocks. */
void store_thread_take(struct store_thread *thread, struct store_news *news);

void store_thread_stats(struct store_thread *thread, struct store_stats *stats);

/* Runs everything that is queued, commits, closes the store and ends the thread; blocks until then.
 * The last finished jobs are left in *news. */
void store_thread_stop(struct store_thread *thread, struct store_news *news);

#endif
