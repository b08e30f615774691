/*
 * How many bytes a CoAP message has on the wire: options as RFC 7252 §3.1 encodes them, the DTLS 1.2
 * record with AES-128-CCM-8 and a connection id (RFC 9146), UDP and IPv6. It must agree with what the
 * endpoint really sends; tests compare the two.
 */
#ifndef MYCEL_SIM_NETWORK_WIRE_SIZE_H
#define MYCEL_SIM_NETWORK_WIRE_SIZE_H

#include <mycel/port.h>
#include <stdint.h>

/* Flights of a PSK handshake with cookie, whole datagrams with UDP and IPv6 headers: what the device
 * sends (ClientHello twice, key exchange with Finished) and what it gets. */
#define WIRE_HANDSHAKE_FLIGHTS 3u
extern const uint16_t wire_handshake_up[WIRE_HANDSHAKE_FLIGHTS];
extern const uint16_t wire_handshake_down[WIRE_HANDSHAKE_FLIGHTS];

/* Bytes of one datagram, all headers from IPv6 on. */
uint32_t wire_request_bytes(const struct mycel_request *request);
uint32_t wire_response_bytes(const struct mycel_response *response);

#endif
