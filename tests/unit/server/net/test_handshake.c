/* Handshakes: who gets in, what a stranger learns, what loss does. */
#include "tests/unit/server/net/fixture.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/server/net/coap_message.h"

static void test_known_device_gets_in(void **state)
{
    (void)state;
    for (int cid = 0; cid < 2; cid++) {
        struct fixture f;
        struct client c;
        struct reply r;
        fixture_init(&f);
        fixture_open(&f);
        client_init(&c, &f, 1, cid != 0);
        client_connect(&c);
        ask_simple(&c, NET_GET, "hello", &r);
        assert_code(&r, 2, 5);
        assert_string_equal((char *)r.payload, "hello 1");
        assert_string_equal(f.seen[0].identity, "dev-0001");
        struct net_stats stats = fixture_stats(&f);
        assert_int_equal(stats.handshakes, 1);
        assert_int_equal(stats.sessions, 1);
        assert_int_equal(stats.half_open, 0);
        assert_true(stats.bytes_in >= stats.datagrams_in * 28 && stats.bytes_out > 0);
        client_deinit(&c);
        fixture_deinit(&f);
    }
}

static void test_ipv6(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    struct reply r;
    fixture_init(&f);
    f.config.address[0] = "::1";
    f.config.address[1] = "127.0.0.1";
    f.config.addresses = 2;
    fixture_open(&f);
    client_init(&c, &f, 2, true);
    client_connect(&c);
    ask_simple(&c, NET_GET, "six", &r);
    assert_code(&r, 2, 5);
    client_deinit(&c);
    f.config.address[0] = "127.0.0.1"; /* where the next client connects to: the other socket */
    client_init(&c, &f, 3, true);
    client_connect(&c);
    ask_simple(&c, NET_GET, "four", &r);
    assert_code(&r, 2, 5);
    client_deinit(&c);
    fixture_deinit(&f);
}

/* A stranger and a device with a wrong key see the same error after the same messages (G16). */
static void test_stranger_looks_like_wrong_key(void **state)
{
    (void)state;
    static const uint8_t wrong[16] = {1, 2, 3};
    static const char *const identity[] = {"dev-0001", "nobody", "dev 0001", "dev-0009"};
    unsigned sent[4];
    uint8_t alert[4][2]; /* level and description */
    struct fixture f;
    fixture_init(&f);
    f.revoked = "dev-0009";
    fixture_open(&f);
    for (unsigned i = 0; i < 4; i++) {
        struct client c;
        uint8_t right[16];
        device_key(9, right);
        client_init_as(&c, &f, identity[i], i < 3 ? wrong : right, true);
        assert_false(client_handshake(&c, WAIT_MS));
        sent[i] = c.sent;
        assert_int_equal(c.answer_bytes, 15);
        assert_int_equal(c.answer[0], 21);
        memcpy(alert[i], c.answer + 13, 2);
        client_deinit(&c);
    }
    for (unsigned i = 1; i < 4; i++) {
        assert_memory_equal(alert[i], alert[0], 2);
        assert_int_equal(sent[i], sent[0]);
    }
    assert_int_equal(f.requests, 0);
    struct net_stats stats = fixture_stats(&f);
    assert_int_equal(stats.sessions, 0);
    assert_int_equal(stats.half_open, 0);
    assert_int_equal(stats.drops[NET_DROP_HANDSHAKE_FAILED], 4);
    fixture_deinit(&f);
}

/* Rule 1, and the bound on amplification (G21): without a cookie a ClientHello costs no memory and
 * is answered with fewer bytes than it has. */
static void test_no_state_before_cookie(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    for (unsigned i = 0; i < 50; i++) {
        struct client c;
        uint8_t answer[DATAGRAM_BYTES];
        client_init(&c, &f, i, true);
        assert_false(client_step(&c));
        size_t bytes = client_receive_raw(&c, answer, sizeof answer, WAIT_MS);
        assert_true(bytes > 0 && bytes <= c.last_bytes && bytes <= 136);
        assert_int_equal(answer[13], 3); /* HelloVerifyRequest */
        client_deinit(&c);
    }
    struct net_stats stats = fixture_stats(&f);
    assert_int_equal(stats.half_open, 0);
    assert_int_equal(stats.hellos, 50);
    assert_int_equal(stats.datagrams_out, 50);
    fixture_deinit(&f);
}

/* A cookie is worth nothing at another address. */
static void test_cookie_is_bound_to_address(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    uint8_t answer[DATAGRAM_BYTES];
    fixture_init(&f);
    fixture_open(&f);
    client_init(&c, &f, 1, true);
    assert_false(client_step(&c));
    fixture_run(&f, 20);
    c.hold = true; /* takes the HelloVerifyRequest, makes the ClientHello with the cookie */
    assert_false(client_step(&c));
    (void)client_rebind(&c, 0);
    client_send_raw(&c, c.last, c.last_bytes);
    assert_true(client_receive_raw(&c, answer, sizeof answer, WAIT_MS) > 0);
    assert_int_equal(answer[13], 3); /* asked for a cookie again */
    assert_int_equal(fixture_stats(&f).half_open, 0);
    client_deinit(&c);
    fixture_deinit(&f);
}

/* A fragment, a truncated one, and one that lies about its length get nothing, and leave the
 * listener able to serve the next. */
static void test_bad_hellos(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    struct client good;
    uint8_t answer[DATAGRAM_BYTES];
    fixture_init(&f);
    fixture_open(&f);
    client_init(&c, &f, 1, true);
    c.hold = true;
    assert_false(client_step(&c));
    for (unsigned change = 0; change < 4; change++) {
        uint8_t bytes[DATAGRAM_BYTES];
        size_t count = c.last_bytes;
        memcpy(bytes, c.last, count);
        bytes[21] = change == 0 ? 1 : 0;                          /* fragment offset */
        bytes[24] = (uint8_t)(bytes[24] - (change == 1 ? 9 : 0)); /* fragment length */
        count = change == 2 ? 40 : count;
        bytes[12] = (uint8_t)(bytes[12] + (change == 3 ? 90 : 0)); /* record length */
        client_send_raw(&c, bytes, count);
    }
    assert_int_equal(client_receive_raw(&c, answer, sizeof answer, QUIET_MS), 0);
    assert_int_equal(fixture_stats(&f).drops[NET_DROP_HELLO_MALFORMED], 2);
    assert_int_equal(fixture_stats(&f).drops[NET_DROP_NOT_DTLS], 2);
    assert_int_equal(fixture_stats(&f).half_open, 0);
    client_init(&good, &f, 2, true);
    client_connect(&good);
    client_deinit(&good);
    client_deinit(&c);
    fixture_deinit(&f);
}

static void test_handshake_times_out(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    fixture_init(&f);
    f.config.handshake_timeout_ms = 300;
    fixture_open(&f);
    client_init(&c, &f, 1, true);
    assert_false(client_step(&c));
    fixture_run(&f, 10);
    assert_false(client_step(&c));
    fixture_run(&f, 10);
    assert_int_equal(fixture_stats(&f).half_open, 1);
    fixture_run(&f, 600);
    assert_int_equal(fixture_stats(&f).half_open, 0);
    assert_int_equal(fixture_stats(&f).drops[NET_DROP_HANDSHAKE_TIMEOUT], 1);
    client_deinit(&c);
    fixture_deinit(&f);
}

/* Whichever of the endpoint's datagrams is lost, the handshake ends: the endpoint repeats its last
 * flight also after it considers the handshake done. */
static void test_handshake_survives_loss(void **state)
{
    (void)state;
    struct fixture f;
    struct reply r;
    fixture_init(&f);
    fixture_open(&f);
    for (unsigned skip = 0; skip < 5; skip++) {
        struct client c;
        client_init(&c, &f, skip, true);
        uint64_t end_ms = test_now_ms() + 2 * WAIT_MS;
        unsigned steps = 0;
        while (!client_step(&c)) {
            assert_true(test_now_ms() < end_ms);
            if (++steps == skip + 1) {
                c.drop_next = 1;
            }
            fixture_run(&f, 5);
        }
        assert_int_equal(c.outcome, 0);
        ask_simple(&c, NET_GET, "after/loss", &r);
        assert_code(&r, 2, 5);
        client_deinit(&c);
    }
    assert_int_equal(fixture_stats(&f).handshakes, 5);
    fixture_deinit(&f);
}

/* A client that falls silent in mid-handshake is sent the flight again, but not for ever. */
static void test_flight_is_repeated(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    uint8_t bytes[DATAGRAM_BYTES];
    unsigned flights = 0;
    fixture_init(&f);
    f.config.handshake_timeout_ms = 4000;
    fixture_open(&f);
    client_init(&c, &f, 1, true);
    assert_false(client_step(&c));
    fixture_run(&f, 10);
    assert_false(client_step(&c));
    assert_true(client_receive_raw(&c, bytes, sizeof bytes, 500) > 0);
    while (client_receive_raw(&c, bytes, sizeof bytes, 50) > 0) {
    }
    c.last[10]++; /* the same ClientHello in a new record asks for the flight: it comes at once */
    client_send_raw(&c, c.last, c.last_bytes);
    assert_true(client_receive_raw(&c, bytes, sizeof bytes, 500) > 0);
    while (client_receive_raw(&c, bytes, sizeof bytes, 2500) > 0) {
        assert_int_equal(bytes[0], 22);
        flights++;
        assert_true(flights < 10);
    }
    assert_in_range(flights, 2, 6); /* after 1 and 3 s, two datagrams each at most */
    fixture_run(&f, 200);
    assert_int_equal(fixture_stats(&f).half_open, 0);
    client_deinit(&c);
    fixture_deinit(&f);
}

static char logged[4096];

static void on_log(void *user, enum net_log_level level, const char *line)
{
    (void)user;
    (void)level;
    size_t used = strlen(logged);
    (void)snprintf(logged + used, sizeof logged - used, "%s\n", line);
}

/* What is logged names the device and the reason, one printable line each. */
static void test_log(void **state)
{
    (void)state;
    static const uint8_t wrong[16] = {1};
    struct fixture f;
    struct client c;
    fixture_init(&f);
    f.config.callbacks.log = on_log;
    fixture_open(&f);
    client_init_as(&c, &f, "dev-0001", wrong, true);
    assert_false(client_handshake(&c, WAIT_MS));
    client_deinit(&c);
    client_init_as(&c, &f, "evil\nname", wrong, true);
    assert_false(client_handshake(&c, WAIT_MS));
    client_deinit(&c);
    client_init(&c, &f, 2, true);
    client_connect(&c);
    assert_int_equal(net_kick(f.net, "dev-0002"), 1);
    client_deinit(&c);
    fixture_deinit(&f);
    assert_string_equal(logged, "handshake failed, identity dev-0001\n"
                                "handshake failed, identity unknown\n"
                                "dev-0002: session ended by the coordinator\n");
}

/* A device that lost its session comes back on the same port at once. */
static void test_reboot_on_same_port(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    struct reply r;
    fixture_init(&f);
    fixture_open(&f);
    for (int cid = 0; cid < 2; cid++) {
        client_init(&c, &f, 5, cid != 0);
        client_connect(&c);
        for (unsigned i = 0; i < 3; i++) {
            ask_simple(&c, NET_GET, "before", &r);
            uint64_t begin_ms = test_now_ms();
            client_reboot(&c);
            client_connect(&c);
            ask_simple(&c, NET_GET, "after", &r);
            assert_code(&r, 2, 5);
            assert_true(test_now_ms() - begin_ms < 500);
            assert_int_equal(fixture_stats(&f).sessions, 1);
        }
        client_deinit(&c);
    }
    fixture_deinit(&f);
}

static void test_idle_session_ends(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    struct client silent;
    struct client busy;
    struct reply r;
    fixture_init(&f);
    f.config.idle_timeout_ms = 400;
    fixture_open(&f);
    client_init(&silent, &f, 3, true);
    client_connect(&silent);
    client_init(&c, &f, 1, true);
    client_connect(&c);
    ask_simple(&c, NET_GET, "once", &r);
    client_init(&busy, &f, 2, true);
    client_connect(&busy);
    for (unsigned i = 0; i < 6; i++) {
        ask_simple(&busy, NET_GET, "awake", &r);
        fixture_run(&f, 120);
    }
    struct net_stats stats = fixture_stats(&f);
    assert_int_equal(stats.sessions, 1);
    assert_int_equal(stats.drops[NET_DROP_SESSION_IDLE], 1);
    assert_int_equal(stats.drops[NET_DROP_SESSION_SILENT], 1);
    client_deinit(&busy);
    client_deinit(&silent);
    client_deinit(&c);
    fixture_deinit(&f);
}

/* At the limit the longest idle session gives way. */
static void test_session_limit(void **state)
{
    (void)state;
    enum { LIMIT = 4 };
    struct fixture f;
    struct client c[LIMIT + 1];
    struct reply r;
    fixture_init(&f);
    f.config.peers_max = LIMIT;
    fixture_open(&f);
    for (unsigned i = 0; i < LIMIT; i++) {
        client_init(&c[i], &f, i, true);
        client_connect(&c[i]);
        ask_simple(&c[i], NET_GET, "x", &r);
    }
    ask_simple(&c[0], NET_GET, "x", &r); /* number 1 is the longest idle now */
    client_init(&c[LIMIT], &f, LIMIT, true);
    client_connect(&c[LIMIT]);
    assert_int_equal(fixture_stats(&f).sessions, LIMIT);
    assert_int_equal(fixture_stats(&f).drops[NET_DROP_SESSION_EVICTED], 1);
    for (unsigned i = 0; i <= LIMIT; i++) {
        if (i != 1) {
            ask_simple(&c[i], NET_GET, "still", &r);
            assert_code(&r, 2, 5);
        }
    }
    struct writer w;
    write_begin(&w, CON, NET_GET, 1, "");
    client_send(&c[1], w.bytes, w.count);
    assert_false(reply_wait(&c[1], &r, QUIET_MS));
    for (unsigned i = 0; i <= LIMIT; i++) {
        client_deinit(&c[i]);
    }
    fixture_deinit(&f);
}

/* close_notify in both directions. */
static void test_closing(void **state)
{
    (void)state;
    struct fixture f;
    struct client leaves;
    struct client stays;
    uint8_t bytes[64];
    fixture_init(&f);
    fixture_open(&f);
    client_init(&leaves, &f, 1, true);
    client_connect(&leaves);
    client_init(&stays, &f, 2, false);
    client_connect(&stays);
    assert_int_equal(mbedtls_ssl_close_notify(&leaves.ssl), 0);
    fixture_run(&f, 20);
    assert_int_equal(fixture_stats(&f).sessions, 1);
    assert_int_equal(fixture_stats(&f).drops[NET_DROP_SESSION_CLOSED], 1);
    fixture_close(&f);
    assert_int_equal(mbedtls_ssl_read(&stays.ssl, bytes, sizeof bytes),
                     MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    client_deinit(&stays);
    client_deinit(&leaves);
    fixture_deinit(&f);
}

/* Bound to all addresses, answers come from the one that was asked: to others the clients' sockets are
 * deaf. With blocks, which leave in one message if they have one source. */
static void test_wildcard_answers_from_the_address_asked(void **state)
{
    (void)state;
    static const char *const addresses[] = {"0.0.0.0", "::"};
    for (unsigned i = 0; i < 2; i++) {
        struct fixture f;
        struct client c[4];
        struct reply r;
        fixture_init(&f);
        f.config.address[0] = addresses[i];
        fixture_open(&f);
        for (unsigned k = 0; k < 4; k++) {
            f.server_host = (uint8_t)(1 + k * 60);
            client_init(&c[k], &f, k, k % 2 == 0);
            client_connect(&c[k]);
        }
        for (unsigned k = 0; k < 8; k++) {
            ask_simple(&c[k % 4], NET_GET, "x", &r);
            assert_code(&r, 2, 5);
        }
        f.server_host = 99; /* a device that finds the coordinator under another address */
        (void)client_rebind(&c[0], 0);
        ask_simple(&c[0], NET_GET, "x", &r);
        assert_code(&r, 2, 5);
        assert_int_equal(fixture_stats(&f).rebinds, 1);
        for (unsigned k = 0; k < 4; k++) {
            client_deinit(&c[k]);
        }
        fixture_deinit(&f);
    }
}

static void test_configuration_is_checked(void **state)
{
    (void)state;
    struct fixture f;
    struct net *other = NULL;
    fixture_init(&f);
    fixture_open(&f);
    struct net_config config = f.config;
    config.port = net_port(f.net);
    assert_true(net_open(&other, &f.loop, &config) < 0); /* in use */
    config = f.config;
    config.addresses = 0;
    assert_true(net_open(&other, &f.loop, &config) < 0);
    config = f.config;
    config.address[0] = "localhost"; /* names are not resolved here */
    assert_true(net_open(&other, &f.loop, &config) < 0);
    config = f.config;
    config.callbacks.handler = NULL;
    assert_true(net_open(&other, &f.loop, &config) < 0);
    assert_null(other);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_device_gets_in),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_stranger_looks_like_wrong_key),
        cmocka_unit_test(test_no_state_before_cookie),
        cmocka_unit_test(test_cookie_is_bound_to_address),
        cmocka_unit_test(test_bad_hellos),
        cmocka_unit_test(test_handshake_times_out),
        cmocka_unit_test(test_handshake_survives_loss),
        cmocka_unit_test(test_flight_is_repeated),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_reboot_on_same_port),
        cmocka_unit_test(test_idle_session_ends),
        cmocka_unit_test(test_session_limit),
        cmocka_unit_test(test_closing),
        cmocka_unit_test(test_wildcard_answers_from_the_address_asked),
        cmocka_unit_test(test_configuration_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
