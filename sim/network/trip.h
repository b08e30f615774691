/*
 * One request and its answer on their way between a device and the coordinator: non-confirmable messages
 * that are repeated as the shipped client's are (PROTOCOL.md §7: pauses grow by half up to two timeouts,
 * until the client cancels), with a session's handshake as a sequence of such trips. It owns
 * retransmission, repetition and what a datagram costs; it must never look into a payload.
 *
 *   device: transport.send -> trip_begin -> [link] -> coordinator: WORLD_UP -> handle (once)
 *   coordinator: trip_answer -> [link] -> WORLD_DOWN -> the device's inbox -> transport.receive
 *   WORLD_RETRY until an answer came or the slot was cancelled; a flight, until four repetitions were in vain
 */
#ifndef MYCEL_SIM_NETWORK_TRIP_H
#define MYCEL_SIM_NETWORK_TRIP_H

#include "proto/limits.h"
#include "sim/world/blob.h"
#include "sim/world/pool.h"

#include <mycel/port.h>

struct world;

#define TRIP_NONE POOL_NONE
#define TRIP_SEGMENT_BYTES 48u

enum trip_kind { TRIP_REQUEST, TRIP_HANDSHAKE };

struct trip {
    uint64_t sent_us;  /* for the last time */
    uint64_t retry_us; /* when it is sent again */
    uint64_t timer_us; /* the record's, whoever uses it: when WORLD_RETRY comes; 0: it does not */
    uint32_t device;
    uint32_t session; /* the coordinator's epoch that the device believes in */
    uint32_t next;    /* in a device's inbox */
    uint32_t use;     /* counts how often this record was taken: makes tags unique */
    uint8_t kind;
    uint8_t slot;
    uint8_t flight; /* of a handshake */
    uint8_t tries;
    uint8_t refs;   /* datagrams under way + the slot + the coordinator's pending work */
    bool bound;     /* the device still waits for it */
    bool taken;     /* the coordinator has seen it */
    bool answered;  /* … and answered: repetitions get the same bytes */
    bool arrived;   /* the answer lies in the inbox */
    uint32_t epoch; /* of the coordinator that took it */
    struct mycel_request request;
    struct mycel_response response;
    struct blob *blob; /* that the response's payload lies in */
    char segment[2][TRIP_SEGMENT_BYTES];
    uint8_t payload[PROTO_BLOCK_BYTES_MAX];
    uint8_t reply[PROTO_MESSAGE_BYTES_MAX];
};

static inline struct trip *trip_at(const struct pool *trips, uint32_t id)
{
    return pool_at(trips, id);
}

void trips_free(struct pool *trips);

/* Copies the request and sends it for the first time. TRIP_NONE: no memory. */
uint32_t trip_begin(struct world *world, uint32_t device, unsigned slot,
                    const struct mycel_request *request);

/* Starts the handshake's first flight. */
uint32_t trip_handshake(struct world *world, uint32_t device);

/* The device no longer waits. */
void trip_cancel(struct world *world, uint32_t id);

/* The coordinator's answer; payload and blob as in the struct. Once a trip. */
void trip_answer(struct world *world, uint32_t id);

/* The coordinator's work on it has ended without an answer (it crashed, or had one already). */
void trip_drop(struct world *world, uint32_t id);

/* Events of the queue. */
void trip_up(struct world *world, uint32_t id);
void trip_down(struct world *world, uint32_t id);
void trip_retry(struct world *world, uint32_t id);

#endif
