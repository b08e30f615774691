/* The forwarder: fates repeat, shares are what was asked for, and datagrams find their way there and
 * back, also when ports change. */
#include "delay_queue.h"
#include "tests/e2e/forwarder_process.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
// cmocka needs those above
#include <cmocka.h>

#define DRAWS 100000u
#define DATAGRAMS 1000u
#define VOLLEY 25u

/* ---- chances */

static void test_same_seed_same_fate(void **state)
{
    (void)state;
    struct fate_options o = {.seed = 5, .loss = 0.2, .duplicate = 0.2, .reorder = 0.1};
    struct fate_options other = o;
    other.seed = 6;
    unsigned different = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        struct fate a = fate_draw(&o, 3, DIRECTION_UP, i, 100);
        struct fate b = fate_draw(&o, 3, DIRECTION_UP, i, 100);
        struct fate c = fate_draw(&other, 3, DIRECTION_UP, i, 100);
        assert_memory_equal(&a, &b, sizeof a);
        different += a.lost != c.lost;
    }
    assert_in_range(different, 200, 450); /* 2 × .2 × .8 of 1000 expected */
}

static unsigned lost_of(const struct fate_options *o, enum direction direction, uint32_t bytes)
{
    unsigned lost = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        lost += fate_draw(o, 1, direction, i, bytes).lost;
    }
    return lost;
}

static void test_shares_are_met(void **state)
{
    (void)state;
    struct fate_options o = {.seed = 1, .loss = 0.2};
    assert_in_range(lost_of(&o, DIRECTION_UP, 1000), 19500, 20500);
    assert_in_range(lost_of(&o, DIRECTION_DOWN, 1000), 19500, 20500);
    o.frame_bytes = 500; /* two frames: 1 - .8² */
    assert_in_range(lost_of(&o, DIRECTION_UP, 1000), 35500, 36500);
    assert_in_range(lost_of(&o, DIRECTION_UP, 500), 19500, 20500);
    o.loss = 0.0;
    assert_int_equal(lost_of(&o, DIRECTION_UP, 1000), 0);
    o.loss = 1.0;
    assert_int_equal(lost_of(&o, DIRECTION_UP, 1000), DRAWS);
}

static void test_queue_is_in_order(void **state)
{
    (void)state;
    struct delay_queue queue;
    uint8_t byte = 0;
    assert_true(delay_queue_init(&queue));
    for (uint64_t i = 0; i < 1000; i++) {
        struct delayed d = {.due_us = i * 7919u % 100u, .bytes = 1, .data = &byte};
        assert_true(delay_queue_put(&queue, &d));
    }
    struct delayed before = {0}, d;
    for (unsigned i = 0; i < 1000; i++) {
        assert_false(i == 10 && delay_queue_take(&queue, 0, &d)); /* ten of each were put in */
        assert_true(delay_queue_take(&queue, i < 10 ? 0 : 100, &d));
        assert_true(i == 0 || d.due_us > before.due_us ||
                    (d.due_us == before.due_us && d.sequence > before.sequence));
        free(d.data);
        before = d;
    }
    assert_false(delay_queue_take(&queue, UINT64_MAX, &d));
    delay_queue_deinit(&queue);
}

/* ---- the process, between two sockets */

struct ends {
    int server;
    int client;
    struct process forwarder;
    char folder[64];
};

static void open_ends(struct ends *e, const char *const *options)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof local;
    memset(e, 0, sizeof *e);
    snprintf(e->folder, sizeof e->folder, "/tmp/mycel-forwarder-XXXXXX");
    assert_non_null(mkdtemp(e->folder));
    e->server = socket(AF_INET, SOCK_DGRAM, 0);
    e->client = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(e->server, (struct sockaddr *)&local, sizeof local), 0);
    assert_int_equal(getsockname(e->server, (struct sockaddr *)&local, &bytes), 0);
    snprintf(e->forwarder.log, sizeof e->forwarder.log, "%s/log", e->folder);
    local.sin_port =
        htons(forwarder_start(&e->forwarder, e->folder, 0, ntohs(local.sin_port), options));
    assert_int_equal(connect(e->client, (struct sockaddr *)&local, sizeof local), 0);
}

static json_t *close_ends(struct ends *e)
{
    char path[128];
    json_t *counts = forwarder_stop(&e->forwarder);
    unlink(e->forwarder.log);
    snprintf(path, sizeof path, "%s/forwarder.ready", e->folder);
    unlink(path);
    assert_int_equal(rmdir(e->folder), 0);
    close(e->server);
    close(e->client);
    return counts;
}

static long long count_of(json_t *counts, const char *direction, const char *name)
{
    json_t *value = json_object_get(json_object_get(counts, direction), name);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* Echoes what reaches the server; true when the client hears its number back. */
static bool ask(struct ends *e, uint32_t number, uint16_t *port)
{
    struct pollfd fds[2] = {{.fd = e->server, .events = POLLIN},
                            {.fd = e->client, .events = POLLIN}};
    uint32_t heard = UINT32_MAX;
    assert_int_equal(send(e->client, &number, sizeof number, 0), sizeof number);
    while (heard != number && poll(fds, 2, HARNESS_WAIT_MS) > 0) {
        struct sockaddr_in from;
        socklen_t bytes = sizeof from;
        if (fds[0].revents) {
            ssize_t n =
                recvfrom(e->server, &heard, sizeof heard, 0, (struct sockaddr *)&from, &bytes);
            assert_int_equal(n, sizeof heard);
            *port = from.sin_port;
            assert_int_equal(
                sendto(e->server, &heard, sizeof heard, 0, (struct sockaddr *)&from, bytes),
                sizeof heard);
            heard = UINT32_MAX;
        } else if (fds[1].revents) {
            assert_int_equal(recv(e->client, &heard, sizeof heard, 0), sizeof heard);
        }
    }
    return heard == number;
}

static void test_there_and_back(void **state)
{
    (void)state;
    struct ends e;
    uint16_t port = 0, before = 0;
    unsigned changes = 0;
    open_ends(&e, (const char *const[]){"--rebind", "50", "--rtt-ms", "2", NULL});
    for (uint32_t i = 0; i < 200; i++) {
        assert_true(ask(&e, i, &port));
        changes += before != 0 && port != before;
        before = port;
    }
    json_t *counts = close_ends(&e);
    assert_int_equal(count_of(counts, "up", "offered"), 200);
    assert_int_equal(count_of(counts, "up", "delivered"), 200);
    assert_int_equal(count_of(counts, "down", "delivered"), 200);
    assert_int_equal(count_of(counts, "up", "lost"), 0);
    assert_int_equal(json_integer_value(json_object_get(counts, "flows")), 1);
    assert_int_equal(json_integer_value(json_object_get(counts, "rebinds")), changes);
    assert_int_equal(changes, 3);
    json_decref(counts);
}

/* How many of the first datagrams up come out at the other end, copies included. */
static unsigned expected(const struct fate_options *o, uint64_t datagrams)
{
    unsigned arriving = 0;
    for (uint64_t i = 0; i < datagrams; i++) {
        struct fate fate = fate_draw(o, 0, DIRECTION_UP, i, sizeof(uint32_t));
        arriving += fate.lost ? 0 : 1u + fate.duplicated;
    }
    return arriving;
}

/* Sends a burst. No more is under way than the sockets' buffers hold: each volley has to be through,
 * however long that takes on a busy machine, before the next one leaves. Returns how many datagrams came out. */
static unsigned burst(struct ends *e, const struct fate_options *o)
{
    struct pollfd fd = {.fd = e->server, .events = POLLIN};
    unsigned arrived = 0;
    uint32_t number;
    for (uint32_t i = 0; i < DATAGRAMS; i++) {
        assert_int_equal(send(e->client, &i, sizeof i, 0), sizeof i);
        unsigned wanted = (i + 1) % VOLLEY == 0 ? expected(o, i + 1) : 0;
        while (arrived < wanted && poll(&fd, 1, HARNESS_WAIT_MS) > 0) {
            arrived += recv(e->server, &number, sizeof number, 0) == sizeof number;
        }
    }
    return arrived;
}

static void test_loss_and_copies(void **state)
{
    (void)state;
    struct ends e;
    open_ends(&e, (const char *const[]){"--loss", "20", "--duplicate", "20", "--reorder", "10",
                                        "--reorder-ms", "5", "--seed", "9", NULL});
    struct fate_options o = {
        .seed = 9, .loss = 0.2, .duplicate = 0.2, .reorder = 0.1, .reorder_us = 5000};
    unsigned arrived = burst(&e, &o);
    json_t *counts = close_ends(&e);
    assert_int_equal(arrived, expected(&o, DATAGRAMS));
    assert_int_equal(count_of(counts, "up", "offered"), DATAGRAMS);
    assert_int_equal(count_of(counts, "up", "delivered"), arrived);
    assert_int_equal(count_of(counts, "up", "offered") - count_of(counts, "up", "lost") +
                         count_of(counts, "up", "duplicated"),
                     arrived);
    assert_in_range(count_of(counts, "up", "lost"), DATAGRAMS * 16 / 100, DATAGRAMS * 24 / 100);
    assert_in_range(count_of(counts, "up", "duplicated"), DATAGRAMS * 12 / 100,
                    DATAGRAMS * 20 / 100); /* of those that were not lost */
    assert_in_range(count_of(counts, "up", "reordered"), DATAGRAMS * 5 / 100, DATAGRAMS * 11 / 100);
    json_decref(counts);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void test_headers_take_the_links_time(void **state)
{
    (void)state;
    struct ends e;
    uint32_t number = 0;
    open_ends(&e, (const char *const[]){"--kbit", "8", "--header-bytes", "46", NULL});
    uint64_t begun_ms = now_ms();
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(send(e.client, &number, sizeof number, 0), sizeof number);
    }
    for (unsigned i = 0; i < 10; i++) {
        struct pollfd fd = {.fd = e.server, .events = POLLIN};
        assert_int_equal(poll(&fd, 1, HARNESS_WAIT_MS), 1);
        assert_int_equal(recv(e.server, &number, sizeof number, 0), sizeof number);
    }
    /* Ten times 50 bytes at 1,000 a second; the payloads alone would take 40 ms. */
    assert_true(now_ms() - begun_ms >= 490);
    json_t *counts = close_ends(&e);
    assert_int_equal(count_of(counts, "up", "bytes"), 10 * sizeof number);
    json_decref(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_fate),
        cmocka_unit_test(test_shares_are_met),
        cmocka_unit_test(test_queue_is_in_order),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_loss_and_copies),
        cmocka_unit_test(test_headers_take_the_links_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
