/*
 * When a DTLS handshake repeats its latest flight, and when it starts over. libcoap's own timer grows
 * with every repetition and never shrinks when the handshake gets on (1, 2, 4, 8, 16 s in all, then it gives
 * up), and mbedTLS gives up after seven repetitions of a flight, so a lossy network hardly ever sees
 * the end of one. Here each flight is repeated after what is known of the round trip, then after pauses of
 * which each is a tenth longer, for as long as somebody waits for it: flights are small.
 *
 * Nothing is known before the first answer. RFC 6347 §4.2.4.1 then asks for a second, doubled each time:
 * at 50 % loss one try in four succeeds, and a device needs half a minute to be heard at all. Here the first pause
 * is a quarter of that and the pauses grow slowly up to one and a half, 22 flights of 150 bytes in the 16 s that a
 * device waits. The coordinator answers each from its cookie's key, without state.
 *
 * A peer that has answered one flight and is deaf to the next has most likely lost the handshake: a NAT
 * has given us a new port, for which its cookie is worth nothing, or it was restarted. Then the handshake
 * starts over, after few repetitions where nothing got lost before, after more where much did.
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_HANDSHAKE_PACE_H
#define MYCEL_CLIENT_PORT_LINUX_HANDSHAKE_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct handshake_pace {
    uint64_t start_ms;        /* when the flight was sent for the last time */
    uint32_t base_ms;         /* its first repetition */
    uint32_t intermediate_ms; /* as mbedTLS asks for it */
    uint32_t final_ms;        /* 0: no flight is under way */
    uint32_t wait_ms;         /* the latest pause of this flight */
    uint32_t repeats;         /* of this flight */
    uint32_t repeats_before;  /* of all flights before it, those of earlier starts included */
    uint32_t starts;          /* handshakes in which the peer answered */
    bool answered;            /* this handshake is one of them */
    bool heard;               /* handshake_pace_heard has not told of the latest answer yet */
};

enum handshake_verdict {
    HANDSHAKE_GOES_ON,
    HANDSHAKE_STARTS_OVER, /* in a new session, from a new port; then handshake_pace_take again */
    HANDSHAKE_FAILED       /* it started over several times: the key is wrong, if nothing else is */
};

/* Forgets earlier handshakes. timeout_ms: of requests to the same peer, which makes the first pause shorter,
 * never longer; 0: nothing is known. */
void handshake_pace_reset(struct handshake_pace *pace, uint32_t timeout_ms);

/* Takes over the timer of a session's handshake (an mbedtls_ssl_context) that has just sent its first
 * flight. `pace` must live as long as the session. */
void handshake_pace_take(struct handshake_pace *pace, void *ssl);

/* When handshake_pace_repeat is due; UINT64_MAX: no flight is under way. */
uint64_t handshake_pace_due_ms(const struct handshake_pace *pace);

/* Sends the flight again if it is due. */
enum handshake_verdict handshake_pace_repeat(struct handshake_pace *pace, void *ssl);

/* Repetitions so far, of all flights, at most 255. */
uint8_t handshake_pace_repeats(const struct handshake_pace *pace);

/* Whether the peer has answered a flight since the last call. */
bool handshake_pace_heard(struct handshake_pace *pace);

#endif
