/*
 * What sessions cost the coordinator's endpoint: a handshake, a small request at 10 and at 10,000 of
 * them, one that restores a parked session, memory for each, all of them coming back at once, and
 * devices amid a flood of ClientHellos; and the same of devices with certificates. libcoap's coap-server goes first and does what it can of the same; its
 * figures are the references.
 *
 *   bench_sessions [seconds of the flood, 30] [sessions in the end, 100,000]
 */
#include "tests/bench/sessions/certificates.h"
#include "tests/bench/sessions/sessions.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HOT 10u     /* sessions that are in use */
#define KEPT 2048u  /* sessions whose clients remember their keys */
#define MANY 10000u /* sessions of a fleet */
#define WINDOW 16u
#define REQUESTS 40000u
#define HANDSHAKES 2000u
#define SHAKERS 16u /* handshakes at once */
#define FLOOD_S 30.0
#define FLOOD_RATE 10000.0
#define TRIES_MAX 200000u
#define LIBCOAP_REQUESTS 2000u

void die(const char *what)
{
    fprintf(stderr, "bench_sessions: %s\n", what);
    exit(1);
}

double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* 0 stands for "none" in reference and target. */
static void print(const char *name, double value, const char *unit, double reference, double target)
{
    char against[80] = "\"reference\":null,\"ratio\":null";
    char aim[40] = "null";
    if (reference > 0) {
        snprintf(against, sizeof against, "\"reference\":%.6g,\"ratio\":%.4g", reference,
                 value / reference);
    }
    if (target > 0) {
        snprintf(aim, sizeof aim, "%.6g", target);
    }
    printf("{\"bench\":\"sessions\",\"case\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",%s,\"target\":%"
           "s}\n",
           name, value, unit, against, aim);
    fflush(stdout);
}

/* --- A crowd of clients -------------------------------------------------------------------------- */

struct crowd {
    struct server *server;
    int fd; /* common to all that have finished their handshake */
    int sockets[SHAKERS];
    struct client *clients[KEPT];
    uint32_t connected;
};

static void crowd_open(struct crowd *crowd, struct server *server)
{
    memset(crowd, 0, sizeof *crowd);
    crowd->server = server;
    crowd->fd = client_socket(server);
    for (uint32_t i = 0; i < SHAKERS; i++) {
        crowd->sockets[i] = client_socket(server);
    }
}

static void crowd_close(struct crowd *crowd)
{
    for (uint32_t i = 0; i < KEPT; i++) {
        if (crowd->clients[i] != NULL) {
            client_free(crowd->clients[i]);
        }
    }
    for (uint32_t i = 0; i < SHAKERS; i++) {
        close(crowd->sockets[i]);
    }
    close(crowd->fd);
}

static void wait_for_any(const int *sockets, uint32_t count)
{
    struct pollfd readable[SHAKERS];
    for (uint32_t i = 0; i < count; i++) {
        readable[i] = (struct pollfd){.fd = sockets[i], .events = POLLIN};
    }
    (void)poll(readable, count, 1000);
}

/* `count` handshakes at once, each with a request after it: a session that never asks is not parked. */
static void shake(struct client **c, const int *sockets, uint32_t count)
{
    bool done[SHAKERS] = {false};
    double begin = now_s();
    for (uint32_t left = count; left > 0;) {
        for (uint32_t i = 0; i < count; i++) {
            int result = done[i] ? 0 : client_step(c[i]);
            if (result < 0 || now_s() - begin > 20) {
                die("a handshake failed");
            }
            if (result > 0) {
                done[i] = true;
                left--;
                client_ask(c[i], NET_GET);
            }
        }
        if (left > 0) {
            wait_for_any(sockets, count);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t out[1500];
        (void)client_wait(c[i], out, sizeof out, 5000);
    }
}

/* Devices [first, first + count); whoever had a session has a new one afterwards. */
static void crowd_batch(struct crowd *crowd, uint32_t first, uint32_t count)
{
    struct client *c[SHAKERS];
    for (uint32_t i = 0; i < count; i++) {
        c[i] = client_new(first + i, crowd->sockets[i], true);
    }
    shake(c, crowd->sockets, count);
    for (uint32_t i = 0; i < count; i++) {
        if (first + i >= KEPT) {
            client_free(c[i]);
            continue;
        }
        if (crowd->clients[first + i] != NULL) {
            client_free(crowd->clients[first + i]);
        }
        c[i]->fd = crowd->fd;
        crowd->clients[first + i] = c[i];
    }
}

static void crowd_connect(struct crowd *crowd, uint32_t first, uint32_t end)
{
    while (first < end) {
        uint32_t count = end - first < SHAKERS ? end - first : SHAKERS;
        crowd_batch(crowd, first, count);
        first += count;
    }
    crowd->connected = end > crowd->connected ? end : crowd->connected;
}

/* `count` requests over devices [0, n), WINDOW at a time; the server's CPU microseconds for one. */
static double request_us(struct crowd *crowd, uint32_t n, uint32_t count)
{
    uint32_t sent = 0;
    uint32_t waiting = 0;
    double before = server_cpu_s(crowd->server);
    for (uint32_t done = 0; done < count; done++) {
        while (sent < count && waiting < WINDOW && !crowd->clients[sent % n]->waiting) {
            client_ask(crowd->clients[sent++ % n], NET_GET);
            waiting++;
        }
        uint8_t out[1500];
        struct client *c = client_sort(crowd->fd, crowd->clients, KEPT);
        if (c == NULL || client_read(c, out, sizeof out) < 8) {
            die("a request was not answered");
        }
        waiting--;
    }
    return (server_cpu_s(crowd->server) - before) / count * 1e6;
}

static struct report ask_report(struct crowd *crowd)
{
    struct report report;
    uint8_t out[1500];
    client_ask(crowd->clients[0], NET_POST);
    struct client *c = client_sort(crowd->fd, crowd->clients, KEPT);
    size_t count = c == crowd->clients[0] ? client_read(c, out, sizeof out) : 0;
    if (count < sizeof report) {
        die("no report");
    }
    memcpy(&report, out + count - sizeof report, sizeof report);
    return report;
}

/* --- libcoap ------------------------------------------------------------------------------------- */

struct reference {
    double handshake_us;
    double request_10_us;
    double request_10k_us;
    double session_bytes; /* resident */
};

/* Its sessions are told apart by address: a socket for each. */
static struct client **libcoap_connect(struct server *server, uint32_t count)
{
    struct client **c = calloc(count, sizeof *c);
    if (c == NULL) {
        die("no memory");
    }
    for (uint32_t i = 0; i < count; i += SHAKERS) {
        int sockets[SHAKERS];
        uint32_t n = count - i < SHAKERS ? count - i : SHAKERS;
        for (uint32_t k = 0; k < n; k++) {
            sockets[k] = client_socket(server);
            c[i + k] = client_new(i + k, sockets[k], false);
        }
        shake(&c[i], sockets, n);
    }
    return c;
}

static double libcoap_request_us(struct server *server, struct client **c)
{
    double before = server_cpu_s(server);
    for (uint32_t i = 0; i < LIBCOAP_REQUESTS; i += HOT) {
        for (uint32_t k = 0; k < HOT; k++) {
            client_ask(c[k], NET_GET);
        }
        for (uint32_t k = 0; k < HOT; k++) {
            uint8_t out[1500];
            (void)client_wait(c[k], out, sizeof out, 5000);
        }
    }
    return (server_cpu_s(server) - before) / LIBCOAP_REQUESTS * 1e6;
}

static void libcoap_free(struct client **c, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        close(c[i]->fd);
        client_free(c[i]);
    }
    free(c);
}

/* All zero when this build has no coap-server, or may not open so many files. */
static struct reference measure_libcoap(void)
{
    struct reference out = {0};
    struct rlimit files;
    struct server server;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < MANY + 256 ||
        !server_start_libcoap(&server)) {
        return out;
    }
    struct client **hot = libcoap_connect(&server, HOT);
    out.request_10_us = libcoap_request_us(&server, hot);
    double rss = server_rss_bytes(&server);
    double cpu = server_cpu_s(&server);
    struct client **few = libcoap_connect(&server, HANDSHAKES);
    out.handshake_us = (server_cpu_s(&server) - cpu) / HANDSHAKES * 1e6;
    struct client **idle = libcoap_connect(&server, MANY - HANDSHAKES);
    out.session_bytes = (server_rss_bytes(&server) - rss) / MANY;
    out.request_10k_us = libcoap_request_us(&server, hot);
    libcoap_free(idle, MANY - HANDSHAKES);
    libcoap_free(few, HANDSHAKES);
    libcoap_free(hot, HOT);
    server_stop(&server);
    print("libcoap_handshake_psk", out.handshake_us, "us", 0, 0);
    print("libcoap_session_bytes_10k", out.session_bytes, "B", 0, 0);
    print("libcoap_request_at_10", out.request_10_us, "us", 0, 0);
    print("libcoap_request_at_10k", out.request_10k_us, "us", 0, 0);
    return out;
}

/* --- Flood --------------------------------------------------------------------------------------- */

/* A genuine ClientHello without cookie, caught on its way out. */
static size_t catch_hello(uint8_t *out, size_t capacity)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) {
        die("socketpair");
    }
    struct client *mute = client_new(KEPT, pair[0], true);
    (void)client_step(mute);
    ssize_t bytes = recv(pair[1], out, capacity, MSG_DONTWAIT);
    client_free(mute);
    close(pair[0]);
    close(pair[1]);
    if (bytes <= 40) {
        die("no ClientHello");
    }
    return (size_t)bytes;
}

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

/* ClientHellos from ever new ports, without cookie, and a device that connects again and again. */
static void flood(struct server *server, double seconds)
{
    static double taken_s[TRIES_MAX];
    uint8_t hello[512];
    size_t bytes = catch_hello(hello, sizeof hello);
    int flooder = client_socket(server);
    int device = client_socket(server);
    double cpu_before = server_cpu_s(server);
    double begin = now_s();
    uint32_t sent = 0;
    uint32_t good = 0;
    uint32_t tries = 0;
    while (now_s() - begin < seconds && tries < TRIES_MAX) {
        while (sent < (now_s() - begin) * FLOOD_RATE) {
            if (sent % 64 == 0) {
                close(flooder);
                flooder = client_socket(server);
            }
            memcpy(hello + 27, &sent, sizeof sent); /* the random */
            (void)send(flooder, hello, bytes, 0);
            sent++;
        }
        struct client *c = client_new(KEPT, device, true);
        double started = now_s();
        good += client_handshake(c);
        taken_s[tries++] = now_s() - started;
        client_free(c);
    }
    double elapsed_s = now_s() - begin;
    qsort(taken_s, tries, sizeof taken_s[0], compare);
    print("flood_success", 100.0 * good / tries, "%", 0, 99);
    print("flood_p99", taken_s[tries * 99 / 100] * 1e3, "ms", 0, 2000);
    print("flood_slowest_handshake", taken_s[tries - 1] * 1e3, "ms", 0, 0);
    print("flood_hellos_per_s", sent / elapsed_s, "1/s", 0, FLOOD_RATE);
    print("flood_server_cpu", (server_cpu_s(server) - cpu_before) / elapsed_s * 100, "%", 0, 0);
    close(flooder);
    close(device);
}

/* --- Cases --------------------------------------------------------------------------------------- */

/* Heap for each parked session beyond what `before` had. */
static double parked_bytes(const struct report *before, const struct report *after)
{
    uint32_t sessions = after->stats.sessions_parked - before->stats.sessions_parked;
    return (double)(after->heap_bytes - before->heap_bytes) / sessions;
}

static void measure(struct crowd *crowd, const struct reference *reference, uint32_t sessions_end)
{
    crowd_connect(crowd, 0, HOT);
    double at_10 = request_us(crowd, HOT, REQUESTS);
    double before = server_cpu_s(crowd->server);
    crowd_connect(crowd, HOT, HOT + HANDSHAKES);
    print("handshake_psk", (server_cpu_s(crowd->server) - before) / HANDSHAKES * 1e6, "us",
          reference->handshake_us, 0);
    crowd_connect(crowd, HOT + HANDSHAKES, KEPT);
    struct report at_kept = ask_report(crowd);
    crowd_connect(crowd, KEPT, MANY);
    struct report report = ask_report(crowd);
    print("session_bytes_10k", parked_bytes(&at_kept, &report), "B", reference->session_bytes,
          1024);
    double at_10k = request_us(crowd, HOT, REQUESTS);
    print("request_at_10", at_10, "us", reference->request_10_us, 0);
    print("request_at_10k", at_10k, "us", reference->request_10k_us, 0);
    print("request_10k_vs_10", at_10k / at_10, "ratio",
          reference->request_10k_us / fmax(reference->request_10_us, 1e-9), 1.3);
    print("request_parked", request_us(crowd, KEPT, REQUESTS), "us", reference->request_10k_us, 25);
    double begin = now_s();
    crowd_connect(crowd, 0, MANY);
    print("reconnect_10k", now_s() - begin, "s", 0, 10);
    struct report earlier = ask_report(crowd);
    crowd_connect(crowd, MANY, sessions_end);
    report = ask_report(crowd);
    print("session_bytes_100k", parked_bytes(&earlier, &report), "B", reference->session_bytes,
          1024);
    print("sessions_parked_at_the_end", report.stats.sessions_parked, "sessions", 0, 0);
}

/* What a thread of its own costs a small request that the shell answers: two letters. */
static void measure_workers(unsigned workers)
{
    struct server server = server_start(workers);
    struct crowd crowd;
    char name[32];
    crowd_open(&crowd, &server);
    crowd_connect(&crowd, 0, HOT);
    snprintf(name, sizeof name, "request_%u_workers", workers);
    print(name, request_us(&crowd, HOT, REQUESTS), "us", 0, 0);
    crowd_close(&crowd);
    server_stop(&server);
}

static void measure_certified(double flood_s)
{
    struct certificate_costs costs = measure_certificates(flood_s);
    print("handshake_certificate", costs.handshake_us, "us", 0, 0);
    print("handshake_certificate_crl", costs.handshake_crl_us, "us", 0, 0);
    print("session_bytes_certificate", costs.parked_bytes, "B", 0, 1024);
    print("certificate_flood_begun", costs.flood_begun_per_s, "1/s", 0, 0);
    print("certificate_flood_server_cpu", costs.flood_server_cpu * 100, "%", 0, 0);
    print("certificate_flood_psk_success", costs.flood_psk_success, "%", 0, 99);
    print("certificate_flood_psk_p99", costs.flood_psk_p99_ms, "ms", 0, 2000);
}

int main(int argc, char **argv)
{
    double flood_s = argc > 1 ? strtod(argv[1], NULL) : FLOOD_S;
    uint32_t end = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : SESSIONS_MAX;
    if (end <= MANY || end > SESSIONS_MAX) {
        die("between 10,001 and 100,000 sessions");
    }
    measure_certified(flood_s);
    struct reference reference = measure_libcoap();
    struct server server = server_start(1);
    static struct crowd crowd;
    crowd_open(&crowd, &server);
    measure(&crowd, &reference, end);
    crowd_close(&crowd);
    flood(&server, flood_s);
    server_stop(&server);
    measure_workers(2);
    return 0;
}
