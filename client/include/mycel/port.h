/*
 * What a device has to offer the client: four small tables of functions, and an optional fifth, filled in by whoever embeds
 * it (client/port/linux, client/port/template, the simulator). This file owns the contract and
 * nothing else; it must never name an operating system, a socket or a file.
 *
 * Rules that hold for all tables:
 *  - Every function gets the `ctx` pointer that stands beside its table in struct mycel_port.
 *  - No function may block for the network. Store functions may take as long as the medium does.
 *  - No function may call back into the client.
 *  - Pointers given to a function are valid during the call only: copy what is kept. Pointers that a
 *    function gives out stay valid until the next call of any function of the same table.
 *  - A table is read-only and may serve any number of clients.
 */
#ifndef MYCEL_PORT_H
#define MYCEL_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Transport: CoAP requests over one secured session ------------------------------------- */

#define MYCEL_REQUEST_SLOTS 4u /* requests in flight at most; slots are numbered 0 … 3 */
#define MYCEL_FORMAT_NONE 0xFFFFu
#define MYCEL_ETAG_BYTES_MAX 8u

enum mycel_method { MYCEL_GET = 1, MYCEL_POST = 2, MYCEL_PUT = 3 }; /* CoAP codes 0.01 … 0.03 */

/* RFC 7959 option to send or that was received. */
enum mycel_block_kind { MYCEL_BLOCK_NONE, MYCEL_BLOCK_1, MYCEL_BLOCK_2 };

struct mycel_block {
    enum mycel_block_kind kind;
    uint32_t number; /* counted in blocks of 2^(szx+4) bytes */
    uint8_t szx;     /* 0 … 6 */
    bool more;
};

/* One request. The transport repeats it, with the same message id and token, until an answer comes or
 * the slot is cancelled: for the first time after timeout_ms, then after pauses, jittered, that grow to
 * twice that or more. */
struct mycel_request {
    enum mycel_method method;
    const char *path[2];     /* segments, NUL-terminated; path[1] may be NULL */
    uint16_t content_format; /* of the payload, or MYCEL_FORMAT_NONE */
    struct mycel_block block;
    uint32_t size1;         /* Size1 option: bytes of the whole body; 0: leave the option out */
    const uint8_t *payload; /* at most 1024 bytes; NULL when payload_bytes is 0 */
    size_t payload_bytes;
    uint32_t timeout_ms; /* 0: the 2 s of RFC 7252 §4.8 */
};

/* One answer. Everything in it comes from the network and is checked by the client. */
struct mycel_response {
    uint8_t slot;
    uint8_t repeats; /* how often the request was repeated, and the handshake that it waited for; 0
                      * from a transport that cannot tell */
    uint16_t
        since_ms; /* since it was sent for the last time, if `repeats` or a handshake went before */
    bool heard;   /* without an answer: the peer is there, its handshake has got on meanwhile */
    uint8_t code; /* class << 5 | detail, e.g. 0x45 for 2.05 */
    uint16_t content_format;
    struct mycel_block block; /* Block1 in answers to PUT, Block2 in answers to GET */
    uint32_t size2;           /* Size2, or 0 when absent */
    uint32_t max_age_s;       /* Max-Age, or 0 when absent */
    uint8_t etag[MYCEL_ETAG_BYTES_MAX];
    uint8_t etag_bytes; /* 0 when absent */
    const uint8_t *payload;
    size_t payload_bytes;
};

struct mycel_transport {
    /* Starts a session (address, credentials and cipher are the port's own configuration) and returns
     * at once; the handshake goes on inside later calls. 0: started. <0: cannot now; the client calls
     * again after a pause. Called only when no session is open. */
    int (*open)(void *ctx);

    /* Sends a request in a free slot, or queues it behind the handshake.
     * 1: accepted, the slot is taken. 0: not now, nothing was kept; the client offers the same request
     * again at a later poll. <0: the session is dead (the client will close it). */
    int (*send)(void *ctx, unsigned slot, const struct mycel_request *request);

    /* Drives input, retransmissions and the handshake, then takes one answer.
     * 1: *response is filled and its slot is free again. 0: nothing yet (`heard` may be set, the rest is
     * not looked at). <0: the session is dead.
     * Must never deliver an answer to a request that was cancelled. */
    int (*receive)(void *ctx, struct mycel_response *response);

    /* Forgets the request in a slot; harmless when the slot is free. */
    void (*cancel)(void *ctx, unsigned slot);

    /* Ends the session and forgets all slots; harmless when none is open. */
    void (*close)(void *ctx);
};

/* ---- Store: what survives a power cut ----------------------------------------------------- */

enum mycel_area {
    MYCEL_AREA_JOURNAL, /* one small record, replaced as a whole; at most MYCEL_JOURNAL_BYTES_MAX */
    MYCEL_AREA_MODEL,   /* the base model: raw f32, little endian, canonical order */
    MYCEL_AREA_BODY,    /* the encoded update as it goes over the wire */

    /* Optional, in pairs: what outlives a round. Each is as large as the model; while one of a pair is
     * valid the other is written, and the journal says which is which. */
    MYCEL_AREA_RESIDUAL_A, /* what codecs with error feedback left out; with MYCEL_STORE_RESIDUAL */
    MYCEL_AREA_RESIDUAL_B,
    MYCEL_AREA_CONTROL_A, /* this device's control variate c_i; with MYCEL_STORE_CONTROL */
    MYCEL_AREA_CONTROL_B,
    MYCEL_AREA_CONTROL_SERVER, /* the fleet's, c, as fetched: no pair; with MYCEL_STORE_CONTROL */
    MYCEL_AREA_MODEL_B, /* a pair with MODEL: the model before, the next one; with MYCEL_STORE_PATCH */
    MYCEL_AREA_PATCH, /* what leads from one to the other, smaller than either; the same */
    MYCEL_AREA_COUNT
};

/* Bits of mycel_store.areas: the optional areas that a store has. A device is offered only the work
 * that it has the areas for. */
#define MYCEL_STORE_RESIDUAL 1u /* RESIDUAL_A and _B: the codecs sign, ternary and topk */
#define MYCEL_STORE_CONTROL 2u  /* CONTROL_A, _B and _SERVER: SCAFFOLD */
#define MYCEL_STORE_PATCH 4u    /* MODEL_B and PATCH: versions come as patches to the one before */

#define MYCEL_JOURNAL_BYTES_MAX 768u

struct mycel_store {
    /* Reads up to `bytes` bytes at `offset`. Count read; fewer, down to 0, at the end of what was
     * written (0 also when the area was erased or never written). <0: MYCEL_E_IO …. */
    int (*read)(void *ctx, enum mycel_area area, uint32_t offset, void *data, size_t bytes);

    /* Writes at an offset, extending the area when needed; gaps read as anything. Never
     * the journal. Not durable before sync. 0, or <0: MYCEL_E_DISK_FULL, MYCEL_E_IO …. */
    int (*write)(void *ctx, enum mycel_area area, uint32_t offset, const void *data, size_t bytes);

    /* Everything written to the area so far survives a power cut once this returns 0. <0: it may not. */
    int (*sync)(void *ctx, enum mycel_area area);

    /* Replaces the journal atomically and durably: after a crash at any moment the old record or the
     * new one is read, never a mixture. 0, or <0 (then the old record still stands). */
    int (*save)(void *ctx, const void *data, size_t bytes);

    /* Empties an area. Needs not be durable: the journal says what is valid. 0, or <0. */
    int (*erase)(void *ctx, enum mycel_area area);

    uint32_t areas; /* MYCEL_STORE_…: the optional areas; the others are never touched */
};

/* ---- Trainer: the model on this device ---------------------------------------------------- */

/* What the coordinator asks for; units as in proto/mycel.proto. */
struct mycel_plan {
    const char *model;  /* one-line model description, NUL-terminated, untrusted */
    uint32_t params;    /* number of parameters the lease speaks of */
    uint32_t epochs;    /* ≥ 1 */
    uint32_t batch;     /* ≥ 1 */
    uint32_t steps_max; /* 0: no limit */
    float learning_rate;
    float momentum;
    float prox_mu; /* 0: off */
    uint64_t seed; /* of order and dropout; 0: samples in the order in which they stand */
    bool control;  /* `correct` is called for every parameter before the first step */
};

struct mycel_train_result {
    uint32_t samples; /* training samples used per epoch: the weight of the update */
    uint32_t steps;   /* optimizer steps done */
    float loss_first; /* mean loss of the first epoch; NaN is refused by the client */
    float loss_last;
};

struct mycel_trainer {
    /* Training samples at hand, for the check-in. 0: the client stays asleep. */
    uint32_t (*samples)(void *ctx);

    /* Reads the description and gets ready to train from scratch; drops any training under way.
     * 0. <0: MYCEL_E_MALFORMED (description; *column is its 1-based column), MYCEL_E_SHAPE (other
     * parameter count, or the data do not fit), MYCEL_E_NO_MEMORY, MYCEL_E_UNSUPPORTED. */
    int (*prepare)(void *ctx, const struct mycel_plan *plan, uint32_t *column);

    /* Sets parameters first … first + count - 1 (canonical order) before training. 0, or <0. */
    int (*load)(void *ctx, uint32_t first, const float *values, uint32_t count);

    /* Does up to `steps` optimizer steps. 1: call again. 0: training is complete. <0: failed.
     * The result must not depend on how the work is cut into calls. */
    int (*step)(void *ctx, uint32_t steps);

    /* Current parameters first … first + count - 1. 0, or <0. */
    int (*weights)(void *ctx, uint32_t first, float *values, uint32_t count);

    /* Valid once step returned 0. */
    void (*result)(void *ctx, struct mycel_train_result *result);

    /* Frees what prepare took; harmless when nothing is prepared. */
    void (*release)(void *ctx);

    /* What is to be added to the gradient of parameters first … first + count - 1 in every step
     * (SCAFFOLD's c - c_i). 0, or <0. NULL: it cannot, and the device is not asked to. */
    int (*correct)(void *ctx, uint32_t first, const float *values, uint32_t count);
};

/* ---- Platform: chance, circumstances, and somebody who listens ---------------------------- */

struct mycel_conditions {
    bool idle;               /* the idle policy allows training now */
    uint8_t battery_percent; /* 0 … 100; 255: on mains */
};

enum mycel_event_kind {
    MYCEL_EVENT_CHECKIN, /* a check-in is about to be sent */
    MYCEL_EVENT_LEASE,   /* work was given: run, round, bytes of the model */
    MYCEL_EVENT_WINDOW,  /* no work: code is the reason, wait_ms the pause */
    MYCEL_EVENT_FETCHED, /* the model is here and verified: bytes */
    MYCEL_EVENT_TRAINED, /* training is complete: loss, steps, wait_ms is how long it took */
    MYCEL_EVENT_ENCODED, /* the update is persisted: bytes */
    MYCEL_EVENT_RECEIPT, /* the update was received: code 0 counted, else the reason */
    MYCEL_EVENT_PAUSED,  /* the idle policy forbids work for now */
    MYCEL_EVENT_PROBLEM, /* something failed: code, where, wait_ms until the next attempt */
    MYCEL_EVENT_REKEYED, /* the next session is begun with another key */
};

struct mycel_event {
    enum mycel_event_kind kind;
    int code; /* MYCEL_E_* */
    uint32_t run;
    uint32_t round;
    uint32_t bytes;
    uint32_t steps;
    uint32_t wait_ms;
    uint32_t column; /* of the model description, when code speaks of one; else 0 */
    float loss_first;
    float loss_last;
    const char *text; /* a peer's words (untrusted, but printable ASCII) or the place; not NULL */
};

struct mycel_platform {
    /* 64 random bits, unpredictable enough to spread a fleet. Keys never come from here. */
    uint64_t (*random)(void *ctx);

    /* Circumstances right now. `training` says whether this client itself is what loads the machine. */
    void (*conditions)(void *ctx, bool training, struct mycel_conditions *conditions);

    /* Something happened; for logs and progress only. May be NULL in the table. */
    void (*event)(void *ctx, const struct mycel_event *event);
};

/* ---- Keyring: another key for this device --------------------------------------------------- */

#define MYCEL_SHARE_BYTES 32u
#define MYCEL_KEY_BYTES 16u

/* Optional: a device without it keeps its key until somebody brings it another one. */
struct mycel_keyring {
    /* This device's half of its next key: from a source fit for keys, unlike platform.random. The same
     * bytes for as long as the process runs, until `replace` has returned 0. 0; <0: it cannot have another
     * key now. */
    int (*share)(void *ctx, uint8_t share[MYCEL_SHARE_BYTES]);

    /* Writes the key down and begins every later session with it: after a crash at any moment the old key
     * or this one is there, whole. The session that is open goes on. 0; <0: the old one stays. */
    int (*replace)(void *ctx, const uint8_t key[MYCEL_KEY_BYTES]);
};

/* ---- All of them, for one client ----------------------------------------------------------- */

struct mycel_port {
    const struct mycel_transport *transport;
    void *transport_ctx;
    const struct mycel_store *store;
    void *store_ctx;
    const struct mycel_trainer *trainer;
    void *trainer_ctx;
    const struct mycel_platform *platform;
    void *platform_ctx;
    const struct mycel_keyring *keyring; /* NULL: none */
    void *keyring_ctx;
};

#ifdef __cplusplus
}
#endif

#endif
