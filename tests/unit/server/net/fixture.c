/* Implementation of fixture.h. */
#include "tests/unit/server/net/fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/rng.h"
#include "tests/unit/server/net/alloc_fault.h"
#include "tests/unit/server/net/certified.h"

#define DEVICES 4096u
#define RECEIVE_TURNS_MIN 10u
#define STATS_MS 250u /* two of the workers' periods */

uint64_t test_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void device_name(unsigned device, char out[16])
{
    (void)snprintf(out, 16, "dev-%04u", device);
}

void device_key(unsigned device, uint8_t key[16])
{
    for (unsigned i = 0; i < 16; i++) {
        key[i] = (uint8_t)rng_u32(7, device, i);
    }
}

void device_new_key(unsigned device, uint8_t key[16])
{
    device_key(device, key);
    key[0] ^= 1;
}

/* --- The scripted shell -------------------------------------------------------------------------- */

static int on_lookup(void *user, const char *identity, struct net_psk keys[NET_KEYS_MAX])
{
    struct fixture *f = user;
    unsigned device = 0;
    f->lookups++;
    if ((f->revoked != NULL && strcmp(identity, f->revoked) == 0) || strlen(identity) != 8 ||
        sscanf(identity, "dev-%4u", &device) != 1 || device >= DEVICES ||
        (f->config.certificates != NULL && certified_device(device))) {
        return 0;
    }
    int count = 0;
    if (f->rotating) {
        device_new_key(device, keys[count].key);
        keys[count].number = 2;
        keys[count++].bytes = 16;
    }
    device_key(device, keys[count].key);
    keys[count].number = 1;
    keys[count++].bytes = 16;
    return count;
}

static void record(struct fixture *f, const struct net_request *request)
{
    if (f->requests >= SEEN_MAX) {
        free(request->body);
        return;
    }
    struct seen *seen = &f->seen[f->requests];
    (void)snprintf(seen->identity, sizeof seen->identity, "%s", request->identity);
    seen->path[0] = '\0';
    for (unsigned i = 0; i < request->segments; i++) {
        size_t used = strlen(seen->path);
        (void)snprintf(seen->path + used, sizeof seen->path - used, "/%s", request->segment[i]);
    }
    seen->method = request->method;
    seen->payload_bytes = request->payload_bytes;
    if (request->payload_bytes > 0) {
        memcpy(seen->payload, request->payload, request->payload_bytes);
    }
    seen->body = request->body;
    seen->body_bytes = request->body_bytes;
    seen->reply = request->reply;
}

static void on_closed(void *user)
{
    struct fixture *f = user;
    f->closed = true;
}

static void on_request(void *user, const struct net_request *request)
{
    struct fixture *f = user;
    record(f, request);
    unsigned number = ++f->requests;
    char text[64];
    struct net_response response = NET_RESPONSE(NET_CODE(2, 5));
    const char *last = request->segments > 0 ? request->segment[request->segments - 1] : "";
    (void)snprintf(text, sizeof text, "%s %u", last, number);
    response.payload = text;
    response.payload_bytes = strlen(text);
    switch (f->mode) {
    case ANSWER_LATER:
        return;
    case ANSWER_CLOSE:
        net_close(f->net, on_closed, f);
        f->net = NULL;
        return;
    case ANSWER_KICK:
        assert_int_equal(net_kick(f->net, request->identity), 1);
        assert_true(net_reply(f->net, request->reply, &response) < 0);
        return;
    case ANSWER_BLOB:
        response.blob = f->blob;
        response.for_all = f->for_all;
        response.payload_bytes = 0;
        break;
    case ANSWER_ECHO:
        break;
    }
    assert_int_equal(net_reply(f->net, request->reply, &response), 0);
}

static int on_admit(void *user, const struct net_request *request, uint64_t bytes,
                    struct net_response *refusal)
{
    struct fixture *f = user;
    assert_null(request->body);
    f->admits++;
    f->admitted_bytes = bytes;
    if (f->refuse_code == 0) {
        return 0;
    }
    refusal->code = f->refuse_code;
    refusal->payload = "receipt";
    refusal->payload_bytes = 7;
    return 1;
}

/* --- The endpoint -------------------------------------------------------------------------------- */

void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->config.address[0] = "127.0.0.1";
    f->config.addresses = 1;
    const char *workers = getenv("MYCEL_TEST_WORKERS");
    f->config.workers = workers != NULL ? (unsigned)strtoul(workers, NULL, 10) : 1;
    f->config.callbacks = (struct net_callbacks){
        .user = f, .psk_lookup = on_lookup, .handler = on_request, .body_admit = on_admit};
}

void fixture_open(struct fixture *f)
{
    f->closed = false;
    assert_int_equal(net_open(&f->net, &f->loop, &f->config), 0);
}

void fixture_close(struct fixture *f)
{
    if (f->net != NULL) {
        net_close(f->net, on_closed, f);
        f->net = NULL;
    }
    while (!f->closed) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
}

void fixture_deinit(struct fixture *f)
{
    fixture_close(f);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    for (unsigned i = 0; i < SEEN_MAX; i++) {
        free(f->seen[i].body);
    }
    net_blob_unref(f->blob);
}

void fixture_turn(struct fixture *f)
{
    alloc_fault_enter();
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    alloc_fault_leave();
}

void fixture_run(struct fixture *f, unsigned ms)
{
    uint64_t end_ms = test_now_ms() + ms;
    do {
        fixture_turn(f);
        (void)poll(NULL, 0, 1);
    } while (test_now_ms() < end_ms);
}

struct net_stats fixture_stats(struct fixture *f)
{
    struct net_stats stats;
    if (f->config.workers > 1) {
        fixture_run(f, STATS_MS);
    }
    net_stats(f->net, &stats);
    return stats;
}

/* --- The client ---------------------------------------------------------------------------------- */

static int random_bytes(void *user, unsigned char *out, size_t count)
{
    (void)user;
    return getentropy(out, count) == 0 ? 0 : -1;
}

static int on_send(void *user, const unsigned char *bytes, size_t count)
{
    struct client *c = user;
    assert_true(count <= sizeof c->last);
    memcpy(c->last, bytes, count);
    c->last_bytes = count;
    c->sent++;
    if (!c->hold) {
        (void)send(c->fd, bytes, count, 0);
    }
    return (int)count;
}

static int on_receive(void *user, unsigned char *out, size_t capacity)
{
    struct client *c = user;
    ssize_t count = recv(c->fd, out, capacity, MSG_DONTWAIT);
    if (count >= 0 && c->drop_next > 0) {
        c->drop_next--;
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    if (count < 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    c->answer_bytes = (size_t)count;
    memcpy(c->answer, out, c->answer_bytes);
    return (int)count;
}

static void on_set_timer(void *user, uint32_t intermediate_ms, uint32_t final_ms)
{
    struct client *c = user;
    c->timer_start_ms = test_now_ms();
    c->timer_intermediate_ms = intermediate_ms;
    c->timer_final_ms = final_ms;
}

static int on_get_timer(void *user)
{
    struct client *c = user;
    uint64_t elapsed_ms = test_now_ms() - c->timer_start_ms;
    if (c->timer_final_ms == 0) {
        return -1;
    }
    return elapsed_ms >= c->timer_final_ms ? 2 : elapsed_ms >= c->timer_intermediate_ms ? 1 : 0;
}

void client_setup(struct client *c, bool cid)
{
    mbedtls_ssl_init(&c->ssl);
    assert_int_equal(mbedtls_ssl_setup(&c->ssl, &c->config), 0);
    mbedtls_ssl_set_bio(&c->ssl, c, on_send, on_receive, NULL);
    mbedtls_ssl_set_timer_cb(&c->ssl, c, on_set_timer, on_get_timer);
    if (cid) {
        assert_int_equal(mbedtls_ssl_set_cid(&c->ssl, MBEDTLS_SSL_CID_ENABLED, NULL, 0), 0);
    }
    if (c->expects != NULL) {
        assert_int_equal(mbedtls_ssl_set_hostname(&c->ssl, c->expects), 0);
    }
    c->fresh = cid;
}

uint16_t client_rebind(struct client *c, uint16_t port)
{
    int family = c->ipv6 ? AF_INET6 : AF_INET;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    v4.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xFFu) | c->host);
    v6.sin6_addr = in6addr_loopback;
    struct sockaddr *address = c->ipv6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    socklen_t length = c->ipv6 ? sizeof v6 : sizeof v4;
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    c->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(c->fd >= 0);
    assert_int_equal(bind(c->fd, address, length), 0);
    uint8_t server = c->fixture->server_host != 0 ? c->fixture->server_host : 1;
    v4.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xFFu) | server);
    v4.sin_port = htons(net_port(c->fixture->net));
    v6.sin6_port = v4.sin_port;
    assert_int_equal(connect(c->fd, address, length), 0);
    return client_local_port(c);
}

uint16_t client_local_port(const struct client *c)
{
    struct sockaddr_in6 local;
    socklen_t length = sizeof local;
    assert_int_equal(getsockname(c->fd, (struct sockaddr *)&local, &length), 0);
    return ntohs(local.sin6_port); /* at the same place in both families */
}

void client_prepare(struct client *c, struct fixture *f, bool cid)
{
    memset(c, 0, sizeof *c);
    c->fixture = f;
    c->fd = -1;
    c->ipv6 = strchr(f->config.address[0], ':') != NULL;
    c->host = f->client_host != 0 ? f->client_host : 1;
    (void)client_rebind(c, 0);
    mbedtls_ssl_config_init(&c->config);
    assert_int_equal(mbedtls_ssl_config_defaults(&c->config, MBEDTLS_SSL_IS_CLIENT,
                                                 MBEDTLS_SSL_TRANSPORT_DATAGRAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&c->config, random_bytes, NULL);
    mbedtls_ssl_conf_handshake_timeout(&c->config, 200, 1600);
    if (cid) {
        assert_int_equal(mbedtls_ssl_conf_cid(&c->config, 0, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE), 0);
    }
}

void client_init_as(struct client *c, struct fixture *f, const char *identity,
                    const uint8_t key[16], bool cid)
{
    client_prepare(c, f, cid);
    assert_int_equal(mbedtls_ssl_conf_psk(&c->config, key, 16, (const unsigned char *)identity,
                                          strlen(identity)),
                     0);
    client_setup(c, cid);
}

void client_init(struct client *c, struct fixture *f, unsigned device, bool cid)
{
    char identity[16];
    uint8_t key[16];
    device_name(device, identity);
    device_key(device, key);
    client_init_as(c, f, identity, key, cid);
}

void client_deinit(struct client *c)
{
    mbedtls_ssl_free(&c->ssl);
    mbedtls_ssl_config_free(&c->config);
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
}

void client_reboot(struct client *c)
{
    mbedtls_ssl_free(&c->ssl);
    client_setup(c, c->fresh);
}

bool client_step(struct client *c)
{
    c->outcome = mbedtls_ssl_handshake(&c->ssl);
    c->alert =
        c->outcome == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE ? c->ssl.MBEDTLS_PRIVATE(in_msg)[1] : 0;
    return c->outcome != MBEDTLS_ERR_SSL_WANT_READ && c->outcome != MBEDTLS_ERR_SSL_WANT_WRITE;
}

static void pump(struct client *c)
{
    struct pollfd readable = {.fd = c->fd, .events = POLLIN};
    fixture_turn(c->fixture);
    (void)poll(&readable, 1, 1);
}

bool client_handshake(struct client *c, unsigned ms)
{
    uint64_t end_ms = test_now_ms() + ms;
    while (!client_step(c)) {
        if (test_now_ms() >= end_ms) {
            return false;
        }
        pump(c);
    }
    fixture_run(c->fixture, 1); /* the endpoint takes notice of the end */
    return c->outcome == 0;
}

void client_connect(struct client *c)
{
    assert_true(client_handshake(c, WAIT_MS));
}

void client_send(struct client *c, const uint8_t *bytes, size_t count)
{
    assert_int_equal(mbedtls_ssl_write(&c->ssl, bytes, count), (int)count);
}

void client_send_raw(struct client *c, const uint8_t *bytes, size_t count)
{
    (void)send(c->fd, bytes, count, 0);
}

/* The clock alone would not do: a process that is not scheduled for so long has not listened. */
static bool is_over(unsigned turn, uint64_t end_ms)
{
    return turn >= RECEIVE_TURNS_MIN && test_now_ms() >= end_ms;
}

size_t client_receive(struct client *c, uint8_t *out, size_t capacity, unsigned ms)
{
    uint64_t end_ms = test_now_ms() + ms;
    for (unsigned turn = 0;; turn++) {
        int count = mbedtls_ssl_read(&c->ssl, out, capacity);
        if (count > 0) {
            return (size_t)count;
        }
        if (is_over(turn, end_ms)) {
            return 0;
        }
        pump(c);
    }
}

size_t client_receive_raw(struct client *c, uint8_t *out, size_t capacity, unsigned ms)
{
    uint64_t end_ms = test_now_ms() + ms;
    for (unsigned turn = 0;; turn++) {
        ssize_t count = recv(c->fd, out, capacity, MSG_DONTWAIT);
        if (count > 0) {
            return (size_t)count;
        }
        if (is_over(turn, end_ms)) {
            return 0;
        }
        pump(c);
    }
}
