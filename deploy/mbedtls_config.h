/*
 * Configuration of the mbedTLS that Mycel links. It replaces mbedtls/mbedtls_config.h when
 * deploy/deps.sh builds the library, so that whoever includes an mbedTLS header sees these choices
 * without a flag on the command line.
 *
 * The list is positive: what is not here is not compiled in. TLS 1.3, RSA, renegotiation, CBC and
 * session tickets are left out on purpose; each is code that a stranger's packets could reach.
 */
#ifndef MYCEL_MBEDTLS_CONFIG_H
#define MYCEL_MBEDTLS_CONFIG_H

/* Platform. The allocator can be replaced at run time: tests make every allocation fail in turn. */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_FS_IO
#define MBEDTLS_NET_C
#define MBEDTLS_TIMING_C
#define MBEDTLS_ERROR_C
#define MBEDTLS_VERSION_C

/* Hashing and signing run on the thread pool while the loop serves records. */
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD

/* Randomness: the kernel's, through CTR_DRBG. */
#define MBEDTLS_ENTROPY_C
#define MBEDTLS_CTR_DRBG_C
#define MBEDTLS_HMAC_DRBG_C

/* Hashes and key derivation. */
#define MBEDTLS_MD_C
#define MBEDTLS_SHA224_C
#define MBEDTLS_SHA256_C
#if defined(__x86_64__)
#define MBEDTLS_SHA256_PROCESS_ALT /* mbedtls_sha256.c: with the SHA extensions where there are any */
#endif
#define MBEDTLS_HKDF_C

/* Ciphers: CCM for small devices with AES in hardware, ChaCha20-Poly1305 for those without. */
#define MBEDTLS_CIPHER_C
#define MBEDTLS_AES_C
#define MBEDTLS_AESNI_C
#define MBEDTLS_CCM_C
#if defined(__x86_64__)
#define MBEDTLS_CCM_ALT /* mbedtls_ccm.c: with AES instructions where there are any */
#endif
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C

/* Curves: x25519 (Everest, formally verified, constant time) and P-256. */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECDSA_DETERMINISTIC

/* Keys and certificates. */
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_OID_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_CRL_PARSE_C

/* A device or coordinator, two more, and a root: one more than ours are allowed to be long, so that
 * common/crypto/certificate.c gets to see and to name a chain that is too long. */
#define MBEDTLS_X509_MAX_INTERMEDIATE_CA 2

/* The PSA interface, which common/crypto uses; keys live in memory only. */
#define MBEDTLS_PSA_CRYPTO_C

/* DTLS 1.2, both ends. */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_DTLS
#define MBEDTLS_SSL_DTLS_ANTI_REPLAY
#define MBEDTLS_SSL_DTLS_HELLO_VERIFY
#define MBEDTLS_SSL_COOKIE_C
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_MAX_FRAGMENT_LENGTH
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALPN
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES

/* MBEDTLS_SSL_KEEP_PEER_CERTIFICATE is left out: a session keeps the digest of its peer's certificate,
 * not the certificate, so that parked ones stay small. */

/* Connection ids survive a NAT's new port. Without padding a record costs 8 bytes less on average;
 * the lengths of our messages are no secret (block size and model size are public). */
#define MBEDTLS_SSL_DTLS_CONNECTION_ID
#define MBEDTLS_SSL_DTLS_CONNECTION_ID_COMPAT 0
#define MBEDTLS_SSL_CID_IN_LEN_MAX 16
#define MBEDTLS_SSL_CID_OUT_LEN_MAX 16
#define MBEDTLS_SSL_CID_TLS1_3_PADDING_GRANULARITY 1

/* Idle sessions are serialised into some hundred bytes each ("parked"). */
#define MBEDTLS_SSL_CONTEXT_SERIALIZATION

/* A record holds one CoAP message: a block of 1,024 bytes, its options, and room for a certificate
 * chain in the handshake. */
#define MBEDTLS_SSL_IN_CONTENT_LEN 2048
#define MBEDTLS_SSL_OUT_CONTENT_LEN 2048
#define MBEDTLS_SSL_VARIABLE_BUFFER_LENGTH

/* What a handshake may keep of messages that came too early: two of the largest, not 32 KiB, since
 * everybody who returns a cookie can claim it. */
#define MBEDTLS_SSL_DTLS_MAX_BUFFERING 4096

/* Key exchanges. */
#define MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_PSK_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED

#endif
