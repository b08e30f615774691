/*
 * The front desk of a coordinator: turns a device's messages into the engine's values, and the
 * engine's answers into messages. Shared by every shell of the engine (the daemon, the simulator), so
 * that all of them speak the same bytes. Pure: no I/O, clock, threads or allocation. It must never
 * decide anything: that is the engine's, and how bytes travel is the shell's.
 */
#ifndef MYCEL_SERVER_DESK_DESK_H
#define MYCEL_SERVER_DESK_DESK_H

#include "server/engine/action.h"
#include "server/engine/event.h"

#include <stddef.h>

/* What a lease tells the device beyond the engine's part; the same in all leases of a run. */
struct desk_task {
    const char *model; /* one-line description, shorter than Lease.model */
    uint32_t params;
    uint32_t epochs;
    uint32_t batch;
    uint32_t steps_max;
    float learning_rate;
    float momentum;
    float prox_mu;
    float clip_norm;
    bool control; /* SCAFFOLD: devices correct their gradients, by c of this version's state: */
    uint8_t control_sha256[PROTO_SHA256_BYTES]; /* all zeros: c is 0 */
    bool delta; /* devices train what they hold instead of the exact version: downlink.h */
    uint8_t held_sha256[PROTO_SHA256_BYTES];
    uint8_t patch_sha256[PROTO_SHA256_BYTES]; /* that leads there, if patch_bytes > 0 */
    uint32_t patch_bytes;
    bool patch_key; /* it begins with a key frame */
};

/* What a check-in says to the desk itself. */
struct desk_hello {
    uint32_t protocol;              /* to speak with this device */
    bool patches;                   /* it keeps models and can add patches to them */
    uint8_t held[PROTO_HELD_BYTES]; /* beginning of the hash of the one it has; zeros: none */
};

/* What every answer to a check-in says. */
struct desk_terms {
    uint32_t protocol; /* to speak with this device */
    bool rekey;        /* another key is due */
};

/* Reads a CheckIn. 0 with *facts and *hello; MALFORMED; VERSION: none of the device's versions is
 * spoken here. */
int desk_read_check_in(const uint8_t *message, size_t bytes, struct engine_facts *facts,
                       struct desk_hello *hello);

struct downlink_chain;

/* With a downlink of deltas: tells a device what it lacks of the version that the chain leads to. The task says
 * beforehand how many parameters there are. */
void desk_offer_patch(struct desk_task *task, const struct downlink_chain *chain,
                      const struct desk_hello *hello);

/* The four answers. Each writes at most PROTO_MESSAGE_BYTES_MAX and returns how many bytes;
 * NO_MEMORY when `capacity` is too small. */
int desk_write_lease(const struct engine_action_lease *lease, const struct desk_task *task,
                     struct desk_terms terms, uint8_t *out, size_t capacity);
int desk_write_window(const struct engine_action_window *window, struct desk_terms terms,
                      uint8_t *out, size_t capacity);
int desk_write_receipt(const struct engine_receipt *receipt, uint8_t *out, size_t capacity);
/* `text` NULL: the error's own words. `window` may be NULL. */
int desk_write_problem(int reason, const char *text, const struct engine_window *window,
                       uint8_t *out, size_t capacity);

/* The response code that goes with REPLY_PROBLEM's status, as CoAP writes it (0x83 is 4.03). */
uint8_t desk_problem_code(int status);

#endif
