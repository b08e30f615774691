/* The rules for certificates by themselves, on chains that the TLS library builds: each role, each rule. */
#include "common/crypto/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define YEAR_MS (UINT64_C(365) * 86400u * 1000u)

static char folder[] = "/tmp/mycel-certificate-XXXXXX";

static void load(mbedtls_x509_crt *out, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s.pem", folder, name);
    mbedtls_x509_crt_init(out);
    assert_int_equal(mbedtls_x509_crt_parse_file(out, path), 0);
}

static int on_link(void *user, mbedtls_x509_crt *link, int depth, uint32_t *flags)
{
    certificate_check_link(user, link, depth, *flags);
    *flags = 0;
    return 0;
}

static uint64_t now_ms(void)
{
    return (uint64_t)time(NULL) * 1000u;
}

/* The whole way, as a handshake goes it; `check` has what the caller wants of it. */
static enum certificate_fault verify(const char *name, const char *ca_name,
                                     struct certificate_check *check)
{
    mbedtls_x509_crt chain;
    mbedtls_x509_crt ca;
    uint32_t flags = 0;
    load(&chain, name);
    load(&ca, ca_name);
    check->ca = &ca;
    check->wall_ms = check->wall_ms != 0 ? check->wall_ms : now_ms();
    assert_int_equal(mbedtls_x509_crt_verify_with_profile(&chain, &ca, NULL, &certificate_profile,
                                                          NULL, &flags, on_link, check),
                     0);
    mbedtls_x509_crt_free(&chain);
    mbedtls_x509_crt_free(&ca);
    return check->fault;
}

static void expect_device(const char *name, const char *ca, enum certificate_fault fault,
                          const char *identity)
{
    struct certificate_check check = {.role = CERTIFICATE_OF_DEVICE};
    if (verify(name, ca, &check) != fault || strcmp(check.identity, identity) != 0) {
        fail_msg("%s: %s, %s", name, certificate_fault_text(check.fault), check.identity);
    }
}

static void test_devices(void **state)
{
    (void)state;
    expect_device("pump", "ca", CERTIFICATE_NONE, "pump");
    expect_device("chained", "ca", CERTIFICATE_NONE, "chained");
    expect_device("deep", "ca", CERTIFICATE_CHAIN, "deep");
    expect_device("pump", "other-ca", CERTIFICATE_UNTRUSTED, "pump");
    expect_device("pump", "pump", CERTIFICATE_UNTRUSTED, "pump"); /* no CA vouches for it */
    expect_device("self-signed", "self-signed", CERTIFICATE_UNTRUSTED, "self-signed");
    expect_device("expired", "ca", CERTIFICATE_EXPIRED, "expired");
    expect_device("sha224", "ca", CERTIFICATE_ALGORITHM, "sha224");
    expect_device("is-ca", "ca", CERTIFICATE_USAGE, "is-ca");
    expect_device("no-usage", "ca", CERTIFICATE_USAGE, "no-usage");
    expect_device("for-any", "ca", CERTIFICATE_USAGE, "for-any");
    expect_device("two-names", "ca", CERTIFICATE_NAME, "");
    expect_device("wide", "ca", CERTIFICATE_NAME, ""); /* whose bytes are ASCII */
    expect_device("coordinator", "ca", CERTIFICATE_USAGE, "coordinator");
}

static void expect_coordinator(const char *name, const char *expected, enum certificate_fault fault)
{
    struct certificate_check check = {.role = CERTIFICATE_OF_COORDINATOR, .name = expected};
    if (verify(name, "ca", &check) != fault) {
        fail_msg("%s as %s: %s", name, expected, certificate_fault_text(check.fault));
    }
}

static void test_coordinators(void **state)
{
    (void)state;
    expect_coordinator("coordinator", "fleet.example", CERTIFICATE_NONE);
    expect_coordinator("coordinator", "FLEET.example", CERTIFICATE_NONE);
    expect_coordinator("coordinator", NULL, CERTIFICATE_NONE); /* one's own, before it is used */
    expect_coordinator("coordinator", "", CERTIFICATE_OTHER_NAME);
    expect_coordinator("coordinator", "fleet.exampl", CERTIFICATE_OTHER_NAME);
    expect_coordinator("coordinator", "coordinator", CERTIFICATE_OTHER_NAME);
    expect_coordinator("coordinator", "a.wild.example", CERTIFICATE_OTHER_NAME);
    expect_coordinator("coordinator", "127.0.0.1", CERTIFICATE_OTHER_NAME); /* as a name */
    expect_coordinator("pump", "pump", CERTIFICATE_USAGE); /* a device passes for nobody else */
    expect_coordinator("for-server", "for-server", CERTIFICATE_OTHER_NAME);
}

static void test_addresses(void **state)
{
    (void)state;
    static const uint8_t right[16] = {127, 0, 0, 1};
    static const uint8_t wrong[4] = {127, 0, 0, 2};
    static const struct {
        const uint8_t *address;
        size_t bytes;
        enum certificate_fault fault;
    } cases[] = {{right, 4, CERTIFICATE_NONE},
                 {right, 16, CERTIFICATE_OTHER_NAME},
                 {wrong, 4, CERTIFICATE_OTHER_NAME}};
    for (unsigned i = 0; i < 3; i++) {
        struct certificate_check check = {.role = CERTIFICATE_OF_COORDINATOR,
                                          .address = cases[i].address,
                                          .address_bytes = cases[i].bytes};
        assert_int_equal(verify("coordinator", "ca", &check), cases[i].fault);
    }
}

static void test_time(void **state)
{
    (void)state;
    const struct {
        uint64_t wall_ms;
        enum certificate_fault fault;
    } cases[] = {{1, CERTIFICATE_EARLY}, /* a clock that was never set */
                 {now_ms() - YEAR_MS, CERTIFICATE_EARLY},
                 {now_ms(), CERTIFICATE_NONE},
                 {now_ms() + 2 * YEAR_MS, CERTIFICATE_EXPIRED},
                 {now_ms() + 20 * YEAR_MS, CERTIFICATE_EXPIRED}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct certificate_check check = {.role = CERTIFICATE_OF_DEVICE,
                                          .wall_ms = cases[i].wall_ms};
        assert_int_equal(verify("pump", "ca", &check), cases[i].fault);
    }
}

static int make(void **state)
{
    (void)state;
    char command[512];
    assert_non_null(mkdtemp(folder));
    snprintf(
        command, sizeof command,
        "'%s/tests/certificates/make.sh' %s ca other-ca middle lower coordinator device:pump "
        "chained deep self-signed expired sha224 is-ca no-usage for-any for-server two-names wide",
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
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_coordinators),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_time),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
