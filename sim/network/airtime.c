/*
 * The sorted list of spans: insertion joins neighbours that touch, so a queue that is worked off in
 * order is one span however long it is. It must never lose booked time.
 */
#include "sim/network/airtime.h"

#include "common/assert.h"

#include <string.h>

/* Drops what is over. */
static void forget(struct airtime *airtime, uint64_t now_us)
{
    uint32_t over = 0;
    while (over < airtime->count && airtime->span[over].to_us <= now_us) {
        over++;
    }
    if (over > 0) {
        airtime->count -= over;
        memmove(&airtime->span[0], &airtime->span[over], airtime->count * sizeof airtime->span[0]);
    }
}

static void remove_at(struct airtime *airtime, uint32_t index)
{
    airtime->count--;
    memmove(&airtime->span[index], &airtime->span[index + 1],
            (airtime->count - index) * sizeof airtime->span[0]);
}

/* Joins the two neighbours with the least idle time between them; what they take stays the same. */
static void close_shortest_gap(struct airtime *airtime)
{
    uint32_t best = 1;
    uint64_t shortest = UINT64_MAX;
    for (uint32_t i = 1; i < airtime->count; i++) {
        uint64_t gap = airtime->span[i].from_us - airtime->span[i - 1].to_us;
        if (gap < shortest) {
            shortest = gap;
            best = i;
        }
    }
    airtime->span[best - 1].to_us += airtime->span[best].to_us - airtime->span[best].from_us;
    remove_at(airtime, best);
}

uint64_t airtime_find(const struct airtime *airtime, uint64_t ready_us, uint64_t duration_us)
{
    uint64_t start = ready_us;
    for (uint32_t i = 0; i < airtime->count; i++) {
        const struct airtime_span *span = &airtime->span[i];
        if (start + duration_us <= span->from_us) {
            break;
        }
        if (start < span->to_us) {
            start = span->to_us;
        }
    }
    return start;
}

uint64_t airtime_book(struct airtime *airtime, uint64_t now_us, uint64_t ready_us,
                      uint64_t duration_us)
{
    MYCEL_ASSERT(ready_us >= now_us);
    forget(airtime, now_us);
    if (airtime->count == AIRTIME_SPANS_MAX) {
        close_shortest_gap(airtime);
    }
    uint64_t start = airtime_find(airtime, ready_us, duration_us);
    uint64_t end = start + duration_us;
    if (duration_us == 0) {
        return start;
    }
    uint32_t at = 0;
    while (at < airtime->count && airtime->span[at].to_us < start) {
        at++;
    }
    /* Spans[at] ends at or after the start: it touches the new one on the left, or lies behind it. */
    struct airtime_span *span = &airtime->span[at];
    if (at < airtime->count && span->to_us == start) {
        span->to_us = end;
        if (at + 1 < airtime->count && span[1].from_us == end) {
            span->to_us = span[1].to_us;
            remove_at(airtime, at + 1);
        }
    } else if (at < airtime->count && span->from_us == end) {
        span->from_us = start;
    } else {
        memmove(span + 1, span, (airtime->count - at) * sizeof *span);
        *span = (struct airtime_span){start, end};
        airtime->count++;
    }
    return start;
}

uint64_t airtime_backlog_us(const struct airtime *airtime, uint64_t now_us)
{
    uint64_t end = airtime->count > 0 ? airtime->span[airtime->count - 1].to_us : 0;
    return end > now_us ? end - now_us : 0;
}
