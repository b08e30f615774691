/* Devices with certificates: who gets in, what those hear who do not, and what the operator hears. */
#include <mycel/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/net/certificates.h"
#include "tests/unit/server/net/alloc_fault.h"
#include "tests/unit/server/net/certified.h"
#include "tests/unit/server/net/coap_message.h"

#define ALERT_ACCESS_DENIED 49
#define YEAR_MS (UINT64_C(365) * 86400u * 1000u)
#define ALIKE 1.1 /* a signature more or less would be 1.3 */
#define LINES CERTIFICATES_LINES_BURST

static uint64_t now_wall_ms(void)
{
    return (uint64_t)time(NULL) * 1000u;
}

static struct fixture f;
static struct certified certified;

static void open_fixture(bool crl)
{
    fixture_init(&f);
    certified_init(&certified, &f, crl);
    f.config.certificate_handshakes_per_s = 100000;
    fixture_open(&f);
}

static void close_fixture(void)
{
    fixture_deinit(&f);
    certified_deinit(&certified);
}

/* --- Who gets in --------------------------------------------------------------------------------- */

static void test_a_device_gets_in_and_is_parked(void **state)
{
    (void)state;
    static const char *const names[] = {"dev-0001", "dev-0002"}; /* the second by a middle CA */
    struct certified_client c;
    struct reply r;
    fixture_init(&f);
    certified_init(&certified, &f, false);
    f.config.park_after_ms = 50;
    fixture_open(&f);
    for (unsigned i = 0; i < 2; i++) {
        certified_client_init(&c, &f, names[i], true);
        client_connect(&c.client);
        ask_simple(&c.client, NET_GET, "live", &r);
        assert_code(&r, 2, 5);
        assert_string_equal(f.seen[f.requests - 1].identity, names[i]);
        fixture_run(&f, 300);
        assert_int_equal(fixture_stats(&f).sessions_parked, i + 1);
        (void)client_rebind(&c.client, 0);
        ask_simple(&c.client, NET_GET, "restored, from another port", &r);
        assert_code(&r, 2, 5);
        assert_string_equal(f.seen[f.requests - 1].identity, names[i]);
        certified_client_deinit(&c);
    }
    assert_int_equal(fixture_stats(&f).unparked, 2);
    assert_int_equal(certified.lines, 0);
    close_fixture();
}

/* A device with a key beside it, and one that offers both, which is taken by its key. */
static void test_both_kinds_side_by_side(void **state)
{
    (void)state;
    static const int both[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
                               MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, 0};
    struct certified_client c;
    struct client psk;
    struct reply r;
    uint8_t key[16];
    open_fixture(false);
    client_init(&psk, &f, 600, true);
    client_connect(&psk);
    device_key(700, key);
    certified_client_init(&c, &f, "dev-0001", true);
    mbedtls_ssl_conf_ciphersuites(&c.client.config, both);
    assert_int_equal(mbedtls_ssl_conf_psk(&c.client.config, key, sizeof key,
                                          (const unsigned char *)"dev-0700", 8),
                     0);
    client_connect(&c.client);
    ask_simple(&c.client, NET_GET, "both", &r);
    assert_string_equal(f.seen[0].identity, "dev-0700");
    assert_int_equal(certified.asked, 0);
    ask_simple(&psk, NET_GET, "key", &r);
    assert_string_equal(f.seen[1].identity, "dev-0600");
    certified_client_deinit(&c);
    client_deinit(&psk);
    close_fixture();
}

/* A TLS library that shares no code with ours, and checks the coordinator by itself. */
static void test_openssl_gets_in(void **state)
{
    (void)state;
    char command[1024];
    open_fixture(false);
    snprintf(command, sizeof command,
             "cd %s && (sleep 0.2; printf '\\100\\001\\000\\007\\261x'; sleep 0.3) |"
             " timeout 10 openssl s_client -dtls1_2 -connect 127.0.0.1:%u -cert dev-0001.pem"
             " -key dev-0001.key -CAfile ca.pem -verify_return_error -verify_hostname fleet.example"
             " -cipher ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0 >openssl.out 2>&1",
             certified_folder(), net_port(f.net));
    FILE *openssl = popen(command, "w");
    assert_non_null(openssl);
    for (unsigned ms = 0; ms < 2 * WAIT_MS && fixture_stats(&f).drops[NET_DROP_SESSION_CLOSED] == 0;
         ms += 10) {
        fixture_run(&f, 10);
    }
    (void)pclose(openssl);
    assert_int_equal(f.requests, 1);
    assert_string_equal(f.seen[0].identity, "dev-0001");
    assert_string_equal(f.seen[0].path, "/x");
    snprintf(command, sizeof command, "grep -q '^Verification: OK' %s/openssl.out",
             certified_folder());
    assert_int_equal(system(command), 0);
    close_fixture();
}

static void test_revocation_ends_the_session(void **state)
{
    (void)state;
    struct certified_client c;
    struct reply r;
    open_fixture(false);
    certified_client_init(&c, &f, "dev-0001", true);
    client_connect(&c.client);
    ask_simple(&c.client, NET_GET, "still", &r);
    f.revoked = "dev-0001";
    assert_int_equal(net_kick(f.net, "dev-0001"), 1);
    fixture_run(&f, 10);
    assert_int_equal(fixture_stats(&f).sessions, 0);
    client_reboot(&c.client);
    assert_false(client_handshake(&c.client, WAIT_MS));
    certified_client_deinit(&c);
    close_fixture();
}

/* A new handshake of the same name takes the place of the old session, and nobody else's. */
static void test_a_newer_session_replaces(void **state)
{
    (void)state;
    struct certified_client first;
    struct certified_client other;
    struct certified_client again;
    open_fixture(false);
    certified_client_init(&first, &f, "dev-0001", true);
    certified_client_init(&other, &f, "dev-0002", true);
    certified_client_init(&again, &f, "dev-0001", false);
    client_connect(&first.client);
    client_connect(&other.client);
    client_connect(&again.client);
    fixture_run(&f, 10);
    assert_int_equal(fixture_stats(&f).sessions, 2);
    assert_int_equal(fixture_stats(&f).drops[NET_DROP_SESSION_REPLACED], 1);
    certified_client_deinit(&first);
    certified_client_deinit(&other);
    certified_client_deinit(&again);
    close_fixture();
}

/* --- Who does not -------------------------------------------------------------------------------- */

struct refused {
    const char *name; /* of the certificate's files */
    const char *why;  /* in the log */
    const char *who;
};

static const struct refused refused[] = {
    {"dev-0006", "expired", "dev-0006"},
    {"dev-0004", "not signed by the CA", "dev-0004"},
    {"dev-0005", "not signed by the CA", "dev-0005"},
    {"dev-0007", "not signed by the CA", "dev-0007"}, /* signed by itself */
    {"dev-0003", "chain too long", "dev-0003"},
    {"dev-0008", "P-256 and SHA-256", "dev-0008"},
    {"dev-0009", "not made for this use", "dev-0009"},      /* a CA */
    {"by-dev-0001", "not signed by the CA", "by-dev-0001"}, /* by a device */
    {"dev-0010", "not made for this use", "dev-0010"},      /* a server's */
    {"dev-0011", "not made for this use", "dev-0011"},      /* anybody's */
    {"dev-0012", "not made for this use", "dev-0012"},      /* no extensions */
    {"dev-0013", "not made for this use", "dev-0013"},      /* may not sign */
    {"dev-0014", "without a name", "nobody"},               /* two of them */
    {"dev-0015", "without a name", "nobody"},
    {"dev-0016", "without a name", "nobody"}, /* spaces */
    {"dev-0017", "on the CRL", "dev-0017"},
    {"dev-0018", "no active device", "dev-0018"}, /* revoked here */
    {"dev-0600", "no active device", "dev-0600"}, /* has a key */
    {"stranger", "no active device", "stranger"},
};

#define REFUSED (sizeof refused / sizeof refused[0])

static void test_whatever_is_wrong_looks_alike(void **state)
{
    (void)state;
    unsigned sent = 0;
    open_fixture(true);
    f.revoked = "dev-0018";
    for (unsigned i = 0; i < REFUSED; i++) {
        struct certified_client c;
        certified_client_init(&c, &f, refused[i].name, true);
        bool in = client_handshake(&c.client, WAIT_MS);
        if (in || c.client.alert != ALERT_ACCESS_DENIED || certified.lines != i + 1 ||
            strstr(certified.line, refused[i].why) == NULL ||
            strstr(certified.line, refused[i].who) == NULL) {
            fail_msg("%s: %s, alert %u, %u lines: %s", refused[i].name, in ? "in" : "out",
                     c.client.alert, certified.lines, certified.line);
        }
        sent = i == 0 ? c.client.sent : sent;
        assert_int_equal(c.client.answer_bytes, 15);    /* the alert, alone */
        assert_in_range(c.client.sent, sent, sent + 1); /* a longer chain is in more datagrams */
        certified_client_deinit(&c);
    }
    assert_int_equal(f.requests, 0);
    assert_int_equal(fixture_stats(&f).sessions, 0);
    assert_int_equal(fixture_stats(&f).half_open, 0);
    assert_int_equal(fixture_stats(&f).drops[NET_DROP_HANDSHAKE_FAILED], REFUSED);
    close_fixture();
}

/* --- … by the clock, too ------------------------------------------------------------------------- */

/* What one handshake that is refused lets the endpoint compute; `key_of`: whose key proves it. Counted in
 * allocations: a signature takes hundreds of them, and they do not depend on what else the machine does. */
static unsigned refusal_work(const char *name, const char *key_of)
{
    struct certified_client c;
    struct certified_client other;
    certified_client_init(&c, &f, name, true);
    certified_client_init(&other, &f, key_of, true);
    mbedtls_pk_context own = c.credentials.key;
    c.credentials.key = other.credentials.key;
    alloc_fault_arm(0, false);
    assert_false(client_handshake(&c.client, WAIT_MS));
    unsigned work = alloc_fault_count();
    assert_int_equal(c.client.alert, ALERT_ACCESS_DENIED);
    c.credentials.key = own;
    certified_client_deinit(&c);
    certified_client_deinit(&other);
    return work;
}

/* Whether a name is enrolled cannot be told from how long a refusal takes: a sniffed certificate of an
 * enrolled device costs the endpoint as much as one that is revoked, unknown, or of another CA. */
static void test_refusals_take_as_much(void **state)
{
    (void)state;
    static const char *const kinds[][2] = {{"dev-0001", "dev-0002"}, {"dev-0018", "dev-0018"},
                                           {"dev-0018", "dev-0002"}, {"stranger", "stranger"},
                                           {"dev-0004", "dev-0004"}, {"dev-0005", "dev-0005"},
                                           {"dev-0006", "dev-0006"}};
    unsigned least = UINT32_MAX;
    unsigned most = 0;
    open_fixture(false);
    f.revoked = "dev-0018";
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        unsigned work = refusal_work(kinds[i][0], kinds[i][1]);
        least = work < least ? work : least;
        most = work > most ? work : most;
    }
    print_message("refusals: %u to %u allocations\n", least, most);
    assert_true(most < least * ALIKE);
    close_fixture();
}

/* The clock is the shell's. */
static void test_time_decides(void **state)
{
    (void)state;
    static const struct {
        int years;
        const char *why;
    } times[] = {{2, "expired"}, {-2, "not valid yet"}, {0, NULL}};
    open_fixture(false);
    for (unsigned i = 0; i < 3; i++) {
        struct certified_client c;
        certified.wall_ms = now_wall_ms() + (uint64_t)((int64_t)times[i].years * (int64_t)YEAR_MS);
        certified_client_init(&c, &f, "dev-0001", true);
        assert_int_equal(client_handshake(&c.client, WAIT_MS), times[i].why == NULL);
        assert_true(times[i].why == NULL || strstr(certified.line, times[i].why) != NULL);
        certified_client_deinit(&c);
    }
    close_fixture();
}

/* A device of one kind cannot come in as one of the other. */
static void test_a_certificate_device_has_no_key(void **state)
{
    (void)state;
    struct client c;
    open_fixture(false);
    client_init(&c, &f, 1, true);
    assert_false(client_handshake(&c, WAIT_MS));
    client_deinit(&c);
    close_fixture();
}

/* Whoever has no certificate to show, or not its key. */
static void test_without_proof(void **state)
{
    (void)state;
    struct certified_client c;
    struct certified_client other;
    open_fixture(false);
    certified_client_init(&c, &f, "dev-0001", true);
    certified_client_init(&other, &f, "dev-0002", true);
    mbedtls_pk_context own = c.credentials.key;
    c.credentials.key = other.credentials.key;
    assert_false(client_handshake(&c.client, WAIT_MS));
    assert_int_equal(c.client.alert, ALERT_ACCESS_DENIED);
    assert_string_equal(certified.line,
                        "certificate of dev-0001 refused: does not belong to the key");
    c.credentials.key = own;
    assert_int_equal(fixture_stats(&f).sessions, 0);
    certified_client_deinit(&c);
    certified_client_deinit(&other);
    close_fixture();
}

/* A scanner does not fill the disk. */
static void test_lines_are_limited(void **state)
{
    (void)state;
    open_fixture(false);
    for (unsigned i = 0; i < LINES + 15; i++) {
        struct certified_client c;
        certified_client_init(&c, &f, "stranger", true);
        assert_false(client_handshake(&c.client, WAIT_MS));
        certified_client_deinit(&c);
    }
    assert_in_range(certified.lines, LINES, LINES + 14);
    close_fixture();
}

/* --- Opening ------------------------------------------------------------------------------------- */

static void expect_open(int code, const char *line)
{
    int rc = net_open(&f.net, &f.loop, &f.config);
    if (rc != code || strstr(certified.line, line) == NULL) {
        fail_msg("%d instead of %d, '%s' instead of '%s'", rc, code, certified.line, line);
    }
    f.closed = rc != 0;
    certified.line[0] = '\0';
}

static void test_what_does_not_fit_together(void **state)
{
    (void)state;
    struct pem_texts *texts = &certified.texts;
    fixture_init(&f);
    certified_init(&certified, &f, true);
    certified_text(&texts->key, "dev-0001.key");
    expect_open(MYCEL_E_INVALID, "private key: does not belong to the key");
    certified_text(&texts->own, "dev-0001.pem");
    expect_open(MYCEL_E_INVALID, "certificate: not made for this use");
    certified_text(&texts->own, "p384.pem");
    expect_open(MYCEL_E_MALFORMED, "certificate");
    certified_text(&texts->own, "coordinator.key");
    expect_open(MYCEL_E_MALFORMED, "certificate");
    certified_text(&texts->own, "coordinator.pem");
    certified_text(&texts->key, "coordinator.key");
    certified_text(&texts->ca, "dev-0001.pem");
    expect_open(MYCEL_E_INVALID, "device CA: not made for this use");
    certified_text(&texts->ca, "other-ca.pem");
    expect_open(MYCEL_E_INVALID, "CRL: not signed by the CA");
    certified_text(&texts->ca, "ca.pem");
    certified_text(&texts->crl, "ca.pem");
    expect_open(MYCEL_E_MALFORMED, "CRL");
    certified_text(&texts->crl, "crl.pem");
    certified.wall_ms =
        now_wall_ms() + 2 * YEAR_MS; /* those with keys shall not suffer from that */
    expect_open(MYCEL_OK, "certificate: expired");
    close_fixture();
}

static int make(void **state)
{
    (void)state;
    certified_make(
        "other-ca twin-ca middle lower device:dev-0001 chained:dev-0002 deep:dev-0003 "
        "foreign:dev-0004 twin:dev-0005 expired:dev-0006 self-signed:dev-0007 sha224:dev-0008 "
        "is-ca:dev-0009 by-device:by-dev-0001 for-server:dev-0010 for-any:dev-0011 "
        "no-usage:dev-0012 no-signature:dev-0013 two-names:dev-0014 no-name:dev-0015 "
        "spaces:dev-0016 device:dev-0017 crl:dev-0017 device:dev-0018 device:dev-0600 "
        "device:stranger p384");
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
        cmocka_unit_test(test_a_device_gets_in_and_is_parked),
        cmocka_unit_test(test_both_kinds_side_by_side),
        cmocka_unit_test(test_openssl_gets_in),
        cmocka_unit_test(test_revocation_ends_the_session),
        cmocka_unit_test(test_a_newer_session_replaces),
        cmocka_unit_test(test_whatever_is_wrong_looks_alike),
        cmocka_unit_test(test_refusals_take_as_much),
        cmocka_unit_test(test_time_decides),
        cmocka_unit_test(test_a_certificate_device_has_no_key),
        cmocka_unit_test(test_without_proof),
        cmocka_unit_test(test_lines_are_limited),
        cmocka_unit_test(test_what_does_not_fit_together),
    };
    return cmocka_run_group_tests(tests, make, removed);
}
