/* Implementation of link.h. */
#include "tests/bench/fleet/link.h"

#include <netinet/udp.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <mycel/error.h>

#include "common/assert.h"

#define ACK_TIMEOUT_MS 2000u /* RFC 7252 §4.8, without its jitter: nothing here is synchronised */
#define RETRANSMIT_MAX 4u
#define RECEIVE_BUFFER_BYTES (1 << 20)

uint64_t link_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- the library's callbacks */

static int on_random(void *user, unsigned char *out, size_t bytes)
{
    (void)user;
    return getrandom(out, bytes, 0) == (ssize_t)bytes ? 0 : -1;
}

/* What the kernel does not take is lost, as on any network. */
static int on_send(void *user, const unsigned char *bytes, size_t count)
{
    struct link *link = user;
    (void)send(link->fd, bytes, count, MSG_DONTWAIT);
    link->traffic->bytes_out[link->kind] += count + LINK_HEADER_BYTES;
    link->traffic->datagrams[link->kind]++;
    return (int)count;
}

/* Takes what the kernel holds: datagrams that left in one message arrive in one, as through a network
 * card that cuts and joins them. Otherwise loopback would charge the sender for cutting, and for the
 * receiver's work with each piece. False: nothing is there. */
static bool take_joined(struct link *link)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec vector = {.iov_base = link->joined, .iov_len = sizeof link->joined};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t count = recvmsg(link->fd, &message, MSG_DONTWAIT);
    link->joined_at = 0;
    link->joined_bytes = count > 0 ? (size_t)count : 0;
    link->joined_each = link->joined_bytes;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        int each = 0;
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            memcpy(&each, CMSG_DATA(c), sizeof each);
            link->joined_each = each > 0 ? (size_t)each : link->joined_bytes;
        }
    }
    return link->joined_bytes > 0;
}

static int on_receive(void *user, unsigned char *out, size_t capacity)
{
    struct link *link = user;
    if (link->joined_at == link->joined_bytes && !take_joined(link)) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    size_t left = link->joined_bytes - link->joined_at;
    size_t count = link->joined_each < left ? link->joined_each : left;
    const uint8_t *datagram = link->joined + link->joined_at;
    link->joined_at += count;
    memcpy(out, datagram, count < capacity ? count : capacity);
    link->in_bytes = count + LINK_HEADER_BYTES;
    if (!link->established) {
        link->traffic->bytes_in[LINK_HANDSHAKE] += link->in_bytes;
        link->traffic->datagrams[LINK_HANDSHAKE]++;
    }
    return (int)(count < capacity ? count : capacity);
}

static void on_set_timer(void *user, uint32_t intermediate_ms, uint32_t final_ms)
{
    struct link *link = user;
    link->timer_start_ms = link_now_ms();
    link->timer_intermediate_ms = intermediate_ms;
    link->timer_final_ms = final_ms;
}

static int on_get_timer(void *user)
{
    const struct link *link = user;
    if (link->timer_final_ms == 0) {
        return -1;
    }
    uint64_t elapsed_ms = link_now_ms() - link->timer_start_ms;
    return elapsed_ms >= link->timer_final_ms          ? 2
           : elapsed_ms >= link->timer_intermediate_ms ? 1
                                                       : 0;
}

/* ---- life */

int link_init(struct link *link, const struct link_options *options)
{
    static const int ciphers[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, 0};
    memset(link, 0, sizeof *link);
    link->fd = -1;
    link->from =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(options->from)};
    link->to = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons(options->port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    link->plain = options->plain;
    link->traffic = options->traffic;
    mbedtls_ssl_config_init(&link->config);
    mbedtls_ssl_init(&link->ssl);
    if (mbedtls_ssl_config_defaults(&link->config, MBEDTLS_SSL_IS_CLIENT,
                                    MBEDTLS_SSL_TRANSPORT_DATAGRAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        return MYCEL_E_CRYPTO;
    }
    mbedtls_ssl_conf_ciphersuites(&link->config, ciphers);
    mbedtls_ssl_conf_rng(&link->config, on_random, NULL);
    if (options->flight_max_ms > 0) {
        mbedtls_ssl_conf_handshake_timeout(&link->config, options->flight_min_ms,
                                           options->flight_max_ms);
    }
    /* Its own socket tells this device apart: the coordinator's records need no id. */
    if (mbedtls_ssl_conf_cid(&link->config, 0, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE) != 0 ||
        mbedtls_ssl_conf_psk(&link->config, options->key, options->key_bytes,
                             (const unsigned char *)options->identity,
                             strlen(options->identity)) != 0) {
        return MYCEL_E_CRYPTO;
    }
    return MYCEL_OK;
}

static void close_session(void *ctx)
{
    struct link *link = ctx;
    if (link->fd >= 0) {
        (void)close(link->fd);
        link->fd = -1;
        mbedtls_ssl_free(&link->ssl);
        mbedtls_ssl_init(&link->ssl);
    }
    link->established = false;
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        link->slots[i].busy = false;
    }
}

void link_deinit(struct link *link)
{
    close_session(link);
    mbedtls_ssl_config_free(&link->config);
}

static int open_session(void *ctx)
{
    struct link *link = ctx;
    int room = RECEIVE_BUFFER_BYTES;
    link->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0) {
        return MYCEL_E_IO;
    }
    int on = 1;
    link->joined_bytes = link->joined_at = 0;
    (void)setsockopt(link->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    (void)setsockopt(link->fd, SOL_UDP, UDP_GRO, &on, sizeof on); /* else they come one by one */
    if (bind(link->fd, (struct sockaddr *)&link->from, sizeof link->from) != 0 ||
        connect(link->fd, (struct sockaddr *)&link->to, sizeof link->to) != 0 ||
        mbedtls_ssl_setup(&link->ssl, &link->config) != 0 ||
        mbedtls_ssl_set_cid(&link->ssl, MBEDTLS_SSL_CID_ENABLED, NULL, 0) != 0) {
        close_session(link);
        return MYCEL_E_IO;
    }
    mbedtls_ssl_set_bio(&link->ssl, link, on_send, on_receive, NULL);
    mbedtls_ssl_set_timer_cb(&link->ssl, link, on_set_timer, on_get_timer);
    return MYCEL_OK;
}

/* 1: established, 0: under way, <0: failed. */
static int shake_hands(struct link *link)
{
    if (link->established) {
        return 1;
    }
    link->kind = LINK_HANDSHAKE;
    int result = mbedtls_ssl_handshake(&link->ssl);
    link->established = result == 0;
    if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return 0;
    }
    return result == 0 ? 1 : MYCEL_E_UNAUTHORIZED;
}

/* ---- requests */

static uint8_t kind_of(const struct mycel_request *request)
{
    switch (request->path[0][0]) {
    case 'c':
        return LINK_CHECKIN;
    case 'u':
        return LINK_UPLOAD;
    default:
        return LINK_DOWNLOAD;
    }
}

static int write_slot(struct link *link, struct link_slot *slot)
{
    link->kind = slot->kind;
    slot->due_ms = link_now_ms() + (uint64_t)ACK_TIMEOUT_MS * (1u << slot->tries);
    int written = mbedtls_ssl_write(&link->ssl, slot->message, slot->bytes);
    return written == (int)slot->bytes ? MYCEL_OK : MYCEL_E_CLOSED;
}

static int send_request(void *ctx, unsigned index, const struct mycel_request *request)
{
    struct link *link = ctx;
    int ready = shake_hands(link);
    if (ready <= 0) {
        return ready;
    }
    struct link_slot *slot = &link->slots[index];
    slot->generation = ++link->generation;
    slot->kind = kind_of(request);
    slot->tries = 0;
    const uint8_t token[COAP_TOKEN_BYTES] = {
        (uint8_t)index, (uint8_t)slot->generation}; /* old answers to a slot are not mistaken */
    slot->bytes = coap_write(slot->message, ++link->mid, token, request);
    slot->busy = true;
    int rc = write_slot(link, slot);
    return rc < 0 ? rc : 1;
}

static int retransmit(struct link *link)
{
    uint64_t now_ms = link_now_ms();
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        struct link_slot *slot = &link->slots[i];
        if (!slot->busy || now_ms < slot->due_ms) {
            continue;
        }
        if (slot->tries == RETRANSMIT_MAX) {
            return MYCEL_E_TIMEOUT;
        }
        slot->tries++;
        link->traffic->retransmissions++;
        int rc = write_slot(link, slot);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* Whether the message answers a request in flight. */
static bool take_answer(struct link *link, size_t bytes, struct mycel_response *response)
{
    uint8_t token[COAP_TOKEN_BYTES];
    if (!coap_read(link->plain, bytes, token, response) || token[0] >= MYCEL_REQUEST_SLOTS) {
        return false;
    }
    struct link_slot *slot = &link->slots[token[0]];
    link->traffic->bytes_in[slot->kind] += link->in_bytes;
    link->traffic->datagrams[slot->kind]++;
    if (!slot->busy || (uint8_t)slot->generation != token[1]) {
        return false;
    }
    slot->busy = false;
    response->slot = token[0];
    return true;
}

static int receive(void *ctx, struct mycel_response *response)
{
    struct link *link = ctx;
    int ready = shake_hands(link);
    while (ready > 0) {
        int bytes = mbedtls_ssl_read(&link->ssl, link->plain, LINK_DATAGRAM_BYTES_MAX);
        if (bytes == MBEDTLS_ERR_SSL_WANT_READ) {
            return retransmit(link);
        }
        if (bytes <= 0) {
            return MYCEL_E_CLOSED;
        }
        if (take_answer(link, (size_t)bytes, response)) {
            return 1;
        }
    }
    return ready;
}

static void cancel(void *ctx, unsigned slot)
{
    ((struct link *)ctx)->slots[slot].busy = false;
}

const struct mycel_transport link_transport = {open_session, send_request, receive, cancel,
                                               close_session};

uint32_t link_due_ms(const struct link *link, uint64_t now_ms)
{
    uint64_t due = UINT64_MAX;
    if (link->fd >= 0 && !link->established && link->timer_final_ms > 0) {
        due = link->timer_start_ms + link->timer_final_ms;
    }
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        if (link->slots[i].busy && link->slots[i].due_ms < due) {
            due = link->slots[i].due_ms;
        }
    }
    uint64_t left = due > now_ms ? due - now_ms : 0;
    return left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
}
