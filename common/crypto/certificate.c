/* Implementation of certificate.h over mbedTLS's parsed certificates. */
#include "common/crypto/certificate.h"

#include <mbedtls/asn1.h>
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <string.h>

#define SHA256_DIGEST_BYTES 32u
#define NAMES_MAX 64u /* attributes or alternative names of one certificate that are looked at */
#define GENERAL_NAME_DNS (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2)
#define GENERAL_NAME_ADDRESS (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7)

const mbedtls_x509_crt_profile certificate_profile = {
    .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256),
    .allowed_pks = MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA),
    .allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1),
    .rsa_min_bitlen = 0};

const char *certificate_fault_text(enum certificate_fault fault)
{
    static const char *const texts[] = {
#define CERTIFICATE_FAULT_TEXT(name, text) text,
        CERTIFICATE_FAULT_TABLE(CERTIFICATE_FAULT_TEXT)
#undef CERTIFICATE_FAULT_TEXT
    };
    return texts[fault];
}

static void find(struct certificate_check *check, bool faulty, enum certificate_fault fault)
{
    if (faulty && check->fault == CERTIFICATE_NONE) {
        check->fault = fault;
    }
}

/* ---- each link */

/* What the library has found. Times and names are our own business. */
static void check_findings(struct certificate_check *check, uint32_t flags)
{
    const uint32_t ours = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE |
                          MBEDTLS_X509_BADCERT_CN_MISMATCH;
    const uint32_t algorithm =
        MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY;
    const uint32_t crl = MBEDTLS_X509_BADCRL_NOT_TRUSTED | MBEDTLS_X509_BADCRL_EXPIRED |
                         MBEDTLS_X509_BADCRL_FUTURE | MBEDTLS_X509_BADCRL_BAD_MD |
                         MBEDTLS_X509_BADCRL_BAD_PK | MBEDTLS_X509_BADCRL_BAD_KEY;
    find(check, (flags & algorithm) != 0, CERTIFICATE_ALGORITHM);
    find(check, (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0, CERTIFICATE_UNTRUSTED);
    find(check, (flags & MBEDTLS_X509_BADCERT_REVOKED) != 0, CERTIFICATE_REVOKED);
    find(check, (flags & crl) != 0, CERTIFICATE_CRL);
    find(check, (flags & ~(ours | algorithm | crl)) != 0, CERTIFICATE_USAGE);
}

static void check_time(struct certificate_check *check, const mbedtls_x509_crt *link)
{
    mbedtls_x509_time now;
    bool known = mbedtls_x509_time_gmtime((mbedtls_time_t)(check->wall_ms / 1000u), &now) == 0;
    find(check, !known || mbedtls_x509_time_cmp(&link->valid_to, &now) < 0, CERTIFICATE_EXPIRED);
    find(check, mbedtls_x509_time_cmp(&link->valid_from, &now) > 0, CERTIFICATE_EARLY);
}

static bool has_key_usage(const mbedtls_x509_crt *link, unsigned usage)
{
    return mbedtls_x509_crt_has_ext_type(link, MBEDTLS_X509_EXT_KEY_USAGE) &&
           mbedtls_x509_crt_check_key_usage(link, usage) == 0;
}

static bool is_p256(const mbedtls_x509_crt *link)
{
    return mbedtls_pk_can_do(&link->pk, MBEDTLS_PK_ECDSA) &&
           mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(link->pk)) == MBEDTLS_ECP_DP_SECP256R1;
}

enum certificate_fault certificate_ca_fault(const mbedtls_x509_crt *ca)
{
    bool may_sign =
        mbedtls_x509_crt_get_ca_istrue(ca) == 1 && has_key_usage(ca, MBEDTLS_X509_KU_KEY_CERT_SIGN);
    return !may_sign ? CERTIFICATE_USAGE : is_p256(ca) ? CERTIFICATE_NONE : CERTIFICATE_ALGORITHM;
}

/* ---- the first link */

/* The library would take a missing extension, or anyExtendedKeyUsage, for consent. */
static bool has_extended_usage(const mbedtls_x509_crt *first, enum certificate_role role)
{
    const char *wanted =
        role == CERTIFICATE_OF_DEVICE ? MBEDTLS_OID_CLIENT_AUTH : MBEDTLS_OID_SERVER_AUTH;
    const size_t bytes = MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH);
    const mbedtls_x509_sequence *at = &first->ext_key_usage;
    if (!mbedtls_x509_crt_has_ext_type(first, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE)) {
        return false;
    }
    for (unsigned i = 0; i < NAMES_MAX && at != NULL; i++, at = at->next) {
        if (at->buf.len == bytes && memcmp(at->buf.p, wanted, bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* In the string types of which each byte below 128 is the ASCII character: two of a BMPString, say, are
 * another character to whoever signed it. */
static bool is_name(const mbedtls_x509_buf *text)
{
    bool is_ascii = text->tag == MBEDTLS_ASN1_UTF8_STRING ||
                    text->tag == MBEDTLS_ASN1_PRINTABLE_STRING ||
                    text->tag == MBEDTLS_ASN1_IA5_STRING;
    if (!is_ascii || text->len == 0 || text->len > CERTIFICATE_NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < text->len; i++) {
        if (text->p[i] <= ' ' || text->p[i] > '~') {
            return false;
        }
    }
    return true;
}

/* With two common names each reader would choose another. */
static void read_identity(struct certificate_check *check, const mbedtls_x509_crt *first)
{
    const mbedtls_x509_buf *found = NULL;
    const mbedtls_x509_name *at = &first->subject;
    unsigned count = 0;
    for (unsigned i = 0; i < NAMES_MAX && at != NULL; i++, at = at->next) {
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &at->oid) == 0) {
            found = &at->val;
            count++;
        }
    }
    if (at == NULL && count == 1 && is_name(found)) {
        memcpy(check->identity, found->p, found->len);
        check->identity[found->len] = '\0';
    }
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Host names do not distinguish capitals (RFC 4343). A NUL in a certificate matches nothing. */
static bool is_expected_name(const struct certificate_check *check, const mbedtls_x509_buf *entry)
{
    if (check->name == NULL || strlen(check->name) != entry->len) {
        return false;
    }
    for (size_t i = 0; i < entry->len; i++) {
        if (lower(check->name[i]) != lower((char)entry->p[i])) {
            return false;
        }
    }
    return true;
}

static bool is_expected_address(const struct certificate_check *check,
                                const mbedtls_x509_buf *entry)
{
    return check->address != NULL && entry->len == check->address_bytes &&
           memcmp(entry->p, check->address, entry->len) == 0;
}

static bool is_expected(const struct certificate_check *check, const mbedtls_x509_crt *first)
{
    const mbedtls_x509_sequence *at = &first->subject_alt_names;
    for (unsigned i = 0; i < NAMES_MAX && at != NULL && at->buf.p != NULL; i++, at = at->next) {
        if ((at->buf.tag == GENERAL_NAME_DNS && is_expected_name(check, &at->buf)) ||
            (at->buf.tag == GENERAL_NAME_ADDRESS && is_expected_address(check, &at->buf))) {
            return true;
        }
    }
    return false;
}

static void check_name(struct certificate_check *check, const mbedtls_x509_crt *first)
{
    if (check->role == CERTIFICATE_OF_DEVICE) {
        read_identity(check, first);
        find(check, check->identity[0] == '\0', CERTIFICATE_NAME);
    } else if (check->name != NULL || check->address != NULL) {
        find(check, !is_expected(check, first), CERTIFICATE_OTHER_NAME);
    }
}

static void check_use(struct certificate_check *check, const mbedtls_x509_crt *first)
{
    bool fits = mbedtls_x509_crt_get_ca_istrue(first) != 1 &&
                has_key_usage(first, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) &&
                has_extended_usage(first, check->role);
    find(check, !fits, CERTIFICATE_USAGE);
}

/* ---- the whole */

static bool is_issued_by_one_of(const mbedtls_x509_crt *link, const mbedtls_x509_crt *ca)
{
    for (; ca != NULL; ca = ca->next) {
        if (link->issuer_raw.len == ca->subject_raw.len &&
            memcmp(link->issuer_raw.p, ca->subject_raw.p, ca->subject_raw.len) == 0) {
            return true;
        }
    }
    return false;
}

/* A certificate whose issuer nobody knows had no signature verified. It takes as long as the others
 * nevertheless: one is verified, with the wrong key, and what comes out does not matter. */
static void verify_in_vain(const mbedtls_x509_crt *first, const mbedtls_x509_crt *ca)
{
    unsigned char hash[SHA256_DIGEST_BYTES];
    const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    if (mbedtls_md(sha256, first->tbs.p, first->tbs.len, hash) == 0) {
        mbedtls_pk_context *key = (mbedtls_pk_context *)(uintptr_t)&ca->pk; /* only read */
        (void)mbedtls_pk_verify(key, MBEDTLS_MD_SHA256, hash, sizeof hash,
                                first->MBEDTLS_PRIVATE(sig).p, first->MBEDTLS_PRIVATE(sig).len);
    }
}

void certificate_check_first(struct certificate_check *check, const mbedtls_x509_crt *first)
{
    find(check, first->MBEDTLS_PRIVATE(sig_md) != MBEDTLS_MD_SHA256, CERTIFICATE_ALGORITHM);
    find(check, !is_p256(first), CERTIFICATE_ALGORITHM);
    check_use(check, first);
    check_name(check, first);
    check_time(check, first);
}

void certificate_check_link(struct certificate_check *check, const mbedtls_x509_crt *link,
                            int depth, uint32_t flags)
{
    check->links++;
    check_findings(check, flags);
    find(check, depth > (int)CERTIFICATE_DEPTH_MAX, CERTIFICATE_CHAIN);
    if (depth > 0) {
        enum certificate_fault fault = certificate_ca_fault(link);
        find(check, fault != CERTIFICATE_NONE, fault);
        check_time(check, link);
        return;
    }
    if (check->links == 1) { /* alone: unknown issuer, or itself among the CAs, which is no chain */
        if (check->ca != NULL && !is_issued_by_one_of(link, check->ca)) {
            verify_in_vain(link, check->ca);
        }
        find(check, true, CERTIFICATE_UNTRUSTED);
    }
    certificate_check_first(check, link);
}
