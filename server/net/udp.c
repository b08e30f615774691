/*
 * Implementation of udp.h. Receive buffers are shared by all sockets, because a batch is handled
 * completely before the next one is read.
 */
#include "server/net/udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mycel/error.h>

#include "common/assert.h"
#include "server/net/turn.h"
#include "server/net/udp_local.h"
#include "server/net/udp_socket.h"

/* Kernel's limits of one message that it cuts into datagrams (UDP_SEGMENT, Linux 4.18). */
#define UDP_JOINED_MAX 64u
#define UDP_JOINED_BYTES_MAX 60000u

/* What the kernel is told with a message: from which address, and where to cut. */
struct udp_control {
    _Alignas(struct cmsghdr) uint8_t bytes[UDP_LOCAL_BYTES + CMSG_SPACE(sizeof(uint16_t))];
};

struct udp_socket {
    uv_poll_t poll;
    struct udp *udp;
    int fd;
    uint8_t index;
};

struct udp {
    struct udp_socket socket[NET_ADDRESSES_MAX];
    unsigned sockets;
    uint16_t port;
    bool closing;
    unsigned open; /* of the turn and the sockets' polls */
    struct turn turn;
    struct net_stats *stats;
    udp_receive_fn receive;
    void *user;
    void (*closed)(void *user);
    void *closed_user;

    struct mmsghdr in_header[UDP_RECEIVE_BATCH];
    struct iovec in_vector[UDP_RECEIVE_BATCH];
    union address_raw in_from[UDP_RECEIVE_BATCH];
    struct udp_control in_control[UDP_RECEIVE_BATCH];
    uint8_t in_bytes[UDP_RECEIVE_BATCH][UDP_DATAGRAM_BYTES_MAX];

    unsigned out_count;
    struct mmsghdr out_header[UDP_SEND_BATCH];
    struct iovec out_vector[UDP_SEND_BATCH];
    union address_raw out_to[UDP_SEND_BATCH];
    struct udp_control out_control[UDP_SEND_BATCH];
    uint8_t out_socket[UDP_SEND_BATCH];
    uint8_t out_bytes[UDP_SEND_BATCH][UDP_DATAGRAM_BYTES_MAX];
    bool joins; /* the kernel can cut messages */
    struct mmsghdr joined[UDP_SEND_BATCH];
    struct udp_control joined_control[UDP_SEND_BATCH];
};

/* --- Sending ------------------------------------------------------------------------------------- */

/* Whether datagram i, of those after `first`, may share a message: same peer, and all of one size but the
 * last. */
static bool udp_may_join(const struct udp *udp, unsigned first, unsigned i, size_t bytes)
{
    socklen_t length = udp->out_header[first].msg_hdr.msg_namelen;
    size_t control = udp->out_header[first].msg_hdr.msg_controllen;
    return udp->joins && i - first < UDP_JOINED_MAX &&
           bytes + udp->out_vector[i].iov_len <= UDP_JOINED_BYTES_MAX &&
           udp->out_vector[i - 1].iov_len == udp->out_vector[first].iov_len &&
           udp->out_vector[i].iov_len <= udp->out_vector[first].iov_len &&
           udp->out_header[i].msg_hdr.msg_namelen == length &&
           memcmp(&udp->out_to[i], &udp->out_to[first], length) == 0 &&
           udp->out_header[i].msg_hdr.msg_controllen == control &&
           memcmp(&udp->out_control[i], &udp->out_control[first], control) == 0;
}

/* Joins datagrams [first, end) into as few messages as possible: a device that asked for four blocks gets
 * them for little more than the price of one. Messages in `joined`. */
static unsigned udp_join(struct udp *udp, unsigned first, unsigned end)
{
    unsigned count = 0;
    while (first < end) {
        size_t bytes = udp->out_vector[first].iov_len;
        unsigned next = first + 1;
        while (next < end && udp_may_join(udp, first, next, bytes)) {
            bytes += udp->out_vector[next++].iov_len;
        }
        struct msghdr *message = &udp->joined[count].msg_hdr;
        *message = udp->out_header[first].msg_hdr;
        message->msg_iovlen = next - first;
        if (next - first > 1) {
            uint16_t size = (uint16_t)udp->out_vector[first].iov_len;
            uint8_t *bytes_at = udp->joined_control[count].bytes;
            memcpy(bytes_at, udp->out_control[first].bytes, message->msg_controllen);
            struct cmsghdr *control =
                (struct cmsghdr *)(void *)(bytes_at + message->msg_controllen);
            message->msg_control = bytes_at;
            message->msg_controllen += CMSG_SPACE(sizeof size);
            control->cmsg_level = SOL_UDP;
            control->cmsg_type = UDP_SEGMENT;
            control->cmsg_len = CMSG_LEN(sizeof size);
            memcpy(CMSG_DATA(control), &size, sizeof size);
        }
        count++;
        first = next;
    }
    return count;
}

/* Sends messages [0, count). A datagram that the kernel refuses is dropped alone; a full socket buffer
 * drops the rest, because waiting would stall everybody. Returns count, or which joined message was
 * refused. */
static unsigned udp_send_list(struct udp *udp, int fd, struct mmsghdr *list, unsigned count)
{
    unsigned first = 0;
    while (first < count) {
        int sent = sendmmsg(fd, &list[first], count - first, 0);
        if (sent > 0) {
            first += (unsigned)sent;
            continue;
        }
        if (errno == EINTR) {
            continue;
        }
        bool full = errno == EAGAIN || errno == ENOBUFS;
        if (!full && list[first].msg_hdr.msg_iovlen > 1) {
            return first;
        }
        for (unsigned end = full ? count : first + 1; first < end; first++) {
            udp->stats->drops[NET_DROP_SEND] += list[first].msg_hdr.msg_iovlen;
        }
    }
    return count;
}

/* Sends queued datagrams [first, end), all of one socket. What the kernel cannot cut (a path with small
 * packets, a device without checksums) goes one by one. */
static void udp_send_run(struct udp *udp, unsigned first, unsigned end)
{
    int fd = udp->socket[udp->out_socket[first]].fd;
    unsigned count = udp_join(udp, first, end);
    for (unsigned at = 0; at < count; at++) {
        at += udp_send_list(udp, fd, &udp->joined[at], count - at);
        if (at < count) {
            const struct msghdr *refused = &udp->joined[at].msg_hdr;
            udp->joins = udp->joins && errno != EIO && errno != EOPNOTSUPP;
            (void)udp_send_list(udp, fd, &udp->out_header[refused->msg_iov - udp->out_vector],
                                (unsigned)refused->msg_iovlen);
        }
    }
}

static void udp_flush(struct udp *udp)
{
    unsigned first = 0;
    while (first < udp->out_count) {
        unsigned end = first + 1;
        while (end < udp->out_count && udp->out_socket[end] == udp->out_socket[first]) {
            end++;
        }
        udp_send_run(udp, first, end);
        first = end;
    }
    udp->out_count = 0;
}

void udp_send(struct udp *udp, const struct address *to, const uint8_t *bytes, size_t count)
{
    if (count > UDP_DATAGRAM_BYTES_MAX) {
        udp->stats->drops[NET_DROP_SEND]++;
        return;
    }
    if (udp->out_count == UDP_SEND_BATCH) {
        udp_flush(udp);
    }
    unsigned i = udp->out_count++;
    memcpy(udp->out_bytes[i], bytes, count);
    udp->out_vector[i] = (struct iovec){.iov_base = udp->out_bytes[i], .iov_len = count};
    udp->out_socket[i] = to->socket;
    udp->out_header[i].msg_hdr = (struct msghdr){.msg_name = &udp->out_to[i],
                                                 .msg_namelen = address_to_raw(to, &udp->out_to[i]),
                                                 .msg_iov = &udp->out_vector[i],
                                                 .msg_iovlen = 1};
    size_t control = udp_local_write(to, udp->out_control[i].bytes);
    if (control > 0) {
        udp->out_header[i].msg_hdr.msg_control = udp->out_control[i].bytes;
        udp->out_header[i].msg_hdr.msg_controllen = control;
    }
    udp->stats->datagrams_out++;
    udp->stats->bytes_out += count + address_header_bytes(to);
}

static void udp_on_turn(void *user)
{
    udp_flush(user);
}

/* --- Receiving ----------------------------------------------------------------------------------- */

static void udp_prepare_batch(struct udp *udp)
{
    for (unsigned i = 0; i < UDP_RECEIVE_BATCH; i++) {
        udp->in_vector[i] =
            (struct iovec){.iov_base = udp->in_bytes[i], .iov_len = UDP_DATAGRAM_BYTES_MAX};
        udp->in_header[i].msg_hdr = (struct msghdr){.msg_name = &udp->in_from[i],
                                                    .msg_namelen = sizeof udp->in_from[i],
                                                    .msg_iov = &udp->in_vector[i],
                                                    .msg_iovlen = 1,
                                                    .msg_control = udp->in_control[i].bytes,
                                                    .msg_controllen = UDP_LOCAL_BYTES};
    }
}

static void udp_deliver(struct udp *udp, unsigned i, uint8_t socket)
{
    size_t count = udp->in_header[i].msg_len;
    struct address from;
    if (!address_from_raw(&from, &udp->in_from[i], socket)) {
        return;
    }
    udp_local_read(&udp->in_header[i].msg_hdr, &from);
    udp->stats->datagrams_in++;
    udp->stats->bytes_in += count + address_header_bytes(&from);
    if ((udp->in_header[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
        udp->stats->drops[NET_DROP_OVERSIZE]++;
        return;
    }
    udp->receive(udp->user, &from, udp->in_bytes[i], count);
}

static void udp_on_readable(uv_poll_t *handle, int status, int events)
{
    struct udp_socket *s = handle->data;
    struct udp *udp = s->udp;
    (void)status; /* an error shows again in recvmmsg, which also clears it */
    (void)events;
    for (unsigned batch = 0; batch < UDP_BATCHES_PER_WAKE; batch++) {
        udp_prepare_batch(udp);
        int count = recvmmsg(s->fd, udp->in_header, UDP_RECEIVE_BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count && !udp->closing; i++) {
            udp_deliver(udp, (unsigned)i, s->index);
        }
        if (count < (int)UDP_RECEIVE_BATCH || udp->closing) {
            break;
        }
    }
}

/* --- Opening and closing ------------------------------------------------------------------------- */

/* Adds one socket; with port 0 the first one's choice holds for the others too. */
static int udp_add(struct udp *udp, uv_loop_t *loop, const struct net_config *config,
                   const char *text)
{
    struct address address;
    if (!address_parse(&address, text, udp->port)) {
        return MYCEL_E_INVALID;
    }
    int fd = udp_socket_open(&address, config->workers > 1, config->worker == 0, &udp->port);
    if (fd < 0) {
        return fd;
    }
    struct udp_socket *s = &udp->socket[udp->sockets];
    *s = (struct udp_socket){.udp = udp, .fd = fd, .index = (uint8_t)udp->sockets};
    if (uv_poll_init(loop, &s->poll, fd) != 0) {
        (void)close(fd);
        return MYCEL_E_IO;
    }
    s->poll.data = s;
    udp->sockets++;
    udp->open++;
    return uv_poll_start(&s->poll, UV_READABLE, udp_on_readable) == 0 ? 0 : MYCEL_E_IO;
}

int udp_open(struct udp **out, uv_loop_t *loop, const struct net_config *config,
             struct net_stats *stats, udp_receive_fn receive, void *user)
{
    *out = NULL;
    struct udp *udp = calloc(1, sizeof *udp);
    if (udp == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    udp->stats = stats;
    udp->receive = receive;
    udp->user = user;
    udp->port = config->port;
    udp->joins = true;
    turn_open(&udp->turn, loop, udp_on_turn, udp);
    udp->open = 1;
    for (unsigned i = 0; i < config->addresses; i++) {
        int error = udp_add(udp, loop, config, config->address[i]);
        if (error != 0) {
            udp_close(udp, NULL, NULL);
            return error;
        }
    }
    *out = udp;
    return 0;
}

static void udp_on_closed(void *user)
{
    struct udp *udp = user;
    if (--udp->open > 0) {
        return;
    }
    void (*closed)(void *) = udp->closed;
    void *closed_user = udp->closed_user;
    free(udp);
    if (closed != NULL) {
        closed(closed_user);
    }
}

static void udp_on_poll_closed(uv_handle_t *poll)
{
    udp_on_closed(((struct udp_socket *)poll->data)->udp);
}

void udp_close(struct udp *udp, void (*closed)(void *user), void *user)
{
    MYCEL_ASSERT(!udp->closing);
    udp_flush(udp);
    udp->closing = true;
    udp->closed = closed;
    udp->closed_user = user;
    for (unsigned i = 0; i < udp->sockets; i++) {
        uv_close((uv_handle_t *)&udp->socket[i].poll, udp_on_poll_closed);
        (void)close(udp->socket[i].fd); /* uv_close has already taken it out of the poll set */
    }
    turn_close(&udp->turn, udp_on_closed);
}

uint16_t udp_port(const struct udp *udp)
{
    return udp->port;
}
