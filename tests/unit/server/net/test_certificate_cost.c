/* What handshakes with certificates may cost, whatever is sent. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/server/net/certified.h"
#include "tests/unit/server/net/coap_message.h"

#define RECORD_HEADER 13u
#define HANDSHAKE_HEADER 12u
#define FRAMES 6u /* lengths in a Certificate message: of the list, and of the only one in it */
#define CERTIFICATE 11u
#define TRIES 5u
#define COSTLY_WAIT_MS 1600u

static struct fixture f;
static struct certified certified;

static void open_fixture(uint32_t handshakes_per_s)
{
    fixture_init(&f);
    certified_init(&certified, &f, false);
    f.config.certificate_handshakes_per_s = handshakes_per_s;
    fixture_open(&f);
}

static void close_fixture(void)
{
    fixture_deinit(&f);
    certified_deinit(&certified);
}

/* --- The budget ---------------------------------------------------------------------------------- */

/* One handshake a second: the others wait, those with keys do not. */
static void test_the_budget(void **state)
{
    (void)state;
    struct certified_client c[3];
    struct client psk;
    unsigned in = 0;
    open_fixture(1);
    for (unsigned i = 0; i < 3; i++) {
        certified_client_init(&c[i], &f, i == 0 ? "dev-0001" : "dev-0002", true);
        in += client_handshake(&c[i].client, 100);
    }
    assert_int_equal(in, 1);
    assert_true(fixture_stats(&f).drops[NET_DROP_CERTIFICATE_BUDGET] >= 2);
    for (unsigned i = 0; i < 20; i++) {
        client_init(&psk, &f, 600 + i, true);
        client_connect(&psk);
        client_deinit(&psk);
    }
    assert_true(client_handshake(&c[1].client, WAIT_MS)); /* its ClientHello is repeated */
    for (unsigned i = 0; i < 3; i++) {
        certified_client_deinit(&c[i]);
    }
    close_fixture();
}

/* Who floods from one host leaves half of the budget to the others. */
static void test_a_host_has_half(void **state)
{
    (void)state;
    struct certified_client c[3];
    open_fixture(1);
    for (unsigned i = 0; i < 3; i++) {
        f.client_host = i < 2 ? 1 : 2;
        certified_client_init(&c[i], &f, i == 1 ? "dev-0002" : "dev-0001", true);
        assert_int_equal(client_handshake(&c[i].client, i == 1 ? 100 : WAIT_MS), i != 1);
    }
    for (unsigned i = 0; i < 3; i++) {
        certified_client_deinit(&c[i]);
    }
    close_fixture();
}

/* --- … and ways around it ------------------------------------------------------------------------ */

static uint8_t *put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = bytes; i > 0; i--) {
        *at++ = (uint8_t)(value >> (8u * (i - 1u)));
    }
    return at;
}

/* A ClientHello with a right cookie, held back in c->client.last. */
static void make_hello(struct certified_client *c, const char *name)
{
    certified_client_init(c, &f, name, true);
    assert_false(client_step(&c->client));
    fixture_run(&f, 20);
    c->client.hold = true;
    assert_false(client_step(&c->client));
    assert_int_equal(c->client.last[RECORD_HEADER], 1);
}

/* The Certificate message that would come after it. */
static size_t make_message(const struct certified_client *c, uint8_t *out)
{
    const mbedtls_x509_buf *raw = &c->credentials.own.raw;
    uint8_t *at = put(out, CERTIFICATE, 1);
    at = put(at, raw->len + FRAMES, 3);
    at = put(at, 2, 2); /* the hello's number is 1 */
    at = put(at, 0, 3);
    at = put(at, raw->len + FRAMES, 3);
    at = put(at, raw->len + 3u, 3);
    at = put(at, raw->len, 3);
    memcpy(at, raw->p, raw->len);
    return (size_t)(at - out) + raw->len;
}

/* The hello with that message behind it, in its record or in one of its own, and then one that ends
 * the handshake. */
static size_t make_tail(const struct certified_client *c, bool own_record, uint8_t *out)
{
    uint8_t message[DATAGRAM_BYTES];
    size_t bytes = make_message(c, message);
    size_t hello = c->client.last_bytes;
    memcpy(out, c->client.last, hello);
    uint8_t *at = out + hello;
    if (own_record) {
        at = put(at, 0x16FEFD, 3);
        at = put(at, 9, 8); /* number */
        at = put(at, bytes, 2);
    } else {
        (void)put(out + 11, hello - RECORD_HEADER + bytes, 2);
    }
    memcpy(at, message, bytes);
    at = put(at + bytes, 0x16FEFD, 3);
    at = put(at, 10, 8);
    at = put(at, HANDSHAKE_HEADER, 2);
    at = put(at, 20u << 24, 4); /* Finished, of no length */
    at = put(at, 3, 2);
    at = put(at, 0, 6);
    return (size_t)(at - out);
}

/* What comes together with a ClientHello cannot be an answer to ours. If it was read it could end the
 * handshake before that was charged to the budget; or refuse a certificate before there was a peer. */
static void test_a_hello_with_a_tail(void **state)
{
    (void)state;
    for (int own_record = 0; own_record < 2; own_record++) {
        struct certified_client c;
        struct client psk;
        uint8_t bytes[2 * DATAGRAM_BYTES];
        open_fixture(1);
        make_hello(&c, "stranger");
        size_t count = make_tail(&c, own_record != 0, bytes);
        for (unsigned i = 0; i < TRIES; i++) {
            client_send_raw(&c.client, bytes, count);
        }
        assert_int_equal(client_receive_raw(&c.client, bytes, sizeof bytes, QUIET_MS), 0);
        assert_int_equal(fixture_stats(&f).drops[NET_DROP_HELLO_MALFORMED], TRIES);
        assert_int_equal(fixture_stats(&f).half_open, 0);
        assert_int_equal(certified.asked, 0);
        client_init(&psk, &f, 600, true);
        client_connect(&psk);
        client_deinit(&psk);
        certified_client_deinit(&c);
        close_fixture();
    }
}

/* A chain that takes many signatures to be refused costs two to five handshakes more than the one begun,
 * here of one a second: nobody else from that host begins one meanwhile. */
static void check_costly(const char *name, const char *why)
{
    struct certified_client c[3];
    open_fixture(1);
    certified_client_init(&c[0], &f, name, true);
    certified_client_init(&c[1], &f, "dev-0001", true);
    f.client_host = 2;
    certified_client_init(&c[2], &f, "dev-0002", true);
    assert_false(client_handshake(&c[0].client, WAIT_MS));
    assert_non_null(strstr(certified.line, why));
    assert_false(client_handshake(&c[1].client, COSTLY_WAIT_MS));
    assert_true(client_handshake(&c[2].client, WAIT_MS));
    for (unsigned i = 0; i < 3; i++) {
        certified_client_deinit(&c[i]);
    }
    close_fixture();
}

static void test_costly_chains(void **state)
{
    (void)state;
    check_costly("padded", "nobody refused: chain too long");
    check_costly("stuffed", "stuffed refused: not signed by the CA");
}

static int make(void **state)
{
    (void)state;
    certified_make("other-ca device:dev-0001 device:dev-0002 device:stranger padded stuffed");
    return 0;
}

static int removed(void **state)
{
    (void)state;
    certified_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_budget),
        cmocka_unit_test(test_a_host_has_half),
        cmocka_unit_test(test_a_hello_with_a_tail),
        cmocka_unit_test(test_costly_chains),
    };
    return cmocka_run_group_tests(tests, make, removed);
}
