/*
 * Between the client's requests and answers and libcoap's PDUs: options, payload, and nothing else. It
 * owns no memory and no session.
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_COAP_MESSAGE_H
#define MYCEL_CLIENT_PORT_LINUX_COAP_MESSAGE_H

#include <coap3/coap.h>
#include <mycel/port.h>

#define COAP_MESSAGE_PAYLOAD_BYTES_MAX 1152u

/* Adds options and payload to a PDU that has its code and token. False: no room. */
bool coap_message_write(coap_pdu_t *pdu, const struct mycel_request *request);

/* Fills in all of *response but slot and repeats; the payload is copied to `payload` and pointed to.
 * False: larger than any answer may be. */
bool coap_message_read(const coap_pdu_t *pdu, struct mycel_response *response,
                       uint8_t payload[COAP_MESSAGE_PAYLOAD_BYTES_MAX]);

/* The message as it goes into its DTLS record. */
size_t coap_message_bytes(const coap_pdu_t *pdu);

#endif
