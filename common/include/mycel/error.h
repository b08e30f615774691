/*
 * Every failure Mycel can report, in one table. It owns the codes, their names and what a person is
 * told; it must never depend on anything else, because everything depends on it.
 *
 * The convention everywhere: 0 is success, a positive number is a count, a negative number is one of
 * these. The class says how to react: RETRY (the same call may work later), PEER (the other side sent
 * something wrong: tell it, drop it, go on), LOCAL (this side is misconfigured, full or broken).
 */
#ifndef MYCEL_ERROR_H
#define MYCEL_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, value, class, text). Values are part of the wire (PROTOCOL, "Reason codes"): append only. */
#define MYCEL_ERROR_TABLE(X)                                                                       \
    X(AGAIN, -1, RETRY, "not ready yet, call again")                                               \
    X(BUSY, -2, RETRY, "too much work in progress")                                                \
    X(TIMEOUT, -3, RETRY, "no answer before the deadline")                                         \
    X(UNREACHABLE, -4, RETRY, "the other side cannot be reached")                                  \
    X(CLOSED, -5, RETRY, "the session was closed")                                                 \
    X(FULL, -6, RETRY, "a fixed limit is reached")                                                 \
    X(MALFORMED, -20, PEER, "the message cannot be decoded")                                       \
    X(VERSION, -21, PEER, "the protocol version is not supported")                                 \
    X(UNAUTHORIZED, -22, PEER, "the identity or key is not accepted")                              \
    X(REVOKED, -23, PEER, "the device was revoked")                                                \
    X(SHAPE, -24, PEER, "the number of parameters is not the model's")                             \
    X(NONFINITE, -25, PEER, "a value is NaN or infinite")                                          \
    X(WEIGHT, -26, PEER, "the sample count is zero, negative or absurd")                           \
    X(NORM, -27, PEER, "the update is far larger than its peers'")                                 \
    X(DIGEST, -28, PEER, "the digest does not match the content")                                  \
    X(CONFLICT, -29, PEER, "the same key was used for different content")                          \
    X(LEASE, -30, PEER, "the lease is unknown or expired")                                         \
    X(BASE, -31, PEER, "the update is based on another version")                                   \
    X(TOO_LARGE, -32, PEER, "the content exceeds a limit")                                         \
    X(CODEC, -33, PEER, "the encoding is not supported or was not agreed")                         \
    X(QUARANTINED, -34, PEER, "the device was rejected too often and has to wait")                 \
    X(INVALID, -50, LOCAL, "an argument is invalid")                                               \
    X(NO_MEMORY, -51, LOCAL, "the memory given is too small")                                      \
    X(IO, -52, LOCAL, "input or output failed")                                                    \
    X(CORRUPT, -53, LOCAL, "stored content does not match its checksum")                           \
    X(NOT_FOUND, -54, LOCAL, "there is no such thing")                                             \
    X(EXISTS, -55, LOCAL, "it exists already")                                                     \
    X(UNSUPPORTED, -56, LOCAL, "this build does not support it")                                   \
    X(DISK_FULL, -57, LOCAL, "the disk is full")                                                   \
    X(PERMISSION, -58, LOCAL, "permission denied")                                                 \
    X(CRYPTO, -59, LOCAL, "a cryptographic operation failed")                                      \
    X(STATE, -60, LOCAL, "the call does not fit the current state")

enum mycel_error {
    MYCEL_OK = 0,
#define MYCEL_ERROR_ENUM(name, value, cls, text) MYCEL_E_##name = value,
    MYCEL_ERROR_TABLE(MYCEL_ERROR_ENUM)
#undef MYCEL_ERROR_ENUM
};

enum mycel_error_class {
    MYCEL_CLASS_NONE,
    MYCEL_CLASS_RETRY,
    MYCEL_CLASS_PEER,
    MYCEL_CLASS_LOCAL,
};

/* The code's short name as in the table (e.g. "MALFORMED"); "OK" for 0 and above,
 * "UNKNOWN" for a code that is not in the table. Static storage. */
const char *mycel_error_name(int code);

/* One sentence for a person, same rules. Static storage. */
const char *mycel_error_text(int code);

/* How to react. NONE for 0 and above; LOCAL for a code that is not in the table. */
enum mycel_error_class mycel_error_class(int code);

#ifdef __cplusplus
}
#endif

#endif
