/*
 * The protocol's constants and limits in one place: both sides compile against this file, and
 * docs/PROTOCOL.md repeats it for everybody else. It must hold nothing that only one side decides.
 */
#ifndef MYCEL_PROTO_LIMITS_H
#define MYCEL_PROTO_LIMITS_H

#define PROTO_VERSION_MIN 1u
#define PROTO_VERSION_MAX 1u

#define PROTO_PORT_DTLS 5684u

/* First path segment of each resource; the second is base64url without padding (RFC 4648 §5). */
#define PROTO_PATH_CHECKIN "c"
#define PROTO_PATH_MODEL "m"
#define PROTO_PATH_UPDATE "u"
#define PROTO_PATH_ENROL "e"
#define PROTO_PATH_REKEY "k"
#define PROTO_PATH_WELL_KNOWN ".well-known"
#define PROTO_PATH_CORE "core"

/* CoAP Content-Format numbers (experimental range, RFC 7252 §12.3) for the messages of mycel.proto,
 * an update body, and a model blob. */
#define PROTO_FORMAT_MESSAGE 65100u
#define PROTO_FORMAT_UPDATE 65101u
#define PROTO_FORMAT_RECEIPT 65102u
#define PROTO_FORMAT_PROBLEM 65103u
#define PROTO_FORMAT_MODEL 42u /* application/octet-stream */
#define PROTO_FORMAT_LINKS 40u /* application/link-format */

/* A CoAP code as it stands in the header: PROTO_CODE(2, 5) is 2.05. */
#define PROTO_CODE(class, detail) ((class) << 5 | (detail))

#define PROTO_KEY_BYTES 16u
#define PROTO_KEY_TEXT 22u /* 16 bytes in base64url */
#define PROTO_SHA256_BYTES 32u
#define PROTO_SHA256_TEXT 43u

#define PROTO_IDENTITY_BYTES_MAX 64u /* DTLS PSK identity: printable ASCII without spaces */
#define PROTO_PSK_BYTES 16u          /* lengths accepted for a device key */
#define PROTO_PSK_BYTES_MAX 32u

#define PROTO_TOKEN_BYTES 16u /* a one-time enrolment token */
#define PROTO_SHARE_BYTES 32u /* what each side adds to a key made at enrolment or rotation */

#define PROTO_BLOCK_SZX_MAX 6u /* 1024-byte blocks */
#define PROTO_BLOCK_BYTES_MAX 1024u
#define PROTO_WINDOW_BLOCKS 4u /* requests a device keeps in flight */

#define PROTO_MESSAGE_BYTES_MAX 640u /* largest encoded message of mycel.proto */
#define PROTO_REPORT_BYTES_MAX 64u   /* largest encoded UpdateReport */

#define PROTO_FEATURE_CONTROL 1u /* CheckIn.features: keeps a control variate */
/* A control blob is: so many bytes that are the coordinator's own, then c as f32 parameters. */
#define PROTO_CONTROL_HEAD_BYTES 16u

#define PROTO_FEATURE_PATCH 2u /* CheckIn.features: keeps the model, and can add patches to it */
#define PROTO_HELD_BYTES 16u   /* a model's hash, cut: which one a device has */
#define PROTO_PATCH_FRAMES_MAX 32u       /* update frames in a patch */
#define PROTO_PATCH_CODES_BYTES_MAX 256u /* a block's codes in one of them */

/* An update body is: u16 little-endian length of the report, the report, the frame. */
#define PROTO_UPDATE_BYTES_MAX (64u * 1024u * 1024u)
#define PROTO_MODEL_PARAMS_MAX (16u * 1024u * 1024u)
#define PROTO_SAMPLES_MAX 100000000u

#endif
