/*
 * What sessions cost the coordinator's endpoint: a handshake, a small request at 10 and at 10,000 of
 * them, one that restores a parked session, memory for each, and devices amid a flood of ClientHellos.
 *
 * The endpoint runs in a process of its own, whose CPU time the kernel counts in nanoseconds. All
 * clients share one socket: connection ids tell them apart on both sides. References are what libcoap
 * 4.3.5's server needed for the same, on a quiet machine of the same kind.
 */
#include <arpa/inet.h>
#include <malloc.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/ssl.h>
#include <uv.h>

#include "server/net/net.h"

#define HOT 10u          /* sessions that are in use */
#define KEPT 2048u       /* sessions whose clients remember their keys */
#define SESSIONS 100000u /* in the end */
#define LIVE_MAX 1024u
#define WINDOW 16u
#define REQUESTS 40000u
#define HANDSHAKES 2000u
#define SHAKERS 16u /* handshakes at once */
#define FLOOD_S 5.0
#define FLOOD_RATE 10000.0
#define CID_BYTES 4u

static void die(const char *what)
{
    fprintf(stderr, "bench_sessions: %s\n", what);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void print(const char *name, double value, const char *unit, double reference)
{
    char against[80] = "\"reference\":null,\"ratio\":null";
    if (reference > 0) {
        snprintf(against, sizeof against, "\"reference\":%.6g,\"ratio\":%.4g", reference,
                 value / reference);
    }
    printf("{\"bench\":\"sessions\",\"case\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",%s}\n", name,
           value, unit, against);
    fflush(stdout);
}

/* ---- the endpoint's process ----------------------------------------------------------------- */

/* What the endpoint tells about itself. */
struct report {
    struct net_stats stats;
    uint64_t heap_bytes;
};

static struct net *net;

static int on_lookup(void *user, const char *identity, struct net_psk keys[NET_KEYS_MAX])
{
    (void)user, (void)identity;
    memset(keys[0].key, 7, 16);
    keys[0].bytes = 16;
    return 1;
}

static void on_request(void *user, const struct net_request *request)
{
    (void)user;
    struct report report;
    struct net_response response = NET_RESPONSE(NET_CODE(2, 5));
    response.payload = "pong", response.payload_bytes = 4;
    if (request->method == NET_POST) {
        struct mallinfo2 info = mallinfo2();
        net_stats(net, &report.stats);
        report.heap_bytes = info.uordblks + info.hblkhd;
        response.payload = &report;
        response.payload_bytes = sizeof report;
    }
    (void)net_reply(net, request->reply, &response);
}

static int on_admit(void *user, const struct net_request *request, uint64_t bytes,
                    struct net_response *refusal)
{
    (void)user, (void)request, (void)bytes, (void)refusal;
    return 1;
}

static void serve(int port_pipe)
{
    uv_loop_t loop;
    struct net_config config = {
        .address = {"127.0.0.1"},
        .addresses = 1,
        .peers_max = SESSIONS + SESSIONS / 8,
        .live_max = LIVE_MAX,
        .park_after_ms = 600000,
        .callbacks = {.psk_lookup = on_lookup, .handler = on_request, .body_admit = on_admit}};
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_NAME, "endpoint");
    if (uv_loop_init(&loop) != 0 || net_open(&net, &loop, &config) != 0) {
        die("the endpoint does not open");
    }
    uint16_t port = net_port(net);
    if (write(port_pipe, &port, sizeof port) != (ssize_t)sizeof port) {
        die("pipe");
    }
    uv_run(&loop, UV_RUN_DEFAULT);
}

static double cpu_s(pid_t pid)
{
    char path[64];
    unsigned long long ns = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%llu", &ns) != 1) {
        die("no /proc/<pid>/schedstat");
    }
    fclose(file);
    return (double)ns * 1e-9;
}

/* ---- clients -------------------------------------------------------------------------------- */

struct client {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config; /* holds the identity */
    int fd;                    /* its own during the handshake, the common one afterwards */
    uint8_t in[2048];          /* the datagram that was sorted to this client */
    size_t in_bytes;
    uint16_t mid;
    bool waiting;
};

static int fd;
static uint16_t server_port;
static struct client *clients[KEPT];
static uint32_t connected;

static int on_random(void *user, unsigned char *out, size_t bytes)
{
    return (void)user, getentropy(out, bytes);
}

static int on_send(void *user, const unsigned char *bytes, size_t count)
{
    struct client *c = user;
    return (int)send(c->fd, bytes, count, 0);
}

static int on_receive(void *user, unsigned char *out, size_t capacity)
{
    struct client *c = user;
    if (c->in_bytes == 0 || c->in_bytes > capacity) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    size_t count = c->in_bytes;
    memcpy(out, c->in, count);
    c->in_bytes = 0;
    return (int)count;
}

static void on_set_timer(void *user, uint32_t intermediate_ms, uint32_t final_ms)
{
    (void)user, (void)intermediate_ms, (void)final_ms;
}

static int on_get_timer(void *user)
{
    (void)user;
    return 0; /* nothing is lost on loopback, and if it is the bench says so */
}

static int new_socket(void)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(server_port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s < 0 || connect(s, (struct sockaddr *)&to, sizeof to) != 0) {
        die("socket");
    }
    return s;
}

static void credentials(mbedtls_ssl_config *config, uint32_t index)
{
    static const int ciphers[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, 0};
    static const unsigned char key[16] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    char identity[24];
    snprintf(identity, sizeof identity, "bench-%u", index);
    mbedtls_ssl_config_init(config);
    (void)mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_DATAGRAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_ciphersuites(config, ciphers);
    mbedtls_ssl_conf_rng(config, on_random, NULL);
    (void)mbedtls_ssl_conf_cid(config, CID_BYTES, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE);
    (void)mbedtls_ssl_conf_psk(config, key, 16, (unsigned char *)identity, strlen(identity));
}

static struct client *client_new(uint32_t index, int on)
{
    struct client *c = calloc(1, sizeof *c);
    unsigned char cid[CID_BYTES];
    memcpy(cid, &index, sizeof cid);
    c->fd = on;
    credentials(&c->config, index);
    mbedtls_ssl_init(&c->ssl);
    if (mbedtls_ssl_setup(&c->ssl, &c->config) != 0 ||
        mbedtls_ssl_set_cid(&c->ssl, MBEDTLS_SSL_CID_ENABLED, cid, CID_BYTES) != 0) {
        die("TLS client");
    }
    mbedtls_ssl_set_bio(&c->ssl, c, on_send, on_receive, NULL);
    mbedtls_ssl_set_timer_cb(&c->ssl, c, on_set_timer, on_get_timer);
    return c;
}

static void client_free(struct client *c)
{
    mbedtls_ssl_free(&c->ssl);
    mbedtls_ssl_config_free(&c->config);
    free(c);
}

/* Waits for one datagram on the common socket and gives it to the client that its connection id names.
 * NULL when none comes within a second. */
static struct client *sort_one(void)
{
    uint8_t bytes[2048];
    uint32_t index;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    ssize_t count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count <= 0 && poll(&readable, 1, 1000) > 0) {
        count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    }
    if (count < 20 || bytes[0] != 25) {
        return NULL;
    }
    memcpy(&index, bytes + 11, sizeof index);
    if (index >= KEPT || clients[index] == NULL) {
        return NULL;
    }
    memcpy(clients[index]->in, bytes, (size_t)count);
    clients[index]->in_bytes = (size_t)count;
    return clients[index];
}

/* One step of a handshake on the client's own socket: 1 done, 0 waiting, -1 failed. */
static int step(struct client *c)
{
    ssize_t count = recv(c->fd, c->in, sizeof c->in, MSG_DONTWAIT);
    c->in_bytes = count > 0 ? (size_t)count : 0;
    int result = mbedtls_ssl_handshake(&c->ssl);
    return result == 0 ? 1 : result == MBEDTLS_ERR_SSL_WANT_READ ? 0 : -1;
}

static bool handshake(struct client *c)
{
    int result;
    while ((result = step(c)) == 0) {
        struct pollfd readable = {.fd = c->fd, .events = POLLIN};
        if (poll(&readable, 1, 1000) <= 0) {
            return false;
        }
    }
    return result > 0;
}

static void ask(struct client *c, uint8_t method)
{
    uint8_t message[] = {0x40, method, (uint8_t)(c->mid >> 8), (uint8_t)c->mid};
    c->mid++;
    c->waiting = true;
    if (mbedtls_ssl_write(&c->ssl, message, sizeof message) != (int)sizeof message) {
        die("write");
    }
}

static void wait_for_any(const int *sockets, uint32_t count)
{
    struct pollfd readable[SHAKERS];
    for (uint32_t i = 0; i < count; i++) {
        readable[i] = (struct pollfd){.fd = sockets[i], .events = POLLIN};
    }
    (void)poll(readable, count, 1000);
}

/* Connects SHAKERS devices at once. Each says one thing afterwards, so that it can be parked. */
static void connect_batch(uint32_t count, const int *sockets)
{
    struct client *c[SHAKERS];
    bool done[SHAKERS] = {false};
    double begin = now_s();
    for (uint32_t i = 0; i < count; i++) {
        c[i] = client_new(connected + i, sockets[i]);
    }
    for (uint32_t left = count; left > 0;) {
        for (uint32_t i = 0; i < count; i++) {
            int result = done[i] ? 0 : step(c[i]);
            if (result < 0 || now_s() - begin > 20) {
                die("a handshake failed");
            }
            if (result > 0) {
                done[i] = true;
                left--;
                ask(c[i], NET_GET);
            }
        }
        if (left > 0) {
            wait_for_any(sockets, count);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t out[1500];
        struct pollfd readable = {.fd = sockets[i], .events = POLLIN};
        if (poll(&readable, 1, 5000) <= 0 || step(c[i]) < 0 ||
            mbedtls_ssl_read(&c[i]->ssl, out, sizeof out) < 8) {
            die("a request was not answered");
        }
        c[i]->waiting = false;
        c[i]->fd = fd;
        if (connected + i < KEPT) {
            clients[connected + i] = c[i];
        } else {
            client_free(c[i]);
        }
    }
    connected += count;
}

static void connect_until(uint32_t target)
{
    static int sockets[SHAKERS];
    for (uint32_t i = 0; i < SHAKERS && sockets[i] == 0; i++) {
        sockets[i] = new_socket();
    }
    while (connected < target) {
        uint32_t left = target - connected;
        connect_batch(left < SHAKERS ? left : SHAKERS, sockets);
    }
}

/* `count` requests over clients [0, n), WINDOW at a time; the endpoint's CPU microseconds for one. */
static double request_us(pid_t pid, uint32_t n, uint32_t count)
{
    uint32_t sent = 0;
    uint32_t waiting = 0;
    double before = cpu_s(pid);
    for (uint32_t done = 0; done < count; done++) {
        while (sent < count && waiting < WINDOW && !clients[sent % n]->waiting) {
            ask(clients[sent++ % n], NET_GET);
            waiting++;
        }
        uint8_t out[1500];
        struct client *c = sort_one();
        if (c == NULL || mbedtls_ssl_read(&c->ssl, out, sizeof out) < 8) {
            die("a request was not answered");
        }
        c->waiting = false;
        waiting--;
    }
    return (cpu_s(pid) - before) / count * 1e6;
}

static struct report ask_report(void)
{
    struct report report;
    uint8_t out[1500];
    ask(clients[0], NET_POST);
    int count = sort_one() == clients[0] ? mbedtls_ssl_read(&clients[0]->ssl, out, sizeof out) : 0;
    if (count < (int)sizeof report) {
        die("no report");
    }
    clients[0]->waiting = false;
    memcpy(&report, out + count - (int)sizeof report, sizeof report);
    return report;
}

/* ---- cases ---------------------------------------------------------------------------------- */

/* Heap for each parked session beyond what `before` had. */
static double parked_bytes(const struct report *before, const struct report *after)
{
    uint32_t sessions = after->stats.sessions_parked - before->stats.sessions_parked;
    return (double)(after->heap_bytes - before->heap_bytes) / sessions;
}

/* A genuine ClientHello without cookie, caught on its way out. */
static size_t catch_hello(uint8_t *out, size_t capacity)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) {
        die("socketpair");
    }
    struct client *mute = client_new(KEPT, pair[0]);
    (void)step(mute);
    ssize_t bytes = recv(pair[1], out, capacity, MSG_DONTWAIT);
    client_free(mute);
    close(pair[0]);
    close(pair[1]);
    if (bytes <= 40) {
        die("no ClientHello");
    }
    return (size_t)bytes;
}

/* ClientHellos from ever new ports, without cookie, and a device that connects again and again. */
static void flood(pid_t pid)
{
    uint8_t hello[512];
    size_t bytes = catch_hello(hello, sizeof hello);
    int flooder = new_socket();
    int device = new_socket();
    double cpu_before = cpu_s(pid);
    double begin = now_s();
    double slowest = 0;
    uint32_t sent = 0;
    uint32_t good = 0;
    uint32_t tries = 0;
    while (now_s() - begin < FLOOD_S) {
        while (sent < (now_s() - begin) * FLOOD_RATE) {
            if (sent % 64 == 0) {
                close(flooder);
                flooder = new_socket();
            }
            memcpy(hello + 27, &sent, sizeof sent); /* the random */
            (void)send(flooder, hello, bytes, 0);
            sent++;
        }
        struct client *c = client_new(KEPT, device);
        double started = now_s();
        tries++;
        good += handshake(c);
        client_free(c);
        slowest = fmax(slowest, now_s() - started);
    }
    print("flood_success", 100.0 * good / tries, "%", 0);
    print("flood_slowest_handshake", slowest * 1e3, "ms", 31000);
    print("flood_hellos_per_s", sent / (now_s() - begin), "1/s", 0);
    print("flood_server_cpu", (cpu_s(pid) - cpu_before) / (now_s() - begin) * 100, "%", 0);
    close(flooder);
    close(device);
}

int main(void)
{
    int port_pipe[2];
    pid_t pid = pipe(port_pipe) == 0 ? fork() : -1;
    if (pid == 0) {
        serve(port_pipe[1]);
        return 0;
    }
    if (read(port_pipe[0], &server_port, sizeof server_port) != (ssize_t)sizeof server_port) {
        die("the endpoint did not start");
    }
    fd = new_socket();
    connect_until(HOT);
    double at_10 = request_us(pid, HOT, REQUESTS);
    double before = cpu_s(pid);
    connect_until(HOT + HANDSHAKES);
    print("handshake_psk", (cpu_s(pid) - before) / HANDSHAKES * 1e6, "us", 58);
    connect_until(KEPT);
    struct report at_kept = ask_report();
    connect_until(10000);
    struct report report = ask_report();
    print("session_bytes_10k", parked_bytes(&at_kept, &report), "B", 12000);
    double at_10k = request_us(pid, HOT, REQUESTS);
    print("request_at_10", at_10, "us", 9);
    print("request_at_10k", at_10k, "us", 250);
    print("request_10k_vs_10", at_10k / at_10, "ratio", 28);
    print("request_parked", request_us(pid, KEPT, REQUESTS), "us", 250);
    struct report earlier = ask_report();
    double begin = now_s();
    connect_until(SESSIONS);
    print("connect_per_s", (SESSIONS - 10000) / (now_s() - begin), "1/s", 0);
    report = ask_report();
    print("session_bytes_100k", parked_bytes(&earlier, &report), "B", 12000);
    flood(pid);
    kill(pid, SIGTERM);
    (void)waitpid(pid, NULL, 0);
    return 0;
}
