/*
 * The table of technologies. Every figure has its source beside it; docs/SIMULATION.md prints the
 * same table. A figure without a standard behind it says "estimate".
 */
#include "sim/network/radio.h"

#include "common/assert.h"

#include <stddef.h>
#include <string.h>

/* Power of an nRF52840 at 3 V with its DC/DC converter (product specification, "Current
 * consumption", 1 Mbit/s PHY): 4.8 mA sending at 0 dBm, 4.6 mA receiving, 1.5 uA asleep with RAM. */
#define NRF52840_POWER .tx_uw = 14400, .rx_uw = 13800, .sleep_nw = 4500

static const struct radio radios[RADIO_KINDS] = {
    /* Takes no time and no energy: for what a scenario does not want to model. */
    [RADIO_IDEAL] =
        {
            .name = "ideal",
            .frame_payload_bytes = 65535,
            .channels = 1,
            .ip_bytes = RADIO_IP_UDP_BYTES,
            .fragment_unit = 1,
            .mtu_bytes = 65535,
        },
    /* IEEE 802.15.4-2020, 2.4 GHz O-QPSK: 250 kbit/s, 16 us a symbol, aMaxPhyPacketSize 127.
     * MAC 21 = frame control 2, sequence 1, PAN and short addresses 6, auxiliary security header 6,
     * MIC-32 4, FCS 2. Preamble, SFD and length 6 bytes. Access: mean back-off at macMinBe 3 of 3.5
     * periods of 20 symbols (1120), CCA 8 symbols (128), turnaround 12 symbols (192). The
     * acknowledgement has 5 + 6 bytes (352); gap: turnaround 192 and LIFS 40 symbols (640).
     * macMaxFrameRetries 3. RFC 4944 mesh header with short addresses 5 bytes, FRAG1 4, FRAGN 5,
     * offsets in units of 8. RFC 6282: IPHC 2, context 1, hop limit 1, both interface identifiers
     * in line 16, NHC 1, ports 4, checksum 2 = 27. Data request: 9 + 6 + command 1 + MIC 4 + FCS 2. */
    [RADIO_THREAD] =
        {
            .name = "thread",
            .bits_per_second = 250000,
            .frame_payload_bytes = 106,
            .frame_overhead_bytes = 21,
            .mesh_header_bytes = 5,
            .preamble_us = 192,
            .access_us = 1440,
            .ack_us = 352,
            .gap_us = 832,
            .retries = 3,
            .channels = 1,
            .ip_bytes = 27,
            .fragment_first_bytes = 4,
            .fragment_next_bytes = 5,
            .fragment_unit = 8,
            .mtu_bytes = 1280,
            .poll_us = 1000000, /* estimate: products use 0.2 to 5 s */
            .poll_bytes = 22,
            NRF52840_POWER,
        },
    /* The same PHY and MAC without its security (11 bytes). Zigbee 3.0 (05-3474): NWK header 8 and
     * security 18 in every frame, APS header 8 and extended header 2 for fragments; together 36 of
     * the 116. No IP: endpoints stand for it. Fragments are acknowledged in APS windows, which is
     * not modelled. */
    [RADIO_ZIGBEE] =
        {
            .name = "zigbee",
            .bits_per_second = 250000,
            .frame_payload_bytes = 80,
            .frame_overhead_bytes = 47,
            .preamble_us = 192,
            .access_us = 1440,
            .ack_us = 352,
            .gap_us = 832,
            .retries = 3,
            .channels = 1,
            .fragment_unit = 1,
            .mtu_bytes = 1280,
            .poll_us = 1000000,
            .poll_bytes = 12,
            NRF52840_POWER,
        },
    /* LoRaWAN 1.0.4 in EU868. 27 kbit/s is the top of Semtech's range; the preamble of 8 + 4.25
     * symbols and the header of 8 are those of SF7 at 500 kHz (256 us a symbol, SX1276 data sheet
     * 4.1.1.7). MHDR 1, FHDR 7, FPort 1, MIC 4; 242 bytes of payload (RP002, DR4/DR5; 222 through
     * a repeater: scenario's business). SCHC (RFC 9011): rule in FPort, 3 bytes of residue,
     * 1 byte a fragment; ACK-on-Error sends lost tiles again: two retries without an
     * acknowledgement each. ETSI EN 300 220: 1 % for devices, 10 % for the gateway's downlink band.
     * Gateways hear 8 channels. Devices listen all the time while they train (class C). Power:
     * SX1276 at 3.3 V, 29 mA at +13 dBm, 11.5 mA receiving; asleep 1.5 uA with the controller. */
    [RADIO_LORA] =
        {
            .name = "lora",
            .bits_per_second = 27000,
            .frame_payload_bytes = 242,
            .frame_overhead_bytes = 13,
            .preamble_us = 5184,
            .retries = 2,
            .channels = 8,
            .ip_bytes = 3,
            .fragment_first_bytes = 1,
            .fragment_next_bytes = 1,
            .fragment_unit = 1,
            .mtu_bytes = 1280,
            .duty_permille = 10,
            .gateway_duty_permille = 100,
            .tx_uw = 95700,
            .rx_uw = 38000,
            .sleep_nw = 5000,
        },
    /* ITU-T G.9959 R3: 100 kbit/s, MPDU 170 of which 158 payload, preamble 40 bytes and start of
     * frame 1 (80 us a byte), acknowledgement 12 + 41 bytes, aMacMaxFrameRetries 2; turnaround 1 ms
     * each way. RFC 7428: command class 1, IPHC with one identifier in line 19. Route of a mesh
     * frame 6 bytes, fragments as RFC 4944 (estimates). Power: EFR32ZG14 data sheet at 3.3 V,
     * 13.3 mA sending, 9.8 mA receiving, 1.5 uA asleep. */
    [RADIO_ZWAVE] =
        {
            .name = "zwave",
            .bits_per_second = 100000,
            .frame_payload_bytes = 158,
            .frame_overhead_bytes = 12,
            .mesh_header_bytes = 6,
            .preamble_us = 3280,
            .access_us = 1000,
            .ack_us = 4240,
            .gap_us = 1000,
            .retries = 2,
            .channels = 1,
            .ip_bytes = 20,
            .fragment_first_bytes = 4,
            .fragment_next_bytes = 5,
            .fragment_unit = 8,
            .mtu_bytes = 1280,
            .poll_us = 1000000, /* FLiRS devices wake once a second */
            .wake_us = 1000,    /* estimate */
            .tx_uw = 43900,
            .rx_uw = 32300,
            .sleep_nw = 5000,
        },
    /* Bluetooth 5.4, LE 1M with data length extension: 251 bytes a PDU less 4 of L2CAP; preamble 1,
     * access address 4, header 2, MIC 4, CRC 3 (preamble and address 40 us). The empty PDU that
     * acknowledges has 10 bytes (80 us), two inter-frame spaces of 150 us. RFC 7668: IPHC as in
     * Thread, SDU length 2 in the first frame. A connection event every 30 ms is what phones and
     * gateways usually grant. Retransmission has no limit but the supervision timeout: 15. */
    [RADIO_BLE] =
        {
            .name = "ble",
            .bits_per_second = 1000000,
            .frame_payload_bytes = 247,
            .frame_overhead_bytes = 13,
            .preamble_us = 40,
            .ack_us = 80,
            .gap_us = 300,
            .retries = 15,
            .channels = 1,
            .ip_bytes = 29,
            .fragment_unit = 1,
            .mtu_bytes = 1280,
            .event_us = 30000,
            NRF52840_POWER,
        },
    /* 3GPP Cat-M1, half duplex: 375 kbit/s. A transport block of 1,000 bits, RLC, MAC and PDCP
     * headers 5 bytes, no header compression, HARQ retries 3. A 10 MHz carrier has 8 narrowbands.
     * 50 ms each way for scheduling requests and the core network (estimate). Connected DRX: 320 ms,
     * 200 ms of inactivity. Power: nRF9160 at 3.7 V, about 300 mA at 23 dBm while sending (white
     * paper nWP-034), 45 mA receiving, 2.7 uA in PSM (product specification). */
    [RADIO_LTE_M] =
        {
            .name = "lte-m",
            .bits_per_second = 375000,
            .frame_payload_bytes = 120,
            .frame_overhead_bytes = 5,
            .retries = 3,
            .channels = 8,
            .ip_bytes = RADIO_IP_UDP_BYTES,
            .fragment_unit = 1,
            .mtu_bytes = 1358,
            .latency_us = 50000,
            .poll_us = 320000,
            .listen_us = 200000,
            .tx_uw = 1110000,
            .rx_uw = 166500,
            .sleep_nw = 9990,
        },
    /* IEEE 802.11g/n at a modest 24 Mbit/s: preamble 20 us, DIFS 28 and mean back-off 7.5 slots of
     * 9 us, acknowledgement 28, SIFS 10 and signal extension 6. QoS header 26, LLC 8, CCMP 16, FCS 4.
     * Retries 7. Power: ESP32 data sheet at 3.3 V, 190 mA sending 802.11g, 95 mA receiving, 0.9 mA
     * associated in light sleep with DTIM 3 (three beacons of 102.4 ms). */
    [RADIO_WIFI] =
        {
            .name = "wifi",
            .bits_per_second = 24000000,
            .frame_payload_bytes = 1500,
            .frame_overhead_bytes = 54,
            .preamble_us = 20,
            .access_us = 96,
            .ack_us = 28,
            .gap_us = 16,
            .retries = 7,
            .channels = 1,
            .ip_bytes = RADIO_IP_UDP_BYTES,
            .fragment_unit = 1,
            .mtu_bytes = 1500,
            .latency_us = 1000,
            .poll_us = 307200,
            .listen_us = 100000,
            .tx_uw = 627000,
            .rx_uw = 313500,
            .sleep_nw = 2970000,
        },
    /* IEEE 802.3, 100 Mbit/s, one shared uplink port; preamble 8 bytes and gap 12 (1.6 us, rounded
     * up); header 14 and FCS 4. Its power is part of the board's. */
    [RADIO_ETHERNET] =
        {
            .name = "ethernet",
            .bits_per_second = 100000000,
            .frame_payload_bytes = 1500,
            .frame_overhead_bytes = 18,
            .gap_us = 2,
            .channels = 1,
            .ip_bytes = RADIO_IP_UDP_BYTES,
            .fragment_unit = 1,
            .mtu_bytes = 1500,
        },
};

const struct radio *radio_of(enum radio_kind kind)
{
    MYCEL_ASSERT((uint32_t)kind < RADIO_KINDS);
    return &radios[kind];
}

const struct radio *radio_find(const char *name)
{
    for (size_t i = 0; i < RADIO_KINDS; i++) {
        if (strcmp(radios[i].name, name) == 0) {
            return &radios[i];
        }
    }
    return NULL;
}

/* Payload that a fragment carries in `room` bytes: whole units, counted from the datagram's start.
 * RFC 4944 counts the uncompressed headers, 48 bytes, which are six units. */
static uint32_t whole_units(const struct radio *radio, uint32_t room)
{
    return room / radio->fragment_unit * radio->fragment_unit;
}

struct radio_frames radio_frames(const struct radio *radio, uint32_t datagram_bytes, uint32_t hops)
{
    MYCEL_ASSERT(datagram_bytes >= RADIO_IP_UDP_BYTES && hops >= 1);
    uint32_t payload = datagram_bytes - RADIO_IP_UDP_BYTES;
    uint32_t mesh = hops > 1 ? radio->mesh_header_bytes : 0;
    uint32_t whole = mesh + radio->ip_bytes + payload;
    if (whole <= radio->frame_payload_bytes) {
        uint16_t bytes = (uint16_t)whole;
        return (struct radio_frames){.count = 1, .first_bytes = bytes, .last_bytes = bytes};
    }
    uint32_t first_header = mesh + radio->fragment_first_bytes + radio->ip_bytes;
    uint32_t next_header = mesh + radio->fragment_next_bytes;
    uint32_t first = whole_units(radio, radio->frame_payload_bytes - first_header);
    uint32_t next = whole_units(radio, radio->frame_payload_bytes - next_header);
    uint32_t rest = payload - first;
    uint32_t others = (rest + next - 1) / next;
    return (struct radio_frames){
        .count = 1 + others,
        .first_bytes = (uint16_t)(first_header + first),
        .next_bytes = (uint16_t)(next_header + next),
        .last_bytes = (uint16_t)(next_header + rest - (others - 1) * next),
    };
}

uint32_t radio_frame_bytes(const struct radio_frames *frames, uint32_t index)
{
    if (index + 1 == frames->count) {
        return frames->last_bytes;
    }
    return index == 0 ? frames->first_bytes : frames->next_bytes;
}

uint64_t radio_air_us(const struct radio *radio, uint32_t payload_bytes)
{
    if (radio->bits_per_second == 0) {
        return 0;
    }
    uint64_t bits = 8u * ((uint64_t)radio->frame_overhead_bytes + payload_bytes);
    return radio->preamble_us +
           (bits * 1000000u + radio->bits_per_second - 1) / radio->bits_per_second;
}

uint64_t radio_attempt_us(const struct radio *radio, uint32_t payload_bytes)
{
    return (uint64_t)radio->access_us + radio_air_us(radio, payload_bytes) + radio->ack_us +
           radio->gap_us;
}

uint64_t radio_poll_air_us(const struct radio *radio)
{
    if (radio->poll_bytes == 0) {
        return 0;
    }
    return radio->preamble_us + 8u * 1000000ull * radio->poll_bytes / radio->bits_per_second;
}

uint64_t radio_poll_attempt_us(const struct radio *radio)
{
    uint64_t air_us = radio_poll_air_us(radio);
    return air_us > 0 ? radio->access_us + air_us + radio->ack_us + radio->gap_us : 0;
}

uint64_t radio_active_nj(const struct radio *radio, uint64_t tx_us, uint64_t rx_us)
{
    return (radio->tx_uw * tx_us + radio->rx_uw * rx_us) / 1000u;
}

uint64_t radio_sleep_nj(const struct radio *radio, uint64_t elapsed_us, uint32_t poll_us)
{
    /* By milliseconds, so that a year does not overflow. */
    uint64_t asleep_nj = radio->sleep_nw * (elapsed_us / 1000u) / 1000u;
    if (poll_us == 0) {
        return asleep_nj;
    }
    uint64_t listening_us = radio->poll_bytes > 0 ? radio->ack_us + radio->gap_us : radio->wake_us;
    uint64_t poll_nj = radio_active_nj(radio, radio_poll_air_us(radio), listening_us);
    return asleep_nj + elapsed_us / poll_us * poll_nj;
}
