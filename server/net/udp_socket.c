/* Implementation of udp_socket.h. */
#include "server/net/udp_socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mycel/error.h>

#include "server/net/udp.h"
#include "server/net/udp_local.h"

static int open_error(void)
{
    return errno == EACCES || errno == EPERM ? MYCEL_E_PERMISSION : MYCEL_E_IO;
}

/* A bound, non-blocking socket, or a negative error. With `shared` other sockets of this user may be
 * bound to the same port and the kernel spreads datagrams over them. */
static int bind_socket(const struct address *address, bool shared)
{
    union address_raw raw;
    socklen_t length = address_to_raw(address, &raw);
    int fd = socket(raw.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return open_error();
    }
    int size = UDP_RECEIVE_BUFFER_BYTES;
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size); /* a wish, not a need */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if ((shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        (address->family == 6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        !udp_local_enable(fd, address) || bind(fd, &raw.any, length) != 0) {
        int error = open_error();
        (void)close(fd);
        return error;
    }
    return fd;
}

/* Lets the kernel give a record with a connection id to the worker that the id names (peer.h); anything
 * else it spreads by address. Sockets are numbered in the order in which they were bound. Only a wish:
 * what comes to a wrong worker is passed on. */
static void steer(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), /* content type */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 25, 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 11), /* first byte of the connection id */
        BPF_STMT(BPF_RET | BPF_A, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), /* no such socket: by address */
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
}

/* Another coordinator of the same user would share the port as well: the first worker makes sure that
 * there is none. */
static int probe(const struct address *address)
{
    int fd = bind_socket(address, false);
    if (fd < 0) {
        return fd;
    }
    (void)close(fd);
    return 0;
}

static int bound_port(int fd, uint16_t *port)
{
    union address_raw raw;
    struct address bound;
    socklen_t length = sizeof raw;
    if (getsockname(fd, &raw.any, &length) != 0 || !address_from_raw(&bound, &raw, 0)) {
        return MYCEL_E_IO;
    }
    *port = bound.port;
    return 0;
}

int udp_socket_open(const struct address *address, bool shared, bool first, uint16_t *port)
{
    int error = shared && first && address->port != 0 ? probe(address) : 0;
    if (error != 0) {
        return error;
    }
    int fd = bind_socket(address, shared);
    if (fd < 0) {
        return fd;
    }
    if (shared && first) {
        steer(fd);
    }
    error = bound_port(fd, port);
    if (error != 0) {
        (void)close(fd);
        return error;
    }
    return fd;
}
