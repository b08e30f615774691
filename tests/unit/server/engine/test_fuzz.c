/*
 * Thousands of random events under the invariants of engine_check() and of the shell, over many seeds.
 * A failed assertion traps; the seed is printed by the handler. MYCEL_SEED=n runs that one alone,
 * MYCEL_SEEDS=n so many.
 */
#include "common/rng.h"
#include "tests/unit/server/engine/world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SEEDS 200
#define STEPS 1500

static volatile unsigned long long running;

/* Only write() and _exit() are allowed here. */
static void on_trap(int signal_number)
{
    char text[64] = "engine invariant broken: MYCEL_SEED=";
    size_t at = strlen(text);
    char digits[24];
    size_t count = 0;

    (void)signal_number;
    for (unsigned long long n = running; n > 0 || count == 0; n /= 10) {
        digits[count++] = (char)('0' + n % 10);
    }
    while (count > 0) {
        text[at++] = digits[--count];
    }
    text[at++] = '\n';
    if (write(STDERR_FILENO, text, at) < 0) {
        _exit(2);
    }
    _exit(1);
}

static uint64_t setting(const char *name, uint64_t fallback)
{
    const char *value = getenv(name);

    return value != NULL ? strtoull(value, NULL, 10) : fallback;
}

static void add(struct world_figures *sum, const struct world_figures *one)
{
    sum->steps += one->steps;
    sum->counted += one->counted;
    sum->rejected += one->rejected;
    sum->late += one->late;
    sum->versions += one->versions;
    sum->restarts += one->restarts;
}

static void run_seed(uint64_t seed, struct world_figures *sum)
{
    struct world *world;
    struct world_figures figures;

    running = seed;
    world = world_open(seed);
    for (uint32_t i = 0; i < STEPS; i++) {
        world_step(world);
    }
    world_heal(world);
    figures = world_figures(world);
    add(sum, &figures);
    world_close(world);
}

static void safety_and_progress(void **state)
{
    struct world_figures sum = {0};

    signal(SIGILL, on_trap); /* in place of the framework's, which does not know the seed */
    signal(SIGTRAP, on_trap);
    uint64_t only = setting("MYCEL_SEED", 0);
    uint64_t seeds = setting("MYCEL_SEEDS", SEEDS);

    (void)state;
    if (only > 0) {
        run_seed(only, &sum);
        return;
    }
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        run_seed(seed, &sum);
    }
    print_message(
        "%llu steps: %llu counted, %llu rejected, %llu late, %llu versions, %llu restarts\n",
        (unsigned long long)sum.steps, (unsigned long long)sum.counted,
        (unsigned long long)sum.rejected, (unsigned long long)sum.late,
        (unsigned long long)sum.versions, (unsigned long long)sum.restarts);
    /* The world must not have become a harmless one. */
    assert_true(sum.counted > seeds * 10 && sum.rejected > seeds && sum.late > seeds / 4);
    assert_true(sum.versions > seeds && sum.restarts > seeds);
}

/* --- the same events, the same actions ------------------------------------------------------- */

#define LOG_MAX 4096

struct log {
    struct engine_event events[LOG_MAX];
    uint64_t hashes[LOG_MAX];
    uint32_t count;
    bool stopped; /* a restart begins another log */
};

static uint64_t hash_actions(const struct engine_actions *actions)
{
    const uint8_t *bytes = (const uint8_t *)actions->list;
    uint64_t hash = actions->batch;

    for (size_t i = 0; i < actions->count * sizeof actions->list[0]; i++) {
        hash = rng_mix64(hash ^ bytes[i]) + i;
    }
    return hash;
}

static void record(void *user, const struct engine_event *event,
                   const struct engine_actions *actions, bool restarted)
{
    struct log *log = user;

    log->stopped = log->stopped || restarted || log->count == LOG_MAX;
    if (!log->stopped) {
        log->events[log->count] = *event;
        log->hashes[log->count] = hash_actions(actions);
        log->count++;
    }
}

static void same_events_same_bytes(void **state)
{
    struct log *log = calloc(1, sizeof *log);
    uint32_t total = 0;

    (void)state;
    assert_non_null(log);
    for (uint64_t seed = 1000; seed < 1030; seed++) {
        struct world *world = world_open(seed);
        const struct shell *shell = world_shell(world);
        struct engine_event first = {.type = ENGINE_EVENT_RESTORED};
        size_t bytes = engine_bytes(&shell->config);
        void *memory = calloc(1, bytes);
        struct engine *engine = NULL;
        struct engine_actions actions;

        running = seed;
        memset(log, 0, sizeof *log);
        world_set_tap(world, record, log);
        for (uint32_t i = 0; i < STEPS && !log->stopped; i++) {
            world_step(world);
        }
        assert_non_null(memory);
        assert_int_equal(engine_init(memory, bytes, &shell->config, &engine), MYCEL_OK);
        engine_step(engine, &first, &actions);
        /* world_open() has created run 1 before the tap was set. */
        struct engine_event run = {.type = ENGINE_EVENT_RUN};

        run.u.run.spec = shell->runs[0].spec;
        engine_step(engine, &run, &actions);
        for (uint32_t i = 0; i < log->count; i++) {
            engine_step(engine, &log->events[i], &actions);
            assert_true(hash_actions(&actions) == log->hashes[i]);
        }
        total += log->count;
        free(memory);
        world_close(world);
    }
    assert_true(total > 1000);
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safety_and_progress),
        cmocka_unit_test(same_events_same_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
