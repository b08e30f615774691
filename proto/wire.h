/*
 * Encoding and decoding of the messages of mycel.proto and of an update's body, with every bound
 * checked. It owns no buffers; it must never trust a byte that it decodes. Layout: docs/PROTOCOL.md.
 */
#ifndef MYCEL_PROTO_WIRE_H
#define MYCEL_PROTO_WIRE_H

#include "proto/limits.h"
#include "proto/mycel.pb.h"

#include <stddef.h>
#include <stdint.h>

/* Encodes any message of mycel.proto: WIRE_ENCODE(mycel_CheckIn, &msg, buf, cap). Returns the bytes
 * written, or MYCEL_E_NO_MEMORY when the buffer is too small. */
#define WIRE_ENCODE(type, msg, buf, cap) wire_encode(type##_fields, (msg), (buf), (cap))

/* Decodes into *msg, which is cleared first. 0, or MYCEL_E_MALFORMED (also for more bytes than
 * PROTO_MESSAGE_BYTES_MAX, or an over-long string or list). */
#define WIRE_DECODE(type, msg, buf, n) wire_decode(type##_fields, (msg), sizeof(type), (buf), (n))

int wire_encode(const pb_msgdesc_t *fields, const void *msg, uint8_t *buf, size_t cap);
int wire_decode(const pb_msgdesc_t *fields, void *msg, size_t msg_bytes, const uint8_t *buf,
                size_t n);

/* Encodes a reply whose answer is a lease, which comes last in it, without measuring the lease before it is
 * encoded as WIRE_ENCODE would: half the work. NO_MEMORY as above, with WIRE_LEASE_HEAD_MAX bytes for the rest. */
#define WIRE_LEASE_HEAD_MAX 12u
int wire_lease_reply(mycel_CheckInReply *reply, uint8_t *buf, size_t cap);

/* The version that both sides speak: the highest in both ranges, or MYCEL_E_VERSION. */
int wire_negotiate(uint32_t min, uint32_t max);

/* An update body in parts: the frame points into the body. */
struct wire_update {
    mycel_UpdateReport report;
    const uint8_t *frame;
    size_t frame_bytes;
};

/* Writes the body's head (u16 length, report) and returns its bytes; the frame follows it. At most
 * WIRE_UPDATE_HEAD_MAX bytes; MYCEL_E_NO_MEMORY when cap is too small. */
#define WIRE_UPDATE_HEAD_MAX (2u + PROTO_REPORT_BYTES_MAX)
int wire_update_head(const mycel_UpdateReport *report, uint8_t *buf, size_t cap);

/* Splits a body. 0, or MYCEL_E_MALFORMED; the frame itself is checked by common/codec. */
int wire_update_split(struct wire_update *update, const uint8_t *body, size_t n);

#endif
