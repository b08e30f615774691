/* Sessions that idle become bytes and come back with the next record, wherever it comes from. */
#include "server/net/net.h"

#include <string.h>

#include "tests/unit/server/net/coap_message.h"
#include "tests/unit/server/net/fixture.h"

#define DEVICES 12u
#define LIVE 4u

struct crowd {
    struct fixture f;
    struct client c[DEVICES];
};

static void crowd_open(struct crowd *s, bool cid)
{
    struct reply r;
    fixture_init(&s->f);
    s->f.config.live_max = LIVE;
    fixture_open(&s->f);
    for (unsigned i = 0; i < DEVICES; i++) {
        client_init(&s->c[i], &s->f, i, cid);
        client_connect(&s->c[i]);
        ask_simple(&s->c[i], NET_GET, "first", &r);
        assert_code(&r, 2, 5);
    }
}

static void crowd_close(struct crowd *s)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        client_deinit(&s->c[i]);
    }
    fixture_deinit(&s->f);
}

/* More devices than live sessions, in turn: everybody is served, by identity, again and again. */
static void test_more_devices_than_live_sessions(void **state)
{
    (void)state;
    for (int cid = 0; cid < 2; cid++) {
        struct crowd s;
        crowd_open(&s, cid != 0);
        assert_int_equal(fixture_stats(&s.f).sessions, DEVICES);
        assert_int_equal(fixture_stats(&s.f).sessions_parked, DEVICES - LIVE);
        for (unsigned i = 0; i < 3 * DEVICES; i++) {
            struct reply r;
            s.f.requests = 0;
            ask_simple(&s.c[i % DEVICES], NET_GET, "again", &r);
            assert_code(&r, 2, 5);
            char name[16];
            device_name(i % DEVICES, name);
            assert_string_equal(s.f.seen[0].identity, name);
            assert_int_equal(fixture_stats(&s.f).sessions_parked, DEVICES - LIVE);
        }
        struct net_stats stats = fixture_stats(&s.f);
        assert_int_equal(stats.handshakes, DEVICES);
        assert_int_equal(stats.unparked, 3 * DEVICES);
        crowd_close(&s);
    }
}

static void test_parked_session_moves(void **state)
{
    (void)state;
    struct crowd s;
    struct reply r;
    crowd_open(&s, true);
    for (unsigned i = 0; i < DEVICES; i++) {
        (void)client_rebind(&s.c[i], 0);
        ask_simple(&s.c[i], NET_GET, "moved", &r);
        assert_code(&r, 2, 5);
    }
    assert_int_equal(fixture_stats(&s.f).rebinds, DEVICES);
    crowd_close(&s);
}

/* A repetition that comes after parking still gets the cached reply. */
static void test_parked_session_keeps_its_reply(void **state)
{
    (void)state;
    struct crowd s;
    struct writer w;
    struct reply r;
    crowd_open(&s, true);
    write_begin(&w, CON, NET_POST, 4711, "t");
    write_path(&w, "c");
    ask(&s.c[0], &w, &r);
    for (unsigned i = 1; i < DEVICES; i++) {
        struct reply other;
        ask_simple(&s.c[i], NET_GET, "push", &other);
    }
    unsigned before = s.f.requests;
    struct reply again;
    ask(&s.c[0], &w, &again);
    assert_int_equal(again.payload_bytes, r.payload_bytes);
    assert_memory_equal(again.payload, r.payload, r.payload_bytes);
    assert_int_equal(s.f.requests, before);
    crowd_close(&s);
}

/* The replay window is part of what is parked. */
static void test_parked_session_refuses_replays(void **state)
{
    (void)state;
    struct crowd s;
    uint8_t bytes[DATAGRAM_BYTES];
    crowd_open(&s, true);
    unsigned before = s.f.requests;
    for (unsigned i = 0; i < 3; i++) { /* device 0 is parked; its last record again */
        client_send_raw(&s.c[1], s.c[0].last, s.c[0].last_bytes);
        assert_int_equal(client_receive_raw(&s.c[1], bytes, sizeof bytes, 20), 0);
    }
    struct net_stats stats = fixture_stats(&s.f);
    assert_int_equal(s.f.requests, before);
    assert_int_equal(stats.rebinds, 0);
    assert_int_equal(stats.unparked, 3);
    assert_int_equal(stats.sessions_parked, DEVICES - LIVE); /* parked again at once */
    crowd_close(&s);
}

/* A session is not parked while its device waits for an answer. */
static void test_waiting_session_is_not_parked(void **state)
{
    (void)state;
    struct crowd s;
    struct writer w;
    struct reply r;
    crowd_open(&s, true);
    s.f.mode = ANSWER_LATER;
    s.f.requests = 0;
    write_begin(&w, CON, NET_GET, 99, "w");
    client_send(&s.c[0], w.bytes, w.count);
    fixture_run(&s.f, 10);
    assert_int_equal(s.f.requests, 1);
    s.f.mode = ANSWER_ECHO;
    for (unsigned i = 1; i < DEVICES; i++) {
        ask_simple(&s.c[i], NET_GET, "push", &r);
    }
    struct net_response response = NET_RESPONSE(NET_CODE(2, 4));
    assert_int_equal(net_reply(s.f.net, s.f.seen[0].reply, &response), 0);
    assert_true(reply_wait(&s.c[0], &r, WAIT_MS));
    assert_int_equal(r.mid, 99);
    crowd_close(&s);
}

static void test_idle_sessions_are_parked(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    struct reply r;
    fixture_init(&f);
    f.config.park_after_ms = 150;
    fixture_open(&f);
    client_init(&c, &f, 1, true);
    client_connect(&c);
    fixture_run(&f, 400);
    assert_int_equal(fixture_stats(&f).sessions_parked, 0); /* silent: cannot be */
    ask_simple(&c, NET_GET, "x", &r);
    fixture_run(&f, 400);
    assert_int_equal(fixture_stats(&f).sessions_parked, 1);
    assert_int_equal(net_kick(f.net, "dev-0001"), 1);
    assert_int_equal(fixture_stats(&f).sessions, 0);
    client_reboot(&c);
    client_connect(&c);
    ask_simple(&c, NET_GET, "y", &r);
    fixture_run(&f, 400);
    client_reboot(&c); /* a new handshake replaces the parked one */
    client_connect(&c);
    ask_simple(&c, NET_GET, "z", &r);
    assert_int_equal(fixture_stats(&f).sessions, 1);
    assert_int_equal(fixture_stats(&f).sessions_parked, 0);
    client_deinit(&c);
    fixture_deinit(&f);
}

/* The session of a key that stays goes on, parked or live; that of any other ends. */
static void test_sessions_end_by_key(void **state)
{
    (void)state;
    static const uint32_t both[NET_KEYS_MAX] = {2, 1}, next[NET_KEYS_MAX] = {2, 0};
    struct crowd s;
    struct reply r;
    crowd_open(&s, true);
    for (unsigned i = 0; i < DEVICES; i++) {
        char name[16];
        device_name(i, name);
        assert_int_equal(net_kick_others(s.f.net, name, both), 0);
        ask_simple(&s.c[i], NET_GET, "still", &r);
        assert_code(&r, 2, 5);
        if (i % 2 == 0) {
            assert_int_equal(net_kick_others(s.f.net, name, next), 1);
            assert_int_equal(net_kick_others(s.f.net, name, next), 0);
        }
    }
    assert_int_equal(fixture_stats(&s.f).sessions, DEVICES / 2);
    ask_simple(&s.c[1], NET_GET, "another's key", &r);
    assert_code(&r, 2, 5);
    crowd_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions_end_by_key),
        cmocka_unit_test(test_more_devices_than_live_sessions),
        cmocka_unit_test(test_parked_session_moves),
        cmocka_unit_test(test_parked_session_keeps_its_reply),
        cmocka_unit_test(test_parked_session_refuses_replays),
        cmocka_unit_test(test_waiting_session_is_not_parked),
        cmocka_unit_test(test_idle_sessions_are_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
