/* The five rules of demux.h, each against the attack or accident that it exists for. */
#include "server/net/demux.h"

#include <string.h>

#include "common/rng.h"
#include "tests/unit/server/net/coap_message.h"
#include "tests/unit/server/net/fixture.h"

/* The connection id that the endpoint gave to a connected client, from its last record. */
static void sniff_cid(const struct client *c, uint8_t cid[PEER_CID_BYTES])
{
    assert_int_equal(c->last[0], 25);
    memcpy(cid, c->last + 11, PEER_CID_BYTES);
}

static void connect_and_ask(struct client *c, struct fixture *f, unsigned device, bool cid)
{
    struct reply r;
    client_init(c, f, device, cid);
    client_connect(c);
    ask_simple(c, NET_GET, "first", &r);
    assert_code(&r, 2, 5);
}

static void assert_still_served(struct client *c, const char *what)
{
    struct reply r;
    ask_simple(c, NET_GET, what, &r);
    assert_code(&r, 2, 5);
}

/* --- Rule 1 is tested with handshakes (test_handshake.c: no state before cookie) ------------------ */

/* --- Rule 2: a ClientHello never touches an established peer -------------------------------------- */

static void test_hello_does_not_touch_established(void **state)
{
    (void)state;
    for (int cid = 0; cid < 2; cid++) {
        struct fixture f;
        struct client victim;
        struct client other;
        fixture_init(&f);
        fixture_open(&f);
        connect_and_ask(&victim, &f, 1, cid != 0);
        /* Somebody sends ClientHellos with the victim's address: fresh, and again and again. */
        client_init(&other, &f, 2, cid != 0);
        other.hold = true;
        for (unsigned i = 0; i < 20; i++) {
            assert_false(client_step(&other));
            client_send_raw(&victim, other.last, other.last_bytes);
            client_reboot(&other);
        }
        fixture_run(&f, 20);
        struct net_stats stats = fixture_stats(&f);
        assert_int_equal(stats.sessions, 1);
        assert_int_equal(stats.half_open, 0);
        assert_still_served(&victim, "unimpressed");
        client_deinit(&other);
        client_deinit(&victim);
        fixture_deinit(&f);
    }
}

/* A late copy of the ClientHello that has led to the session does not begin a new one. */
static void test_late_copy_of_hello(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    uint8_t hello[DATAGRAM_BYTES];
    size_t bytes = 0;
    fixture_init(&f);
    fixture_open(&f);
    client_init(&c, &f, 1, true);
    while (!client_step(&c)) {
        if (c.last[13] == 1) {
            memcpy(hello, c.last, c.last_bytes);
            bytes = c.last_bytes;
        }
        fixture_run(&f, 2);
    }
    client_send_raw(&c, hello, bytes);
    fixture_run(&f, 10);
    assert_int_equal(fixture_stats(&f).half_open, 0);
    assert_still_served(&c, "after the copy");
    client_deinit(&c);
    fixture_deinit(&f);
}

/* --- Rule 3: connection id before address --------------------------------------------------------- */

static void test_rebind_with_cid(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    fixture_init(&f);
    fixture_open(&f);
    connect_and_ask(&c, &f, 1, true);
    for (unsigned i = 0; i < 10; i++) {
        (void)client_rebind(&c, 0);
        assert_still_served(&c, "elsewhere");
    }
    struct net_stats stats = fixture_stats(&f);
    assert_int_equal(stats.handshakes, 1);
    assert_int_equal(stats.sessions, 1);
    assert_int_equal(stats.rebinds, 10);
    client_deinit(&c);
    fixture_deinit(&f);
}

/* Without connection ids there is nothing to recognise a new port by: no answer, no harm. */
static void test_rebind_without_cid(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    struct writer w;
    struct reply r;
    fixture_init(&f);
    fixture_open(&f);
    connect_and_ask(&c, &f, 1, false);
    (void)client_rebind(&c, 0);
    write_begin(&w, CON, NET_GET, 77, "t");
    client_send(&c, w.bytes, w.count);
    assert_false(reply_wait(&c, &r, QUIET_MS));
    assert_true(fixture_stats(&f).drops[NET_DROP_NO_SESSION] > 0);
    client_reboot(&c);
    client_connect(&c);
    assert_still_served(&c, "again");
    client_deinit(&c);
    fixture_deinit(&f);
}

/* A silent device's port goes to another device, which connects from it: both live. */
static void test_port_theft(void **state)
{
    (void)state;
    struct fixture f;
    struct client silent;
    struct client newcomer;
    fixture_init(&f);
    fixture_open(&f);
    connect_and_ask(&silent, &f, 1, true);
    uint16_t port = client_local_port(&silent);
    (void)client_rebind(&silent, 0); /* gives the port free; the endpoint does not know yet */
    client_init(&newcomer, &f, 2, true);
    (void)client_rebind(&newcomer, port);
    client_connect(&newcomer);
    assert_still_served(&newcomer, "mine now");
    assert_string_equal(f.seen[f.requests - 1].identity, "dev-0002");
    assert_still_served(&silent, "me too");
    assert_string_equal(f.seen[f.requests - 1].identity, "dev-0001");
    assert_still_served(&newcomer, "and I");
    assert_int_equal(fixture_stats(&f).sessions, 2);
    client_deinit(&newcomer);
    client_deinit(&silent);
    fixture_deinit(&f);
}

/* --- Rule 4: the address follows only an authenticated, newer record ------------------------------ */

static void test_forged_record_does_not_move(void **state)
{
    (void)state;
    struct fixture f;
    struct client victim;
    struct client attacker;
    struct reply r;
    uint8_t bytes[DATAGRAM_BYTES];
    fixture_init(&f);
    fixture_open(&f);
    connect_and_ask(&victim, &f, 1, true);
    client_init(&attacker, &f, 2, true); /* only its socket is used */
    uint8_t cid[PEER_CID_BYTES];
    sniff_cid(&victim, cid);
    for (unsigned i = 0; i < 50; i++) {
        uint8_t forged[64] = {25, 254, 253, 0, 1, 0, 0, 0, 9, 9, (uint8_t)i};
        memcpy(forged + 11, cid, PEER_CID_BYTES);
        forged[20] = 43;
        memset(forged + 21, (int)i, 43);
        client_send_raw(&attacker, forged, sizeof forged);
    }
    /* Answers that are under way when the forgeries come still go to the device. */
    f.mode = ANSWER_LATER;
    struct writer w;
    write_begin(&w, CON, NET_GET, 900, "t");
    client_send(&victim, w.bytes, w.count);
    fixture_run(&f, 20);
    uint8_t more[64];
    memcpy(more, victim.last, 21);
    memset(more + 21, 7, 43);
    more[20] = 43;
    more[10] = 200;
    client_send_raw(&attacker, more, sizeof more);
    fixture_run(&f, 20);
    struct net_response response = NET_RESPONSE(NET_CODE(2, 4));
    assert_int_equal(net_reply(f.net, f.seen[f.requests - 1].reply, &response), 0);
    assert_true(reply_wait(&victim, &r, WAIT_MS));
    assert_code(&r, 2, 4);
    assert_int_equal(client_receive_raw(&attacker, bytes, sizeof bytes, QUIET_MS), 0);
    assert_int_equal(fixture_stats(&f).rebinds, 0);
    assert_true(fixture_stats(&f).drops[NET_DROP_RECORD_REJECTED] >= 51);
    client_deinit(&attacker);
    client_deinit(&victim);
    fixture_deinit(&f);
}

/* A copied record, sent again from elsewhere, is a replay: nothing moves, the handler does not run. */
static void test_replay_does_not_move(void **state)
{
    (void)state;
    struct fixture f;
    struct client victim;
    struct client attacker;
    uint8_t bytes[DATAGRAM_BYTES];
    fixture_init(&f);
    fixture_open(&f);
    connect_and_ask(&victim, &f, 1, true);
    unsigned requests = f.requests;
    client_init(&attacker, &f, 2, true);
    client_send_raw(&attacker, victim.last, victim.last_bytes);
    assert_int_equal(client_receive_raw(&attacker, bytes, sizeof bytes, QUIET_MS), 0);
    assert_int_equal(f.requests, requests);
    assert_int_equal(fixture_stats(&f).duplicates, 0);
    assert_int_equal(fixture_stats(&f).rebinds, 0);
    client_deinit(&attacker);
    client_deinit(&victim);
    fixture_deinit(&f);
}

/* An authentic record that was held back and overtaken is served, but the address stays with the
 * newer one. */
static void test_older_record_does_not_move(void **state)
{
    (void)state;
    struct fixture f;
    struct client victim;
    struct client attacker;
    uint8_t bytes[DATAGRAM_BYTES];
    uint8_t held[DATAGRAM_BYTES];
    struct writer w;
    struct reply r;
    fixture_init(&f);
    fixture_open(&f);
    connect_and_ask(&victim, &f, 1, true);
    victim.hold = true;
    write_begin(&w, CON, NET_GET, 500, "old");
    client_send(&victim, w.bytes, w.count);
    victim.hold = false;
    size_t count = victim.last_bytes;
    memcpy(held, victim.last, count);
    assert_still_served(&victim, "newer");
    client_init(&attacker, &f, 2, true);
    client_send_raw(&attacker, held, count);
    assert_true(reply_wait(&victim, &r, WAIT_MS));
    assert_int_equal(r.mid, 500);
    assert_int_equal(client_receive_raw(&attacker, bytes, sizeof bytes, QUIET_MS), 0);
    /* In front of a held back record a forged header with a high number proves nothing. */
    victim.hold = true;
    write_begin(&w, CON, NET_GET, 501, "old");
    client_send(&victim, w.bytes, w.count);
    victim.hold = false;
    memcpy(held, victim.last, 21);
    held[19] = 0;
    held[20] = 1;
    held[21] = 0x55;
    held[4] = 2; /* of an epoch that the library skips, to go on with what follows */
    memcpy(held + 22, victim.last, victim.last_bytes);
    client_send_raw(&attacker, held, 22 + victim.last_bytes);
    assert_int_equal(client_receive_raw(&attacker, bytes, sizeof bytes, QUIET_MS), 0);
    assert_int_equal(fixture_stats(&f).rebinds, 0);
    client_deinit(&attacker);
    client_deinit(&victim);
    fixture_deinit(&f);
}

/* Whoever sees an established peer's address can write to it: nothing of that ends the session. */
static void test_garbage_from_the_peers_address(void **state)
{
    (void)state;
    for (int cid = 0; cid < 2; cid++) {
        struct fixture f;
        struct client c;
        fixture_init(&f);
        fixture_open(&f);
        connect_and_ask(&c, &f, 1, cid != 0);
        for (uint64_t i = 0; i < 600; i++) {
            uint8_t bytes[200];
            size_t count = 14 + rng_below(11, 1, i, 180);
            for (size_t k = 0; k < count; k++) {
                bytes[k] = (uint8_t)rng_u32(11, 2 + i, k);
            }
            bytes[0] = (uint8_t)(20 + i % 7);
            bytes[1] = 254;
            bytes[2] = 253;
            bytes[3] = 0;
            bytes[4] = (uint8_t)(i / 7 % 3); /* epochs 0, 1, 2 */
            bytes[11] = 0;
            bytes[12] = (uint8_t)(count - 13);
            if (bytes[0] == 25 && cid != 0) {
                memcpy(bytes + 11, c.last + 11, PEER_CID_BYTES);
                count = count < 21 ? 21 : count;
                bytes[19] = 0;
                bytes[20] = (uint8_t)(count - 21);
            }
            if (i % 4 == 0) { /* some bytes behind a record: the library would give up */
                bytes[bytes[0] == 25 ? 20 : 12] -= (uint8_t)(1 + i % 12);
            } else if (i % 5 == 0) { /* plain fatal alert behind a rejected record */
                static const uint8_t alert[] = {21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 5, 0, 2, 2, 40};
                bytes[12] = 1;
                memcpy(bytes + 14, alert, sizeof alert);
                count = 14 + sizeof alert;
            }
            client_send_raw(&c, bytes, count);
            (void)uv_run(&f.loop, UV_RUN_NOWAIT);
        }
        assert_still_served(&c, "alive");
        assert_int_equal(fixture_stats(&f).sessions, 1);
        client_deinit(&c);
        fixture_deinit(&f);
    }
}

/* --- Rule 5: a completed handshake replaces the peer of its identity, and no other ---------------- */

static void test_same_identity_replaces(void **state)
{
    (void)state;
    struct fixture f;
    struct client old;
    struct client new;
    struct client bystander;
    struct writer w;
    struct reply r;
    fixture_init(&f);
    fixture_open(&f);
    connect_and_ask(&bystander, &f, 7, true);
    connect_and_ask(&old, &f, 1, true);
    client_init(&new, &f, 1, true);
    assert_false(client_step(&new));
    fixture_run(&f, 5);
    assert_false(client_step(&new)); /* half-open: claims nothing yet */
    fixture_run(&f, 5);
    assert_still_served(&old, "until the other has proved who it is");
    client_connect(&new);
    assert_still_served(&new, "replaced");
    write_begin(&w, CON, NET_GET, 3, "t");
    client_send(&old, w.bytes, w.count);
    assert_false(reply_wait(&old, &r, QUIET_MS));
    struct net_stats stats = fixture_stats(&f);
    assert_int_equal(stats.sessions, 2);
    assert_int_equal(stats.drops[NET_DROP_SESSION_REPLACED], 1);
    assert_still_served(&bystander, "not concerned");
    client_deinit(&new);
    client_deinit(&old);
    client_deinit(&bystander);
    fixture_deinit(&f);
}

/* A handshake that claims an identity but has the wrong key replaces nobody. */
static void test_failed_handshake_replaces_nobody(void **state)
{
    (void)state;
    static const uint8_t wrong[16] = {9};
    struct fixture f;
    struct client victim;
    struct client liar;
    fixture_init(&f);
    fixture_open(&f);
    connect_and_ask(&victim, &f, 1, true);
    client_init_as(&liar, &f, "dev-0001", wrong, true);
    assert_false(client_handshake(&liar, WAIT_MS));
    assert_still_served(&victim, "still me");
    client_deinit(&liar);
    client_deinit(&victim);
    fixture_deinit(&f);
}

/* --- Revocation ----------------------------------------------------------------------------------- */

static void test_kick(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    struct client other;
    uint8_t bytes[64];
    fixture_init(&f);
    fixture_open(&f);
    connect_and_ask(&c, &f, 1, true);
    connect_and_ask(&other, &f, 2, true);
    f.revoked = "dev-0001";
    assert_int_equal(net_kick(f.net, "dev-0001"), 1);
    assert_int_equal(net_kick(f.net, "dev-0001"), 0);
    fixture_run(&f, 10);
    assert_int_equal(mbedtls_ssl_read(&c.ssl, bytes, sizeof bytes),
                     MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    client_reboot(&c);
    assert_false(client_handshake(&c, WAIT_MS));
    assert_still_served(&other, "not revoked");
    client_deinit(&other);
    client_deinit(&c);
    fixture_deinit(&f);
}

/* --- Datagrams that are nothing ------------------------------------------------------------------- */

static void test_random_datagrams(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    struct client good;
    fixture_init(&f);
    fixture_open(&f);
    client_init(&c, &f, 1, true);
    c.hold = true;
    assert_false(client_step(&c)); /* a genuine ClientHello to mutate */
    for (uint64_t i = 0; i < 20000; i++) {
        uint8_t bytes[2500];
        size_t count = rng_below(5, 1, i, i % 100 == 1 ? sizeof bytes : 300);
        for (size_t k = 0; k < count; k++) {
            bytes[k] = (uint8_t)rng_u32(5, 2 + i, k);
        }
        if (i % 2 == 0) { /* half of them are ClientHellos with some bytes changed */
            count = c.last_bytes;
            memcpy(bytes, c.last, count);
            for (unsigned k = 0; k <= i % 6; k++) {
                bytes[rng_below(5, 3 + i, k, (uint32_t)count)] ^=
                    (uint8_t)(1u << rng_below(5, 4 + i, k, 8));
            }
            count = i % 10 == 0 ? rng_below(5, 6, i, (uint32_t)count) : count;
        }
        client_send_raw(&c, bytes, count);
        if (i % 16 == 0) {
            (void)uv_run(&f.loop, UV_RUN_NOWAIT);
        }
    }
    fixture_run(&f, 20);
    assert_int_equal(fixture_stats(&f).half_open, 0);
    assert_true(fixture_stats(&f).drops[NET_DROP_NOT_DTLS] > 1000);
    assert_true(fixture_stats(&f).drops[NET_DROP_OVERSIZE] > 0);
    connect_and_ask(&good, &f, 2, true);
    client_deinit(&good);
    client_deinit(&c);
    fixture_deinit(&f);
}

static void test_record_read(void **state)
{
    (void)state;
    uint8_t cid[] = {25, 254, 253, 0, 1, 0, 0, 0, 0, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 3, 9, 9, 9};
    struct record r;
    record_read(&r, cid, sizeof cid);
    assert_int_equal(r.kind, RECORD_CID);
    assert_true(r.number == ((uint64_t)1 << 48 | 0x0102));
    assert_true(r.alone && r.cid == cid + 11);
    for (size_t count = 0; count < sizeof cid; count++) {
        record_read(&r, cid, count);
        assert_int_equal(r.kind, RECORD_INVALID);
    }
    cid[4] = 0; /* epoch 0 is not encrypted */
    record_read(&r, cid, sizeof cid);
    assert_int_equal(r.kind, RECORD_INVALID);
    uint8_t alert[] = {21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40};
    record_read(&r, alert, sizeof alert);
    assert_int_equal(r.kind, RECORD_PLAIN_ALERT);
    alert[4] = 1;
    record_read(&r, alert, sizeof alert);
    assert_int_equal(r.kind, RECORD_ENCRYPTED);
    alert[1] = 3;
    record_read(&r, alert, sizeof alert);
    assert_int_equal(r.kind, RECORD_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello_does_not_touch_established),
        cmocka_unit_test(test_late_copy_of_hello),
        cmocka_unit_test(test_rebind_with_cid),
        cmocka_unit_test(test_rebind_without_cid),
        cmocka_unit_test(test_port_theft),
        cmocka_unit_test(test_forged_record_does_not_move),
        cmocka_unit_test(test_replay_does_not_move),
        cmocka_unit_test(test_older_record_does_not_move),
        cmocka_unit_test(test_garbage_from_the_peers_address),
        cmocka_unit_test(test_same_identity_replaces),
        cmocka_unit_test(test_failed_handshake_replaces_nobody),
        cmocka_unit_test(test_kick),
        cmocka_unit_test(test_random_datagrams),
        cmocka_unit_test(test_record_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
