/* libcoap's client against the coordinator's endpoint, in one process: what a request and its answer
 * carry, four at a time, and what happens with a wrong key, a silent peer and a closed port. */
#include "client/port/linux/coap_transport.h"
#include "server/net/net.h"

#include <arpa/inet.h>
#include <mycel/error.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
// cmocka needs those above
#include <cmocka.h>

#define MODEL_BYTES 9000u
#define WAIT_MS 4000

static const uint8_t key[16] = "0123456789abcdef";

struct world {
    uv_loop_t loop;
    struct net *net;
    struct net_blob *blob;
    uint8_t model[MODEL_BYTES];
    uint8_t body[8192];
    size_t body_bytes;
    char identity[65];
    char address[32];
    struct coap_transport *transport;
};

static struct world w;

static int psk_lookup(void *user, const char *identity, struct net_psk keys[NET_KEYS_MAX])
{
    (void)user;
    if (strcmp(identity, "device") != 0) {
        return 0;
    }
    memcpy(keys[0].key, key, sizeof key);
    keys[0].bytes = sizeof key;
    return 1;
}

static void handler(void *user, const struct net_request *q)
{
    (void)user;
    struct net_response r = NET_RESPONSE(NET_CODE(4, 4));
    snprintf(w.identity, sizeof w.identity, "%s", q->identity);
    if (strcmp(q->segment[0], "m") == 0) {
        r = NET_RESPONSE(NET_CODE(2, 5));
        r.content_format = PROTO_FORMAT_MODEL;
        r.blob = w.blob;
    } else if (q->method == NET_PUT) {
        assert_true(q->body_bytes <= sizeof w.body);
        memcpy(w.body, q->body, q->body_bytes);
        w.body_bytes = q->body_bytes;
        free(q->body);
        r = NET_RESPONSE(NET_CODE(2, 4));
        r.content_format = PROTO_FORMAT_RECEIPT;
        r.payload = "receipt";
        r.payload_bytes = 7;
    } else if (strcmp(q->segment[0], "busy") == 0) {
        r = NET_RESPONSE(NET_CODE(5, 3));
        r.max_age_s = 7;
    } else if (strcmp(q->segment[0], "echo") == 0) {
        r = NET_RESPONSE(NET_CODE(2, 4));
        r.content_format = q->content_format;
        r.payload = q->payload;
        r.payload_bytes = q->payload_bytes;
    } else if (strcmp(q->segment[0], "silence") == 0) {
        return; /* the endpoint answers 5.03 after 1.5 s */
    }
    (void)net_reply(w.net, q->reply, &r);
}

static int body_admit(void *user, const struct net_request *q, uint64_t bytes,
                      struct net_response *refusal)
{
    (void)user;
    (void)q;
    (void)refusal;
    return bytes > 8192;
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    for (unsigned i = 0; i < MODEL_BYTES; i++) {
        w.model[i] = (uint8_t)(i * 7u);
    }
    assert_int_equal(uv_loop_init(&w.loop), 0);
    struct net_config config = {
        .address = {"127.0.0.1"},
        .addresses = 1,
        .callbacks = {.psk_lookup = psk_lookup, .handler = handler, .body_admit = body_admit}};
    assert_int_equal(net_open(&w.net, &w.loop, &config), 0);
    w.blob = net_blob_new(w.model, MODEL_BYTES, (const uint8_t *)"etagetag", NULL, NULL);
    snprintf(w.address, sizeof w.address, "127.0.0.1:%u", (unsigned)net_port(w.net));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    coap_transport_close(w.transport);
    net_close(w.net, NULL, NULL);
    while (uv_run(&w.loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(uv_loop_close(&w.loop), 0);
    net_blob_unref(w.blob);
    return 0;
}

static void open_as(const char *address, const char *identity, const uint8_t *with_key)
{
    struct coap_transport_config config = {
        .coordinator = address, .identity = identity, .key = with_key, .key_bytes = 16};
    assert_int_equal(coap_transport_open(&w.transport, &config), 0);
    assert_int_equal(coap_transport_table.open(w.transport), 0);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Runs both sides until an answer, an error, or the time is over (0). */
static int answer_within(struct mycel_response *r, int ms)
{
    int64_t end_ms = now_ms() + ms;
    while (now_ms() < end_ms) {
        if (w.net != NULL) {
            uv_run(&w.loop, UV_RUN_NOWAIT);
        }
        int rc = coap_transport_table.receive(w.transport, r);
        if (rc != 0) {
            return rc;
        }
        struct pollfd fd = {.fd = coap_transport_fd(w.transport), .events = POLLIN};
        poll(&fd, 1, 2);
    }
    return 0;
}

static void get(unsigned slot, const char *first, const char *second)
{
    struct mycel_request q = {
        .method = MYCEL_GET, .path = {first, second}, .content_format = MYCEL_FORMAT_NONE};
    assert_int_equal(coap_transport_table.send(w.transport, slot, &q), 1);
}

static void get_block(unsigned slot, uint32_t number)
{
    struct mycel_request q = {.method = MYCEL_GET,
                              .path = {"m", "hash"},
                              .content_format = MYCEL_FORMAT_NONE,
                              .block = {.kind = MYCEL_BLOCK_2, .number = number, .szx = 6}};
    assert_int_equal(coap_transport_table.send(w.transport, slot, &q), 1);
}

static void test_four_blocks_at_a_time(void **state)
{
    (void)state;
    open_as(w.address, "device", key);
    uint8_t got[MODEL_BYTES];
    uint32_t next = 0;
    for (unsigned slot = 0; slot < 4; slot++) {
        get_block(slot, next++);
    }
    for (unsigned i = 0; i < 9; i++) {
        struct mycel_response r;
        assert_int_equal(answer_within(&r, WAIT_MS), 1);
        assert_int_equal(r.code, 0x45);
        assert_int_equal(r.content_format, PROTO_FORMAT_MODEL);
        assert_int_equal(r.block.kind, MYCEL_BLOCK_2);
        assert_int_equal(r.block.szx, 6);
        assert_int_equal(r.block.more, r.block.number < 8);
        assert_int_equal(r.payload_bytes, r.block.number < 8 ? 1024 : MODEL_BYTES - 8192);
        assert_int_equal(r.etag_bytes, 8);
        assert_memory_equal(r.etag, "etagetag", 8);
        assert_int_equal(r.size2, r.block.number == 0 ? MODEL_BYTES : 0);
        memcpy(got + r.block.number * 1024u, r.payload, r.payload_bytes);
        if (next < 9) {
            get_block(r.slot, next++);
        }
    }
    assert_memory_equal(got, w.model, MODEL_BYTES);
    assert_string_equal(w.identity, "device");
    struct net_stats stats;
    net_stats(w.net, &stats);
    assert_int_equal(stats.handshakes, 1);
    assert_int_equal(stats.requests, 9);
    struct coap_transport_bytes bytes = coap_transport_bytes(w.transport);
    assert_in_range(bytes.received, MODEL_BYTES, stats.bytes_out);
    assert_in_range(bytes.sent, 9 * 15, stats.bytes_in);
}

static void put_block(unsigned slot, uint32_t number, const uint8_t *body, uint32_t total)
{
    uint32_t offset = number * 1024u;
    uint32_t left = total - offset;
    struct mycel_request q = {
        .method = MYCEL_PUT,
        .path = {"u", "key"},
        .content_format = PROTO_FORMAT_UPDATE,
        .block = {.kind = MYCEL_BLOCK_1, .number = number, .szx = 6, .more = left > 1024},
        .size1 = total,
        .payload = body + offset,
        .payload_bytes = left > 1024 ? 1024 : left};
    assert_int_equal(coap_transport_table.send(w.transport, slot, &q), 1);
}

static void test_upload_in_any_order(void **state)
{
    (void)state;
    open_as(w.address, "device", key);
    static const uint32_t order[] = {2, 0, 3, 1};
    for (unsigned i = 0; i < 4; i++) {
        put_block(i, order[i], w.model, 5000);
    }
    struct mycel_response r;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(answer_within(&r, WAIT_MS), 1);
        assert_int_equal(r.code, 0x5F);
        assert_int_equal(r.block.kind, MYCEL_BLOCK_1);
        assert_int_equal(r.block.number, order[r.slot]);
    }
    put_block(0, 4, w.model, 5000);
    assert_int_equal(answer_within(&r, WAIT_MS), 1);
    assert_int_equal(r.code, 0x44);
    assert_int_equal(r.content_format, PROTO_FORMAT_RECEIPT);
    assert_int_equal(r.payload_bytes, 7);
    assert_int_equal(w.body_bytes, 5000);
    assert_memory_equal(w.body, w.model, 5000);
}

static void test_post_and_refusals(void **state)
{
    (void)state;
    open_as(w.address, "device", key);
    struct mycel_request q = {.method = MYCEL_POST,
                              .path = {"echo", NULL},
                              .content_format = PROTO_FORMAT_MESSAGE,
                              .payload = w.model,
                              .payload_bytes = 640};
    assert_int_equal(coap_transport_table.send(w.transport, 3, &q), 1);
    struct mycel_response r;
    assert_int_equal(answer_within(&r, WAIT_MS), 1);
    assert_int_equal(r.slot, 3);
    assert_int_equal(r.content_format, PROTO_FORMAT_MESSAGE);
    assert_int_equal(r.payload_bytes, 640);
    assert_memory_equal(r.payload, w.model, 640);
    get(1, "busy", NULL);
    assert_int_equal(answer_within(&r, WAIT_MS), 1);
    assert_int_equal(r.code, 0xA3);
    assert_int_equal(r.max_age_s, 7);
    assert_int_equal(r.content_format, MYCEL_FORMAT_NONE);
    get(1, "nothing", "here");
    assert_int_equal(answer_within(&r, WAIT_MS), 1);
    assert_int_equal(r.code, 0x84);
}

static void test_cancelled_requests_stay_silent(void **state)
{
    (void)state;
    open_as(w.address, "device", key);
    struct mycel_response r;
    get(0, "busy", NULL);
    coap_transport_table.cancel(w.transport, 0);
    get(0, "nothing", NULL); /* the same slot at once */
    assert_int_equal(answer_within(&r, WAIT_MS), 1);
    assert_int_equal(r.code, 0x84);
    assert_int_equal(answer_within(&r, 200), 0);
}

/* A coordinator that is deaf for a while: the request is repeated as asked, served once, and the answer
 * says how often it was sent. */
static void test_repeated_requests_are_served_once(void **state)
{
    (void)state;
    open_as(w.address, "device", key);
    struct mycel_response r;
    get(0, "busy", NULL);
    assert_int_equal(answer_within(&r, WAIT_MS), 1);
    assert_int_equal(r.repeats, 0);
    struct mycel_request q = {.method = MYCEL_GET,
                              .path = {"nothing", NULL},
                              .content_format = MYCEL_FORMAT_NONE,
                              .timeout_ms = 100};
    assert_int_equal(coap_transport_table.send(w.transport, 2, &q), 1);
    int64_t end_ms = now_ms() + 600; /* after 100, 250, 475 ms, and up to a quarter later */
    while (now_ms() < end_ms) {
        struct pollfd fd = {.fd = coap_transport_fd(w.transport), .events = POLLIN};
        assert_true(poll(&fd, 1, 600) == 1); /* its own timer wakes whoever waits */
        assert_int_equal(coap_transport_table.receive(w.transport, &r), 0);
    }
    assert_int_equal(answer_within(&r, WAIT_MS), 1);
    assert_int_equal(r.slot, 2);
    assert_int_equal(r.code, 0x84);
    assert_in_range(r.repeats, 2, 4);
    assert_int_equal(answer_within(&r, 50), 0);
    struct net_stats stats;
    net_stats(w.net, &stats);
    assert_int_equal(stats.requests, 2);
    assert_in_range(stats.duplicates, 2, 4);
}

static void test_reopened_session(void **state)
{
    (void)state;
    open_as(w.address, "device", key);
    struct mycel_response r;
    for (unsigned i = 1; i <= 3; i++) {
        get(0, "busy", NULL);
        assert_int_equal(answer_within(&r, WAIT_MS), 1);
        get(1, "silence", NULL);
        coap_transport_table.close(w.transport);
        assert_int_equal(coap_transport_table.open(w.transport), 0);
        assert_int_equal(answer_within(&r, 50), 0);
    }
    get(0, "busy", NULL);
    assert_int_equal(answer_within(&r, WAIT_MS), 1);
    struct net_stats stats;
    net_stats(w.net, &stats);
    assert_int_equal(stats.handshakes, 4);
    assert_int_equal(stats.sessions, 1);
}

static void test_wrong_key_gets_no_answer(void **state)
{
    (void)state;
    open_as(w.address, "device", (const uint8_t *)"fedcba9876543210");
    struct mycel_response r;
    get(0, "busy", NULL);
    assert_true(answer_within(&r, 1500) <= 0);
    struct net_stats stats;
    net_stats(w.net, &stats);
    assert_int_equal(stats.requests, 0);
    assert_int_equal(stats.handshakes, 0);
}

static void test_unknown_name_gets_no_answer(void **state)
{
    (void)state;
    open_as(w.address, "stranger", key);
    struct mycel_response r;
    get(0, "busy", NULL);
    assert_true(answer_within(&r, 1500) <= 0);
    struct net_stats stats;
    net_stats(w.net, &stats);
    assert_int_equal(stats.requests, 0);
}

/* A bound socket that nobody reads: silence, no error. */
static void test_silent_peer(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int silent = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(silent, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(silent, (struct sockaddr *)&address, &bytes), 0);
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    open_as(text, "device", key);
    get(0, "busy", NULL);
    struct mycel_response r;
    assert_int_equal(answer_within(&r, 1500), 0);
    close(silent);
    /* Now the port is closed: the kernel says so at the next retransmission. */
    assert_int_equal(answer_within(&r, 8000), MYCEL_E_UNREACHABLE);
    coap_transport_table.close(w.transport);
}

static void test_configuration_is_checked(void **state)
{
    (void)state;
    struct coap_transport *t;
    struct coap_transport_config good = {
        .coordinator = "127.0.0.1", .identity = "device", .key = key, .key_bytes = 16};
    struct coap_transport_config config = good;
    config.key_bytes = 15;
    assert_int_equal(coap_transport_open(&t, &config), MYCEL_E_INVALID);
    config = good;
    config.identity = "";
    assert_int_equal(coap_transport_open(&t, &config), MYCEL_E_INVALID);
    config = good;
    config.coordinator = "127.0.0.1:99999";
    assert_int_equal(coap_transport_open(&t, &config), MYCEL_E_INVALID);
    assert_null(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_four_blocks_at_a_time),
        TEST(test_upload_in_any_order),
        TEST(test_post_and_refusals),
        TEST(test_cancelled_requests_stay_silent),
        TEST(test_repeated_requests_are_served_once),
        TEST(test_reopened_session),
        TEST(test_wrong_key_gets_no_answer),
        TEST(test_unknown_name_gets_no_answer),
        TEST(test_silent_peer),
        TEST(test_configuration_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
