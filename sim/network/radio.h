/*
 * What each radio technology costs: bytes, microseconds and energy of one frame. It owns a const
 * table and the arithmetic of a single frame or datagram on an idle, loss-free channel; queues,
 * loss and retries are link.h's. Nothing here has a state.
 */
#ifndef MYCEL_SIM_NETWORK_RADIO_H
#define MYCEL_SIM_NETWORK_RADIO_H

#include <stdint.h>

/* The headers that every datagram of the simulation carries: IPv6 (40 bytes) and UDP (8). An
 * adaptation layer sends them as radio.ip_bytes. */
#define RADIO_IP_UDP_BYTES 48

enum radio_kind {
    RADIO_IDEAL,
    RADIO_THREAD,
    RADIO_ZIGBEE,
    RADIO_LORA,
    RADIO_ZWAVE,
    RADIO_BLE,
    RADIO_LTE_M,
    RADIO_WIFI,
    RADIO_ETHERNET,
    RADIO_KINDS
};

struct radio {
    const char *name; /* as a scenario writes it */

    /* One frame. */
    uint32_t bits_per_second;      /* of a frame's bytes on the air; 0: takes no time at all */
    uint16_t frame_payload_bytes;  /* most that one frame carries behind its MAC header */
    uint16_t frame_overhead_bytes; /* MAC header, security, checksum */
    uint16_t mesh_header_bytes;    /* of the payload, in a frame that is forwarded (hops > 1) */
    uint16_t preamble_us;          /* in front of every frame: synchronisation, PHY header */
    uint16_t access_us;            /* before a frame: mean back-off, sensing, turnaround */
    uint16_t ack_us;               /* the acknowledgement on the air; 0: none */
    uint16_t gap_us;               /* turnaround before the acknowledgement, and spacing after */
    uint8_t retries;               /* of a frame that was not acknowledged, at each hop */
    uint8_t channels;              /* that a gateway serves at once; a device uses one */

    /* A datagram. */
    uint8_t ip_bytes;             /* what the 48 bytes of IPv6 and UDP become */
    uint8_t fragment_first_bytes; /* header of a datagram's first fragment, of several */
    uint8_t fragment_next_bytes;  /* … and of the others */
    uint8_t fragment_unit;        /* a fragment but the last carries a multiple of this */
    uint16_t mtu_bytes;           /* a longer datagram is lost */

    /* Waiting. */
    uint16_t duty_permille;         /* share of the time that a device may send; 0: any */
    uint16_t gateway_duty_permille; /* … and a gateway, downlink */
    uint32_t latency_us; /* each way, besides everything else (scheduling, core network) */
    uint32_t event_us;   /* a device's traffic starts at multiples of this; 0: any time */
    uint32_t poll_us;    /* usual interval at which a sleepy device asks for downlink */
    uint32_t listen_us;  /* how long a sleepy device listens after its own traffic */
    uint16_t poll_bytes; /* whole MAC frame by which it asks; 0: it just listens */
    uint16_t wake_us;    /* … for so long each poll_us, as far as sleep_nw is without it */

    /* Power of the device's side. 1 uW is 1 pJ a microsecond. */
    uint32_t tx_uw;
    uint32_t rx_uw;
    uint32_t sleep_nw;
};

/* The table's row; kind < RADIO_KINDS. */
const struct radio *radio_of(enum radio_kind kind);

/* The row of that name, or NULL. */
const struct radio *radio_find(const char *name);

/* Frames of a datagram, and the bytes of each behind the MAC header. */
struct radio_frames {
    uint32_t count;
    uint16_t first_bytes; /* of the first frame (of the only one if count is 1) */
    uint16_t next_bytes;  /* of the frames between */
    uint16_t last_bytes;  /* of the last one */
};

/* Cuts a datagram of datagram_bytes (with IPv6 and UDP headers, RADIO_IP_UDP_BYTES at least) into
 * frames as the technology's adaptation layer does: RFC 4944 and RFC 6282 for Thread. hops ≥ 1. */
struct radio_frames radio_frames(const struct radio *radio, uint32_t datagram_bytes, uint32_t hops);

/* Bytes behind the MAC header of frame `index` of a datagram. */
uint32_t radio_frame_bytes(const struct radio_frames *frames, uint32_t index);

/* Time on the air of one frame with payload_bytes behind its MAC header, without acknowledgement. */
uint64_t radio_air_us(const struct radio *radio, uint32_t payload_bytes);

/* Time for which one attempt to send that frame keeps the channel: access, frame, acknowledgement
 * (or waiting for it in vain) and spacing. */
uint64_t radio_attempt_us(const struct radio *radio, uint32_t payload_bytes);

/* Time on the air of the poll that fetches one frame, and its attempt; 0 where there is none. */
uint64_t radio_poll_air_us(const struct radio *radio);
uint64_t radio_poll_attempt_us(const struct radio *radio);

/* Energy of the device's radio for tx_us of sending and rx_us of receiving. */
uint64_t radio_active_nj(const struct radio *radio, uint64_t tx_us, uint64_t rx_us);

/* Energy of a radio that is not used for elapsed_us: asleep, and waking every poll_us to ask and
 * listen (0: never). A radio that always listens takes radio_active_nj(radio, 0, elapsed_us). */
uint64_t radio_sleep_nj(const struct radio *radio, uint64_t elapsed_us, uint32_t poll_us);

#endif
