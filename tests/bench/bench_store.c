/*
 * The store's thread at work: updates a second with group commit, the time one lone update takes until it
 * is durable, and opening a connection for reading. The reference is what the same disk does when the same
 * bytes are appended to a plain file and synced as often: what durability costs without a database.
 */
#include "common/crypto/sha256.h"
#include "server/store/store.h"
#include "server/store/store_thread.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BODY_BYTES 25600u /* 25,450 parameters as int8 */
#define UPDATES 1000u
#define LONE 50u

struct upload {
    struct store_job job; /* first */
    uint32_t device;
    uint32_t round;
};

static uint8_t body[BODY_BYTES];
static uint8_t digest[SHA256_BYTES]; /* in the daemon, a worker computes it before */
static int wake_fds[2];

static void check(int code, const char *what)
{
    if (code < 0) {
        (void)fprintf(stderr, "bench_store: %s: %s\n", what, mycel_error_text(code));
        exit(1);
    }
}

static double now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void report(const char *name, double value, const char *unit, double reference)
{
    if (reference > 0.0) {
        (void)printf("{\"bench\":\"store\",\"case\":\"%s\",\"value\":%.6g,\"unit\":\"%s\","
                     "\"reference\":%.6g,\"ratio\":%.6g}\n",
                     name, value, unit, reference, value / reference);
    } else {
        (void)printf("{\"bench\":\"store\",\"case\":\"%s\",\"value\":%.6g,\"unit\":\"%s\","
                     "\"reference\":null,\"ratio\":null}\n",
                     name, value, unit);
    }
}

static void wake(void *user)
{
    char c = 'w';
    ssize_t n = write(wake_fds[1], &c, 1);
    (void)n;
    (void)user;
}

static void key_of(const struct upload *upload, uint8_t key[PROTO_KEY_BYTES])
{
    const uint32_t name[4] = {upload->device, 1, upload->round, 1};
    memcpy(key, name, PROTO_KEY_BYTES);
}

static int run_upload(struct store *store, struct store_job *job)
{
    const struct upload *upload = (const struct upload *)(void *)job;
    static const char receipt[48] = "receipt";
    struct store_update update = {.device = upload->device,
                                  .run = 1,
                                  .round = upload->round,
                                  .counted_round = upload->round,
                                  .received_ms = 1,
                                  .samples = 600,
                                  .weight = 600,
                                  .receipt = receipt,
                                  .receipt_bytes = sizeof receipt,
                                  .body = body,
                                  .body_bytes = sizeof body};
    key_of(upload, update.key);
    memcpy(update.digest, digest, sizeof digest);
    return store_update_add(store, &update);
}

static void fill(struct store *store)
{
    struct store_run_config config = {.name = "bench",
                                      .model = "m",
                                      .strategy = "s",
                                      .params = 1,
                                      .goal = UPDATES,
                                      .epochs = 1,
                                      .batch = 1,
                                      .learning_rate = 0.1f};
    struct store_version version = {.kind = STORE_VERSION_INITIAL};
    check(store_begin(store), "begin");
    check(store_run_create(store, &config, 1, &version.run), "run");
    check(store_blob_put(store, body, sizeof body, version.sha256), "blob");
    check(store_version_add(store, &version), "version");
    for (uint32_t round = 1; round <= 2; round++) {
        const struct store_round row = {.run = 1, .round = round, .state = STORE_ROUND_SELECT};
        check(store_round_put(store, &row), "round");
    }
    for (uint32_t i = 1; i <= UPDATES; i++) {
        char identity[32];
        uint8_t psk[16] = {1};
        uint32_t id;
        (void)snprintf(identity, sizeof identity, "device-%u", i);
        check(store_device_enroll(store, identity, "", psk, sizeof psk, 1, &id), "device");
        for (uint32_t round = 1; round <= 2; round++) {
            const struct upload upload = {.device = i, .round = round};
            struct store_lease lease = {
                .device = i, .run = 1, .round = round, .attempt = 1, .state = STORE_LEASE_OPEN};
            key_of(&upload, lease.key);
            check(store_lease_put(store, &lease), "lease");
        }
    }
    check(store_commit(store), "commit");
}

/* Waits until `count` jobs are done. */
static void collect(struct store_thread *thread, unsigned count)
{
    unsigned done = 0;
    while (done < count) {
        char drop[64];
        struct store_news news;
        ssize_t n = read(wake_fds[0], drop, sizeof drop);
        (void)n;
        store_thread_take(thread, &news);
        for (struct store_job *job = news.done; job != NULL; job = job->next) {
            check(job->result, "update");
            done++;
        }
    }
}

/* Milliseconds for `syncs` times appending `bytes` to a file and syncing it. */
static double plain_ms(const char *folder, unsigned syncs, size_t bytes)
{
    char path[128];
    uint8_t *data = calloc(1, bytes);
    (void)snprintf(path, sizeof path, "%s/plain", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    double before = now_ms();
    for (unsigned i = 0; i < syncs; i++) {
        if (write(fd, data, bytes) != (ssize_t)bytes || fdatasync(fd) != 0) {
            (void)fprintf(stderr, "bench_store: the plain file cannot be written\n");
            exit(1);
        }
    }
    double took = now_ms() - before;
    (void)close(fd);
    (void)unlink(path);
    free(data);
    return took;
}

static void bench_throughput(struct store_thread *thread, const char *folder)
{
    static struct upload uploads[UPDATES];
    struct store_stats stats;
    double before = now_ms();
    for (uint32_t i = 0; i < UPDATES; i++) {
        uploads[i] = (struct upload){
            .job = {.run = run_upload, .writes = true, .weight = 1}, .device = i + 1, .round = 1};
        check(store_thread_submit(thread, &uploads[i].job), "submit");
    }
    collect(thread, UPDATES);
    double took = now_ms() - before;
    store_thread_stats(thread, &stats);
    double plain = plain_ms(folder, (unsigned)stats.commits,
                            (size_t)UPDATES * BODY_BYTES / (size_t)stats.commits);
    report("updates_25KB_per_s", UPDATES / took * 1e3, "1/s", UPDATES / plain * 1e3);
    report("commits_per_1000_updates", (double)stats.commits, "", 0.0);
}

static int compare(const void *a, const void *b)
{
    const double *first = a;
    const double *second = b;
    return (*first > *second) - (*first < *second);
}

static void bench_lone(struct store_thread *thread, const char *folder)
{
    double took[LONE];
    for (uint32_t i = 0; i < LONE; i++) {
        struct upload upload = {
            .job = {.run = run_upload, .writes = true, .weight = 1}, .device = i + 1, .round = 2};
        double before = now_ms();
        check(store_thread_submit(thread, &upload.job), "submit");
        collect(thread, 1);
        took[i] = now_ms() - before;
    }
    qsort(took, LONE, sizeof took[0], compare);
    report("lone_update_p50", took[LONE / 2], "ms", plain_ms(folder, LONE, BODY_BYTES) / LONE);
}

static void bench_reader(const char *folder)
{
    const struct store_options options = {.folder = folder, .read_only = true};
    double before = now_ms();
    for (unsigned i = 0; i < LONE; i++) {
        struct store *reader;
        struct store_version version;
        check(store_open(&options, &reader, NULL), "open");
        check(store_version_newest(reader, 1, &version), "read");
        store_close(reader);
    }
    report("open_read_close", (now_ms() - before) / LONE, "ms", 0.0);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

int main(void)
{
    char folder[64] = "/tmp/mycel-bench-XXXXXX";
    struct store *store;
    struct store_thread *thread;
    struct store_news news;
    if (mkdtemp(folder) == NULL || pipe(wake_fds) != 0) {
        return 1;
    }
    sha256(body, sizeof body, digest);
    const struct store_options options = {.folder = folder, .create = true};
    check(store_open(&options, &store, NULL), "open");
    fill(store);
    check(store_thread_start(store, wake, NULL, &thread), "thread");
    bench_throughput(thread, folder);
    bench_lone(thread, folder);
    bench_reader(folder);
    store_thread_stop(thread, &news);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
