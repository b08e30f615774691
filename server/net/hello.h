/*
 * What a ClientHello would cost, seen before any of it is spent: its cookie and its cipher suites, and
 * nothing else of it. Pure; the TLS library reads the message again and judges it.
 */
#ifndef MYCEL_SERVER_NET_HELLO_H
#define MYCEL_SERVER_NET_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HELLO_SUITES_MAX 1024u /* no record that the library takes has more of them */

/* Whether this record (RECORD_HELLO, any bytes) has a cookie and offers
 * TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, but no suite with a pre-shared key of ours: with a right cookie
 * it leads to a handshake with signatures. */
bool hello_wants_certificate(const uint8_t *bytes, size_t count);

#endif
