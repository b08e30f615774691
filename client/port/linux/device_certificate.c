/*
 * Implementation of device_certificate.h. libcoap hands out its mbedTLS context (coap_session_get_tls)
 * before the first answer is read; what the handshake is going to need of certificates is put there.
 */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "client/port/linux/device_certificate.h"

#include "common/crypto/credentials.h"
#include "proto/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

_Static_assert(CERTIFICATE_NAME_BYTES_MAX == PROTO_IDENTITY_BYTES_MAX, "names are identities");

struct device_certificate {
    struct credentials credentials;
    char identity[CERTIFICATE_NAME_BYTES_MAX + 1u];
    const char *name;                               /* what the coordinator has to be called … */
    uint8_t address[CERTIFICATE_ADDRESS_BYTES_MAX]; /* … or its address, and how long that is */
    size_t address_bytes;
    struct certificate_check check; /* of the chain being verified; no link yet: all zero */
    enum certificate_fault refusal;
};

static int fill_random(void *user, unsigned char *out, size_t bytes)
{
    (void)user;
    while (bytes > 0) {
        ssize_t n = getrandom(out, bytes, 0);
        if (n < 0 && errno != EINTR) {
            return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
        }
        size_t got = n > 0 ? (size_t)n : 0;
        out += got;
        bytes -= got;
    }
    return 0;
}

static uint64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- opening */

static int fail(char problem[DEVICE_CERTIFICATE_PROBLEM_BYTES], int rc, const char *what,
                const char *why)
{
    (void)snprintf(problem, DEVICE_CERTIFICATE_PROBLEM_BYTES, "%s: %s", what, why);
    return rc;
}

static const char *path_of(const struct pem_files *files, enum credentials_part part)
{
    switch (part) {
    case CREDENTIALS_OWN:
        return files->own;
    case CREDENTIALS_KEY:
        return files->key;
    case CREDENTIALS_CA:
        return files->ca;
    case CREDENTIALS_CRL:
        break;
    }
    return files->crl;
}

static int load(struct device_certificate *device, const struct pem_files *files,
                char problem[DEVICE_CERTIFICATE_PROBLEM_BYTES])
{
    struct pem_texts texts;
    struct credentials_problem bad;
    const char *failed = "";
    int rc = pem_files_read(files, &texts, &failed);
    if (rc < 0) {
        return fail(problem, rc, failed,
                    rc == MYCEL_E_PERMISSION ? "not readable, or readable by others"
                                             : mycel_error_text(rc));
    }
    rc = credentials_parse(&device->credentials, &texts, CERTIFICATE_OF_DEVICE, wall_ms(),
                           fill_random, NULL, device->identity, &bad);
    pem_texts_free(&texts);
    if (rc < 0) {
        return fail(problem, rc, path_of(files, bad.part),
                    bad.fault != CERTIFICATE_NONE ? certificate_fault_text(bad.fault)
                                                  : mycel_error_text(rc));
    }
    if (bad.fault != CERTIFICATE_NONE) { /* expired: the coordinator has the last word */
        (void)fail(problem, rc, files->own, certificate_fault_text(bad.fault));
    }
    return MYCEL_OK;
}

/* A numeric address is compared with addresses, anything else with names. */
static void expect(struct device_certificate *device, const char *name)
{
    if (inet_pton(AF_INET, name, device->address) == 1) {
        device->address_bytes = 4;
    } else if (inet_pton(AF_INET6, name, device->address) == 1) {
        device->address_bytes = 16;
    } else {
        device->name = name;
    }
}

int device_certificate_open(struct device_certificate **out,
                            const struct device_certificate_config *config,
                            char problem[DEVICE_CERTIFICATE_PROBLEM_BYTES])
{
    *out = NULL;
    problem[0] = '\0';
    struct device_certificate *device = calloc(1, sizeof *device);
    if (device == NULL) {
        return fail(problem, MYCEL_E_NO_MEMORY, config->files.own, "no memory");
    }
    credentials_init(&device->credentials);
    expect(device, config->name);
    int rc = load(device, &config->files, problem);
    if (rc < 0) {
        device_certificate_close(device);
        return rc;
    }
    *out = device;
    return MYCEL_OK;
}

void device_certificate_close(struct device_certificate *device)
{
    if (device != NULL) {
        credentials_deinit(&device->credentials);
        free(device);
    }
}

const char *device_certificate_identity(const struct device_certificate *device)
{
    return device->identity;
}

/* ---- sessions */

static int on_verify(void *user, mbedtls_x509_crt *link, int depth, uint32_t *flags)
{
    struct device_certificate *device = user;
    struct certificate_check *check = &device->check;
    if (check->links == 0) {
        *check = (struct certificate_check){.role = CERTIFICATE_OF_COORDINATOR,
                                            .wall_ms = wall_ms(),
                                            .name = device->name,
                                            .address =
                                                device->address_bytes > 0 ? device->address : NULL,
                                            .address_bytes = device->address_bytes};
    }
    certificate_check_link(check, link, depth, *flags);
    *flags = 0;
    if (depth > 0) {
        return 0;
    }
    device->refusal = check->fault;
    *flags = check->fault != CERTIFICATE_NONE ? MBEDTLS_X509_BADCERT_OTHER : 0;
    *check = (struct certificate_check){0};
    return 0;
}

int device_certificate_take(struct device_certificate *device, void *context)
{
    mbedtls_ssl_context *ssl = context;
    mbedtls_ssl_config *config;
    /* Each client session of libcoap has a configuration of its own, which is no constant. */
    memcpy(&config, &ssl->conf, sizeof config);
    device->refusal = CERTIFICATE_NONE;
    device->check = (struct certificate_check){0};
    if (credentials_configure(&device->credentials, config) != 0 ||
        mbedtls_ssl_set_hostname(ssl, NULL) != 0) { /* names are checked here, without wildcards */
        return MYCEL_E_NO_MEMORY;
    }
    mbedtls_ssl_set_verify(ssl, on_verify, device);
    return MYCEL_OK;
}

const char *device_certificate_refusal(const struct device_certificate *device)
{
    return device->refusal != CERTIFICATE_NONE ? certificate_fault_text(device->refusal) : NULL;
}
