/*
 * Several workers on one port, seen from outside: whoever gets a record, everybody is served, by one
 * session for each identity, and what a device has begun with one worker it ends with another. The
 * kernel is told to give records to the wrong one.
 */
#include "server/net/net.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/unit/server/net/alloc_fault.h"
#include "tests/unit/server/net/coap_message.h"
#include "tests/unit/server/net/fixture.h"

#define DEVICES 16u
#define TRIES_MAX 200u /* of a client to come to a certain worker; half of them would be bad luck */
#define BODY_BYTES 8000u
#define FDS_MAX 256

struct stage {
    struct fixture f;
    struct client c[DEVICES];
    unsigned clients;
};

static void stage_open(struct stage *s, unsigned workers)
{
    fixture_init(&s->f);
    s->f.config.workers = workers;
    fixture_open(&s->f);
    s->clients = 0;
}

static struct client *stage_client(struct stage *s, unsigned device, bool cid)
{
    struct client *c = &s->c[s->clients++];
    client_init(c, &s->f, device, cid);
    return c;
}

static void stage_close(struct stage *s)
{
    for (unsigned i = 0; i < s->clients; i++) {
        client_deinit(&s->c[i]);
    }
    fixture_deinit(&s->f);
}

static void assert_served(struct stage *s, unsigned client, unsigned device)
{
    struct reply r;
    char name[16];
    s->f.requests = 0;
    ask_simple(&s->c[client], NET_GET, "x", &r);
    assert_code(&r, 2, 5);
    device_name(device, name);
    assert_string_equal(s->f.seen[0].identity, name);
}

/* Which worker has the session: the first byte of the connection id that it gave. */
static unsigned worker_of(struct client *c)
{
    unsigned char cid[MBEDTLS_SSL_CID_OUT_LEN_MAX];
    size_t bytes = 0;
    int enabled = 0;
    assert_int_equal(mbedtls_ssl_get_peer_cid(&c->ssl, &enabled, cid, &bytes), 0);
    assert_int_equal(enabled, MBEDTLS_SSL_CID_ENABLED);
    return cid[0];
}

/* Handshakes from ever new ports until the device is with another worker than `not_this`. */
static void connect_elsewhere(struct client *c, unsigned not_this)
{
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        client_reboot(c);
        (void)client_rebind(c, 0);
        client_connect(c);
        if (worker_of(c) != not_this) {
            return;
        }
    }
    fail_msg("every handshake came to worker %u", not_this);
}

/* --- Steering ------------------------------------------------------------------------------------ */

/* A program for the port's sockets (all of them: it belongs to the group). They are this process's. */
static void steer(struct stage *s, struct sock_filter *code, unsigned count)
{
    struct sock_fprog program = {.len = (unsigned short)count, .filter = code};
    unsigned found = 0;
    for (int fd = 0; fd < FDS_MAX; fd++) {
        struct sockaddr_in local;
        socklen_t length = sizeof local;
        if (getsockname(fd, (struct sockaddr *)&local, &length) == 0 &&
            local.sin_family == AF_INET && ntohs(local.sin_port) == net_port(s->f.net)) {
            assert_int_equal(
                setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program), 0);
            found++;
        }
    }
    assert_int_equal(found, s->f.config.workers);
}

/* Records with a connection id go to the worker after theirs. */
static void steer_wrong(struct stage *s)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 25, 0, 4),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 11),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, s->f.config.workers),
        BPF_STMT(BPF_RET | BPF_A, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    steer(s, code, sizeof code / sizeof code[0]);
}

/* All application data goes to worker 0. */
static void steer_first(struct stage *s)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 23, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    steer(s, code, sizeof code / sizeof code[0]);
}

/* --- Tests --------------------------------------------------------------------------------------- */

/* All of them, on old ports and new, at two and at four workers. */
static void test_everybody_is_served(void **state)
{
    (void)state;
    for (unsigned workers = 2; workers <= 4; workers += 2) {
        struct stage s;
        unsigned used = 0;
        stage_open(&s, workers);
        for (unsigned i = 0; i < DEVICES; i++) {
            client_connect(stage_client(&s, i, true));
            used |= 1u << worker_of(&s.c[i]);
        }
        assert_true(used > 1 && (used & (used - 1)) != 0); /* more than one is at work */
        for (unsigned i = 0; i < 2 * DEVICES; i++) {
            assert_served(&s, i % DEVICES, i % DEVICES);
            (void)client_rebind(&s.c[i % DEVICES], 0);
            assert_served(&s, i % DEVICES, i % DEVICES);
        }
        struct net_stats stats = fixture_stats(&s.f);
        assert_int_equal(stats.sessions, DEVICES);
        assert_int_equal(stats.handshakes, DEVICES);
        assert_int_equal(stats.requests, 4 * DEVICES);
        assert_int_equal(stats.rebinds, 2 * DEVICES);
        stage_close(&s);
    }
}

static void test_records_on_the_wrong_worker(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 4);
    steer_wrong(&s);
    for (unsigned i = 0; i < DEVICES; i++) {
        client_connect(stage_client(&s, i, true));
        assert_served(&s, i, i);
        (void)client_rebind(&s.c[i], 0);
        assert_served(&s, i, i);
    }
    struct net_stats stats = fixture_stats(&s.f);
    assert_int_equal(stats.requests, 2 * DEVICES);
    assert_true(stats.passed_on >= 2 * DEVICES);
    assert_int_equal(stats.drops[NET_DROP_UNKNOWN_CID], 0);
    stage_close(&s);
}

/* A connection id of a worker that there is not, or of one that never gave it. */
static void test_foreign_connection_ids(void **state)
{
    (void)state;
    struct stage s;
    uint8_t record[64] = {25, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 1};
    record[20] = sizeof record - 21;
    stage_open(&s, 2);
    struct client *c = stage_client(&s, 1, true);
    for (unsigned worker = 0; worker < 256; worker += 51) {
        record[11] = (uint8_t)worker;
        client_send_raw(c, record, sizeof record);
    }
    client_connect(c);
    assert_served(&s, 0, 1);
    assert_int_equal(fixture_stats(&s.f).drops[NET_DROP_UNKNOWN_CID], 6);
    stage_close(&s);
}

/* Without connection ids only the address says whose a record is. */
static void test_addresses_on_the_wrong_worker(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 4);
    steer_first(&s);
    for (unsigned i = 0; i < DEVICES; i++) {
        client_connect(stage_client(&s, i, false));
        assert_served(&s, i, i);
        assert_served(&s, i, i);
    }
    struct net_stats stats = fixture_stats(&s.f);
    assert_int_equal(stats.sessions, DEVICES);
    assert_true(stats.passed_on > 0);
    stage_close(&s);
}

/* Rule 5 across workers, there and back again. */
static void test_newest_handshake_has_the_session(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 2);
    struct client *old = stage_client(&s, 7, true);
    struct client *fresh = stage_client(&s, 7, true);
    client_connect(old);
    assert_served(&s, 0, 7);
    for (unsigned i = 0; i < 4; i++) {
        struct reply r;
        struct writer w;
        connect_elsewhere(fresh, worker_of(old));
        assert_served(&s, 1, 7);
        assert_int_equal(fixture_stats(&s.f).sessions, 1);
        write_begin(&w, CON, NET_GET, 1, "t"); /* the old session is dead */
        client_send(old, w.bytes, w.count);
        assert_false(reply_wait(old, &r, QUIET_MS));
        connect_elsewhere(old, worker_of(fresh));
        assert_served(&s, 0, 7);
        assert_int_equal(fixture_stats(&s.f).sessions, 1);
    }
    struct net_stats stats = fixture_stats(&s.f);
    assert_true(stats.drops[NET_DROP_SESSION_REPLACED] == stats.handshakes - 1);
    stage_close(&s);
}

static void test_kick_reaches_every_worker(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 4);
    for (unsigned i = 0; i < DEVICES; i++) {
        client_connect(stage_client(&s, i, true));
        assert_served(&s, i, i);
    }
    for (unsigned i = 0; i < DEVICES; i++) {
        char name[16];
        device_name(i, name);
        assert_int_equal(net_kick(s.f.net, name), 1);
        assert_int_equal(net_kick(s.f.net, name), 0);
    }
    struct net_stats stats = fixture_stats(&s.f);
    assert_int_equal(stats.sessions, 0);
    assert_int_equal(stats.drops[NET_DROP_SESSION_KICKED], DEVICES);
    for (unsigned i = 0; i < DEVICES; i++) {
        uint8_t bytes[64];
        assert_int_equal(mbedtls_ssl_read(&s.c[i].ssl, bytes, sizeof bytes),
                         MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    }
    stage_close(&s);
}

static void put_block(struct client *c, const uint8_t *data, unsigned number, struct reply *r)
{
    struct writer w;
    size_t offset = number * 1024u;
    bool more = offset + 1024 < BODY_BYTES;
    write_begin(&w, CON, NET_PUT, ++c->mid, "u");
    write_path(&w, "u/key");
    write_uint(&w, 27, number << 4 | (more ? 8u : 0u) | 6u);
    write_uint(&w, 60, BODY_BYTES);
    write_payload(&w, data + offset, more ? 1024 : BODY_BYTES - offset);
    ask(c, &w, r);
}

/* Each block from another session on another worker. */
static void test_upload_wanders(void **state)
{
    (void)state;
    struct stage s;
    struct reply r;
    uint8_t data[BODY_BYTES];
    for (unsigned i = 0; i < BODY_BYTES; i++) {
        data[i] = (uint8_t)(i * 31 + i / 256);
    }
    stage_open(&s, 2);
    struct client *c = stage_client(&s, 3, true);
    client_connect(c);
    unsigned last = (BODY_BYTES - 1) / 1024;
    for (unsigned i = 0; i < last; i++) {
        put_block(c, data, i, &r);
        assert_code(&r, 2, 31);
        connect_elsewhere(c, worker_of(c));
    }
    assert_int_equal(s.f.admits, 1);
    put_block(c, data, last, &r);
    assert_code(&r, 2, 5);
    assert_int_equal(s.f.seen[0].body_bytes, BODY_BYTES);
    assert_memory_equal(s.f.seen[0].body, data, BODY_BYTES);
    assert_int_equal(fixture_stats(&s.f).bodies_partial_bytes, 0);
    s.f.refuse_code = NET_CODE(2, 4); /* as with a receipt */
    put_block(c, data, 0, &r);
    assert_code(&r, 2, 4);
    assert_int_equal(r.payload_bytes, 7);
    stage_close(&s);
}

/* Requests that nobody answers, partial bodies and half-open handshakes at the end. */
static void test_close_in_the_middle(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 5; round++) {
        struct stage s;
        struct writer w;
        struct reply r;
        const uint8_t data[BODY_BYTES] = {1};
        stage_open(&s, 4);
        for (unsigned i = 0; i < DEVICES; i++) {
            client_connect(stage_client(&s, i, true));
        }
        put_block(&s.c[0], data, 0, &r);
        client_reboot(&s.c[1]);
        (void)client_step(&s.c[1]); /* as far as it gets */
        s.f.mode = round % 2 == 0 ? ANSWER_LATER : ANSWER_CLOSE;
        for (unsigned i = 2; i < DEVICES; i++) {
            write_begin(&w, CON, NET_GET, 1, "t");
            client_send(&s.c[i], w.bytes, w.count);
        }
        for (unsigned i = 0; s.f.requests == 0 && i < WAIT_MS; i++) {
            fixture_run(&s.f, 1);
        }
        assert_true(s.f.requests > 0);
        stage_close(&s);
    }
}

/* SO_REUSEPORT would let a second coordinator of the same user take half of the devices. */
static void test_port_is_exclusive(void **state)
{
    (void)state;
    struct stage s;
    struct net *other = NULL;
    stage_open(&s, 2);
    struct net_config config = s.f.config;
    config.port = net_port(s.f.net);
    for (config.workers = 1; config.workers <= 3; config.workers++) {
        assert_true(net_open(&other, &s.f.loop, &config) < 0);
        assert_null(other);
    }
    client_connect(stage_client(&s, 1, true));
    assert_served(&s, 0, 1);
    stage_close(&s);
}

/* Whichever allocation fails while it is opened, nothing stays behind, and the port is free. */
static void test_open_without_memory(void **state)
{
    (void)state;
    struct fixture f;
    unsigned nth = 0;
    int error;
    fixture_init(&f);
    f.config.workers = 3;
    f.config.well_known = "</c>";
    do {
        alloc_fault_arm(++nth, false);
        alloc_fault_enter();
        error = net_open(&f.net, &f.loop, &f.config);
        alloc_fault_leave();
        assert_true(error == 0 || (error < 0 && f.net == NULL));
        (void)uv_run(&f.loop, error == 0 ? UV_RUN_NOWAIT : UV_RUN_DEFAULT);
    } while (error != 0);
    assert_true(nth > 20 && !alloc_fault_fired());
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everybody_is_served),
        cmocka_unit_test(test_records_on_the_wrong_worker),
        cmocka_unit_test(test_foreign_connection_ids),
        cmocka_unit_test(test_addresses_on_the_wrong_worker),
        cmocka_unit_test(test_newest_handshake_has_the_session),
        cmocka_unit_test(test_kick_reaches_every_worker),
        cmocka_unit_test(test_upload_wanders),
        cmocka_unit_test(test_close_in_the_middle),
        cmocka_unit_test(test_port_is_exclusive),
        cmocka_unit_test(test_open_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
