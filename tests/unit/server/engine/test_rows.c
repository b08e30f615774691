/*
 * Events that a script cannot say: rows of a damaged or foreign store, answers of workers that nobody
 * asked for, runs that are created paused or while the slots of ended ones still wait for something.
 */
#include "server/engine/key.h"
#include "tests/unit/server/engine/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static FILE *nowhere;

static int setup(void **state)
{
    const struct engine_config config = {.device_max = 2, .run_max = 1, .receipt_max = 8};
    struct shell *shell = calloc(1, sizeof *shell);

    if (shell == NULL) {
        return -1;
    }
    shell_init(shell, &config);
    *state = shell;
    return 0;
}

static int teardown(void **state)
{
    shell_deinit(*state);
    free(*state);
    return 0;
}

static int step(struct shell *shell, struct engine_event *event)
{
    struct engine_actions actions;

    return shell_step(shell, event, &actions);
}

static int add_stale_run(struct shell *shell, uint32_t id, enum engine_phase phase,
                         uint32_t staleness_max)
{
    struct engine_event event = {.type = ENGINE_EVENT_RUN};

    event.u.run.spec.run = id;
    event.u.run.spec.goal = 1;
    event.u.run.spec.staleness_max = staleness_max;
    event.u.run.progress.phase = phase;
    if (id < SHELL_RUNS) {
        shell_add_run(shell, &event.u.run.spec);
    }
    return step(shell, &event);
}

static int add_run(struct shell *shell, uint32_t id, enum engine_phase phase)
{
    return add_stale_run(shell, id, phase, 0);
}

static struct engine_event round_event(void)
{
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_ROUND};

    event.u.round = (struct engine_event_round){
        .run = 1, .round = 3, .attempt = 2, .state = ENGINE_ROUND_SELECT};
    return event;
}

static void damaged_rounds(void **state)
{
    static const enum engine_round_state never_stored[] = {ENGINE_ROUND_IDLE, ENGINE_ROUND_PUBLISH,
                                                           (enum engine_round_state)7};
    struct engine_event event;

    assert_int_equal(add_run(*state, 1, ENGINE_PHASE_RUNNING), MYCEL_OK);
    for (size_t i = 0; i < 3; i++) {
        event = round_event();
        event.u.round.state = never_stored[i];
        assert_int_equal(step(*state, &event), MYCEL_E_INVALID);
    }
    event = round_event();
    event.u.round.round = 0;
    assert_int_equal(step(*state, &event), MYCEL_E_INVALID);
    event = round_event();
    event.u.round.attempt = 0;
    assert_int_equal(step(*state, &event), MYCEL_E_INVALID);
    event = round_event();
    assert_int_equal(step(*state, &event), MYCEL_OK);
    event.u.round.run = 9; /* has ended: not of interest */
    assert_int_equal(step(*state, &event), MYCEL_OK);
}

static struct engine_event lease_event(uint32_t device, uint32_t round, uint32_t base)
{
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_LEASE};
    struct engine_lease *lease = &event.u.lease.lease;

    lease->device = device;
    lease->run = 1;
    lease->round = round;
    lease->attempt = 2;
    lease->base.version = base;
    key_derive(lease);
    event.u.lease.left_ms = 1000;
    return event;
}

static void damaged_leases(void **state)
{
    struct engine_event event = round_event();

    assert_int_equal(add_run(*state, 1, ENGINE_PHASE_RUNNING), MYCEL_OK);
    assert_int_equal(step(*state, &event), MYCEL_OK);
    event = lease_event(1, 4, 0); /* of a round that there has not been */
    assert_int_equal(step(*state, &event), MYCEL_E_INVALID);
    event = lease_event(1, 3, 1); /* … of a version */
    assert_int_equal(step(*state, &event), MYCEL_E_INVALID);
    event = lease_event(1, 3, 0);
    event.u.lease.lease.key[3] ^= 1;
    assert_int_equal(step(*state, &event), MYCEL_E_INVALID);
    event = lease_event(1, 3, 0);
    assert_int_equal(step(*state, &event), MYCEL_OK);
    event.u.lease.lease.run = 9;
    assert_int_equal(step(*state, &event), MYCEL_OK);
}

/* Whatever the kind of row: no room for a third device, and rows of ended runs need none. */
static void too_many_devices(void **state)
{
    struct engine_event share = {.type = ENGINE_EVENT_RESTORE_SHARE};
    struct engine_event device = {.type = ENGINE_EVENT_RESTORE_DEVICE};
    struct engine_event update = {.type = ENGINE_EVENT_RESTORE_UPDATE};
    struct engine_event round = round_event();
    struct engine_event lease = lease_event(3, 3, 0);

    assert_int_equal(add_run(*state, 1, ENGINE_PHASE_RUNNING), MYCEL_OK);
    assert_int_equal(step(*state, &round), MYCEL_OK);
    for (uint32_t id = 1; id <= 2; id++) {
        device.u.restore_device.device = id;
        assert_int_equal(step(*state, &device), MYCEL_OK);
    }
    device.u.restore_device.device = 3;
    assert_int_equal(step(*state, &device), MYCEL_E_FULL);
    share.u.share = (struct engine_event_share){3, 1, 1, 1};
    assert_int_equal(step(*state, &share), MYCEL_E_FULL);
    share.u.share.run = 9;
    assert_int_equal(step(*state, &share), MYCEL_OK);
    assert_int_equal(step(*state, &lease), MYCEL_E_FULL);
    update.u.restore_update.receipt.run = 1;
    update.u.restore_update.receipt.device = 3;
    assert_int_equal(step(*state, &update), MYCEL_E_FULL);
    update.u.restore_update.receipt.run = 9;
    assert_int_equal(step(*state, &update), MYCEL_OK);
}

/* A receipt of no attempt is damage. */
static void attempt_not_known(void **state)
{
    struct engine_event round = round_event();
    struct engine_event update = {.type = ENGINE_EVENT_RESTORE_UPDATE};

    assert_int_equal(add_run(*state, 1, ENGINE_PHASE_RUNNING), MYCEL_OK);
    assert_int_equal(step(*state, &round), MYCEL_OK);
    update.u.restore_update.receipt.run = 1;
    update.u.restore_update.receipt.device = 1;
    update.u.restore_update.receipt.round = 3;
    update.u.restore_update.receipt.status = MYCEL_E_SHAPE;
    assert_int_equal(step(*state, &update), MYCEL_E_INVALID);
    update.u.restore_update.receipt.attempt = 1;
    assert_int_equal(step(*state, &update), MYCEL_OK);
}

static struct engine_event rejected_event(uint32_t round, uint32_t attempt)
{
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_UPDATE};
    struct engine_lease lease = {.device = 1, .run = 1, .round = round, .attempt = attempt};

    key_derive(&lease);
    memcpy(event.u.restore_update.receipt.key, lease.key, PROTO_KEY_BYTES);
    event.u.restore_update.receipt.run = 1;
    event.u.restore_update.receipt.device = 1;
    event.u.restore_update.receipt.round = round;
    event.u.restore_update.receipt.attempt = attempt;
    event.u.restore_update.receipt.status = MYCEL_E_SHAPE;
    return event;
}

/* Verdicts come back in any order: the newest one decides which key is used up. */
static void newest_verdict_stands(void **state)
{
    static const uint32_t verdicts[][2] = {{3, 1}, {3, 3}, {3, 2}, {2, 1}};
    struct engine_event round = round_event();
    const struct shell *shell = *state;

    round.u.round.attempt = 3;
    assert_int_equal(add_run(*state, 1, ENGINE_PHASE_RUNNING), MYCEL_OK);
    assert_int_equal(step(*state, &round), MYCEL_OK);
    for (size_t i = 0; i < 4; i++) {
        struct engine_event event = rejected_event(verdicts[i][0], verdicts[i][1]);

        assert_int_equal(step(*state, &event), MYCEL_OK);
    }
    script_run(*state, "restored", nowhere);
    script_run(*state, "checkin 1", nowhere);
    struct engine_run_view view;

    assert_int_equal(engine_run_view(shell->engine, 0, &view), MYCEL_OK);
    assert_int_equal(view.live, 0);
    assert_int_equal(view.rejected, 3);
}

/* Seats held after a restart with a lease of attempt 2 and a receipt of another one. */
static uint32_t live_after(struct shell *shell, uint32_t attempt)
{
    struct engine_event round = round_event();
    struct engine_event lease = lease_event(1, 3, 0);
    struct engine_event receipt = rejected_event(3, attempt);
    struct engine_run_view view;

    round.u.round.attempt = 3;
    round.u.round.started = true;
    assert_int_equal(add_stale_run(shell, 1, ENGINE_PHASE_RUNNING, 4), MYCEL_OK);
    assert_int_equal(step(shell, &round), MYCEL_OK);
    assert_int_equal(step(shell, &lease), MYCEL_OK);
    assert_int_equal(step(shell, &receipt), MYCEL_OK);
    assert_int_equal(engine_run_view(shell->engine, 0, &view), MYCEL_OK);
    return view.live;
}

/* A lease that was given up for a later one, which has its receipt, holds no seat. */
static void older_lease_stays_given_up(void **state)
{
    assert_int_equal(live_after(*state, 3), 0);
}

static void newer_lease_is_kept(void **state)
{
    assert_int_equal(live_after(*state, 1), 1);
}

/* A store that says that the device was counted, and that it has a lease in the same round. */
static void counted_once_whatever_the_store_says(void **state)
{
    struct engine_event round = round_event();
    struct engine_event lease = lease_event(1, 3, 0);
    struct engine_event share = {.type = ENGINE_EVENT_RESTORE_SHARE};
    struct engine_event restored = {.type = ENGINE_EVENT_RESTORED};
    struct engine_event update = {.type = ENGINE_EVENT_UPDATE};
    struct engine_actions actions;
    struct engine *engine = ((struct shell *)*state)->engine;

    assert_int_equal(add_run(*state, 1, ENGINE_PHASE_RUNNING), MYCEL_OK);
    round.u.round.started = true;
    assert_int_equal(step(*state, &round), MYCEL_OK);
    share.u.share = (struct engine_event_share){1, 1, 1, 3};
    assert_int_equal(engine_step(engine, &share, &actions), MYCEL_OK);
    assert_int_equal(engine_step(engine, &lease, &actions), MYCEL_OK);
    assert_int_equal(engine_step(engine, &restored, &actions), MYCEL_OK);
    update.u.update.device = 1;
    memcpy(update.u.update.key, lease.u.lease.lease.key, PROTO_KEY_BYTES);
    update.u.update.report.run = 1;
    update.u.update.report.round = 3;
    update.u.update.report.samples = 10;
    assert_int_equal(engine_step(engine, &update, &actions), MYCEL_OK);
    assert_int_equal(actions.list[0].type, ENGINE_ACTION_STORE_UPDATE);
    assert_int_equal(actions.list[0].u.update_row.receipt.status, MYCEL_E_EXISTS);
    assert_int_equal(actions.list[0].u.update_row.receipt.counted_round, 0);
}

static void created_paused_or_ended(void **state)
{
    struct engine_run_view view;
    const struct shell *shell = *state;

    script_run(*state, "restored", nowhere);
    assert_int_equal(add_run(*state, 20, ENGINE_PHASE_FINISHED), MYCEL_E_INVALID);
    assert_int_equal(add_run(*state, 1, ENGINE_PHASE_PAUSED), MYCEL_OK);
    assert_int_equal(engine_run_view(shell->engine, 0, &view), MYCEL_OK);
    assert_int_equal(view.state, ENGINE_ROUND_IDLE);
    script_run(*state, "checkin 1", nowhere);
    script_run(*state, "resume 1", nowhere);
    assert_int_equal(engine_run_view(shell->engine, 0, &view), MYCEL_OK);
    assert_int_equal(view.state, ENGINE_ROUND_SELECT);
    assert_int_equal(engine_run_view(shell->engine, 1, &view), MYCEL_E_NOT_FOUND);
}

/* The only slot is that of a stopped run whose version is on its way, then waits for its score. */
static void slot_is_kept_while_it_waits(void **state)
{
    script_run(*state, "restored", nowhere);
    assert_int_equal(add_run(*state, 1, ENGINE_PHASE_RUNNING), MYCEL_OK);
    script_run(*state, "checkin 1", nowhere);
    script_run(*state, "update 1 1/1/1/0", nowhere);
    script_run(*state, "commit", nowhere);
    script_run(*state, "aggregated 1 1 1", nowhere);
    script_run(*state, "stop 1", nowhere);
    assert_int_equal(add_run(*state, 20, ENGINE_PHASE_RUNNING), MYCEL_E_FULL);
    script_run(*state, "commit", nowhere);
    assert_int_equal(add_run(*state, 20, ENGINE_PHASE_RUNNING), MYCEL_E_FULL);
    script_run(*state, "evaluated 1 1", nowhere);
    assert_int_equal(add_run(*state, 2, ENGINE_PHASE_RUNNING), MYCEL_OK);
}

/* Answers of workers that nobody (or an earlier life) asked for change nothing. */
static void unasked_answers(void **state)
{
    static const char *const unasked[] = {"aggregated 9 1 1", "evaluated 9 1", "evaluated 1 1",
                                          "aggregated 1 2 1", "aggregated 1 1 2"};
    struct shell *shell = *state;
    uint64_t batch;

    script_run(shell, "restored", nowhere);
    assert_int_equal(add_run(shell, 1, ENGINE_PHASE_RUNNING), MYCEL_OK);
    script_run(shell, "aggregated 1 1 1", nowhere);
    script_run(shell, "checkin 1", nowhere);
    script_run(shell, "update 1 1/1/1/0", nowhere);
    batch = shell->batch;
    for (size_t i = 0; i < sizeof unasked / sizeof unasked[0]; i++) {
        script_run(shell, unasked[i], nowhere);
        assert_int_equal(shell->batch, batch);
    }
}

/* A refused event leaves even the time as it was: no lease runs out by it. */
static void refused_is_as_if_never_said(void **state)
{
    struct shell *shell = *state;
    struct engine_event stop = {.type = ENGINE_EVENT_RUN_STOPPED};
    struct engine_run_view view;

    script_run(shell, "restored", nowhere);
    assert_int_equal(add_run(shell, 1, ENGINE_PHASE_RUNNING), MYCEL_OK);
    script_run(shell, "checkin 1", nowhere);
    stop.u.run_id = 9;
    shell->now_ms = UINT32_MAX;
    assert_int_equal(step(shell, &stop), MYCEL_E_NOT_FOUND);
    shell->now_ms = 1;
    script_run(shell, "tick", nowhere);
    assert_int_equal(engine_run_view(shell->engine, 0, &view), MYCEL_OK);
    assert_int_equal(view.live, 1);
    assert_int_equal(view.attempt, 1);
}

static void unknown_events(void **state)
{
    struct engine_event event = {.type = (enum engine_event_type)99};

    assert_int_equal(step(*state, &event), MYCEL_E_STATE);
    script_run(*state, "restored", nowhere);
    assert_int_equal(step(*state, &event), MYCEL_E_STATE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(damaged_rounds),          TEST(damaged_leases),
        TEST(too_many_devices),        TEST(attempt_not_known),
        TEST(newest_verdict_stands),   TEST(counted_once_whatever_the_store_says),
        TEST(created_paused_or_ended), TEST(slot_is_kept_while_it_waits),
        TEST(unasked_answers),         TEST(refused_is_as_if_never_said),
        TEST(unknown_events),          TEST(older_lease_stays_given_up),
        TEST(newer_lease_is_kept),
    };

    nowhere = fopen("/dev/null", "w");
    if (nowhere == NULL) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    fclose(nowhere);
    return failed;
}
