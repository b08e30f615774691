/*
 * What happens to one datagram on its way: lost, doubled, late. A pure function of the seed, the flow,
 * the direction and the datagram's number in it, so a run can be repeated and no order of arrival on
 * other flows changes it. It owns no socket, clock or memory.
 */
#ifndef MYCEL_TESTS_E2E_FORWARDER_FATE_H
#define MYCEL_TESTS_E2E_FORWARDER_FATE_H

#include <stdbool.h>
#include <stdint.h>

enum direction { DIRECTION_UP, DIRECTION_DOWN, DIRECTIONS }; /* up: from device to coordinator */

/* Shares are 0 … 1, of each datagram and in each direction. */
struct fate_options {
    uint64_t seed;
    double loss; /* of each frame, see frame_bytes */
    double duplicate;
    double reorder;
    uint32_t frame_bytes; /* a datagram arrives only if all its frames do; 0: it is one frame */
    uint32_t jitter_us;   /* each datagram is late by 0 … this */
    uint32_t reorder_us;  /* a reordered one by so much more, and a copy behind its original */
};

struct fate {
    bool lost;
    bool duplicated;
    bool reordered;
    uint32_t late_us;
    uint32_t copy_late_us;
};

struct fate fate_draw(const struct fate_options *options, uint32_t flow, enum direction direction,
                      uint64_t number, uint32_t bytes);

#endif
