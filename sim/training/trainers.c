/* A queue of trainings and the threads that work on it. See training.h. */
#include "sim/training/training.h"

#include <mycel/error.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define THREADS_MAX 256u
#define NS_PER_US 1000L
#define NS_PER_S 1000000000L

struct trainers {
    const struct fleet *fleet;
    pthread_mutex_t lock;
    pthread_cond_t work;  /* something was queued, or it is over */
    pthread_cond_t done;  /* something is done */
    pthread_cond_t other; /* either, for who does not train here */
    uint64_t news;        /* counts either */
    struct training *first;
    struct training *last;
    bool closing;
    uint32_t helpers; /* threads besides the caller's */
    pthread_t threads[THREADS_MAX];
};

/* Takes the oldest piece. Under the lock. */
static struct training *take_first(struct trainers *t)
{
    struct training *training = t->first;
    t->first = training->next;
    if (t->first == NULL) {
        t->last = NULL;
    }
    training->state = TRAINING_RUNNING;
    return training;
}

/* Takes one particular piece out of the queue. Under the lock. */
static void take_out(struct trainers *t, struct training *training)
{
    struct training **at = &t->first;
    struct training *before = NULL;
    while (*at != training) {
        before = *at;
        at = &(*at)->next;
    }
    *at = training->next;
    if (t->last == training) {
        t->last = before;
    }
    training->state = TRAINING_RUNNING;
}

/* Under the lock. */
static void tell_other(struct trainers *t)
{
    t->news++;
    (void)pthread_cond_signal(&t->other);
}

void trainers_finish(struct trainers *t, struct training *training)
{
    (void)pthread_mutex_lock(&t->lock);
    training->state = TRAINING_DONE;
    (void)pthread_cond_broadcast(&t->done);
    tell_other(t);
    (void)pthread_mutex_unlock(&t->lock);
}

struct training *trainers_take(struct trainers *t)
{
    (void)pthread_mutex_lock(&t->lock);
    struct training *training = t->first != NULL ? take_first(t) : NULL;
    (void)pthread_mutex_unlock(&t->lock);
    return training;
}

bool trainers_done(struct trainers *t, struct training *training)
{
    (void)pthread_mutex_lock(&t->lock);
    bool done = training->state == TRAINING_DONE;
    (void)pthread_mutex_unlock(&t->lock);
    return done;
}

uint64_t trainers_news(struct trainers *t)
{
    (void)pthread_mutex_lock(&t->lock);
    uint64_t news = t->news;
    (void)pthread_mutex_unlock(&t->lock);
    return news;
}

void trainers_nap(struct trainers *t, uint64_t news, uint32_t us)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until); /* the clock of pthread_cond_timedwait */
    until.tv_nsec += (long)us * NS_PER_US;
    until.tv_sec += until.tv_nsec / NS_PER_S;
    until.tv_nsec %= NS_PER_S;
    (void)pthread_mutex_lock(&t->lock);
    if (t->news == news) {
        (void)pthread_cond_timedwait(&t->other, &t->lock, &until);
    }
    (void)pthread_mutex_unlock(&t->lock);
}

static void *help(void *user)
{
    struct trainers *t = user;
    for (;;) {
        (void)pthread_mutex_lock(&t->lock);
        while (t->first == NULL && !t->closing) {
            (void)pthread_cond_wait(&t->work, &t->lock);
        }
        struct training *training = t->first != NULL ? take_first(t) : NULL;
        (void)pthread_mutex_unlock(&t->lock);
        if (training == NULL) {
            return NULL;
        }
        training_run(training, t->fleet);
        trainers_finish(t, training);
    }
}

int trainers_open(struct trainers **out, const struct fleet *fleet, uint32_t threads)
{
    struct trainers *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    t->fleet = fleet;
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->work, NULL);
    (void)pthread_cond_init(&t->done, NULL);
    (void)pthread_cond_init(&t->other, NULL);
    uint32_t wanted = threads > THREADS_MAX ? THREADS_MAX : threads;
    while (t->helpers + 1u < wanted &&
           pthread_create(&t->threads[t->helpers], NULL, help, t) == 0) {
        t->helpers++; /* fewer than asked for only take longer */
    }
    *out = t;
    return MYCEL_OK;
}

void trainers_close(struct trainers *t)
{
    if (t == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&t->lock);
    t->closing = true;
    (void)pthread_cond_broadcast(&t->work);
    (void)pthread_mutex_unlock(&t->lock);
    for (uint32_t i = 0; i < t->helpers; i++) {
        (void)pthread_join(t->threads[i], NULL);
    }
    (void)pthread_cond_destroy(&t->other);
    (void)pthread_cond_destroy(&t->done);
    (void)pthread_cond_destroy(&t->work);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

void trainers_start(struct trainers *t, struct training *training)
{
    (void)pthread_mutex_lock(&t->lock);
    training->state = TRAINING_QUEUED;
    training->next = NULL;
    if (t->last != NULL) {
        t->last->next = training;
    } else {
        t->first = training;
    }
    t->last = training;
    (void)pthread_cond_signal(&t->work);
    tell_other(t);
    (void)pthread_mutex_unlock(&t->lock);
}

/* What the caller does while it waits: the piece itself if nobody has begun it, or the oldest one. Under
 * the lock; NULL: nothing is left to do. */
static struct training *take_best(struct trainers *t, struct training *training)
{
    if (training->state == TRAINING_QUEUED) {
        take_out(t, training);
        return training;
    }
    return t->first != NULL ? take_first(t) : NULL;
}

void trainers_wait(struct trainers *t, struct training *training)
{
    (void)pthread_mutex_lock(&t->lock);
    while (training->state == TRAINING_QUEUED || training->state == TRAINING_RUNNING) {
        struct training *piece = take_best(t, training);
        if (piece == NULL) {
            (void)pthread_cond_wait(&t->done, &t->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&t->lock);
        training_run(piece, t->fleet);
        (void)pthread_mutex_lock(&t->lock);
        piece->state = TRAINING_DONE; /* nobody but the caller waits for pieces */
    }
    (void)pthread_mutex_unlock(&t->lock);
}
