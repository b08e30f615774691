/* The store's thread: order, durability, group commit, other processes, a disk that fails. */
#include "fixture.h"

#include "server/store/store_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 20000

struct work {
    struct store_job job; /* first */
    unsigned number;
    int fail; /* what run returns after writing */
    size_t filler;
    sem_t *entered;
    sem_t *leave;
};

struct rig {
    struct fixture *f;
    struct store_thread *thread;
    int wake[2]; /* a pipe, as the event loop's async handle */
    unsigned done;
    unsigned last;
    bool in_order;
    bool changed;
    int health;
    int worst;
};

static void wake_up(void *user)
{
    const struct rig *rig = user;
    char c = 'w';
    ssize_t n = write(rig->wake[1], &c, 1);
    (void)n;
}

static struct rig start(struct fixture *f)
{
    return (struct rig){.f = f, .in_order = true};
}

static void launch(struct rig *rig)
{
    assert_int_equal(pipe2(rig->wake, O_NONBLOCK), 0);
    assert_int_equal(store_thread_start(rig->f->store, wake_up, rig, &rig->thread), 0);
    rig->f->store = NULL; /* the thread's from now on */
}

static void digest_news(struct rig *rig, const struct store_news *news)
{
    for (struct store_job *job = news->done; job != NULL; job = job->next) {
        const struct work *work = (const struct work *)(const void *)job;
        rig->in_order = rig->in_order && (rig->last == 0 || work->number == rig->last + 1);
        rig->last = work->number;
        rig->done++;
        rig->worst = job->result < rig->worst ? job->result : rig->worst;
    }
    rig->changed = rig->changed || news->changed;
    rig->health = news->health;
}

static void take(struct rig *rig)
{
    char drop[64];
    struct store_news news;
    while (read(rig->wake[0], drop, sizeof drop) > 0) {
    }
    store_thread_take(rig->thread, &news);
    digest_news(rig, &news);
}

static long now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool wait_a_little(struct rig *rig, long until_ms)
{
    struct pollfd poll_in = {.fd = rig->wake[0], .events = POLLIN};
    (void)poll(&poll_in, 1, 50);
    take(rig);
    return now_ms() < until_ms;
}

static void wait_done(struct rig *rig, unsigned count)
{
    long until_ms = now_ms() + WAIT_MS;
    while (rig->done < count && wait_a_little(rig, until_ms)) {
    }
    assert_int_equal(rig->done, count);
}

static void finish(struct rig *rig)
{
    struct store_news news;
    store_thread_stop(rig->thread, &news);
    digest_news(rig, &news);
    (void)close(rig->wake[0]);
    (void)close(rig->wake[1]);
}

static int enroll(struct store *store, struct store_job *job)
{
    struct work *work = (struct work *)(void *)job;
    char identity[32];
    uint8_t psk[16] = {1};
    uint32_t id = 0;
    if (work->entered != NULL) {
        (void)sem_post(work->entered);
        (void)sem_wait(work->leave);
        work->entered = NULL; /* only once, should the group start over */
    }
    (void)snprintf(identity, sizeof identity, "job-%u", work->number);
    int code = store_device_enroll(store, identity, "", psk, sizeof psk, 1, &id);
    if (code == 0 && work->filler > 0) {
        uint8_t name[PROTO_SHA256_BYTES];
        uint8_t *data = calloc(1, work->filler);
        memcpy(data, &work->number, sizeof work->number);
        code = store_blob_put(store, data, work->filler, name);
        free(data);
    }
    return code == 0 ? work->fail : code;
}

static int read_devices(struct store *store, struct store_job *job)
{
    struct store_device device;
    (void)job;
    return store_device_find(store, "job-1", &device);
}

static struct work writing(unsigned number)
{
    return (struct work){.number = number, .job = {.run = enroll, .writes = true, .weight = 1}};
}

static long long devices(const struct rig *rig)
{
    return fixture_number(rig->f, "SELECT COUNT(*) FROM devices");
}

static void test_done_means_durable(void **state)
{
    struct rig rig = start(*state);
    static struct work work[200];
    launch(&rig);
    unsigned submitted = 0;
    for (unsigned i = 0; i < 200; i++) {
        work[i] = writing(i + 1);
        assert_int_equal(store_thread_submit(rig.thread, &work[i].job), 0);
        submitted++;
        if (i % 10 == 0) {
            take(&rig);
            /* What is reported is on disk, seen by another connection. */
            assert_true(devices(&rig) >= rig.done);
        }
    }
    wait_done(&rig, submitted);
    assert_true(rig.in_order);
    assert_int_equal(rig.worst, 0);
    assert_int_equal(devices(&rig), 200);
    finish(&rig);
}

static void test_bad_job_is_undone_alone(void **state)
{
    struct rig rig = start(*state);
    sem_t entered;
    sem_t leave;
    struct work work[5];
    (void)sem_init(&entered, 0, 0);
    (void)sem_init(&leave, 0, 0);
    launch(&rig);
    for (unsigned i = 0; i < 5; i++) {
        work[i] = writing(i + 1);
    }
    work[0].entered = &entered; /* holds the group open until all are queued */
    work[0].leave = &leave;
    work[2].fail = MYCEL_E_CONFLICT;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(store_thread_submit(rig.thread, &work[i].job), 0);
    }
    (void)sem_wait(&entered);
    (void)sem_post(&leave);
    wait_done(&rig, 5);
    assert_int_equal(work[2].job.result, MYCEL_E_CONFLICT);
    assert_int_equal(work[1].job.result, 0);
    assert_int_equal(work[3].job.result, 0);
    assert_int_equal(rig.health, 0);
    struct store_stats stats;
    store_thread_stats(rig.thread, &stats);
    finish(&rig);
    assert_int_equal(devices(&rig), 4);
    assert_int_equal(fixture_number(rig.f, "SELECT COUNT(*) FROM devices WHERE identity = 'job-3'"),
                     0);
    assert_true(stats.commits <
                4); /* 1 unless the machine was busy for longer than a group lasts */
    assert_int_equal(stats.jobs, 5);
    assert_int_equal(stats.updates, 4);
}

static void test_queue_is_bounded(void **state)
{
    struct rig rig = start(*state);
    sem_t entered;
    sem_t leave;
    static struct work work[STORE_QUEUE_MAX + 1];
    (void)sem_init(&entered, 0, 0);
    (void)sem_init(&leave, 0, 0);
    launch(&rig);
    for (unsigned i = 0; i <= STORE_QUEUE_MAX; i++) {
        work[i] = writing(i + 1);
        work[i].entered = i == 0 ? &entered : NULL;
        work[i].leave = i == 0 ? &leave : NULL;
        int code = store_thread_submit(rig.thread, &work[i].job);
        assert_int_equal(code, i < STORE_QUEUE_MAX ? 0 : MYCEL_E_BUSY);
    }
    (void)sem_wait(&entered);
    (void)sem_post(&leave);
    /* Stopping drains the queue: nothing that was accepted is lost. */
    finish(&rig);
    assert_int_equal(rig.done, STORE_QUEUE_MAX);
    assert_true(rig.in_order);
    assert_int_equal(devices(&rig), STORE_QUEUE_MAX);
}

static void *stop_thread(void *user)
{
    struct rig *rig = user;
    struct store_news news;
    store_thread_stop(rig->thread, &news);
    digest_news(rig, &news);
    return NULL;
}

static void test_stopping_takes_no_more(void **state)
{
    struct rig rig = start(*state);
    sem_t entered;
    sem_t leave;
    static struct work work[1000];
    pthread_t stopper;
    (void)sem_init(&entered, 0, 0);
    (void)sem_init(&leave, 0, 0);
    launch(&rig);
    work[0] = writing(1);
    work[0].entered = &entered;
    work[0].leave = &leave;
    assert_int_equal(store_thread_submit(rig.thread, &work[0].job), 0);
    (void)sem_wait(&entered);
    assert_int_equal(pthread_create(&stopper, NULL, stop_thread, &rig), 0);
    int code = 0;
    unsigned accepted = 1;
    for (unsigned i = 1; i < 1000 && code == 0; i++) {
        work[i] = writing(i + 1);
        code = store_thread_submit(rig.thread, &work[i].job);
        accepted += code == 0;
        (void)usleep(5000);
    }
    assert_int_equal(code, MYCEL_E_CLOSED);
    (void)sem_post(&leave);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    assert_int_equal(rig.done, accepted);
    assert_int_equal(devices(&rig), accepted);
}

static void test_group_commit(void **state)
{
    struct rig rig = start(*state);
    static struct work work[1000];
    struct store_stats stats;
    launch(&rig);
    for (unsigned i = 0; i < 1000; i++) {
        work[i] = writing(i + 1);
        assert_int_equal(store_thread_submit(rig.thread, &work[i].job), 0);
    }
    wait_done(&rig, 1000);
    store_thread_stats(rig.thread, &stats);
    print_message("group commit: %llu commits for 1000 updates, slowest %.1f ms\n",
                  (unsigned long long)stats.commits, (double)stats.commit_us_max / 1000.0);
    assert_int_equal(stats.updates, 1000);
    /* At least 1000 / STORE_GROUP_UPDATES, and far from one each even on a machine whose disk needs
     * no time: the queue fills faster than jobs run. */
    assert_true(stats.commits >= 1000 / STORE_GROUP_UPDATES);
    assert_true(stats.commits <= 500);
    /* A single update is committed at once, not after STORE_GROUP_MS. The fastest of many is looked at,
     * for the machine may be busy. */
    long fastest_ms = WAIT_MS;
    struct work single[20];
    for (unsigned i = 0; i < 20; i++) {
        long before_ms = now_ms();
        single[i] = writing(1001 + i);
        assert_int_equal(store_thread_submit(rig.thread, &single[i].job), 0);
        wait_done(&rig, 1001 + i);
        long took_ms = now_ms() - before_ms;
        fastest_ms = took_ms < fastest_ms ? took_ms : fastest_ms;
    }
    assert_true(fastest_ms < (long)STORE_GROUP_MS);
    finish(&rig);
}

static void test_others_write_meanwhile(void **state)
{
    struct rig rig = start(*state);
    static struct work work[300];
    struct store *second = fixture_second(rig.f, false);
    launch(&rig);
    for (unsigned i = 0; i < 300; i++) {
        work[i] = writing(i + 1);
        assert_int_equal(store_thread_submit(rig.thread, &work[i].job), 0);
        if (i % 6 == 0) {
            (void)fixture_device(second, i);
        }
    }
    wait_done(&rig, 300);
    assert_int_equal(rig.worst, 0);
    long until_ms = now_ms() + WAIT_MS;
    while (!rig.changed && wait_a_little(&rig, until_ms)) {
    }
    assert_true(rig.changed);
    assert_int_equal(devices(&rig), 350);
    assert_int_equal(store_verify(second), 0);

    /* Its own commits are no news; somebody else's are, within about STORE_WATCH_MS. */
    (void)usleep(700000);
    take(&rig);
    rig.changed = false;
    struct work own = writing(301);
    assert_int_equal(store_thread_submit(rig.thread, &own.job), 0);
    wait_done(&rig, 301);
    until_ms = now_ms() + 1200;
    while (wait_a_little(&rig, until_ms)) {
    }
    assert_false(rig.changed);
    long before_ms = now_ms();
    assert_int_equal(store_device_revoke(second, "job-7", 9), 0);
    until_ms = now_ms() + WAIT_MS;
    while (!rig.changed && wait_a_little(&rig, until_ms)) {
    }
    assert_true(rig.changed);
    print_message("another connection's commit was noticed after %ld ms\n", now_ms() - before_ms);
    assert_true(now_ms() - before_ms < 5000);
    store_close(second);
    finish(&rig);
}

static void test_reads_see_only_what_is_durable(void **state)
{
    struct rig rig = start(*state);
    struct work work[3] = {writing(1), {.number = 2, .job = {.run = read_devices}}, writing(3)};
    launch(&rig);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(store_thread_submit(rig.thread, &work[i].job), 0);
    }
    wait_done(&rig, 3);
    assert_true(rig.in_order);
    assert_int_equal(work[1].job.result, 0);
    struct store_stats stats;
    store_thread_stats(rig.thread, &stats);
    assert_int_equal(stats.commits, 2);
    finish(&rig);
}

/* --- a disk that fails ------------------------------------------------------------------------ */

/* Writes until it fails, then reads, waits for recovery with `heal`, and writes again. */
static void fail_and_recover(struct rig *rig, void (*heal)(struct rig *), size_t filler)
{
    static struct work work[64];
    unsigned number = 0;
    while (rig->worst == 0 && number < 40) {
        work[number] = writing(number + 1);
        work[number].filler = filler;
        assert_int_equal(store_thread_submit(rig->thread, &work[number].job), 0);
        number++;
        wait_done(rig, number);
    }
    assert_true(rig->worst == MYCEL_E_DISK_FULL || rig->worst == MYCEL_E_IO);
    assert_int_equal(rig->health, rig->worst);
    /* Reading goes on, writing is answered at once. */
    struct work reading = {.number = number + 1, .job = {.run = read_devices}};
    struct work refused = writing(number + 2);
    number += 2;
    assert_int_equal(store_thread_submit(rig->thread, &reading.job), 0);
    assert_int_equal(store_thread_submit(rig->thread, &refused.job), 0);
    wait_done(rig, number);
    assert_int_equal(reading.job.result, 0);
    assert_int_equal(refused.job.result, rig->health);
    long long before = devices(rig);

    heal(rig);
    long until_ms = now_ms() + WAIT_MS;
    while (rig->health != 0 && wait_a_little(rig, until_ms)) {
    }
    assert_int_equal(rig->health, 0);
    struct work after = writing(number + 1);
    number++;
    assert_int_equal(store_thread_submit(rig->thread, &after.job), 0);
    wait_done(rig, number);
    assert_int_equal(after.job.result, 0);
    assert_int_equal(devices(rig), before + 1);
}

static void unlimit(struct rig *rig)
{
    (void)rig;
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
}

static void test_write_errors(void **state)
{
    struct rig rig = start(*state);
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    if (limit.rlim_max != RLIM_INFINITY) {
        skip();
    }
    launch(&rig);
    limit.rlim_cur = 1u << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fail_and_recover(&rig, unlimit, 100000);
    finish(&rig);
}

static void free_space(struct rig *rig)
{
    char path[PATH_MAX];
    fixture_path(rig->f, "ballast", path);
    assert_int_equal(unlink(path), 0);
}

static void test_full_disk(void **state)
{
    struct rig rig = start(*state);
    struct fixture *f = rig.f;
    char folder[sizeof f->folder];
    if (mount("tmpfs", f->folder, "tmpfs", 0, "size=3m,mode=0700") != 0) {
        print_message("cannot mount a tmpfs (%s): skipped\n", strerror(errno));
        skip();
    }
    (void)snprintf(folder, sizeof folder, "%s", f->folder);
    fixture_reopen(f);
    char path[PATH_MAX];
    fixture_path(f, "ballast", path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(posix_fallocate(fd, 0, 1500000), 0);
    assert_int_equal(close(fd), 0);
    launch(&rig);
    fail_and_recover(&rig, free_space, 100000);
    assert_int_equal(rig.worst, MYCEL_E_DISK_FULL);
    finish(&rig);
    struct store *store = fixture_second(f, false);
    assert_int_equal(store_verify(store), 0);
    store_close(store);
    assert_int_equal(umount2(folder, MNT_DETACH), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_done_means_durable),
        WITH_STORE(test_bad_job_is_undone_alone),
        WITH_STORE(test_queue_is_bounded),
        WITH_STORE(test_stopping_takes_no_more),
        WITH_STORE(test_group_commit),
        WITH_STORE(test_others_write_meanwhile),
        WITH_STORE(test_reads_see_only_what_is_durable),
        WITH_STORE(test_write_errors),
        WITH_STORE(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
