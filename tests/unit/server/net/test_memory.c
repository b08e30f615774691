/*
 * Every allocation of the endpoint fails in turn, once and for good (QUALITY G2): it must not crash,
 * leak or lock anybody out. A client that lost its session for it simply connects again.
 */
#include "server/net/net.h"

#include <string.h>

#include <mycel/error.h>

#include "tests/unit/server/net/alloc_fault.h"
#include "tests/unit/server/net/certified.h"
#include "tests/unit/server/net/coap_message.h"
#include "tests/unit/server/net/fixture.h"

#define ALLOCATIONS_MAX 2000u
#define TRIES_MAX 400u /* turns of the loop before the client gives up */

static void test_open(void **state)
{
    (void)state;
    bool failed = true;
    for (unsigned n = 1; failed; n++) {
        struct fixture f;
        fixture_init(&f);
        f.config.well_known = "</c>";
        assert_true(n < ALLOCATIONS_MAX);
        alloc_fault_arm(n, false);
        alloc_fault_enter();
        int error = net_open(&f.net, &f.loop, &f.config);
        alloc_fault_leave();
        failed = alloc_fault_fired();
        alloc_fault_arm(0, false);
        assert_true(error == 0 || failed);
        if (error != 0) {
            assert_null(f.net);
            f.closed = true;
        }
        fixture_deinit(&f);
    }
}

/* One step of a client that never gives up: connect, ask, again after a loss. */
static bool try_handshake(struct client *c)
{
    for (unsigned turn = 0; turn < TRIES_MAX; turn++) {
        if (client_step(c)) {
            fixture_turn(c->fixture);
            return c->outcome == 0;
        }
        fixture_turn(c->fixture);
        struct net_stats stats = fixture_stats(c->fixture);
        bool lost = stats.half_open == 0 && stats.sessions == 0 && turn % 10 == 9;
        if (lost) {
            client_reboot(c);
        }
    }
    return false;
}

static bool try_ask(struct client *c, const struct writer *w, unsigned class, unsigned detail)
{
    struct reply r;
    client_send(c, w->bytes, w->count);
    return reply_wait(c, &r, 10) && r.code == NET_CODE(class, detail);
}

static bool put(struct client *c, unsigned number, bool more)
{
    struct writer w;
    write_begin(&w, CON, NET_PUT, ++c->mid, "u");
    write_path(&w, "u/key");
    write_uint(&w, 27, number << 4 | (more ? 8u : 0u));
    write_uint(&w, 60, 20);
    write_payload(&w, "0123456789abcdefghij" + (number != 0 ? 16 : 0), number == 0 ? 16 : 4);
    return try_ask(c, &w, 2, more ? 31 : 5);
}

/* Everything a device does. Whether all of it worked at the first try. */
static bool whole_life(struct client *c)
{
    struct writer w;
    if (!try_handshake(c)) {
        return false;
    }
    write_begin(&w, CON, NET_GET, ++c->mid, "g");
    bool good = try_ask(c, &w, 2, 5);
    good = try_ask(c, &w, 2, 5) && good; /* a repetition */
    good = put(c, 0, true) && good;
    return put(c, 1, false) && good;
}

static void fail_every(bool sticky)
{
    bool fired = true;
    unsigned served = 0;
    unsigned n = 0;
    while (fired) {
        struct fixture f;
        struct client c;
        struct client other;
        assert_true(++n < ALLOCATIONS_MAX);
        fixture_init(&f);
        f.config.live_max = 1;
        fixture_open(&f);
        client_init(&c, &f, 1, true);
        client_init(&other, &f, 3, true);
        alloc_fault_arm(n, sticky);
        bool good = whole_life(&c);
        good = whole_life(&other) && good; /* parks the first */
        good = whole_life(&c) && good;     /* and the second */
        fired = alloc_fault_fired();
        served += good;
        alloc_fault_arm(0, false);
        assert_true(good || fired);
        client_deinit(&c);
        client_init(&c, &f, 2, true); /* memory is back: everybody is served */
        assert_true(whole_life(&c));
        client_deinit(&c);
        client_deinit(&other);
        fixture_deinit(&f);
    }
    print_message("%u allocations failed in turn, %u lives went well\n", n - 1, served);
    assert_true(n > 30 && served >= 1);
}

static void test_once(void **state)
{
    (void)state;
    fail_every(false);
}

static void test_for_good(void **state)
{
    (void)state;
    fail_every(true);
}

/* Signatures take thousands of allocations, much alike: all of the first, then ever fewer of them. Whoever
 * does not get in for the lack of memory does so afterwards. */
static void test_certificates(void **state)
{
    (void)state;
    bool fired = true;
    unsigned tried = 0;
    certified_make("device:dev-0001 crl");
    for (unsigned n = 1; fired; n += 1 + n / 16) {
        struct fixture f;
        struct certified certified;
        struct certified_client c;
        fixture_init(&f);
        certified_init(&certified, &f, true);
        fixture_open(&f);
        certified_client_init(&c, &f, "dev-0001", true);
        alloc_fault_arm(n, false);
        bool good = try_handshake(&c.client);
        fired = alloc_fault_fired();
        alloc_fault_arm(0, false);
        assert_true(good || fired);
        client_reboot(&c.client);
        client_connect(&c.client);
        certified_client_deinit(&c);
        fixture_deinit(&f);
        certified_deinit(&certified);
        tried++;
    }
    certified_remove();
    assert_true(tried > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_for_good),
        cmocka_unit_test(test_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
