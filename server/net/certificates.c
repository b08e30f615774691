/* Implementation of certificates.h. */
#include "server/net/certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <mycel/error.h>

#include "server/net/endpoint.h"
#include "server/net/hello.h"
#include "server/net/session.h"

#define LINE_BYTES 128u

_Static_assert(CERTIFICATE_NAME_BYTES_MAX == PROTO_IDENTITY_BYTES_MAX, "names are identities");

/* --- Opening ------------------------------------------------------------------------------------- */

static const char *part_name(enum credentials_part part)
{
    static const char *const names[] = {[CREDENTIALS_OWN] = "certificate",
                                        [CREDENTIALS_KEY] = "private key",
                                        [CREDENTIALS_CA] = "device CA",
                                        [CREDENTIALS_CRL] = "CRL"};
    return names[part];
}

/* An expired certificate of our own is no reason to turn those away that have a pre-shared key. */
static void say_opened(const struct net_callbacks *callbacks, int error,
                       const struct credentials_problem *problem)
{
    char line[LINE_BYTES];
    if (callbacks->log == NULL || (error == 0 && problem->fault == CERTIFICATE_NONE)) {
        return;
    }
    const char *why = problem->fault != CERTIFICATE_NONE ? certificate_fault_text(problem->fault)
                                                         : mycel_error_text(error);
    (void)snprintf(line, sizeof line, "the coordinator's %s: %s", part_name(problem->part), why);
    callbacks->log(callbacks->user, error == 0 ? NET_LOG_WARN : NET_LOG_ERROR, line);
}

static int parse(const struct net_callbacks *callbacks, const struct pem_texts *texts,
                 int (*random)(void *, unsigned char *, size_t), void *user,
                 struct credentials *out)
{
    struct credentials_problem problem;
    credentials_init(out);
    int error =
        credentials_parse(out, texts, CERTIFICATE_OF_COORDINATOR,
                          callbacks->wall_ms(callbacks->user), random, user, NULL, &problem);
    say_opened(callbacks, error, &problem);
    return error;
}

static int parse_for(struct endpoint *endpoint, const struct pem_texts *texts,
                     struct credentials *out)
{
    return parse(&endpoint->config.callbacks, texts, mbedtls_ctr_drbg_random,
                 &endpoint->dtls.random, out);
}

int certificates_renew(struct endpoint *endpoint, const struct pem_texts *texts)
{
    struct credentials fresh;
    int error = parse_for(endpoint, texts, &fresh);
    if (error == 0) {
        credentials_replace(&endpoint->dtls.certificates->credentials, &fresh,
                            &endpoint->dtls.config);
    }
    return error;
}

/* So few bytes come whole. */
static int kernel_random(void *user, unsigned char *out, size_t bytes)
{
    (void)user;
    return getrandom(out, bytes, 0) == (ssize_t)bytes ? 0 : MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
}

int certificates_try(const struct net_callbacks *callbacks, const struct pem_texts *texts)
{
    struct credentials fresh;
    int error = parse(callbacks, texts, kernel_random, NULL, &fresh);
    credentials_deinit(&fresh);
    return error;
}

static void open_limits(struct certificates *certificates, const struct endpoint *endpoint)
{
    uint64_t now_ms = endpoint_now_ms(endpoint);
    uint32_t per_s = endpoint->config.certificate_handshakes_per_s;
    uint32_t burst = (uint32_t)((uint64_t)per_s * CERTIFICATES_BURST_MS / 1000u);
    uint32_t host_per_s = per_s / CERTIFICATES_HOST_SHARE;
    burst = burst > CERTIFICATES_HOST_SHARE ? burst : CERTIFICATES_HOST_SHARE;
    allowance_init(&certificates->handshakes, per_s, burst, now_ms);
    for (unsigned i = 0; i < CERTIFICATES_HOSTS; i++) {
        allowance_init(&certificates->hosts[i], host_per_s > 0 ? host_per_s : 1,
                       burst / CERTIFICATES_HOST_SHARE, now_ms);
    }
    allowance_init(&certificates->lines, CERTIFICATES_LINES_PER_S, CERTIFICATES_LINES_BURST,
                   now_ms);
}

int certificates_open(struct certificates **out, struct endpoint *endpoint)
{
    const struct net_config *config = &endpoint->config;
    *out = NULL;
    if (config->certificates == NULL) {
        return 0;
    }
    struct certificates *certificates = calloc(1, sizeof *certificates);
    if (certificates == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    int error = parse_for(endpoint, config->certificates, &certificates->credentials);
    if (error == 0) {
        error = credentials_configure(&certificates->credentials, &endpoint->dtls.config);
    }
    if (error != 0) {
        certificates_close(certificates);
        return error;
    }
    /* The names of our CAs are nobody's business, and a device has only one certificate to choose. */
    mbedtls_ssl_conf_cert_req_ca_list(&endpoint->dtls.config,
                                      MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
    open_limits(certificates, endpoint);
    *out = certificates;
    return 0;
}

void certificates_close(struct certificates *certificates)
{
    if (certificates != NULL) {
        credentials_deinit(&certificates->credentials);
        free(certificates);
    }
}

/* --- The budget ---------------------------------------------------------------------------------- */

static struct allowance *host_of(struct endpoint *endpoint, const struct address *from)
{
    uint64_t hash = address_host_hash(from, endpoint->peers.secret);
    return &endpoint->dtls.certificates->hosts[hash & (CERTIFICATES_HOSTS - 1u)];
}

bool certificates_must_wait(struct endpoint *endpoint, const struct address *from,
                            const uint8_t *hello, size_t count)
{
    struct certificates *certificates = endpoint->dtls.certificates;
    uint64_t now_ms = endpoint_now_ms(endpoint);
    if (certificates == NULL || !hello_wants_certificate(hello, count)) {
        return false;
    }
    return !allowance_has(&certificates->handshakes, now_ms) ||
           !allowance_has(host_of(endpoint, from), now_ms);
}

void certificates_begin(struct endpoint *endpoint, const struct address *from, const uint8_t *hello,
                        size_t count)
{
    struct certificates *certificates = endpoint->dtls.certificates;
    if (certificates != NULL && hello_wants_certificate(hello, count)) {
        uint64_t now_ms = endpoint_now_ms(endpoint);
        allowance_take(&certificates->handshakes, now_ms);
        allowance_take(host_of(endpoint, from), now_ms);
    }
}

/* The library tries each certificate of a chain, and of those out of date all, as the issuer of up to
 * three others. Who lets it try many has begun as many handshakes. */
static void charge_chain(struct endpoint *endpoint, const struct session *session, uint32_t count)
{
    if (count > CERTIFICATES_CHAIN) {
        allowance_owe(host_of(endpoint, session_address(session)), count - CERTIFICATES_CHAIN,
                      endpoint_now_ms(endpoint));
    }
}

static uint32_t count_chain(const mbedtls_x509_crt *chain)
{
    uint32_t count = 0;
    for (; chain != NULL && count < CERTIFICATES_CHAIN_MAX; chain = chain->next) {
        count++;
    }
    return count;
}

/* --- A peer's chain ------------------------------------------------------------------------------ */

static void say_refused(struct endpoint *endpoint, const char *identity,
                        enum certificate_fault fault)
{
    struct certificates *certificates = endpoint->dtls.certificates;
    uint64_t now_ms = endpoint_now_ms(endpoint);
    if (!allowance_has(&certificates->lines, now_ms)) {
        certificates->unsaid++;
        return;
    }
    allowance_take(&certificates->lines, now_ms);
    const char *name = identity[0] != '\0' ? identity : "nobody";
    const char *why = certificate_fault_text(fault);
    if (certificates->unsaid > 0) {
        endpoint_log(endpoint, NET_LOG_WARN,
                     "certificate of %s refused: %s (and %u more since the last line)", name, why,
                     certificates->unsaid);
    } else {
        endpoint_log(endpoint, NET_LOG_WARN, "certificate of %s refused: %s", name, why);
    }
    certificates->unsaid = 0;
}

static void start_check(struct certificates *certificates, const struct net_callbacks *callbacks)
{
    certificates->check = (struct certificate_check){.role = CERTIFICATE_OF_DEVICE,
                                                     .wall_ms = callbacks->wall_ms(callbacks->user),
                                                     .ca = &certificates->credentials.ca};
}

void certificates_unproved(struct endpoint *endpoint, const char *identity)
{
    say_refused(endpoint, identity, CERTIFICATE_KEY);
}

void certificates_given_up(struct endpoint *endpoint, const struct session *session)
{
    charge_chain(endpoint, session, CERTIFICATES_CHAIN_MAX);
    say_refused(endpoint, "", CERTIFICATE_CHAIN);
}

int certificates_verify(struct endpoint *endpoint, struct session *session,
                        const mbedtls_x509_crt *link, int depth, uint32_t *flags)
{
    struct certificates *certificates = endpoint->dtls.certificates;
    const struct net_callbacks *callbacks = &endpoint->config.callbacks;
    struct certificate_check *check = &certificates->check;
    if (check->links == 0) {
        start_check(certificates, callbacks);
    }
    certificate_check_link(check, link, depth, *flags);
    *flags = 0; /* one of them picks the alert: there shall be only one */
    if (depth > 0) {
        return 0;
    }
    charge_chain(endpoint, session, count_chain(link));
    bool enrolled = check->identity[0] != '\0' &&
                    callbacks->certificate_lookup(callbacks->user, check->identity);
    if (check->fault == CERTIFICATE_NONE && !enrolled) {
        check->fault = CERTIFICATE_NOT_ENROLLED;
    }
    if (check->fault == CERTIFICATE_NONE) {
        session_set_identity(session, (const unsigned char *)check->identity,
                             strlen(check->identity));
    } else {
        bool unfit = check->fault == CERTIFICATE_USAGE || check->fault == CERTIFICATE_ALGORITHM;
        *flags = unfit ? MBEDTLS_X509_BADCERT_OTHER : 0;
        session_refuse(session);
        say_refused(endpoint, check->identity, check->fault);
    }
    *check = (struct certificate_check){0};
    return 0;
}
