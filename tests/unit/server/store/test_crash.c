/*
 * Killed at any moment: a child process runs rounds and tells through a pipe what was acknowledged; it is
 * killed without warning, and what it had acknowledged must be there, once. Only the process dies here;
 * what a power cut does to unsynced writes is tests/fault/store's business.
 */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICES 5
#define KILLS 20
#define ACKS_MAX 4096 /* more than a pipe holds */

/* One line of the child's log: this key was acknowledged, or this round published. */
struct ack {
    uint8_t key[PROTO_KEY_BYTES]; /* zeros: a published round */
    uint32_t round;
};

static void say(int fd, const uint8_t *key, uint32_t round)
{
    struct ack ack = {.round = round};
    if (key != NULL) {
        memcpy(ack.key, key, sizeof ack.key);
    }
    if (write(fd, &ack, sizeof ack) != (ssize_t)sizeof ack) {
        _exit(2);
    }
}

/* Goes on with the round that the store says is open, for ever. */
static void child(const char *folder, int fd)
{
    const struct store_options options = {.folder = folder};
    struct store *store = NULL;
    struct store_run run;
    if (store_open(&options, &store, NULL) != 0 || store_run_get(store, 1, &run) != 0) {
        _exit(3);
    }
    for (uint32_t round = run.version + 1;; round++) {
        if (run.round < round) {
            fixture_round(store, 1, round, round - 1);
        }
        for (uint32_t device = 1; device <= DEVICES; device++) {
            char old[64];
            size_t bytes;
            const uint32_t name[4] = {device, 1, round, 1};
            uint8_t key[PROTO_KEY_BYTES];
            memcpy(key, name, sizeof key);
            if (store_receipt(store, key, old, sizeof old, &bytes, NULL) == 0) {
                continue; /* before the kill */
            }
            struct store_lease lease = fixture_lease(store, device, 1, round, 1, round - 1);
            struct store_update update = fixture_update(&lease, 0, (uint8_t)(device * round));
            if (store_update_add(store, &update) != 0) {
                _exit(4);
            }
            say(fd, key, round);
        }
        struct store_publish publish = fixture_publish(1, round, round - 1, (uint8_t)round);
        uint8_t name[PROTO_SHA256_BYTES];
        if (store_publish(store, &publish, name) != 0) {
            _exit(5);
        }
        say(fd, NULL, round);
    }
}

static void check_ack(struct fixture *f, const struct ack *ack)
{
    static const uint8_t published[PROTO_KEY_BYTES];
    char receipt[64];
    size_t bytes;
    struct store_version version;
    if (memcmp(ack->key, published, sizeof published) == 0) {
        assert_int_equal(store_version_get(f->store, 1, ack->round, &version), 0);
        assert_int_equal(version.round, ack->round);
    } else {
        assert_int_equal(store_receipt(f->store, ack->key, receipt, sizeof receipt, &bytes, NULL),
                         0);
    }
}

/* Lets the child acknowledge so many times, and a moment more; all that it has said is in `acks`. */
static unsigned run_and_kill(struct fixture *f, unsigned wanted, unsigned delay_us,
                             struct ack acks[ACKS_MAX])
{
    int fds[2];
    unsigned count = 0;
    int status = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[0]);
        child(f->folder, fds[1]);
    }
    (void)close(fds[1]);
    while (count < wanted && read(fds[0], &acks[count], sizeof *acks) == (ssize_t)sizeof *acks) {
        count++;
    }
    (void)usleep(delay_us);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status)); /* else the child found an error of its own */
    while (count < ACKS_MAX && read(fds[0], &acks[count], sizeof *acks) == (ssize_t)sizeof *acks) {
        count++;
    }
    (void)close(fds[0]);
    return count;
}

static void test_kill_9(void **state)
{
    struct fixture *f = *state;
    static struct ack acks[ACKS_MAX];
    unsigned total = 0;
    uint32_t seed = 12345;
    (void)fixture_run(f->store, "r", 0);
    for (unsigned i = 1; i <= DEVICES; i++) {
        (void)fixture_device(f->store, i);
    }
    for (unsigned kills = 0; kills < KILLS; kills++) {
        store_close(f->store);
        f->store = NULL;
        seed = seed * 1664525u + 1013904223u;
        unsigned count = run_and_kill(f, 1 + (seed >> 16) % 9, (seed >> 8) % 4000, acks);
        fixture_reopen(f);
        for (unsigned i = 0; i < count; i++) {
            check_ack(f, &acks[i]);
        }
        total += count;
        assert_int_equal(store_verify(f->store), 0);
        assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM (SELECT 1 FROM updates"
                                           " WHERE status = 0 GROUP BY device, run, round"
                                           " HAVING COUNT(*) > 1)"),
                         0);
    }
    print_message("%u kills, %u acknowledged, none lost, none doubled\n", KILLS, total);
    assert_true(total >= KILLS);
}

static void copy_file(const struct fixture *f, const char *from, const char *to)
{
    char path[PATH_MAX];
    uint8_t piece[4096];
    ssize_t bytes;
    fixture_path(f, from, path);
    int in = open(path, O_RDONLY);
    fixture_path(f, to, path);
    int out = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(in >= 0 && out >= 0);
    while ((bytes = read(in, piece, sizeof piece)) > 0) {
        assert_int_equal(write(out, piece, (size_t)bytes), bytes);
    }
    assert_int_equal(bytes, 0);
    assert_int_equal(close(in) | close(out), 0);
}

/* Closed without a checkpoint: a copy of the files as they lie there, the log's index left out, is whole. */
static void test_log_alone_is_enough(void **state)
{
    struct fixture *f = *state;
    char folder[PATH_MAX];
    uint32_t run = fixture_run(f->store, "r", 7);
    fixture_path(f, "copy", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    copy_file(f, STORE_FILE, "copy/" STORE_FILE);
    copy_file(f, STORE_FILE "-wal", "copy/" STORE_FILE "-wal");
    const struct store_options options = {.folder = folder, .check = true};
    struct store *store = NULL;
    struct store_version version;
    assert_int_equal(store_open(&options, &store, NULL), 0);
    assert_int_equal(store_version_newest(store, run, &version), 0);
    assert_int_equal(store_verify(store), 0);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_kill_9),
        WITH_STORE(test_log_alone_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
