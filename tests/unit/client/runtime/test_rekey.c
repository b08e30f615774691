/* Another key: what the client asks and keeps when the coordinator says that one is due, and that no round
 * is lost by it, whatever goes wrong. */
#include "fake.h"

#include "proto/enrol.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define MINUTE 60000u

/* The coordinator's side of it, and the device's key file. */
static struct {
    uint8_t share[MYCEL_SHARE_BYTES];
    uint8_t key[MYCEL_KEY_BYTES]; /* as the device wrote it down */
    unsigned shares;
    unsigned replaced;
    unsigned asked; /* POST /k that arrived */
    int share_error;
    int replace_error;
    uint8_t code; /* of the answer */
    bool due;
    bool garbled;
} ring;

static int give_share(void *ctx, uint8_t share[MYCEL_SHARE_BYTES])
{
    (void)ctx;
    ring.shares++;
    memcpy(share, ring.share, sizeof ring.share);
    return ring.share_error;
}

static int replace(void *ctx, const uint8_t key[MYCEL_KEY_BYTES])
{
    (void)ctx;
    if (ring.replace_error == 0) {
        ring.replaced++;
        memcpy(ring.key, key, sizeof ring.key);
    }
    return ring.replace_error;
}

static const struct mycel_keyring keyring = {give_share, replace};
static const uint8_t coordinator_share[PROTO_SHARE_BYTES] = {7, 7, 7};

static void tamper(struct fake_world *w, const struct mycel_request *q, struct mycel_response *r,
                   uint8_t *payload)
{
    (void)w;
    if (q->path[0][0] == 'c' && r->code == CODE_2_04 && ring.due) {
        mycel_CheckInReply reply;
        assert_int_equal(WIRE_DECODE(mycel_CheckInReply, &reply, payload, r->payload_bytes), 0);
        reply.rekey = true;
        int n = WIRE_ENCODE(mycel_CheckInReply, &reply, payload, PROTO_MESSAGE_BYTES_MAX);
        assert_true(n > 0);
        r->payload_bytes = (size_t)n;
    }
    if (q->path[0][0] != 'k') {
        return;
    }
    mycel_Rekey asked;
    assert_int_equal(q->method, MYCEL_POST);
    assert_int_equal(WIRE_DECODE(mycel_Rekey, &asked, q->payload, q->payload_bytes), 0);
    assert_memory_equal(asked.share, ring.share, sizeof ring.share);
    mycel_Rekeyed answer = mycel_Rekeyed_init_zero;
    memcpy(answer.share, coordinator_share, sizeof answer.share);
    int n = WIRE_ENCODE(mycel_Rekeyed, &answer, payload, PROTO_MESSAGE_BYTES_MAX);
    assert_true(n > 0);
    r->payload_bytes = ring.garbled ? (size_t)n - 1u : (size_t)n;
    r->code = ring.code;
    r->content_format = PROTO_FORMAT_MESSAGE;
    ring.asked++;
    ring.due = ring.code != CODE_2_04 || ring.garbled || ring.replace_error < 0;
}

static struct fake_world *world_with_ring(void)
{
    struct fake_world *w = fake_world(3000, CODEC_F32);
    memset(&ring, 0, sizeof ring);
    memset(ring.share, 5, sizeof ring.share);
    ring.code = CODE_2_04;
    ring.due = true;
    w->port.keyring = &keyring;
    w->coordinator.tamper = tamper;
    return w;
}

static void expect_new_key(void)
{
    uint8_t expected[PROTO_PSK_BYTES];
    enrol_next_key(ring.share, coordinator_share, expected);
    assert_int_equal(ring.replaced, 1);
    assert_memory_equal(ring.key, expected, sizeof expected);
}

static void test_with_a_lease(void **state)
{
    (void)state;
    struct fake_world *w = world_with_ring();
    assert_true(fake_run_round(w, MINUTE));
    expect_new_key();
    assert_int_equal(w->net.opens, 2); /* the second with the new key */
    assert_int_equal(w->coordinator.checkins, 1);
    assert_int_equal(w->coordinator.commits, 1);
    assert_int_equal(w->events[MYCEL_EVENT_REKEYED], 1);
    assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 0);
    assert_int_equal(w->net.sends[1].resource, 'k'); /* before anything else is done */
    assert_int_equal(w->net.send_count, 1 + 1 + 12 + 12);
}

/* A device that is told to sleep makes its key first, and sleeps as long as it was told. */
static void test_with_a_window(void **state)
{
    (void)state;
    struct fake_world *w = world_with_ring();
    w->coordinator.has_work = false;
    fake_run(w, 15000);
    expect_new_key();
    assert_int_equal(w->coordinator.checkins, 1);
    assert_int_equal(mycel_client_state(&w->client), MYCEL_CLIENT_SLEEP);
    fake_run(w, 20000);
    assert_int_equal(w->coordinator.checkins, 2);
    assert_int_equal(w->net.opens, 2);
    for (uint32_t i = 0; i < w->net.send_count; i++) {
        assert_true(w->net.sends[i].resource != 'c' || w->net.sends[i].at_ms < 2000 ||
                    w->net.sends[i].at_ms >= 21000);
    }
}

static void test_devices_that_cannot(void **state)
{
    (void)state;
    struct fake_world *w = world_with_ring();
    w->port.keyring = NULL;
    assert_true(fake_run_round(w, MINUTE));
    assert_int_equal(ring.asked, 0);
    w = world_with_ring();
    ring.share_error = MYCEL_E_PERMISSION;
    assert_true(fake_run_round(w, MINUTE));
    assert_int_equal(ring.asked, 0);
    assert_int_equal(w->net.opens, 1);
    assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 0);
    struct mycel_keyring half = {give_share, NULL};
    struct mycel_port port = w->port;
    struct mycel_client other;
    port.keyring = &half;
    assert_int_equal(mycel_client_init(&other, &port, &w->config, 0), MYCEL_E_INVALID);
}

/* The old key stays, the round is done with it, and the next check-in asks again. */
static void test_failures(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct fake_world *w = world_with_ring();
        ring.code = i == 0 ? CODE_4_04 : i == 1 ? CODE_5_03 : CODE_2_04;
        ring.garbled = i == 2;
        ring.replace_error = i == 3 ? MYCEL_E_DISK_FULL : 0;
        assert_true(fake_run_round(w, MINUTE));
        assert_int_equal(ring.asked, 1);
        assert_int_equal(ring.replaced, 0);
        assert_int_equal(w->net.opens, 1);
        assert_int_equal(w->coordinator.commits, 1);
        ring.code = CODE_2_04;
        ring.garbled = false;
        ring.replace_error = 0;
        fake_next_round(w);
        assert_true(fake_run_round(w, MINUTE));
        expect_new_key();
        assert_int_equal(w->coordinator.commits, 2);
    }
}

/* Every message of the round is lost once, a key or not: the round is done. */
static void test_every_loss(void **state)
{
    (void)state;
    for (uint32_t lost = 1; lost <= 8; lost++) {
        struct fake_world *w = world_with_ring();
        w->net.lose_message = lost;
        assert_true(fake_run_round(w, 3 * MINUTE));
        assert_int_equal(w->coordinator.commits, 1);
        assert_true(ring.replaced <= 1);
    }
}

/* Silence in the middle of it: the session is given up, the lease is not. */
static void test_silence(void **state)
{
    (void)state;
    struct fake_world *w = world_with_ring();
    assert_true(fake_run_until(w, MYCEL_CLIENT_REKEY, MINUTE));
    w->net.forgotten = true;
    assert_true(fake_run_round(w, 3 * MINUTE));
    assert_int_equal(w->coordinator.commits, 1);
    assert_int_equal(w->coordinator.checkins, 1);
}

/* Off and on again in the middle: the lease is in the journal. */
static void test_reboot(void **state)
{
    (void)state;
    struct fake_world *w = world_with_ring();
    assert_true(fake_run_until(w, MYCEL_CLIENT_REKEY, MINUTE));
    fake_reboot(w);
    assert_true(fake_run_round(w, 3 * MINUTE));
    assert_int_equal(w->coordinator.commits, 1);
    ring.due = true; /* nobody has come with the next key */
    fake_next_round(w);
    assert_true(fake_run_round(w, MINUTE));
    expect_new_key();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_a_lease),
        cmocka_unit_test(test_with_a_window),
        cmocka_unit_test(test_devices_that_cannot),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_every_loss),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_reboot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
