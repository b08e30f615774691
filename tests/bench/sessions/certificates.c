/* Implementation of certificates.h. */
#include "tests/bench/sessions/certificates.h"
#include "tests/bench/sessions/sessions.h"

#include "common/crypto/credentials.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEVICES 48u /* with a certificate each */
#define FEW 16u
#define HANDSHAKES 400u
#define FLOOD_RATE 1000.0 /* begun in a second, ten times what the endpoint allows */
#define FLOODERS 16u
#define TRIES_MAX 20000u
#define PSK_DEVICE 90000u

static char folder[] = "/tmp/mycel-bench-XXXXXX";

/* --- Certificates -------------------------------------------------------------------------------- */

static void make(void)
{
    char command[256 + DEVICES * 32];
    if (mkdtemp(folder) == NULL) {
        die("no folder");
    }
    int n = snprintf(command, sizeof command,
                     "'%s/tests/certificates/make.sh' %s ca coordinator crl:nobody",
                     MYCEL_SOURCE_DIR, folder);
    for (unsigned i = 0; i < DEVICES; i++) {
        n += snprintf(command + n, sizeof command - (size_t)n, " device:bench-%u", i);
    }
    if (system(command) != 0) {
        die("no certificates: is the openssl command there?");
    }
}

static void forget(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0) {
        die("rm");
    }
}

static struct pem_text read_text(const char *name)
{
    static unsigned char text[8][16384];
    static unsigned used;
    char path[128];
    unsigned char *at = text[used++ % 8];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    size_t count = file != NULL ? fread(at, 1, sizeof text[0] - 1, file) : 0;
    if (count == 0) {
        die(path);
    }
    fclose(file);
    at[count] = '\0';
    return (struct pem_text){at, count + 1};
}

static int on_random(void *user, unsigned char *out, size_t bytes)
{
    return (void)user, getentropy(out, bytes);
}

static void load(struct credentials *out, unsigned device)
{
    char own[32];
    char key[32];
    struct credentials_problem problem;
    snprintf(own, sizeof own, "bench-%u.pem", device);
    snprintf(key, sizeof key, "bench-%u.key", device);
    const struct pem_texts texts = {read_text(own), read_text(key), read_text("ca.pem"), {0}};
    credentials_init(out);
    if (credentials_parse(out, &texts, CERTIFICATE_OF_DEVICE, (uint64_t)(time(NULL)) * 1000u,
                          on_random, NULL, NULL, &problem) != 0) {
        die("a device's certificate");
    }
}

static struct server serve(bool crl, unsigned per_s)
{
    struct pem_texts texts = {
        read_text("coordinator.pem"), read_text("coordinator.key"), read_text("ca.pem"), {0}};
    if (crl) {
        texts.crl = read_text("crl.pem");
    }
    return server_start_certified(&texts, per_s);
}

/* --- Handshakes and sessions --------------------------------------------------------------------- */

/* A handshake and a request. */
static struct client *connect_one(int fd, struct credentials *credentials, unsigned index)
{
    uint8_t out[1500];
    struct client *c = client_new_certified(index, fd, credentials);
    if (!client_handshake(c)) {
        die("a handshake with a certificate failed");
    }
    client_ask(c, NET_GET);
    (void)client_wait(c, out, sizeof out, 5000);
    return c;
}

static double handshake_us(bool crl)
{
    struct server server = serve(crl, UINT16_MAX);
    struct credentials credentials;
    int fd = client_socket(&server);
    load(&credentials, 0);
    client_free(connect_one(fd, &credentials, 0));
    double before = server_cpu_s(&server);
    for (unsigned i = 0; i < HANDSHAKES; i++) {
        client_free(connect_one(fd, &credentials, 0));
    }
    double us = (server_cpu_s(&server) - before) / HANDSHAKES * 1e6;
    credentials_deinit(&credentials);
    close(fd);
    server_stop(&server);
    return us;
}

static struct report report_of(struct client *c)
{
    struct report report;
    uint8_t out[1500];
    client_ask(c, NET_POST);
    size_t count = client_wait(c, out, sizeof out, 5000);
    if (count < sizeof report) {
        die("no report");
    }
    memcpy(&report, out + count - sizeof report, sizeof report);
    return report;
}

/* Only one session stays as it is (sessions.h), the others are parked. */
static double parked_bytes(void)
{
    struct server server = serve(false, UINT16_MAX);
    struct credentials credentials[DEVICES];
    struct client *c[DEVICES];
    int fd[DEVICES];
    struct report few = {0};
    for (unsigned i = 0; i < DEVICES; i++) {
        load(&credentials[i], i);
        fd[i] = client_socket(&server);
        c[i] = connect_one(fd[i], &credentials[i], i);
        if (i + 1 == FEW) {
            (void)report_of(c[i]); /* contexts that are kept spare, and the like, are there now */
            few = report_of(c[i]);
        }
    }
    struct report all = report_of(c[DEVICES - 1]);
    uint32_t sessions = all.stats.sessions_parked - few.stats.sessions_parked;
    if (sessions != DEVICES - FEW) {
        die("sessions with certificates are not parked");
    }
    for (unsigned i = 0; i < DEVICES; i++) {
        client_free(c[i]);
        credentials_deinit(&credentials[i]);
        close(fd[i]);
    }
    server_stop(&server);
    return (double)(all.heap_bytes - few.heap_bytes) / sessions;
}

/* --- Flood --------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

/* Up to the ClientHello with its cookie, then silence. */
static void begin_one(int fd, struct credentials *credentials)
{
    struct client *c = client_new_certified(0, fd, credentials);
    (void)client_step(c);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    (void)poll(&readable, 1, 20);
    (void)client_step(c);
    client_free(c);
}

static void flood(struct certificate_costs *out, double seconds)
{
    static double taken_s[TRIES_MAX];
    struct server server = serve(false, 0); /* the default budget */
    struct credentials credentials;
    int sockets[FLOODERS];
    int device = client_socket(&server);
    unsigned begun = 0;
    unsigned good = 0;
    unsigned tries = 0;
    load(&credentials, 0);
    for (unsigned i = 0; i < FLOODERS; i++) {
        sockets[i] = client_socket(&server);
    }
    double cpu = server_cpu_s(&server);
    double begin = now_s();
    while (now_s() - begin < seconds && tries < TRIES_MAX) {
        for (unsigned n = 0; n < FLOODERS && begun < (now_s() - begin) * FLOOD_RATE; n++) {
            begin_one(sockets[n], &credentials);
            begun++;
        }
        struct client *c = client_new(PSK_DEVICE, device, true);
        double started = now_s();
        good += client_handshake(c);
        taken_s[tries++] = now_s() - started;
        client_free(c);
    }
    double elapsed_s = now_s() - begin;
    qsort(taken_s, tries, sizeof taken_s[0], compare);
    out->flood_begun_per_s = begun / elapsed_s;
    out->flood_server_cpu = (server_cpu_s(&server) - cpu) / elapsed_s;
    out->flood_psk_success = 100.0 * good / tries;
    out->flood_psk_p99_ms = taken_s[tries * 99 / 100] * 1e3;
    credentials_deinit(&credentials);
    server_stop(&server);
}

struct certificate_costs measure_certificates(double flood_s)
{
    struct certificate_costs out = {0};
    make();
    out.handshake_us = handshake_us(false);
    out.handshake_crl_us = handshake_us(true);
    out.parked_bytes = parked_bytes();
    flood(&out, flood_s);
    forget();
    return out;
}
