/*
 * The demo's processes, with this program playing their part: fleet runs /proc/self/exe, so a test
 * that is called with arguments behaves as they say.
 */
#include "cmocka_all.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/cli/demo/crew.h"

#define WAIT_MS 10000u

static struct crew fleet;

/* ---- the other side ----------------------------------------------------------------------- */

/* stdout is /dev/null and stderr the pipe. */
static int play(const char *part)
{
    if (strcmp(part, "tell") == 0) {
        (void)fprintf(stderr, "secret=%s home=%s group=%d\n", getenv("MYCEL_SECRET") ? "yes" : "no",
                      getenv("HOME") ? "yes" : "no", getpgrp() == getpid());
        return 0;
    }
    if (strcmp(part, "stubborn") == 0) {
        (void)signal(SIGTERM, SIG_IGN);
        (void)fputs("ready\n", stderr);
    }
    if (strcmp(part, "stubborn") == 0 || strcmp(part, "stay") == 0) {
        for (;;) {
            (void)pause();
        }
    }
    return part[strlen("exit-")] - '0';
}

/* ---- helpers ------------------------------------------------------------------------------ */

static struct crew_process *add(const char *part)
{
    struct crew_process *p = crew_add(&fleet, "device-01");
    crew_argument(p, "%s", part);
    assert_int_equal(crew_start(&fleet, p), 0);
    assert_true(p->pid > 0);
    return p;
}

static void nap(void)
{
    struct timespec pause_time = {0, 5000000};
    (void)nanosleep(&pause_time, NULL);
}

static struct crew_exit wait_exit(uint64_t now_ms)
{
    struct crew_exit out = {0};
    for (unsigned ms = 0; ms < WAIT_MS; ms += 5) {
        if (crew_reap(&fleet, now_ms, &out)) {
            return out;
        }
        nap();
    }
    fail_msg("nothing has ended");
    return out;
}

static void read_line(char *out, size_t bytes)
{
    struct pollfd input = {.fd = fleet.pipe[0], .events = POLLIN};
    assert_int_equal(poll(&input, 1, (int)WAIT_MS), 1);
    ssize_t n = read(fleet.pipe[0], out, bytes - 1u);
    assert_true(n > 0);
    out[n] = '\0';
}

static int open_fleet(void **state)
{
    (void)state;
    return crew_init(&fleet);
}

static int close_fleet(void **state)
{
    (void)state;
    crew_end(&fleet);
    for (size_t i = 0; i < fleet.count; i++) {
        if (fleet.processes[i].pid != 0) {
            return 1;
        }
    }
    return 0;
}

/* ---- tests -------------------------------------------------------------------------------- */

static void test_environment_and_group(void **state)
{
    char line[128];
    (void)state;
    assert_int_equal(setenv("MYCEL_SECRET", "x", 1), 0);
    assert_int_equal(setenv("HOME", "/", 1), 0);
    (void)add("tell");
    read_line(line, sizeof line);
    assert_string_equal(line, "secret=no home=yes group=1\n");
    struct crew_exit ended = wait_exit(0);
    assert_int_equal(ended.signal, 0);
    assert_int_equal(ended.code, 0);
}

static void test_killed_ones_come_back(void **state)
{
    (void)state;
    struct crew_process *p = add("stay");
    pid_t first = p->pid;
    assert_int_equal(kill(first, SIGKILL), 0);
    struct crew_exit ended = wait_exit(1000);
    assert_int_equal(ended.signal, SIGKILL);
    assert_true(ended.restarted);
    assert_ptr_equal(ended.process, p);
    assert_int_equal(p->pid, 0);
    crew_restart_due(&fleet, 1000 + CREW_RESTART_MS - 1);
    assert_int_equal(p->pid, 0);
    crew_restart_due(&fleet, 1000 + CREW_RESTART_MS);
    assert_true(p->pid > 0 && p->pid != first);
    assert_int_equal(p->restarts, 1);
}

static void test_wrong_calls_do_not(void **state)
{
    (void)state;
    static const struct {
        const char *part;
        bool restarted;
    } rows[] = {{"exit-1", true}, {"exit-2", false}, {"exit-3", false}, {"exit-4", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct crew_process *p = add(rows[i].part);
        struct crew_exit ended = wait_exit(5);
        assert_int_equal(ended.code, rows[i].part[5] - '0');
        assert_int_equal(ended.restarted, rows[i].restarted);
        assert_int_equal(p->given_up, !rows[i].restarted);
        p->given_up = true;
    }
    crew_restart_due(&fleet, 1000000);
    for (size_t i = 0; i < fleet.count; i++) {
        assert_int_equal(fleet.processes[i].pid, 0);
    }
}

static void test_restarts_are_bounded(void **state)
{
    (void)state;
    struct crew_process *p = add("exit-1");
    p->restarts = CREW_RESTARTS_MAX;
    assert_false(wait_exit(0).restarted);
    assert_true(p->given_up);
}

static void test_logs_go_to_their_file(void **state)
{
    char path[] = "/tmp/mycel-fleet-XXXXXX";
    char line[128] = "";
    (void)state;
    int file = mkstemp(path);
    assert_true(file >= 0);
    struct crew_process *p = crew_add(&fleet, "device-01");
    p->log_path = path;
    crew_argument(p, "tell");
    assert_int_equal(crew_start(&fleet, p), 0);
    (void)wait_exit(0);
    assert_true(read(file, line, sizeof line - 1u) > 0);
    assert_non_null(strstr(line, "group=1"));
    (void)close(file);
    (void)unlink(path);
}

/* close_fleet() checks that it is gone, although it does not listen. */
static void test_the_stubborn_are_killed(void **state)
{
    char line[16];
    (void)state;
    (void)add("stubborn");
    read_line(line, sizeof line);
    assert_string_equal(line, "ready\n");
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return play(argv[1]);
    }
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_fleet, close_fleet)
    const struct CMUnitTest tests[] = {
        CASE(test_environment_and_group), CASE(test_killed_ones_come_back),
        CASE(test_wrong_calls_do_not),    CASE(test_restarts_are_bounded),
        CASE(test_logs_go_to_their_file), CASE(test_the_stubborn_are_killed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
