/*
 * Killed after any step: the same devices end with the same rounds, updates and versions as if nothing
 * had happened. Once with a disk that is always ahead, once with one that had lost the last batch (the
 * device then repeats what it was not answered).
 */
#include "tests/unit/server/engine/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DUMP_BYTES 16384
#define COMMANDS_MAX 128

/* Two synchronous rounds with a rejection, a retry below the minimum, and a late one. */
static const char *const synchronous[] = {
    "checkin 1",
    "checkin 2",
    "checkin 3",
    "update 1 1/1/1/0",
    "update 2 1/1/1/0 samples=0",
    "time +31000",
    "tick",
    "time +31000", /* a restart in between gives the round a grace of 30,000 ms */
    "tick",
    "checkin 2",
    "checkin 3",
    "update 3 1/1/2/0 samples=70",
    "update 2 1/1/2/0 samples=90",
    "aggregated 1 1 2",
    "evaluated 1 1 accuracy=0.5",
    "checkin 3",
    "checkin 1",
    "checkin 2",
    "update 3 1/2/1/1",
    "update 1 1/2/1/1",
    "update 2 1/2/1/1",
    "aggregated 1 2 1",
    "evaluated 1 2 accuracy=0.6",
    NULL,
};

/* Semi-synchronous: updates that are carried over, one while the round is being summed. */
static const char *const carried[] = {
    "checkin 1",
    "checkin 2",
    "checkin 3",
    "checkin 4",
    "update 1 1/1/1/0",
    "update 2 1/1/1/0",
    "update 3 1/1/1/0",
    "aggregated 1 1 1",
    "evaluated 1 1 accuracy=0.5",
    "update 4 1/1/1/0",
    "aggregated 1 2 1",
    "evaluated 1 2 accuracy=0.6",
    "checkin 4",
    "checkin 1",
    "update 4 1/3/1/2",
    "update 1 1/3/1/2",
    "aggregated 1 3 1",
    "evaluated 1 3 accuracy=0.7",
    NULL,
};

static FILE *nowhere;

static void quiet(struct shell *shell, const char *command)
{
    script_run(shell, command, nowhere);
}

static struct shell *begin(const char *run)
{
    const struct engine_config config = {.device_max = 16, .run_max = 2, .receipt_max = 64};
    struct shell *shell = calloc(1, sizeof *shell);

    assert_non_null(shell);
    shell_init(shell, &config);
    quiet(shell, "restored");
    quiet(shell, run);
    quiet(shell, "commit");
    return shell;
}

static void end(struct shell *shell, char *dump)
{
    memset(dump, 0, DUMP_BYTES);
    shell_dump(shell, dump, DUMP_BYTES);
    shell_deinit(shell);
    free(shell);
}

/* Runs all commands; is killed after the `kill`-th, before or after its batch is durable. */
static void play(const char *run, const char *const *commands, int kill, bool durable, char *dump)
{
    struct shell *shell = begin(run);

    for (int i = 0; commands[i] != NULL; i++) {
        quiet(shell, commands[i]);
        if (i == kill && !durable) {
            quiet(shell, "restart");
            quiet(shell, commands[i]); /* nobody was answered, so somebody asks again */
        }
        quiet(shell, "commit");
        if (i == kill && durable) {
            quiet(shell, "restart");
            quiet(shell, "commit");
        }
    }
    end(shell, dump);
}

static void sweep(const char *run, const char *const *commands)
{
    static char expected[DUMP_BYTES];
    static char actual[DUMP_BYTES];
    int count = 0;

    play(run, commands, -1, true, expected);
    while (commands[count] != NULL) {
        count++;
    }
    for (int kill = 0; kill < 2 * count; kill++) {
        play(run, commands, kill / 2, kill % 2 == 0, actual);
        if (strcmp(expected, actual) != 0) {
            print_error("killed %s \"%s\":\n%s\nuninterrupted:\n%s\n",
                        kill % 2 == 0 ? "after" : "during", commands[kill / 2], actual, expected);
            fail();
        }
    }
}

static void synchronous_rounds(void **state)
{
    (void)state;
    sweep("run 1 goal=3 minimum=2 soft=31000 hard=31000 pace=100 rounds=2", synchronous);
}

static void carried_updates(void **state)
{
    (void)state;
    sweep("run 1 goal=2 over=2000 staleness=4 discount=1 soft=60000 pace=100 rounds=3", carried);
}

/* The same update a hundred times, over restarts and after its round: counted once (QUALITY, G7). */
static void replayed_a_hundred_times(void **state)
{
    struct shell *shell = begin("run 1 goal=2 soft=60000 pace=100");
    static char dump[DUMP_BYTES];

    (void)state;
    quiet(shell, "checkin 1");
    quiet(shell, "checkin 2");
    for (int i = 0; i < 100; i++) {
        quiet(shell, "update 1 1/1/1/0");
        if (i % 10 == 5) {
            quiet(shell, "commit");
            quiet(shell, "restart");
        }
        if (i == 50) {
            quiet(shell, "update 2 1/1/1/0");
            quiet(shell, "commit");
            quiet(shell, "aggregated 1 1 1");
            quiet(shell, "commit");
        }
    }
    assert_int_equal(shell->update_count, 2);
    assert_int_equal(shell->runs[0].progress.base.version, 1);
    end(shell, dump);
    assert_non_null(strstr(dump, "round 1/1 committed accepted 2 rejected 0 weight 200"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synchronous_rounds),
        cmocka_unit_test(carried_updates),
        cmocka_unit_test(replayed_a_hundred_times),
    };

    nowhere = fopen("/dev/null", "w");
    if (nowhere == NULL) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    fclose(nowhere);
    return failed;
}
