/* Frames by hand: bytes from RFC 4944 and RFC 6282, microseconds from IEEE 802.15.4. */
#include "sim/network/radio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_full_frame_takes_its_time(void **state)
{
    (void)state;
    const struct radio *thread = radio_of(RADIO_THREAD);
    /* 127 bytes of 32 us and 6 of preamble; back-off 1120, CCA 128, turnarounds 2 x 192, ack 352,
     * LIFS 640. */
    assert_int_equal(thread->frame_payload_bytes + thread->frame_overhead_bytes, 127);
    assert_int_equal(radio_air_us(thread, 106), 127 * 32 + 192);
    assert_int_equal(radio_attempt_us(thread, 106), 4256 + 1120 + 128 + 192 + 192 + 352 + 640);
    /* 22 bytes of data request. */
    assert_int_equal(radio_poll_air_us(thread), 22 * 32 + 192);
    assert_int_equal(radio_poll_attempt_us(thread), 896 + 2624);
    assert_int_equal(radio_poll_air_us(radio_of(RADIO_WIFI)), 0);
    /* 68 bytes at 27 kbit/s are 20,148.1 us. */
    assert_int_equal(radio_air_us(radio_of(RADIO_LORA), 55), 20149 + 5184);
    /* 251 bytes of PDU with header 2, MIC 4, CRC 3, and 5 bytes in front: 8 us a byte. */
    assert_int_equal(radio_air_us(radio_of(RADIO_BLE), 247), 8 * (251 + 2 + 4 + 3) + 40);
    assert_int_equal(radio_air_us(radio_of(RADIO_IDEAL), 1000), 0);
}

static void frames_are_cut_as_6lowpan_does(void **state)
{
    (void)state;
    static const struct {
        uint32_t bytes;
        uint32_t hops;
        struct radio_frames want;
    } cases[] = {
        {127, 1, {1, 27 + 79, 0, 27 + 79}},                 /* the largest that is not cut */
        {128, 1, {2, 4 + 27 + 72, 5 + 96, 5 + 8}},          /* 80 = 72 + 8 */
        {1280, 1, {14, 4 + 27 + 72, 5 + 96, 5 + 8}},        /* 1232 = 72 + 12 x 96 + 8 */
        {1280, 3, {14, 5 + 4 + 27 + 64, 10 + 96, 10 + 16}}, /* 1232 = 64 + 12 x 96 + 16 */
        {48, 2, {1, 5 + 27, 0, 5 + 27}},                    /* headers only */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct radio_frames got =
            radio_frames(radio_of(RADIO_THREAD), cases[i].bytes, cases[i].hops);
        assert_int_equal(got.count, cases[i].want.count);
        assert_int_equal(got.first_bytes, cases[i].want.first_bytes);
        if (got.count > 1) {
            assert_int_equal(got.next_bytes, cases[i].want.next_bytes);
        }
        assert_int_equal(got.last_bytes, cases[i].want.last_bytes);
    }
}

/* Payload that all frames of a datagram carry, without headers. */
static uint32_t carried(const struct radio *radio, const struct radio_frames *frames, uint32_t hops)
{
    uint32_t mesh = hops > 1 ? radio->mesh_header_bytes : 0;
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < frames->count; i++) {
        uint32_t frame = radio_frame_bytes(frames, i);
        assert_true(frame <= radio->frame_payload_bytes);
        uint32_t fragment = i == 0 ? radio->fragment_first_bytes : radio->fragment_next_bytes;
        bytes += frame - mesh - (frames->count > 1 ? fragment : 0);
    }
    return bytes - radio->ip_bytes;
}

static void no_byte_is_lost_in_any_technology(void **state)
{
    (void)state;
    for (int kind = 0; kind < RADIO_KINDS; kind++) {
        const struct radio *radio = radio_of((enum radio_kind)kind);
        for (uint32_t bytes = RADIO_IP_UDP_BYTES; bytes <= 1280; bytes++) {
            for (uint32_t hops = 1; hops <= 2; hops++) {
                struct radio_frames frames = radio_frames(radio, bytes, hops);
                assert_int_equal(carried(radio, &frames, hops), bytes - RADIO_IP_UDP_BYTES);
            }
        }
    }
}

static void energy_is_power_times_time(void **state)
{
    (void)state;
    const struct radio *thread = radio_of(RADIO_THREAD);
    /* 4.8 mA and 4.6 mA at 3 V. */
    assert_int_equal(radio_active_nj(thread, 1000, 0), 14400);
    assert_int_equal(radio_active_nj(thread, 0, 1000), 13800);
    /* 4.5 uW for an hour, and a poll of 12,902.4 + 16,339.2 nJ each second. */
    uint64_t hour_us = 3600000000u;
    assert_int_equal(radio_sleep_nj(thread, hour_us, 0), 16200000);
    assert_int_equal(radio_sleep_nj(thread, hour_us, 1000000), 16200000 + 3600 * 29241);
    /* What a data sheet's figure contains or a mode excludes is not added again: Wi-Fi's beacons, LTE-M's
     * paging in PSM. A Z-Wave device listens 1 ms each second. */
    assert_int_equal(radio_sleep_nj(radio_of(RADIO_WIFI), hour_us, 307200), 2970000ull * 3600);
    assert_int_equal(radio_sleep_nj(radio_of(RADIO_LTE_M), hour_us, 320000), 9990 * 3600);
    assert_int_equal(radio_sleep_nj(radio_of(RADIO_ZWAVE), hour_us, 1000000), 37300 * 3600);
    /* A year does not overflow: 2.97 mW for 31,536,000 s are 93,661 J. */
    assert_int_equal(radio_sleep_nj(radio_of(RADIO_WIFI), 8760 * hour_us, 0) / 1000000000u, 93661);
}

static void rows_are_found_by_name(void **state)
{
    (void)state;
    for (int kind = 0; kind < RADIO_KINDS; kind++) {
        const struct radio *radio = radio_of((enum radio_kind)kind);
        assert_ptr_equal(radio_find(radio->name), radio);
        assert_true(radio->channels >= 1 && radio->fragment_unit >= 1);
        assert_true(radio->mtu_bytes >= 1280);
    }
    assert_null(radio_find("smoke"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_frame_takes_its_time),
        cmocka_unit_test(frames_are_cut_as_6lowpan_does),
        cmocka_unit_test(no_byte_is_lost_in_any_technology),
        cmocka_unit_test(energy_is_power_times_time),
        cmocka_unit_test(rows_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
