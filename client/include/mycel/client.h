/*
 * The device's side of Mycel: check in, fetch the model, train, upload the update, sleep. A state
 * machine driven by mycel_client_poll; it owns no memory, clock, thread, file or socket. All memory
 * is the caller's, all effects go through the port (<mycel/port.h>).
 *
 * Memory for one client: struct mycel_client (MYCEL_CLIENT_BYTES) and a struct mycel_port. The
 * configuration and its scratch buffer are used during poll only, so any number of clients that are
 * polled by the same thread may share one.
 */
#ifndef MYCEL_CLIENT_H
#define MYCEL_CLIENT_H

#include <mycel/port.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MYCEL_CLIENT_BYTES 552u
#define MYCEL_CLIENT_SCRATCH_BYTES (8u * 1024u)
#define MYCEL_CLIENT_TAGS_MAX 8u

/* Opaque; lives wherever the caller likes. Must not be moved or copied once initialised. */
struct mycel_client {
    uint64_t opaque[MYCEL_CLIENT_BYTES / 8u];
};

/* What the client is doing; client/runtime/client.c draws the transitions. */
enum mycel_client_state {
    MYCEL_CLIENT_SLEEP,   /* nothing to do before its wake time */
    MYCEL_CLIENT_CHECKIN, /* asking for work */
    MYCEL_CLIENT_FETCH,   /* downloading and verifying the model */
    MYCEL_CLIENT_TRAIN,   /* training, then encoding the update */
    MYCEL_CLIENT_ENCODED, /* the update is persisted and no byte of it has left yet */
    MYCEL_CLIENT_UPLOAD,  /* sending it */
    MYCEL_CLIENT_RECEIPT, /* received by the coordinator; being forgotten here */
    MYCEL_CLIENT_REKEY    /* making its next key with the coordinator */
};

/* Settings. Zero in a numeric field means its default. Kept by pointer: must outlive the client. */
struct mycel_client_config {
    const char *device_class;                /* ≤ 23 characters, e.g. "linux"; NULL: none */
    const char *tags[MYCEL_CLIENT_TAGS_MAX]; /* "key=value", ≤ 31 characters each; NULL ends */

    uint32_t model_bytes_max; /* largest model accepted; default 64 MiB */
    uint32_t codecs;          /* bit i: Codec i may be used; default: all the store has areas for */
    bool narrow_link;         /* bytes are dear (a mesh radio, a metered link): shortest codec */
    uint32_t block_bytes;     /* largest block, 64 … 1,024, a power of two; default 1,024 */
    uint32_t steps_per_poll;  /* optimizer steps in one poll; default 16 */
    uint32_t answer_ms;       /* a silent peer is given up after this long; default 30,000 */
    uint32_t backoff_min_ms;  /* first pause after a failure; doubles; default 1,000 */
    uint32_t backoff_max_ms;  /* longest pause after failures; default 600,000 (10 min) */
    uint32_t sleep_min_ms; /* shortest pause between check-ins, whatever is asked; default 1,000 */
    uint32_t idle_recheck_ms; /* pause while the idle policy says no; default 30,000 */
    uint32_t start_spread_ms; /* first check-in is uniform in 0 … this; default 0: at once */

    void *scratch;        /* aligned for uint64_t; used during poll only */
    size_t scratch_bytes; /* at least MYCEL_CLIENT_SCRATCH_BYTES */
};

/*
 * Starts a client, or resumes what the journal in the store says was under way.
 * `port` and `config` are kept by pointer. `now_ms` is a monotonic clock, the same as poll's.
 * 0. MYCEL_E_INVALID: a missing function, a string too long, scratch too small or misaligned.
 * Any error of the store's save (it counts the boot). A journal that cannot be read is discarded.
 */
int mycel_client_init(struct mycel_client *client, const struct mycel_port *port,
                      const struct mycel_client_config *config, uint64_t now_ms);

/*
 * Does what is due and returns the ms until it wants to be called again: 0 means at once. Call it
 * earlier whenever the transport has input. Never blocks for the network; one call does at most
 * steps_per_poll optimizer steps, or hashes or encodes a bounded piece. Cannot fail: whatever goes
 * wrong ends in a bounded, jittered pause.
 */
uint32_t mycel_client_poll(struct mycel_client *client, uint64_t now_ms);

enum mycel_client_state mycel_client_state(const struct mycel_client *client);

/* The moment, on poll's clock, before which a client in SLEEP starts nothing. Who powers down until then
 * loses nothing: with no work under way the journal holds all there is to remember. */
uint64_t mycel_client_wake_ms(const struct mycel_client *client);

/* "SLEEP", "CHECKIN" …; static storage. */
const char *mycel_client_state_name(enum mycel_client_state state);

/* Releases the trainer and closes the session. What is under way stays in the store, so a later
 * init goes on with it. */
void mycel_client_deinit(struct mycel_client *client);

#ifdef __cplusplus
}
#endif

#endif
