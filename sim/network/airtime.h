/*
 * The calendar of a shared channel: who has it when. It owns a short sorted list of the spans that
 * are taken from now on, so that a frame which starts later (because its device polls later) does
 * not block those that could go before it. It knows nothing of radios.
 */
#ifndef MYCEL_SIM_NETWORK_AIRTIME_H
#define MYCEL_SIM_NETWORK_AIRTIME_H

#include <stdint.h>

/* Spans kept. Neighbours that touch are one span. When the list is full, the two with the least idle time
 * between them become one: the later moves up to the earlier. Where they lie blurs a little then,
 * how much of the channel is taken does not. */
#define AIRTIME_SPANS_MAX 16

struct airtime_span {
    uint64_t from_us;
    uint64_t to_us;
};

struct airtime {
    uint32_t count;
    struct airtime_span span[AIRTIME_SPANS_MAX]; /* sorted, disjoint; zeroed is an idle channel */
};

/* Where a span of duration_us fits first, not before ready_us. Changes nothing. */
uint64_t airtime_find(const struct airtime *airtime, uint64_t ready_us, uint64_t duration_us);

/* Takes that span and returns its start. now_us never decreases from call to call and is at most
 * ready_us; what ended before it is forgotten. */
uint64_t airtime_book(struct airtime *airtime, uint64_t now_us, uint64_t ready_us,
                      uint64_t duration_us);

/* Time from now_us on until the last booked span ends. */
uint64_t airtime_backlog_us(const struct airtime *airtime, uint64_t now_us);

#endif
