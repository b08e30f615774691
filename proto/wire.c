/* The messages' encoder and decoder over nanopb's bounded streams. Owns no buffers. */
#include "proto/wire.h"

#include <mycel/error.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

_Static_assert(mycel_CheckIn_size <= PROTO_MESSAGE_BYTES_MAX, "limit too small for CheckIn");
_Static_assert(mycel_CheckInReply_size <= PROTO_MESSAGE_BYTES_MAX, "limit too small for a lease");
_Static_assert(mycel_UploadStatus_size <= PROTO_MESSAGE_BYTES_MAX, "limit too small for status");
_Static_assert(mycel_UpdateReport_size <= PROTO_REPORT_BYTES_MAX, "limit too small for a report");

int wire_encode(const pb_msgdesc_t *fields, const void *msg, uint8_t *buf, size_t cap)
{
    pb_ostream_t out = pb_ostream_from_buffer(buf, cap);
    return pb_encode(&out, fields, msg) ? (int)out.bytes_written : MYCEL_E_NO_MEMORY;
}

int wire_lease_reply(mycel_CheckInReply *reply, uint8_t *buf, size_t cap)
{
    if (cap < WIRE_LEASE_HEAD_MAX) {
        return MYCEL_E_NO_MEMORY;
    }
    uint8_t *lease = buf + WIRE_LEASE_HEAD_MAX;
    int bytes = WIRE_ENCODE(mycel_Lease, &reply->answer.lease, lease, cap - WIRE_LEASE_HEAD_MAX);
    if (bytes < 0) {
        return bytes;
    }
    pb_ostream_t head = pb_ostream_from_buffer(buf, WIRE_LEASE_HEAD_MAX);
    reply->which_answer = 0;
    bool fits = pb_encode(&head, mycel_CheckInReply_fields, reply) &&
                pb_encode_tag(&head, PB_WT_STRING, mycel_CheckInReply_lease_tag) &&
                pb_encode_varint(&head, (uint64_t)bytes);
    reply->which_answer = mycel_CheckInReply_lease_tag;
    if (!fits) {
        return MYCEL_E_NO_MEMORY;
    }
    memmove(buf + head.bytes_written, lease, (size_t)bytes);
    return (int)head.bytes_written + bytes;
}

int wire_decode(const pb_msgdesc_t *fields, void *msg, size_t msg_bytes, const uint8_t *buf,
                size_t n)
{
    memset(msg, 0, msg_bytes);
    if (n > PROTO_MESSAGE_BYTES_MAX) {
        return MYCEL_E_MALFORMED;
    }
    pb_istream_t in = pb_istream_from_buffer(buf, n);
    return pb_decode(&in, fields, msg) ? MYCEL_OK : MYCEL_E_MALFORMED;
}

int wire_negotiate(uint32_t min, uint32_t max)
{
    uint32_t high = max < PROTO_VERSION_MAX ? max : PROTO_VERSION_MAX;
    if (min > max || high < min || high < PROTO_VERSION_MIN) {
        return MYCEL_E_VERSION;
    }
    return (int)high;
}

int wire_update_head(const mycel_UpdateReport *report, uint8_t *buf, size_t cap)
{
    if (cap < 2) {
        return MYCEL_E_NO_MEMORY;
    }
    int n = WIRE_ENCODE(mycel_UpdateReport, report, buf + 2, cap - 2);
    if (n < 0) {
        return n;
    }
    buf[0] = (uint8_t)n;
    buf[1] = (uint8_t)(n >> 8);
    return n + 2;
}

int wire_update_split(struct wire_update *update, const uint8_t *body, size_t n)
{
    memset(update, 0, sizeof *update);
    if (n < 2) {
        return MYCEL_E_MALFORMED;
    }
    size_t report_bytes = (size_t)body[0] | (size_t)body[1] << 8;
    if (report_bytes > PROTO_REPORT_BYTES_MAX || report_bytes > n - 2) {
        return MYCEL_E_MALFORMED;
    }
    int rc = WIRE_DECODE(mycel_UpdateReport, &update->report, body + 2, report_bytes);
    if (rc < 0) {
        return rc;
    }
    update->frame = body + 2 + report_bytes;
    update->frame_bytes = n - 2 - report_bytes;
    return MYCEL_OK;
}
