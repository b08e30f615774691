/* The clients of sessions.h. */
#include "tests/bench/sessions/sessions.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CID_BYTES 4u

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
    return 0; /* never: see sessions.h */
}

int client_socket(const struct server *server)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(server->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        die("socket");
    }
    return fd;
}

static void basics(mbedtls_ssl_config *config, const int *ciphers, bool cid)
{
    mbedtls_ssl_config_init(config);
    (void)mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_DATAGRAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_ciphersuites(config, ciphers);
    mbedtls_ssl_conf_rng(config, on_random, NULL);
    if (cid) {
        (void)mbedtls_ssl_conf_cid(config, CID_BYTES, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE);
    }
}

static void credentials(mbedtls_ssl_config *config, uint32_t index, bool cid)
{
    static const int ciphers[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, 0};
    static const char key[] = "sixteen-byte-key";
    char identity[24];
    snprintf(identity, sizeof identity, "bench-%u", index);
    basics(config, ciphers, cid);
    (void)mbedtls_ssl_conf_psk(config, (const unsigned char *)key, 16, (unsigned char *)identity,
                               strlen(identity));
}

/* The configuration is complete. */
static void open_client(struct client *c, uint32_t index, bool cid)
{
    unsigned char own[CID_BYTES];
    memcpy(own, &index, sizeof own);
    mbedtls_ssl_init(&c->ssl);
    if (mbedtls_ssl_setup(&c->ssl, &c->config) != 0 ||
        (cid && mbedtls_ssl_set_cid(&c->ssl, MBEDTLS_SSL_CID_ENABLED, own, CID_BYTES) != 0)) {
        die("TLS client");
    }
    mbedtls_ssl_set_bio(&c->ssl, c, on_send, on_receive, NULL);
    mbedtls_ssl_set_timer_cb(&c->ssl, c, on_set_timer, on_get_timer);
}

static struct client *new_client(int fd)
{
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        die("no memory");
    }
    c->fd = fd;
    return c;
}

struct client *client_new(uint32_t index, int fd, bool cid)
{
    struct client *c = new_client(fd);
    credentials(&c->config, index, cid);
    open_client(c, index, cid);
    return c;
}

struct client *client_new_certified(uint32_t index, int fd, struct credentials *own)
{
    static const int ciphers[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, 0};
    struct client *c = new_client(fd);
    basics(&c->config, ciphers, true);
    if (credentials_configure(own, &c->config) != 0) {
        die("no memory");
    }
    open_client(c, index, true);
    (void)mbedtls_ssl_set_hostname(&c->ssl, "fleet.example");
    return c;
}

void client_free(struct client *c)
{
    mbedtls_ssl_free(&c->ssl);
    mbedtls_ssl_config_free(&c->config);
    free(c);
}

static bool take(struct client *c)
{
    ssize_t count = recv(c->fd, c->in, sizeof c->in, MSG_DONTWAIT);
    c->in_bytes = count > 0 ? (size_t)count : 0;
    return count > 0;
}

int client_step(struct client *c)
{
    (void)take(c);
    int result = mbedtls_ssl_handshake(&c->ssl);
    return result == 0 ? 1 : result == MBEDTLS_ERR_SSL_WANT_READ ? 0 : -1;
}

bool client_handshake(struct client *c)
{
    int result;
    while ((result = client_step(c)) == 0) {
        struct pollfd readable = {.fd = c->fd, .events = POLLIN};
        if (poll(&readable, 1, 1000) <= 0) {
            return false;
        }
    }
    return result > 0;
}

void client_ask(struct client *c, uint8_t method)
{
    uint8_t message[] = {0x40, method, (uint8_t)(c->mid >> 8), (uint8_t)c->mid};
    c->mid++;
    c->waiting = true;
    if (mbedtls_ssl_write(&c->ssl, message, sizeof message) != (int)sizeof message) {
        die("write");
    }
}

size_t client_read(struct client *c, uint8_t *out, size_t capacity)
{
    int count = mbedtls_ssl_read(&c->ssl, out, capacity);
    if (count == MBEDTLS_ERR_SSL_WANT_READ) {
        return 0;
    }
    if (count < 4) {
        die("a request was not answered");
    }
    c->waiting = false;
    return (size_t)count;
}

size_t client_wait(struct client *c, uint8_t *out, size_t capacity, int ms)
{
    double end = now_s() + ms * 1e-3;
    while (now_s() < end) {
        struct pollfd readable = {.fd = c->fd, .events = POLLIN};
        (void)poll(&readable, 1, ms);
        size_t count = take(c) ? client_read(c, out, capacity) : 0;
        if (count > 0) {
            return count;
        }
    }
    die("a request was not answered in time");
}

struct client *client_sort(int fd, struct client **clients, uint32_t count)
{
    uint8_t bytes[2048];
    uint32_t index;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    ssize_t length = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (length <= 0 && poll(&readable, 1, 1000) > 0) {
        length = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    }
    if (length < 20 || bytes[0] != 25) {
        return NULL;
    }
    memcpy(&index, bytes + 11, sizeof index);
    if (index >= count || clients[index] == NULL) {
        return NULL;
    }
    memcpy(clients[index]->in, bytes, (size_t)length);
    clients[index]->in_bytes = (size_t)length;
    return clients[index];
}
