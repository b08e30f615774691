/* Datagrams through radios, microsecond by microsecond; contention, waiting, losing. */
#include "sim/network/link.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* One 802.15.4 frame of 127 bytes on the air, and its attempt with back-off, acknowledgement and
 * spacing (test_radio.c). */
#define FULL_AIR 4256
#define FULL 6880
#define ACK 352
#define FULL_BYTES 127 /* of a datagram that fills one frame: 48 become 27, and 79 of payload */

static struct link_medium medium;
static struct link_state devices[4];
static struct link_path path;
static struct link_result result;
static uint64_t draw_key;

static int reset(void **state)
{
    (void)state;
    memset(&medium, 0, sizeof medium);
    memset(devices, 0, sizeof devices);
    path = (struct link_path){.hops = 1};
    draw_key = 0;
    return 0;
}

static uint64_t move(enum radio_kind kind, int device, uint32_t bytes, bool down, uint64_t now_us)
{
    struct link link = {radio_of(kind), &path, &medium, &devices[device], 300000};
    struct link_datagram datagram = {bytes, down, ++draw_key};
    link_send(&link, &datagram, now_us, &result);
    return result.at_us;
}

static uint64_t up(enum radio_kind kind, int device, uint32_t bytes, uint64_t now_us)
{
    return move(kind, device, bytes, false, now_us);
}

static uint64_t down(enum radio_kind kind, int device, uint32_t bytes, uint64_t now_us)
{
    return move(kind, device, bytes, true, now_us);
}

static void one_full_frame(void **state)
{
    (void)state;
    assert_int_equal(up(RADIO_THREAD, 0, FULL_BYTES, 1000), 1000 + FULL);
    assert_int_equal(result.fate, LINK_DELIVERED);
    assert_int_equal(result.frames, 1);
    assert_int_equal(result.bytes_air, 127);
    assert_int_equal(result.airtime_us, FULL_AIR + ACK);
    assert_int_equal(result.tx_us, FULL_AIR);
    assert_int_equal(result.rx_us, ACK);
    assert_int_equal(medium.busy_us, FULL);
    assert_int_equal(medium.airtime_us, FULL_AIR + ACK);
    /* Down: the device receives the frame and sends the acknowledgement. */
    assert_int_equal(down(RADIO_THREAD, 0, FULL_BYTES, 20000), 20000 + FULL);
    assert_int_equal(result.tx_us, ACK);
    assert_int_equal(result.rx_us, FULL_AIR);
    assert_int_equal(medium.datagrams, 2);
    assert_int_equal(medium.frames, 2);
    assert_int_equal(medium.lost, 0);
}

static void a_long_datagram_is_fourteen_fragments(void **state)
{
    (void)state;
    /* Frames of 124, 12 x 122 and 34 bytes: 32 us a byte, 192 in front, 2,624 around. */
    uint64_t want = (124 + 12 * 122 + 34) * 32 + 14 * (192 + 2624);
    assert_int_equal(want, 91328);
    assert_int_equal(up(RADIO_THREAD, 0, 1280, 0), want);
    assert_int_equal(result.frames, 14);
    assert_int_equal(result.bytes_air, 124 + 12 * 122 + 34);
}

static void every_hop_takes_the_channel(void **state)
{
    (void)state;
    path.hops = 3;
    /* 12 bytes of payload, 27 of headers, 5 of mesh header, 21 of MAC: 65. */
    uint64_t attempt = 65 * 32 + 192 + 2624;
    assert_int_equal(up(RADIO_THREAD, 0, 60, 0), 3 * attempt);
    assert_int_equal(result.frames, 3);
    assert_int_equal(result.airtime_us, 3 * (65 * 32 + 192 + ACK));
    assert_int_equal(result.tx_us, 65 * 32 + 192); /* the device's own hop only */
}

static void devices_of_a_gateway_wait_for_each_other(void **state)
{
    (void)state;
    assert_int_equal(up(RADIO_THREAD, 0, FULL_BYTES, 0), FULL);
    assert_int_equal(up(RADIO_THREAD, 1, FULL_BYTES, 0), 2 * FULL);
    assert_int_equal(down(RADIO_THREAD, 2, FULL_BYTES, 100), 3 * FULL);
    assert_int_equal(up(RADIO_THREAD, 1, FULL_BYTES, 3 * FULL), 4 * FULL); /* idle again */
    /* Another gateway's channel is another one. */
    struct link_medium other = {0};
    struct link link = {radio_of(RADIO_THREAD), &path, &other, &devices[3], 0};
    link_send(&link, &(struct link_datagram){FULL_BYTES, false, 1}, 0, &result);
    assert_int_equal(result.at_us, FULL);
}

static void a_saturated_channel_has_one_throughput(void **state)
{
    (void)state;
    /* However many send: n datagrams take n times as long as one. */
    uint64_t last = 0;
    for (int i = 0; i < 40; i++) {
        last = up(RADIO_THREAD, i % 4, 1280, 0);
    }
    assert_int_equal(last, 40 * 91328);
    assert_int_equal(medium.busy_us, last);
}

static void sleepy_devices_fetch_at_their_poll(void **state)
{
    (void)state;
    path.poll_us = 1000000; /* at 0.3 s of every second */
    uint64_t poll_air = 22 * 32 + 192;
    uint64_t at = down(RADIO_THREAD, 0, FULL_BYTES, 400000);
    assert_int_equal(at, 1300000 + poll_air + 2624 + FULL);
    assert_int_equal(result.tx_us, poll_air + ACK);
    assert_int_equal(result.rx_us, ACK + FULL_AIR);
    assert_int_equal(result.airtime_us, poll_air + ACK + FULL_AIR + ACK);
    /* Meanwhile the channel is everybody's. */
    assert_int_equal(up(RADIO_THREAD, 1, FULL_BYTES, 500000), 500000 + FULL);
    /* Two that wait for the same poll come one after the other. */
    assert_int_equal(down(RADIO_THREAD, 0, FULL_BYTES, 600000), at + poll_air + 2624 + FULL);
}

static void after_its_own_traffic_a_device_listens(void **state)
{
    (void)state;
    path.poll_us = 320000;                         /* at 300, 620, 940 … ms */
    uint64_t air = (48 + 52 + 5) * 8 * 1000 / 375; /* us */
    uint64_t sent = up(RADIO_LTE_M, 0, 100, 1000000);
    assert_int_equal(sent, 1000000 + air + 50000);
    assert_int_equal(down(RADIO_LTE_M, 0, 100, 1100000), 1100000 + 50000 + air);
    /* 50 ms of latency end at 1.35 s, after the 200 ms: the next poll is at 1.58. */
    assert_int_equal(down(RADIO_LTE_M, 0, 100, 1300000), 1580000 + air);
}

static void lora_is_silent_after_a_frame(void **state)
{
    (void)state;
    uint64_t air = 20149 + 5184; /* 68 bytes: test_radio.c */
    assert_int_equal(up(RADIO_LORA, 0, 100, 0), air);
    assert_int_equal(devices[0].up_free_ms, (100 * air + 999) / 1000);
    assert_int_equal(up(RADIO_LORA, 0, 100, 30000), 2534000 + air);
    assert_int_equal(result.tx_us, air);
    /* One of the gateway's eight channels was taken; another device is not held up by it. */
    assert_int_equal(up(RADIO_LORA, 1, 100, 40000), 40000 + air);
    /* Downlink: the gateway sends a tenth of the time. */
    assert_int_equal(down(RADIO_LORA, 2, 100, 4000000), 4000000 + air);
    assert_int_equal(down(RADIO_LORA, 3, 100, 4000000), 4000000 + 10 * air + air);
    /* A datagram of several frames takes a pause after each: 1232 + 3 bytes, 241 a frame. */
    uint64_t full = 5184 + (8 * 255 * 1000 + 26) / 27;
    uint64_t last = 5184 + (8 * (13 + 1 + 1235 - 5 * 241) * 1000 + 26) / 27;
    assert_int_equal(up(RADIO_LORA, 3, 1280, 10000000), 10000000 + 5 * 100 * full + last);
    assert_int_equal(result.frames, 6);
}

static void a_gateway_of_lora_carries_its_eight_channels(void **state)
{
    (void)state;
    /* A thousand devices, a datagram of six frames every 95 ms for 95 s:
     * 1,000 x 6 frames of about 80 ms over eight channels are 60 s of the channel. */
    uint64_t busy_us = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        devices[0] = (struct link_state){0};
        up(RADIO_LORA, 0, 1280, 1000000000 + i * 95000);
        assert_int_equal(result.fate, LINK_DELIVERED);
        busy_us += result.airtime_us / 8;
    }
    assert_in_range(medium.busy_us, busy_us, busy_us + 6000);
    assert_in_range(busy_us, 50000000, 62000000);
    /* A device that sends all the time is held up by its duty cycle, then by its queue. */
    enum link_fate fates[4];
    for (int i = 0; i < 4; i++) {
        up(RADIO_LORA, 1, 1280, 2000000000);
        fates[i] = result.fate;
    }
    assert_int_equal(fates[0], LINK_DELIVERED);
    assert_int_equal(fates[1], LINK_DELIVERED); /* about 45 s later */
    assert_int_equal(fates[2], LINK_LOST_QUEUE);
    assert_int_equal(fates[3], LINK_LOST_QUEUE);
}

static void bluetooth_waits_for_a_connection_event(void **state)
{
    (void)state;
    uint64_t attempt = 8 * (13 + 29 + 52) + 40 + 80 + 300;
    assert_int_equal(up(RADIO_BLE, 0, 100, 10000), 30000 + attempt);
    assert_int_equal(up(RADIO_BLE, 0, 100, 90000), 90000 + attempt);
}

static void the_backhaul_is_a_bottleneck(void **state)
{
    (void)state;
    path.backhaul_bps = 100000;
    path.backhaul_latency_us = 20000;
    /* 1,280 bytes at 100 kbit/s: 102.4 ms. */
    assert_int_equal(up(RADIO_IDEAL, 0, 1280, 0), 102400 + 20000);
    assert_int_equal(up(RADIO_IDEAL, 1, 1280, 0), 2 * 102400 + 20000);
    assert_int_equal(down(RADIO_IDEAL, 0, 1280, 0), 102400 + 20000); /* each way its own */
    assert_int_equal(down(RADIO_THREAD, 0, FULL_BYTES, 300000), 300000 + 10160 + 20000 + FULL);
    assert_int_equal(up(RADIO_THREAD, 0, FULL_BYTES, 400000), 400000 + FULL + 10160 + 20000);
}

static void what_does_not_pass(void **state)
{
    (void)state;
    medium.down_until_us = 5000;
    assert_int_equal(up(RADIO_THREAD, 0, 100, 4999), 4999);
    assert_int_equal(result.fate, LINK_LOST_OUTAGE);
    up(RADIO_THREAD, 0, 1281, 5000);
    assert_int_equal(result.fate, LINK_LOST_MTU);
    path.mtu_bytes = 90;
    down(RADIO_THREAD, 0, 91, 5000);
    assert_int_equal(result.fate, LINK_LOST_MTU);
    assert_int_equal(medium.airtime_us, 0);
    path.mtu_bytes = 0;
    path.queue_us_max = 2 * FULL;
    for (int i = 0; i < 3; i++) {
        up(RADIO_THREAD, i, FULL_BYTES, 5000);
        assert_int_equal(result.fate, LINK_DELIVERED);
    }
    up(RADIO_THREAD, 3, FULL_BYTES, 5000);
    assert_int_equal(result.fate, LINK_LOST_QUEUE);
    assert_int_equal(result.airtime_us, 0);
    assert_int_equal(medium.datagrams, 7);
    assert_int_equal(medium.lost, 4);
}

static void a_lost_frame_is_repeated_three_times(void **state)
{
    (void)state;
    path.loss = (struct loss_model){.good = UINT32_MAX, .bad = UINT32_MAX, .step_ms = 10};
    path.hops = 2;
    assert_int_equal(up(RADIO_THREAD, 0, 1280, 0), 4 * (121 * 32 + 192 + 2624));
    assert_int_equal(result.fate, LINK_LOST_FRAME); /* and the other fragments are not sent */
    assert_int_equal(result.frames, 4);
    assert_int_equal(result.airtime_us, 4 * (121 * 32 + 192)); /* nobody acknowledged */
    assert_int_equal(result.rx_us, 4 * ACK);                   /* but the device listened */
    assert_int_equal(medium.lost, 1);
}

static void losses_multiply_as_they_should(void **state)
{
    (void)state;
    path.loss = (struct loss_model){.good = 1u << 31, .bad = 1u << 31, .step_ms = 10};
    path.hops = 2;
    uint32_t lost = 0;
    uint64_t frames = 0;
    for (uint64_t i = 0; i < 40000; i++) {
        up(RADIO_THREAD, 0, 60, i * 100000);
        lost += result.fate == LINK_LOST_FRAME;
        frames += result.frames;
    }
    /* A hop fails with 1/16 after 15/8 attempts on average; the second hop follows the first. */
    double want_lost = 40000 * (1 - 15.0 / 16 * 15.0 / 16);
    double want_frames = 40000 * 1.875 * (1 + 15.0 / 16);
    assert_true(lost > want_lost * 0.96 && lost < want_lost * 1.04);
    assert_true((double)frames > want_frames * 0.99 && (double)frames < want_frames * 1.01);
    assert_int_equal(medium.frames, frames);
    assert_int_equal(medium.lost, lost);
}

static void the_same_draws_give_the_same_bytes(void **state)
{
    (void)state;
    path.loss = (struct loss_model){1u << 26, 1u << 30, 1u << 28, 1u << 31, 10};
    path.hops = 3;
    struct link_result first[100];
    for (int pass = 0; pass < 2; pass++) {
        reset(NULL);
        path.loss = (struct loss_model){1u << 26, 1u << 30, 1u << 28, 1u << 31, 10};
        path.hops = 3;
        for (uint64_t i = 0; i < 100; i++) {
            up(RADIO_THREAD, (int)(i % 4), 1280, i * 50000);
            if (pass == 0) {
                first[i] = result;
            } else {
                assert_int_equal(result.fate, first[i].fate);
                assert_int_equal(result.at_us, first[i].at_us);
                assert_int_equal(result.airtime_us, first[i].airtime_us);
            }
        }
    }
}

static void a_device_is_remembered_for_weeks(void **state)
{
    (void)state;
    /* Stamps are modulo 2^32 ms: the wait is right across the wrap, and forgotten long after. */
    uint64_t wrap_us = (1ull << 32) * 1000u;
    uint64_t air = 20149 + 5184;
    up(RADIO_LORA, 0, 100, wrap_us - 3600000000u);
    up(RADIO_LORA, 0, 100, wrap_us - 1000000);
    uint64_t next = up(RADIO_LORA, 0, 100, wrap_us - 500000);
    assert_in_range(next, wrap_us - 1000000 + 100 * air,
                    wrap_us - 1000000 + 100 * air + air + 1000);
    uint64_t later = wrap_us + 20ull * 86400 * 1000000;
    assert_int_equal(up(RADIO_LORA, 0, 100, later), later + air);
    later += 30ull * 86400 * 1000000;
    assert_int_equal(up(RADIO_LORA, 0, 100, later), later + air);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_full_frame, reset),
        cmocka_unit_test_setup(a_long_datagram_is_fourteen_fragments, reset),
        cmocka_unit_test_setup(every_hop_takes_the_channel, reset),
        cmocka_unit_test_setup(devices_of_a_gateway_wait_for_each_other, reset),
        cmocka_unit_test_setup(a_saturated_channel_has_one_throughput, reset),
        cmocka_unit_test_setup(sleepy_devices_fetch_at_their_poll, reset),
        cmocka_unit_test_setup(after_its_own_traffic_a_device_listens, reset),
        cmocka_unit_test_setup(lora_is_silent_after_a_frame, reset),
        cmocka_unit_test_setup(a_gateway_of_lora_carries_its_eight_channels, reset),
        cmocka_unit_test_setup(bluetooth_waits_for_a_connection_event, reset),
        cmocka_unit_test_setup(the_backhaul_is_a_bottleneck, reset),
        cmocka_unit_test_setup(what_does_not_pass, reset),
        cmocka_unit_test_setup(a_lost_frame_is_repeated_three_times, reset),
        cmocka_unit_test_setup(losses_multiply_as_they_should, reset),
        cmocka_unit_test_setup(the_same_draws_give_the_same_bytes, reset),
        cmocka_unit_test_setup(a_device_is_remembered_for_weeks, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
