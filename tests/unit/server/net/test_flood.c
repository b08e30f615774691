/* Handshakes that begin and never end, by the thousand, with devices among them (QUALITY G14). */
#include "tests/unit/server/net/coap_message.h"
#include "tests/unit/server/net/fixture.h"

#define FLOOD_HELLOS 2000u
#define FLOOD_HALF_OPEN 64u

/* Begins a handshake up to where the endpoint keeps state for it. */
static void begin(struct client *c, struct fixture *f, unsigned device)
{
    client_init(c, f, device, true);
    assert_false(client_step(c));
    fixture_turn(f);
    assert_false(client_step(c));
    fixture_turn(f);
}

/* 2,000 begin and never end, with valid cookies; in the midst of it devices connect. */
static void test_flood_of_half_open(void **state)
{
    (void)state;
    struct fixture f;
    struct client good;
    struct reply r;
    fixture_init(&f);
    f.config.half_open_max = FLOOD_HALF_OPEN;
    fixture_open(&f);
    unsigned connected = 0;
    for (unsigned i = 0; i < FLOOD_HELLOS; i++) {
        struct client c;
        begin(&c, &f, i % 100);
        client_deinit(&c);
        if (i % 500 == 250) {
            client_init(&good, &f, 1000 + i, true);
            client_connect(&good);
            ask_simple(&good, NET_GET, "amid", &r);
            assert_code(&r, 2, 5);
            client_deinit(&good);
            connected++;
        }
    }
    struct net_stats stats = fixture_stats(&f);
    assert_int_equal(stats.handshakes, connected);
    assert_int_equal(stats.half_open, FLOOD_HALF_OPEN);
    assert_true(stats.drops[NET_DROP_HALF_OPEN_EVICTED] >= FLOOD_HELLOS - FLOOD_HALF_OPEN - 10);
    fixture_deinit(&f);
}

/* A host that floods pushes out its own handshakes, not the slow one of another host. */
static void test_flood_pushes_out_itself(void **state)
{
    (void)state;
    struct fixture f;
    struct client slow;
    fixture_init(&f);
    f.config.half_open_max = FLOOD_HALF_OPEN;
    fixture_open(&f);
    f.client_host = 2;
    begin(&slow, &f, 3000);
    f.client_host = 1;
    for (unsigned i = 0; i < FLOOD_HELLOS; i++) {
        struct client c;
        begin(&c, &f, i % 100);
        client_deinit(&c);
    }
    assert_int_equal(fixture_stats(&f).half_open, FLOOD_HALF_OPEN);
    client_connect(&slow);
    assert_int_equal(fixture_stats(&f).handshakes, 1);
    assert_int_equal(fixture_stats(&f).half_open, FLOOD_HALF_OPEN - 1);
    client_deinit(&slow);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flood_of_half_open),
        cmocka_unit_test(test_flood_pushes_out_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
