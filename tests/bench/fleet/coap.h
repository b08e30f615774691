/*
 * CoAP messages as a device sends and reads them (RFC 7252, RFC 7959), for the load generator: short, and
 * sharing no code with the endpoint that it measures. It must never trust a length in an answer.
 */
#ifndef MYCEL_TESTS_BENCH_FLEET_COAP_H
#define MYCEL_TESTS_BENCH_FLEET_COAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mycel/port.h>

#define COAP_MESSAGE_BYTES_MAX 1280u /* a block of 1,024 bytes, its path and options */
#define COAP_TOKEN_BYTES 2u

/* Writes a confirmable request; its size. */
size_t coap_write(uint8_t out[COAP_MESSAGE_BYTES_MAX], uint16_t mid,
                  const uint8_t token[COAP_TOKEN_BYTES], const struct mycel_request *request);

/* Reads an answer: message id and token, and into *response all but the slot; its payload points into
 * `bytes`. False when it is none, or not one with a token of COAP_TOKEN_BYTES. */
bool coap_read(const uint8_t *bytes, size_t count, uint8_t token[COAP_TOKEN_BYTES],
               struct mycel_response *response);

#endif
