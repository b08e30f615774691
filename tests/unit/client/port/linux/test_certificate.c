/* A device with a certificate against the coordinator's endpoint, in one process: it talks to the one that
 * it expects, and to an impostor it sends nothing but its handshake. */
#include "client/port/linux/coap_transport.h"
#include "client/port/linux/device_certificate.h"
#include "server/net/net.h"

#include <mycel/error.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
// cmocka needs those above
#include <cmocka.h>

#define WAIT_MS 8000
#define PATH_BYTES 96

static char folder[] = "/tmp/mycel-certificate-XXXXXX";

static struct world {
    uv_loop_t loop;
    struct net *net;
    struct pem_texts texts;
    unsigned requests;
    char identity[65];
    char address[32];
    struct device_certificate *device;
    struct coap_transport *transport;
    char why[128];
} w;

/* --- The coordinator ----------------------------------------------------------------------------- */

static int psk_lookup(void *user, const char *identity, struct net_psk keys[NET_KEYS_MAX])
{
    return (void)user, (void)identity, (void)keys, 0;
}

static bool certificate_lookup(void *user, const char *identity)
{
    return (void)user, strcmp(identity, "pump-17") == 0;
}

static uint64_t wall_ms(void *user)
{
    return (void)user, (uint64_t)time(NULL) * 1000u;
}

static int body_admit(void *user, const struct net_request *q, uint64_t bytes,
                      struct net_response *refusal)
{
    return (void)user, (void)q, (void)bytes, (void)refusal, 1;
}

static void handler(void *user, const struct net_request *q)
{
    (void)user;
    struct net_response r = NET_RESPONSE(NET_CODE(2, 5));
    snprintf(w.identity, sizeof w.identity, "%s", q->identity);
    w.requests++;
    (void)net_reply(w.net, q->reply, &r);
}

static const char *in_folder(char path[PATH_BYTES], const char *name, const char *ending)
{
    snprintf(path, PATH_BYTES, "%s/%s.%s", folder, name, ending);
    return path;
}

/* With the certificate of that name. */
static void serve(const char *name)
{
    char own[PATH_BYTES], key[PATH_BYTES], ca[PATH_BYTES];
    const char *failed = NULL;
    const struct pem_files files = {in_folder(own, name, "pem"), in_folder(key, name, "key"),
                                    in_folder(ca, "ca", "pem"), NULL};
    assert_int_equal(pem_files_read(&files, &w.texts, &failed), 0);
    const struct net_config config = {.address = {"127.0.0.1"},
                                      .addresses = 1,
                                      .certificates = &w.texts,
                                      .park_after_ms = 50,
                                      .callbacks = {.psk_lookup = psk_lookup,
                                                    .certificate_lookup = certificate_lookup,
                                                    .wall_ms = wall_ms,
                                                    .handler = handler,
                                                    .body_admit = body_admit}};
    assert_int_equal(uv_loop_init(&w.loop), 0);
    assert_int_equal(net_open(&w.net, &w.loop, &config), 0);
    snprintf(w.address, sizeof w.address, "127.0.0.1:%u", net_port(w.net));
}

static void stop(void)
{
    net_close(w.net, NULL, NULL);
    (void)uv_run(&w.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w.loop), 0);
    pem_texts_free(&w.texts);
}

/* --- The device ---------------------------------------------------------------------------------- */

static int open_device(const char *certificate, const char *key, const char *ca, const char *crl,
                       const char *name, char problem[DEVICE_CERTIFICATE_PROBLEM_BYTES])
{
    char paths[4][PATH_BYTES];
    const struct device_certificate_config config = {
        .files = {in_folder(paths[0], certificate, "pem"), in_folder(paths[1], key, "key"),
                  in_folder(paths[2], ca, "pem"),
                  crl != NULL ? in_folder(paths[3], crl, "pem") : NULL},
        .name = name};
    return device_certificate_open(&w.device, &config, problem);
}

static void on_refused(void *user, const char *why)
{
    (void)user;
    snprintf(w.why, sizeof w.why, "%s", why);
}

static void connect_device(void)
{
    const struct coap_transport_config config = {
        .coordinator = w.address, .certificate = w.device, .refused = on_refused};
    w.why[0] = '\0';
    w.requests = 0;
    assert_int_equal(coap_transport_open(&w.transport, &config), 0);
    assert_int_equal(coap_transport_table.open(w.transport), 0);
}

static void disconnect(void)
{
    coap_transport_table.close(w.transport);
    coap_transport_close(w.transport);
}

/* One request; the response's code, or what the transport says. */
static int request_once(void)
{
    static const struct mycel_request request = {
        .method = MYCEL_GET, .path = {"x", NULL}, .content_format = MYCEL_FORMAT_NONE};
    struct mycel_response response = {0};
    assert_true(coap_transport_table.send(w.transport, 0, &request) > 0);
    int rc = 0;
    for (int waited = 0; waited < WAIT_MS && rc == 0; waited++) {
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
        (void)poll(NULL, 0, 1);
        rc = coap_transport_table.receive(w.transport, &response);
    }
    return rc > 0 ? response.code : rc;
}

static int ask(void)
{
    connect_device();
    int code = request_once();
    disconnect();
    return code;
}

static void expect(const char *ca, const char *crl, const char *name, int code, const char *why)
{
    char problem[DEVICE_CERTIFICATE_PROBLEM_BYTES] = "";
    assert_int_equal(open_device("pump-17", "pump-17", ca, crl, name, problem), 0);
    int got = ask();
    if (got != code || strstr(w.why, why) == NULL || w.requests != (code > 0)) {
        fail_msg("%s: %d instead of %d: %s", name, got, code, w.why);
    }
    device_certificate_close(w.device);
}

static void test_the_expected_one(void **state)
{
    (void)state;
    serve("coordinator");
    expect("ca", NULL, "fleet.example", NET_CODE(2, 5), "");
    assert_string_equal(w.identity, "pump-17");
    expect("ca", NULL, "Fleet.Example", NET_CODE(2, 5), "");
    expect("ca", NULL, "127.0.0.1", NET_CODE(2, 5), "");
    expect("ca", "crl", "fleet.example", NET_CODE(2, 5), "");
    stop();
}

/* Its session becomes some hundred bytes, and comes back with the next request. */
static void test_a_parked_session(void **state)
{
    (void)state;
    char problem[DEVICE_CERTIFICATE_PROBLEM_BYTES] = "";
    struct net_stats stats;
    serve("coordinator");
    assert_int_equal(open_device("pump-17", "pump-17", "ca", NULL, "fleet.example", problem), 0);
    connect_device();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(request_once(), NET_CODE(2, 5));
        for (unsigned ms = 0; ms < 300; ms++) {
            (void)uv_run(&w.loop, UV_RUN_NOWAIT);
            (void)poll(NULL, 0, 1);
        }
        net_stats(w.net, &stats);
        assert_int_equal(stats.sessions_parked, 1);
    }
    assert_int_equal(stats.unparked, 2);
    assert_int_equal(stats.handshakes, 1);
    disconnect();
    device_certificate_close(w.device);
    stop();
}

/* A right certificate for somebody else: libcoap alone would go on and send the request. */
static void test_another_name(void **state)
{
    (void)state;
    serve("coordinator");
    expect("ca", NULL, "elsewhere.example", MYCEL_E_UNAUTHORIZED, "another's");
    expect("ca", NULL, "a.wild.example", MYCEL_E_UNAUTHORIZED, "another's"); /* no wildcards */
    expect("ca", NULL, "coordinator", MYCEL_E_UNAUTHORIZED, "another's");    /* its common name */
    expect("ca", NULL, "127.0.0.2", MYCEL_E_UNAUTHORIZED, "another's");
    expect("ca", NULL, "fleet.exampl", MYCEL_E_UNAUTHORIZED, "another's");
    stop();
}

static void test_impostors(void **state)
{
    (void)state;
    serve("foreign");
    expect("ca", NULL, "fleet.example", MYCEL_E_UNAUTHORIZED, "not signed by the CA");
    stop();
    serve("expired");
    expect("ca", NULL, "fleet.example", MYCEL_E_UNAUTHORIZED, "expired");
    stop();
    serve("revoked");
    expect("ca", "crl", "fleet.example", MYCEL_E_UNAUTHORIZED, "on the CRL");
    expect("ca", NULL, "fleet.example", NET_CODE(2, 5), "");
    stop();
    serve("coordinator");
    expect("other-ca", NULL, "fleet.example", MYCEL_E_UNAUTHORIZED, "not signed by the CA");
    stop();
}

/* Refused by the coordinator, who does not say why: the session is closed. */
static void test_a_stranger(void **state)
{
    (void)state;
    char problem[DEVICE_CERTIFICATE_PROBLEM_BYTES] = "";
    serve("coordinator");
    assert_int_equal(open_device("stranger", "stranger", "ca", NULL, "fleet.example", problem), 0);
    assert_int_equal(ask(), MYCEL_E_CLOSED);
    assert_int_equal(w.requests, 0);
    device_certificate_close(w.device);
    stop();
}

static void expect_problem(int code, const char *text, const char *certificate, const char *key,
                           const char *ca, const char *crl)
{
    char problem[DEVICE_CERTIFICATE_PROBLEM_BYTES] = "";
    int rc = open_device(certificate, key, ca, crl, "fleet.example", problem);
    if (rc != code || strstr(problem, text) == NULL || w.device != NULL) {
        fail_msg("%d instead of %d, '%s' instead of '%s'", rc, code, problem, text);
    }
}

static void test_files(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    expect_problem(MYCEL_E_NOT_FOUND, "nothing.pem", "nothing", "pump-17", "ca", NULL);
    expect_problem(MYCEL_E_NOT_FOUND, "nothing.key", "pump-17", "nothing", "ca", NULL);
    expect_problem(MYCEL_E_INVALID, "stranger.key: does not belong", "pump-17", "stranger", "ca",
                   NULL);
    expect_problem(MYCEL_E_INVALID, "coordinator.pem: not made", "coordinator", "coordinator", "ca",
                   NULL);
    expect_problem(MYCEL_E_INVALID, "pump-17.pem: not made", "pump-17", "pump-17", "pump-17", NULL);
    expect_problem(MYCEL_E_INVALID, "crl.pem: not signed", "pump-17", "pump-17", "other-ca", "crl");
    expect_problem(MYCEL_E_MALFORMED, "pump-17.pem", "pump-17", "pump-17", "ca", "pump-17");
    assert_int_equal(chmod(in_folder(path, "pump-17", "key"), 0640), 0);
    expect_problem(MYCEL_E_PERMISSION, "pump-17.key", "pump-17", "pump-17", "ca", NULL);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(mkfifo(in_folder(path, "pipe", "pem"), 0600), 0); /* nobody writes to it */
    expect_problem(MYCEL_E_PERMISSION, "pipe.pem", "pipe", "pump-17", "ca", NULL);
}

static int make(void **state)
{
    (void)state;
    char command[512];
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command,
             "'%s/tests/certificates/make.sh' %s ca other-ca coordinator device:pump-17 "
             "device:stranger coordinator-foreign:foreign coordinator-expired:expired "
             "coordinator:revoked crl:revoked",
             MYCEL_SOURCE_DIR, folder);
    return system(command);
}

static int clean(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_expected_one), cmocka_unit_test(test_a_parked_session),
        cmocka_unit_test(test_another_name),     cmocka_unit_test(test_impostors),
        cmocka_unit_test(test_a_stranger),       cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
