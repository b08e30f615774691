/* Implementation of dtls.h. */
#include "server/net/dtls.h"

#include <string.h>

#include <mbedtls/platform_util.h>
#include <mycel/error.h>

#include "server/net/certificates.h"
#include "server/net/endpoint.h"
#include "server/net/session.h"

/* In order of preference, as in PROTOCOL "Stack". */
static const int ciphers[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8,
                              MBEDTLS_TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256,
                              MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, /* with a certificate */
                              0};

static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                  MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                  MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

int dtls_random(struct dtls *dtls, void *out, size_t bytes)
{
    return mbedtls_ctr_drbg_random(&dtls->random, out, bytes) == 0 ? 0 : MYCEL_E_CRYPTO;
}

/* Identities are printable ASCII without spaces: they appear in logs, tables and file names. */
static bool identity_is_valid(const unsigned char *identity, size_t bytes)
{
    if (bytes == 0 || bytes > PROTO_IDENTITY_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (identity[i] <= ' ' || identity[i] > '~') {
            return false;
        }
    }
    return true;
}

/* The key that this handshake is tried with. An identity that is unknown gets a random one, so that its
 * handshake goes the same way, takes the same time and ends with the same alert as with a wrong key. */
static int choose_key(struct dtls *dtls, struct session *session, struct net_psk *out)
{
    const struct net_callbacks *callbacks = &dtls->endpoint->config.callbacks;
    const char *identity = session_identity(session);
    struct net_psk keys[NET_KEYS_MAX];
    memset(keys, 0, sizeof keys);
    int found = identity[0] != '\0' ? callbacks->psk_lookup(callbacks->user, identity, keys) : 0;
    unsigned count = found <= 0 ? 0 : found > (int)NET_KEYS_MAX ? NET_KEYS_MAX : (unsigned)found;
    unsigned index = 0;
    if (count > 0) {
        uint64_t hash = peer_identity_hash(identity, dtls->key_secret);
        index = key_choice_next(dtls->key_choice, hash, count);
        session_set_key(session, hash, index, count, keys[index].number);
    }
    *out = keys[index];
    mbedtls_platform_zeroize(keys, sizeof keys);
    if (out->bytes < PROTO_PSK_BYTES || out->bytes > PROTO_PSK_BYTES_MAX) {
        out->bytes = PROTO_PSK_BYTES;
        return dtls_random(dtls, out->key, out->bytes);
    }
    return 0;
}

static int on_psk(void *user, mbedtls_ssl_context *ssl, const unsigned char *identity, size_t bytes)
{
    struct session *session = mbedtls_ssl_get_user_data_p(ssl);
    struct net_psk key;
    if (identity_is_valid(identity, bytes)) {
        session_set_identity(session, identity, bytes);
    }
    if (choose_key(user, session, &key) != 0) {
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    int error = mbedtls_ssl_set_hs_psk(ssl, key.key, key.bytes);
    mbedtls_platform_zeroize(&key, sizeof key);
    return error;
}

/* Wraps the library's check to learn whether it was done: a handshake call that wants more input may
 * have verified the address or may have ignored the record, and only the former earns memory. */
static int on_cookie_check(void *user, const unsigned char *cookie, size_t cookie_bytes,
                           const unsigned char *client, size_t client_bytes)
{
    struct dtls *dtls = user;
    int error = mbedtls_ssl_cookie_check(&dtls->cookie, cookie, cookie_bytes, client, client_bytes);
    dtls->cookie_verified = error == 0;
    return error;
}

static int on_cookie_write(void *user, unsigned char **at, unsigned char *end,
                           const unsigned char *client, size_t client_bytes)
{
    struct dtls *dtls = user;
    return mbedtls_ssl_cookie_write(&dtls->cookie, at, end, client, client_bytes);
}

static void configure(struct dtls *dtls)
{
    mbedtls_ssl_config *config = &dtls->config;
    mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &dtls->random);
    mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_ciphersuites(config, ciphers);
    mbedtls_ssl_conf_groups(config, groups);
    mbedtls_ssl_conf_psk_cb(config, on_psk, dtls);
    mbedtls_ssl_conf_dtls_cookies(config, on_cookie_write, on_cookie_check, dtls);
    mbedtls_ssl_conf_dtls_anti_replay(config, MBEDTLS_SSL_ANTI_REPLAY_ENABLED);
    mbedtls_ssl_conf_dtls_badmac_limit(config, 0); /* forged records must not end a session */
    mbedtls_ssl_conf_handshake_timeout(config, DTLS_RETRANSMIT_MIN_MS, DTLS_RETRANSMIT_LIMIT_MS);
}

int dtls_open(struct dtls *dtls, struct endpoint *endpoint)
{
    memset(dtls, 0, sizeof *dtls);
    dtls->endpoint = endpoint;
    mbedtls_entropy_init(&dtls->entropy);
    mbedtls_ctr_drbg_init(&dtls->random);
    mbedtls_ssl_cookie_init(&dtls->cookie);
    mbedtls_ssl_config_init(&dtls->config);
    if (mbedtls_ctr_drbg_seed(&dtls->random, mbedtls_entropy_func, &dtls->entropy, NULL, 0) != 0 ||
        mbedtls_ssl_cookie_setup(&dtls->cookie, mbedtls_ctr_drbg_random, &dtls->random) != 0 ||
        mbedtls_ssl_config_defaults(&dtls->config, MBEDTLS_SSL_IS_SERVER,
                                    MBEDTLS_SSL_TRANSPORT_DATAGRAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0 ||
        mbedtls_ssl_conf_cid(&dtls->config, PEER_CID_BYTES, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE) !=
            0) {
        dtls_close(dtls);
        return MYCEL_E_CRYPTO;
    }
    configure(dtls);
    int error = certificates_open(&dtls->certificates, endpoint);
    if (error != 0) {
        dtls_close(dtls);
    }
    return error;
}

void dtls_close(struct dtls *dtls)
{
    mbedtls_ssl_config_free(&dtls->config);
    certificates_close(dtls->certificates);
    dtls->certificates = NULL;
    mbedtls_ssl_cookie_free(&dtls->cookie);
    mbedtls_ctr_drbg_free(&dtls->random);
    mbedtls_entropy_free(&dtls->entropy);
}
