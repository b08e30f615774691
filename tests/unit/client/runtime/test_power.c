/* The power goes at every operation of the store, before and after it, with and without the unsynced
 * writes surviving. Whatever was made durable is used, an encoded update is never trained again, and it
 * arrives byte for byte as it was encoded. */
#include "fake.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define HOUR 3600000u

static uint8_t encoded[FAKE_BODY_MAX];

/* Runs one round with one cut. False when the operation number was never reached. */
static bool run_with_cut(const struct fake_cut *cut)
{
    struct fake_world *w = fake_world(9000, CODEC_F32);
    w->net.delay_min_ms = w->net.delay_max_ms = 1500; /* progress is persisted on the way */
    uint32_t base = w->disk.operations;
    *(cut->after ? &w->disk.cut_after : &w->disk.cut_before) = base + cut->operation;
    w->disk.keeps_unsynced = cut->keeps_unsynced;
    if (setjmp(w->disk.power) == 0) {
        bool done = fake_run_round(w, HOUR);
        w->disk.cut_before = w->disk.cut_after = 0;
        assert_true(done);
        return false;
    }
    const struct fake_file *journal = &w->disk.safe[MYCEL_AREA_JOURNAL];
    bool was_encoded = journal->bytes > 3 && journal->data[3] == CLIENT_PHASE_ENCODED;
    uint32_t bytes = w->disk.safe[MYCEL_AREA_BODY].bytes;
    memcpy(encoded, w->disk.safe[MYCEL_AREA_BODY].data, sizeof encoded);
    unsigned trained = w->trainer.completed;
    bool was_done = w->coordinator.done;

    fake_reboot(w);
    if (was_done && !was_encoded) {
        fake_run(w, HOUR); /* the receipt was already written down: nothing is left to be done */
        assert_int_equal(w->trainer.completed, trained);
    } else {
        assert_true(fake_run_round(w, HOUR));
        assert_int_equal(w->trainer.completed, was_encoded ? trained : trained + 1u);
    }
    assert_int_equal(w->coordinator.commits, 1);
    if (was_encoded) {
        assert_int_equal(w->coordinator.first_bytes, bytes);
        assert_memory_equal(w->coordinator.first_body, encoded, bytes);
    }
    assert_int_equal(w->disk.safe[MYCEL_AREA_JOURNAL].data[3], CLIENT_PHASE_NONE);
    return true;
}

static void test_power_cut_at_every_operation(void **state)
{
    (void)state;
    fake_cut_everywhere(run_with_cut, 50, 70);
}

/* Killed while the blocks are on their way: nothing is retrained, what arrived is not sent again. */
static void test_killed_during_upload(void **state)
{
    (void)state;
    for (uint32_t sent = 1; sent < 30; sent += 3) {
        struct fake_world *w = fake_world(8000, CODEC_F32); /* 32 blocks */
        assert_true(fake_run_until(w, MYCEL_CLIENT_UPLOAD, HOUR));
        while (w->coordinator.puts < sent) {
            fake_run(w, 10);
        }
        uint32_t puts = w->coordinator.puts;
        fake_reboot(w);
        assert_true(fake_run_round(w, HOUR));
        assert_int_equal(w->trainer.completed, 1);
        assert_int_equal(w->coordinator.commits, 1);
        assert_int_equal(w->coordinator.puts, puts < 32 ? 32 : puts);
    }
}

static void test_killed_during_download(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(20000, CODEC_INT8); /* 79 blocks */
    w->net.delay_min_ms = w->net.delay_max_ms = 1000;
    assert_true(fake_run_until(w, MYCEL_CLIENT_FETCH, HOUR));
    fake_run(w, 15500);
    uint32_t asked = w->net.send_count;
    assert_in_range(asked, 50, 70);
    fake_reboot(w);
    assert_true(fake_run_until(w, MYCEL_CLIENT_TRAIN, HOUR));
    /* At most the blocks of the last five seconds and the four in flight are asked for again. */
    assert_in_range(w->net.send_count, 1 + 79 + 4, 1 + 79 + 5 * 4 + 4);
    assert_int_equal(w->coordinator.checkins, 1);
}

static void test_killed_before_the_receipt_arrives(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(3000, CODEC_F32);
    while (!w->coordinator.done) {
        fake_run(w, 1);
    }
    fake_reboot(w);
    assert_true(fake_run_round(w, HOUR));
    assert_int_equal(w->coordinator.commits, 1);
    assert_int_equal(w->coordinator.puts, 12);
    assert_int_equal(w->trainer.completed, 1);
}

static void test_many_reboots(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(9000, CODEC_F32);
    uint64_t chance = 7;
    for (int i = 0; i < 60 && w->events[MYCEL_EVENT_RECEIPT] == 0; i++) {
        chance = chance * 6364136223846793005u + 1;
        fake_run(w, 20 + (chance >> 33) % 150);
        if (w->events[MYCEL_EVENT_RECEIPT] == 0) {
            fake_reboot(w);
        }
    }
    assert_true(w->events[MYCEL_EVENT_RECEIPT] > 0 || fake_run_round(w, HOUR));
    assert_int_equal(w->coordinator.commits, 1);
}

/* A journal of which any bit was flipped is discarded or means the same; nothing breaks. */
static void test_damaged_journal(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(1000, CODEC_F32);
    assert_true(fake_run_until(w, MYCEL_CLIENT_ENCODED, HOUR));
    struct fake_file good = w->disk.safe[MYCEL_AREA_JOURNAL];
    assert_int_equal(good.data[3], CLIENT_PHASE_ENCODED);
    for (uint32_t bit = 0; bit < good.bytes * 8u; bit++) {
        w->disk.safe[MYCEL_AREA_JOURNAL] = good;
        w->disk.safe[MYCEL_AREA_JOURNAL].data[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
        fake_reboot(w);
        assert_int_equal(mycel_client_state(&w->client), MYCEL_CLIENT_SLEEP);
    }
    for (uint32_t bytes = 0; bytes < good.bytes; bytes++) {
        w->disk.safe[MYCEL_AREA_JOURNAL] = good;
        w->disk.safe[MYCEL_AREA_JOURNAL].bytes = bytes;
        fake_reboot(w);
        assert_int_equal(mycel_client_state(&w->client), MYCEL_CLIENT_SLEEP);
    }
    w->disk.safe[MYCEL_AREA_JOURNAL] = good;
    fake_reboot(w);
    assert_int_equal(mycel_client_state(&w->client), MYCEL_CLIENT_ENCODED);
}

static void test_body_that_vanished(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(1000, CODEC_F32);
    assert_true(fake_run_until(w, MYCEL_CLIENT_ENCODED, HOUR));
    w->disk.safe[MYCEL_AREA_BODY].bytes = 100;
    fake_reboot(w);
    fake_run(w, 500);
    assert_int_equal(w->last_problem, MYCEL_E_CORRUPT);
    assert_true(fake_run_round(w, HOUR)); /* the lease still lives: the work is done once more */
    assert_int_equal(w->trainer.completed, 2);
}

static void test_disk_errors(void **state)
{
    (void)state;
    for (int at = MYCEL_CLIENT_CHECKIN; at <= MYCEL_CLIENT_UPLOAD; at++) {
        struct fake_world *w = fake_world(3000, CODEC_F32);
        assert_true(fake_run_until(w, (enum mycel_client_state)at, HOUR));
        w->disk.error = MYCEL_E_DISK_FULL;
        fake_run(w, HOUR);
        assert_true(w->net.send_count < 600); /* it keeps trying, at the pace of the backoff */
        w->disk.error = 0;
        fake_run(w, HOUR);
        assert_int_equal(w->coordinator.commits, 1);
        assert_int_equal(w->disk.safe[MYCEL_AREA_JOURNAL].data[3], CLIENT_PHASE_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cut_at_every_operation),
        cmocka_unit_test(test_killed_during_upload),
        cmocka_unit_test(test_killed_during_download),
        cmocka_unit_test(test_killed_before_the_receipt_arrives),
        cmocka_unit_test(test_many_reboots),
        cmocka_unit_test(test_damaged_journal),
        cmocka_unit_test(test_body_that_vanished),
        cmocka_unit_test(test_disk_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
