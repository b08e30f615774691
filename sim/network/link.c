/*
 * A datagram goes through up to three stations in order: backhaul, channel, backhaul. Each stage
 * takes a time and returns a later one.
 */
#include "sim/network/link.h"

#include "common/assert.h"
#include "common/rng.h"

#define RNG_STREAM_LINK 0x6C696E6Bu /* "link" */

_Static_assert(sizeof(struct link_state) == 10, "a million devices have one each");

/* One datagram on its way. */
struct sending {
    const struct link *link;
    const struct link_datagram *datagram;
    struct link_result *out;
    uint64_t now_us;
    uint64_t ready_us; /* when the next frame may be sent */
    uint64_t draws;    /* used of datagram->draw_key */
};

/* What one frame took, over all hops. */
struct frame_cost {
    uint64_t duration_us; /* of the channel */
    uint64_t sent_us;     /* on the air by the device or gateway that began: for its duty cycle */
    bool lost;
};

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The time of a stamp in ms modulo 2^32, or 0 when it has passed before now_us. */
static uint64_t time_of_stamp(uint32_t stamp_ms, uint64_t now_us)
{
    uint64_t now_ms = now_us / 1000u;
    int32_t ahead_ms = (int32_t)(stamp_ms - (uint32_t)now_ms);
    if (ahead_ms <= 0 || ahead_ms > LINK_WAIT_MS_MAX) {
        return 0;
    }
    return (now_ms + (uint32_t)ahead_ms) * 1000u;
}

/* The first time from at_us on that is phase_us behind a multiple of interval_us. */
static uint64_t next_multiple(uint64_t at_us, uint32_t interval_us, uint32_t phase_us)
{
    uint32_t phase = phase_us % interval_us;
    if (at_us <= phase) {
        return phase;
    }
    return (at_us - phase + interval_us - 1) / interval_us * interval_us + phase;
}

static uint64_t pass_backhaul(const struct link_path *path, struct airtime *calendar,
                              uint64_t now_us, uint64_t ready_us, uint32_t bytes)
{
    if (path->backhaul_bps > 0) {
        uint64_t took_us = (8000000ull * bytes + path->backhaul_bps - 1) / path->backhaul_bps;
        ready_us = airtime_book(calendar, now_us, ready_us, took_us) + took_us;
    }
    return ready_us + path->backhaul_latency_us;
}

/* Whether a sleepy device still listens at at_us because it has just sent. */
static bool is_listening(const struct link *link, uint64_t at_us)
{
    int32_t listen_ms = (int32_t)(link->radio->listen_us / 1000u);
    int32_t since_ms = (int32_t)((uint32_t)(at_us / 1000u) - link->state->up_free_ms);
    return listen_ms > 0 && since_ms < listen_ms && since_ms > -LINK_WAIT_MS_MAX;
}

/* Whether the device's own stamp says when it may send. Otherwise the shared channel does, which
 * knows microseconds. */
static bool sends_alone(const struct radio *radio)
{
    return radio->duty_permille > 0 || radio->channels > 1;
}

/* When the sender of a datagram that is there at at_us may send: its duty cycle, its other traffic. */
static uint64_t sender_free(const struct link *link, bool down, uint64_t at_us)
{
    const struct link_state *state = link->state;
    if (!down) {
        return sends_alone(link->radio) ? max_u64(at_us, time_of_stamp(state->up_free_ms, at_us))
                                        : at_us;
    }
    at_us = max_u64(at_us, time_of_stamp(state->down_free_ms, at_us));
    return max_u64(at_us, link->medium->gateway_free_us);
}

/* When sender and receiver meet from at_us on: at a poll, at a connection event. */
static uint64_t meeting(const struct link *link, bool down, uint64_t at_us)
{
    uint32_t poll_us = link->path->poll_us;
    if (down && poll_us > 0 && !is_listening(link, at_us)) {
        at_us = next_multiple(at_us, poll_us, link->phase_us);
    }
    uint32_t event_us = link->radio->event_us;
    return event_us > 0 ? next_multiple(at_us, event_us, link->phase_us) : at_us;
}

/* One attempt over one hop: true if it is lost. `own`: the device is at one end of the hop. */
static bool try_hop(struct sending *s, struct frame_cost *cost, uint32_t bytes, bool own,
                    uint64_t at_us)
{
    const struct radio *radio = s->link->radio;
    struct link_result *out = s->out;
    uint64_t air_us = radio_air_us(radio, bytes);
    bool down = s->datagram->down;
    uint64_t draw = rng_u64(s->datagram->draw_key, RNG_STREAM_LINK, s->draws++);
    uint16_t chain = s->link->state->loss;
    bool lost = loss_frame(&s->link->path->loss, &chain, at_us + cost->duration_us, draw);
    s->link->state->loss = chain;

    uint64_t ack_us = lost ? 0 : radio->ack_us;
    out->frames++;
    out->bytes_air += (uint64_t)radio->frame_overhead_bytes + bytes;
    out->airtime_us += air_us + ack_us;
    if (own) {
        out->tx_us += down ? ack_us : air_us;
        out->rx_us += down ? air_us : radio->ack_us;
    }
    cost->sent_us += air_us;
    cost->duration_us += radio_attempt_us(radio, bytes);
    return lost;
}

/* The poll by which a sleepy device fetches one frame from its parent. */
static void add_poll(struct sending *s, struct frame_cost *cost)
{
    const struct radio *radio = s->link->radio;
    uint64_t air_us = radio_poll_air_us(radio);
    if (air_us == 0) {
        return;
    }
    cost->duration_us += radio_poll_attempt_us(radio);
    s->out->airtime_us += air_us + radio->ack_us;
    s->out->bytes_air += radio->poll_bytes;
    s->out->tx_us += air_us;
    s->out->rx_us += radio->ack_us;
}

/* One frame over all hops, with repetitions, as if it began at at_us. */
static struct frame_cost cross_hops(struct sending *s, uint32_t bytes, uint64_t at_us)
{
    const struct link_path *path = s->link->path;
    bool down = s->datagram->down;
    struct frame_cost cost = {0};
    for (uint32_t hop = 0; hop < path->hops && !cost.lost; hop++) {
        bool own = hop == (down ? path->hops - 1u : 0u);
        if (own && down && path->poll_us > 0) {
            add_poll(s, &cost);
        }
        cost.lost = true;
        for (uint32_t tries = 0; cost.lost && tries <= s->link->radio->retries; tries++) {
            cost.lost = try_hop(s, &cost, bytes, own, at_us);
        }
    }
    return cost;
}

/* Time that the sender must be silent after sent_us on the air. */
static uint64_t duty_pause_us(const struct radio *radio, bool down, uint64_t sent_us)
{
    uint32_t permille = down ? radio->gateway_duty_permille : radio->duty_permille;
    return permille > 0 ? sent_us * 1000u / permille - sent_us : 0;
}

/* Sends frame after frame; a lost one ends it. Sets out->at_us to the end of the last. */
static bool send_frames(struct sending *s, const struct radio_frames *frames)
{
    const struct link *link = s->link;
    bool lost = false;
    for (uint32_t i = 0; i < frames->count && !lost; i++) {
        uint32_t bytes = radio_frame_bytes(frames, i);
        uint64_t about_us =
            airtime_find(&link->medium->air, s->ready_us, radio_attempt_us(link->radio, bytes));
        struct frame_cost cost = cross_hops(s, bytes, about_us);
        uint32_t channels = link->radio->channels;
        uint64_t taken_us = (cost.duration_us + channels - 1) / channels;
        uint64_t start_us = airtime_book(&link->medium->air, s->now_us, s->ready_us, taken_us);
        link->medium->busy_us += taken_us;
        s->out->at_us = start_us + cost.duration_us;
        s->ready_us = s->out->at_us + duty_pause_us(link->radio, s->datagram->down, cost.sent_us);
        lost = cost.lost;
    }
    return lost;
}

/* What keeps a datagram from being sent at all. */
static enum link_fate refusal(const struct link *link, const struct link_datagram *datagram,
                              uint64_t now_us)
{
    uint32_t mtu = link->path->mtu_bytes > 0 ? link->path->mtu_bytes : link->radio->mtu_bytes;
    if (now_us < link->medium->down_until_us) {
        return LINK_LOST_OUTAGE;
    }
    return datagram->bytes > mtu ? LINK_LOST_MTU : LINK_DELIVERED;
}

/* Finds the datagram's place, s->ready_us: false if it would wait too long. Waiting for a poll is no
 * queue. */
static bool queue_up(struct sending *s, uint32_t first_bytes)
{
    const struct link *link = s->link;
    bool down = s->datagram->down;
    uint64_t limit_us = link->path->queue_us_max > 0 ? link->path->queue_us_max : LINK_QUEUE_US_MAX;
    uint64_t free_us = sender_free(link, down, s->ready_us);
    uint64_t waited_us = free_us - s->ready_us;
    s->ready_us = meeting(link, down, free_us);
    uint64_t attempt_us = radio_attempt_us(link->radio, first_bytes);
    waited_us += airtime_find(&link->medium->air, s->ready_us, attempt_us) - s->ready_us;
    s->out->at_us = s->ready_us;
    return waited_us <= limit_us;
}

/* The channel's part: from s->ready_us on, when the datagram is at its end of the channel. */
static enum link_fate cross_channel(struct sending *s)
{
    const struct link *link = s->link;
    struct radio_frames frames = radio_frames(link->radio, s->datagram->bytes, link->path->hops);
    if (!queue_up(s, frames.first_bytes)) {
        return LINK_LOST_QUEUE;
    }
    bool lost = send_frames(s, &frames);
    uint32_t free_ms = (uint32_t)((s->ready_us + 999u) / 1000u);
    if (!s->datagram->down) {
        link->state->up_free_ms = free_ms;
    } else if (link->radio->gateway_duty_permille > 0) {
        link->medium->gateway_free_us = s->ready_us;
    } else if (link->radio->channels > 1) {
        link->state->down_free_ms = free_ms;
    }
    return lost ? LINK_LOST_FRAME : LINK_DELIVERED;
}

void link_send(const struct link *link, const struct link_datagram *datagram, uint64_t now_us,
               struct link_result *out)
{
    const struct link_path *path = link->path;
    struct link_medium *medium = link->medium;
    MYCEL_ASSERT(path->hops >= 1 && path->hops <= LINK_HOPS_MAX);
    *out = (struct link_result){.at_us = now_us, .fate = refusal(link, datagram, now_us)};
    if (out->fate == LINK_DELIVERED) {
        struct sending s = {link, datagram, out, now_us, now_us, 0};
        if (datagram->down) {
            s.ready_us = link->radio->latency_us + pass_backhaul(path, &medium->backhaul_down,
                                                                 now_us, now_us, datagram->bytes);
        }
        out->fate = cross_channel(&s);
        if (out->fate == LINK_DELIVERED && !datagram->down) {
            out->at_us = pass_backhaul(path, &medium->backhaul_up, now_us,
                                       out->at_us + link->radio->latency_us, datagram->bytes);
        }
    }
    medium->datagrams++;
    medium->lost += out->fate != LINK_DELIVERED;
    medium->frames += out->frames;
    medium->airtime_us += out->airtime_us;
}
