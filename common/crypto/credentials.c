/* Implementation of credentials.h. */
#include "common/crypto/credentials.h"

#include <mycel/error.h>
#include <string.h>

#define CERTIFICATE_FRAME_BYTES 3u /* the length before each in a handshake message */

static const uint16_t signatures[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
                                      MBEDTLS_TLS1_3_SIG_NONE};

void credentials_init(struct credentials *credentials)
{
    mbedtls_x509_crt_init(&credentials->own);
    mbedtls_pk_init(&credentials->key);
    mbedtls_x509_crt_init(&credentials->ca);
    mbedtls_x509_crl_init(&credentials->crl);
    credentials->has_crl = false;
}

void credentials_deinit(struct credentials *credentials)
{
    mbedtls_x509_crt_free(&credentials->own);
    mbedtls_pk_free(&credentials->key);
    mbedtls_x509_crt_free(&credentials->ca);
    mbedtls_x509_crl_free(&credentials->crl);
    credentials_init(credentials);
}

static int fail(struct credentials_problem *problem, enum credentials_part part,
                enum certificate_fault fault, int code)
{
    problem->part = part;
    problem->fault = fault;
    return code;
}

static int code_of(int error)
{
    return error == MBEDTLS_ERR_X509_ALLOC_FAILED ? MYCEL_E_NO_MEMORY : MYCEL_E_MALFORMED;
}

/* Whether there is a text at all, and no larger than it may be. */
static int check_text(const struct pem_text *text)
{
    return text->text == NULL || text->bytes < 2u ? MYCEL_E_MALFORMED
           : text->bytes > PEM_TEXT_BYTES_MAX     ? MYCEL_E_TOO_LARGE
                                                  : MYCEL_OK;
}

/* All certificates of a text, at most `most`. */
static int parse_certificates(mbedtls_x509_crt *out, const struct pem_text *text, unsigned most,
                              size_t bytes_max)
{
    int rc = check_text(text);
    if (rc < 0) {
        return rc;
    }
    int error = mbedtls_x509_crt_parse(out, text->text, text->bytes);
    if (error != 0) { /* above 0: some of them could not be parsed */
        return code_of(error);
    }
    size_t bytes = 0;
    unsigned count = 0;
    for (const mbedtls_x509_crt *at = out; at != NULL && count <= most; at = at->next) {
        bytes += CERTIFICATE_FRAME_BYTES + at->raw.len;
        count++;
    }
    return count > most || bytes > bytes_max ? MYCEL_E_TOO_LARGE : MYCEL_OK;
}

static int parse_own(struct credentials *credentials, const struct pem_texts *texts,
                     struct certificate_check *check, struct credentials_problem *problem)
{
    int rc = parse_certificates(&credentials->own, &texts->own, CERTIFICATE_DEPTH_MAX,
                                CREDENTIALS_CHAIN_BYTES_MAX);
    if (rc < 0) {
        return fail(problem, CREDENTIALS_OWN, CERTIFICATE_NONE, rc);
    }
    certificate_check_first(check, &credentials->own);
    bool usable = check->fault == CERTIFICATE_NONE || check->fault == CERTIFICATE_EXPIRED ||
                  check->fault == CERTIFICATE_EARLY;
    return fail(problem, CREDENTIALS_OWN, check->fault, usable ? MYCEL_OK : MYCEL_E_INVALID);
}

static int parse_key(struct credentials *credentials, const struct pem_text *text,
                     int (*random)(void *, unsigned char *, size_t), void *user,
                     struct credentials_problem *problem)
{
    int rc = check_text(text);
    if (rc == MYCEL_OK &&
        mbedtls_pk_parse_key(&credentials->key, text->text, text->bytes, NULL, 0, random, user)) {
        rc = MYCEL_E_MALFORMED;
    }
    if (rc < 0) {
        return fail(problem, CREDENTIALS_KEY, CERTIFICATE_NONE, rc);
    }
    bool pair = mbedtls_pk_check_pair(&credentials->own.pk, &credentials->key, random, user) == 0;
    return pair ? MYCEL_OK : fail(problem, CREDENTIALS_KEY, CERTIFICATE_KEY, MYCEL_E_INVALID);
}

static int parse_ca(struct credentials *credentials, const struct pem_text *text,
                    struct credentials_problem *problem)
{
    int rc = parse_certificates(&credentials->ca, text, CREDENTIALS_CAS_MAX, PEM_TEXT_BYTES_MAX);
    if (rc < 0) {
        return fail(problem, CREDENTIALS_CA, CERTIFICATE_NONE, rc);
    }
    for (const mbedtls_x509_crt *at = &credentials->ca; at != NULL; at = at->next) {
        enum certificate_fault fault = certificate_ca_fault(at);
        if (fault != CERTIFICATE_NONE) {
            return fail(problem, CREDENTIALS_CA, fault, MYCEL_E_INVALID);
        }
    }
    return MYCEL_OK;
}

static bool is_issuer(const mbedtls_x509_crt *ca, const mbedtls_x509_crl *crl)
{
    return ca->subject_raw.len == crl->issuer_raw.len &&
           memcmp(ca->subject_raw.p, crl->issuer_raw.p, crl->issuer_raw.len) == 0;
}

/* A CRL that nobody looks at would be worse than none. */
static bool has_issuer(const struct credentials *credentials, const mbedtls_x509_crl *crl)
{
    for (const mbedtls_x509_crt *at = &credentials->ca; at != NULL; at = at->next) {
        if (is_issuer(at, crl)) {
            return true;
        }
    }
    return false;
}

static int parse_crl(struct credentials *credentials, const struct pem_text *text,
                     struct credentials_problem *problem)
{
    if (text->text == NULL) {
        return MYCEL_OK;
    }
    int rc = check_text(text);
    int error =
        rc == MYCEL_OK ? mbedtls_x509_crl_parse(&credentials->crl, text->text, text->bytes) : 0;
    if (rc < 0 || error != 0) {
        return fail(problem, CREDENTIALS_CRL, CERTIFICATE_NONE, rc < 0 ? rc : code_of(error));
    }
    for (const mbedtls_x509_crl *at = &credentials->crl; at != NULL; at = at->next) {
        if (!has_issuer(credentials, at)) {
            return fail(problem, CREDENTIALS_CRL, CERTIFICATE_UNTRUSTED, MYCEL_E_INVALID);
        }
    }
    credentials->has_crl = true;
    return MYCEL_OK;
}

int credentials_parse(struct credentials *credentials, const struct pem_texts *texts,
                      enum certificate_role role, uint64_t wall_ms,
                      int (*random)(void *user, unsigned char *out, size_t bytes), void *user,
                      char *name, struct credentials_problem *problem)
{
    struct certificate_check check = {.role = role, .wall_ms = wall_ms};
    *problem = (struct credentials_problem){CREDENTIALS_OWN, CERTIFICATE_NONE};
    int rc = parse_own(credentials, texts, &check, problem);
    if (rc == MYCEL_OK) {
        rc = parse_key(credentials, &texts->key, random, user, problem);
    }
    if (rc == MYCEL_OK) {
        rc = parse_ca(credentials, &texts->ca, problem);
    }
    if (rc == MYCEL_OK) {
        rc = parse_crl(credentials, &texts->crl, problem);
    }
    if (rc < 0) {
        credentials_deinit(credentials);
    } else if (name != NULL) {
        memcpy(name, check.identity, sizeof check.identity);
    }
    return rc;
}

static void trust(struct credentials *credentials, mbedtls_ssl_config *config)
{
    mbedtls_ssl_conf_ca_chain(config, &credentials->ca,
                              credentials->has_crl ? &credentials->crl : NULL);
}

/* The configuration knows where they are, and they stay there: only the CRL may come or go. */
void credentials_replace(struct credentials *credentials, struct credentials *fresh,
                         mbedtls_ssl_config *config)
{
    struct credentials old = *credentials;
    *credentials = *fresh;
    *fresh = old;
    trust(credentials, config);
    credentials_deinit(fresh);
}

int credentials_configure(struct credentials *credentials, mbedtls_ssl_config *config)
{
    if (mbedtls_ssl_conf_own_cert(config, &credentials->own, &credentials->key) != 0) {
        return MYCEL_E_NO_MEMORY;
    }
    trust(credentials, config);
    mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_cert_profile(config, &certificate_profile);
    mbedtls_ssl_conf_sig_algs(config, signatures);
    return MYCEL_OK;
}
