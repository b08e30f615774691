/*
 * Moving one UDP datagram between a device and the coordinator: cutting it into frames, winning the
 * shared channel for each of them over each hop, losing and repeating some, waiting for duty cycles,
 * polls and the gateway's backhaul. It owns the arithmetic; gateways and devices own the state. It must
 * never read a clock: time, and what chance decides, are arguments.
 *
 * What a gateway's devices share is one calendar of its channel (airtime.h): whatever one of them
 * sends, everybody else waits for, all hops included. Frames of one datagram go in order.
 *
 * Simplifications, all on the side of a busier channel unless said otherwise: no two hops of a mesh
 * send at once; back-off is its mean; collisions are part of the loss model; the channels of a
 * gateway that has several are one that is so many times as fast (a device alone on it is not faster).
 */
#ifndef MYCEL_SIM_NETWORK_LINK_H
#define MYCEL_SIM_NETWORK_LINK_H

#include "sim/network/airtime.h"
#include "sim/network/loss.h"
#include "sim/network/radio.h"

#include <stdbool.h>
#include <stdint.h>

#define LINK_HOPS_MAX 16

/* A datagram that would wait longer than this for the channel or a duty cycle finds the sender's queue
 * full (default). At most half of LINK_WAIT_MS_MAX. */
#define LINK_QUEUE_US_MAX 60000000u

/* Waits are remembered in ms modulo 2^32 (50 days); one that seems longer than this is long over. The
 * longest real one, a LoRa datagram with all its repetitions, is about 150 s. */
#define LINK_WAIT_MS_MAX 600000

/* Shared by the devices of one gateway. Zeroed is an idle channel. */
struct link_medium {
    struct airtime air;
    struct airtime backhaul_up;
    struct airtime backhaul_down;
    uint64_t gateway_free_us; /* when its duty cycle lets the gateway send again */
    uint64_t down_until_us;   /* an outage: the caller sets it; nothing passes before */
    uint64_t airtime_us;      /* frames, acknowledgements and polls on the air */
    uint64_t busy_us; /* the channel could not be used by others: with spacing and back-off */
    uint64_t frames;  /* sent, repetitions and hops included */
    uint64_t datagrams;
    uint64_t lost; /* of these */
};

/* A device's part, 10 bytes, zeroed at the start. */
struct __attribute__((packed, aligned(2))) link_state {
    uint32_t up_free_ms;   /* when the device may send again, modulo 2^32 */
    uint32_t down_free_ms; /* when its last downlink ends */
    uint16_t loss;         /* see loss_frame() */
};

/* What a scenario says about the way between device and coordinator; shared by many devices. */
struct link_path {
    struct loss_model loss; /* of a frame on one hop */
    uint64_t backhaul_bps;  /* bottleneck behind the gateway, each way; 0: none */
    uint32_t backhaul_latency_us;
    uint32_t poll_us;      /* a sleepy device asks this often (see radio.poll_us); 0: it listens */
    uint32_t queue_us_max; /* longest wait of a datagram; 0: LINK_QUEUE_US_MAX */
    uint16_t mtu_bytes;    /* 0: the radio's */
    uint8_t hops;          /* 1 … LINK_HOPS_MAX */
};

struct link {
    const struct radio *radio;
    const struct link_path *path;
    struct link_medium *medium;
    struct link_state *state;
    uint32_t phase_us; /* when within an interval this device polls: any constant of the device */
};

struct link_datagram {
    uint32_t bytes;    /* CoAP, DTLS, UDP and IPv6: RADIO_IP_UDP_BYTES at least */
    bool down;         /* to the device */
    uint64_t draw_key; /* of all that chance decides: another one for each datagram */
};

enum link_fate {
    LINK_DELIVERED,
    LINK_LOST_FRAME,  /* a frame and all its repetitions */
    LINK_LOST_OUTAGE, /* the gateway is down */
    LINK_LOST_MTU,    /* longer than the path carries: the sender's block size is wrong */
    LINK_LOST_QUEUE,  /* channel or duty cycle are overloaded */
};

struct link_result {
    uint64_t at_us;      /* arrival; when it was lost: the time at which that happened */
    uint64_t airtime_us; /* frames, acknowledgements and polls, all hops and repetitions */
    uint64_t bytes_air;  /* the frames' bytes, headers included, all hops and repetitions */
    uint64_t tx_us;      /* the device's own radio sending … */
    uint64_t rx_us;      /* … and receiving; relays' are airtime_us less these */
    uint32_t frames;     /* sent, all hops and repetitions */
    enum link_fate fate;
};

/* Sends a datagram at now_us, which never decreases for one medium. Fills *out, whatever happens;
 * changes *link->medium and *link->state. Doesn't fail. */
void link_send(const struct link *link, const struct link_datagram *datagram, uint64_t now_us,
               struct link_result *out);

#endif
