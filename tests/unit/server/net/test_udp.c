/* Datagrams that share a message on their way out arrive one by one, whole and in order for each peer. */
#include "server/net/udp.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/rng.h"

#define PEERS 3u
#define DATAGRAMS 400u
#define BYTES_MAX 1300u

struct sent {
    unsigned peer;
    size_t bytes;
};

static void ignore(void *user, const struct address *from, const uint8_t *bytes, size_t count)
{
    (void)user, (void)from, (void)bytes, (void)count;
}

static int open_peer(struct address *address)
{
    union address_raw raw;
    socklen_t length = sizeof raw;
    int room = 4 << 20;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0 && address_parse(address, "127.0.0.1", 0));
    assert_int_equal(bind(fd, &raw.any, address_to_raw(address, &raw)), 0);
    assert_int_equal(getsockname(fd, &raw.any, &length), 0);
    assert_true(address_from_raw(address, &raw, 0));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    return fd;
}

static void fill(uint8_t *out, unsigned index, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t)rng_u32(index, 1, i);
    }
}

/* Runs of one peer and one size, with shorter and longer ones in between. */
static void draw(struct sent *sent)
{
    static const size_t sizes[] = {1100, 1100, 60, 1, BYTES_MAX};
    struct sent next = {0, 1100};
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        uint32_t dice = rng_below(7, 2, i, 10);
        next.bytes = dice < 4 ? sizes[rng_below(7, 3, i, 5)] : next.bytes;
        next.peer = dice < 2 ? rng_below(7, 4, i, PEERS) : next.peer;
        sent[i] = next;
    }
}

/* `wildcard`: each peer is answered from another address of ours. */
static void check_joined(bool wildcard)
{
    static struct sent sent[DATAGRAMS];
    struct net_config config = {.address = {wildcard ? "0.0.0.0" : "127.0.0.1"}, .addresses = 1};
    struct net_stats stats = {0};
    struct address address[PEERS];
    int fd[PEERS];
    uv_loop_t loop;
    struct udp *udp;
    uint8_t expected[BYTES_MAX], found[BYTES_MAX + 1];
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(udp_open(&udp, &loop, &config, &stats, ignore, NULL), 0);
    for (unsigned i = 0; i < PEERS; i++) {
        const uint8_t local[4] = {127, 0, 0, (uint8_t)(10 + i)};
        fd[i] = open_peer(&address[i]);
        if (wildcard) {
            memcpy(address[i].local, local, sizeof local);
        }
    }
    draw(sent);
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        fill(expected, i, sent[i].bytes);
        udp_send(udp, &address[sent[i].peer], expected, sent[i].bytes);
    }
    udp_close(udp, NULL, NULL);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        fill(expected, i, sent[i].bytes);
        union address_raw from;
        socklen_t length = sizeof from;
        ssize_t count = recvfrom(fd[sent[i].peer], found, sizeof found, 0, &from.any, &length);
        unsigned host = wildcard ? 10 + sent[i].peer : 1;
        assert_int_equal(ntohl(from.v4.sin_addr.s_addr), 0x7F000000u + host);
        assert_int_equal(count, sent[i].bytes);
        assert_memory_equal(found, expected, sent[i].bytes);
    }
    for (unsigned i = 0; i < PEERS; i++) {
        assert_true(recv(fd[i], found, sizeof found, 0) < 0);
        (void)close(fd[i]);
    }
    assert_int_equal(stats.datagrams_out, DATAGRAMS);
    assert_int_equal(stats.drops[NET_DROP_SEND], 0);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_joined(void **state)
{
    (void)state;
    check_joined(false);
}

static void test_joined_from_several_addresses(void **state)
{
    (void)state;
    check_joined(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_joined),
                                       cmocka_unit_test(test_joined_from_several_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
