/*
 * When a DTLS handshake repeats its latest flight. libcoap's own timer grows with every repetition and
 * never shrinks when the handshake gets on (1, 2, 4, 8, 16 s in all, then it gives up), so a lossy
 * network hardly ever sees the end of one. Here each flight starts anew from what is known of the round
 * trip, grows by half, and the handshake is given up by whoever waits for it.
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_HANDSHAKE_PACE_H
#define MYCEL_CLIENT_PORT_LINUX_HANDSHAKE_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct handshake_pace {
    uint64_t start_ms;
    uint32_t base_ms;         /* the first repetition of a flight */
    uint32_t intermediate_ms; /* as mbedTLS asks for it */
    uint32_t final_ms;        /* 0: no flight is under way */
};

#define HANDSHAKE_BASE_MS 1000u /* nothing is known of the peer (RFC 6347 §4.2.4.1) */

/* Takes over the timer of a session's handshake (an mbedtls_ssl_context) that has just sent its first
 * flight. `pace` must live as long as the session. */
void handshake_pace_take(struct handshake_pace *pace, void *ssl, uint32_t base_ms);

/* When handshake_pace_repeat is due; UINT64_MAX: no flight is under way. */
uint64_t handshake_pace_due_ms(const struct handshake_pace *pace);

/* Sends the flight again if it is due. False: mbedTLS has given up. */
bool handshake_pace_repeat(struct handshake_pace *pace, void *ssl);

#endif
