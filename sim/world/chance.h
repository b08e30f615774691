/*
 * Randomness by counter: a value is a function of (seed, stream, device, counter), so no result can
 * depend on the order in which things are simulated, nor on the number of threads or processes.
 */
#ifndef MYCEL_SIM_WORLD_CHANCE_H
#define MYCEL_SIM_WORLD_CHANCE_H

#include "common/rng.h"

#include <stdbool.h>

/* What a number is for. Append only: they are part of what a seed means. */
enum chance_stream {
    CHANCE_PARTITION = 0x53494D00, /* which samples */
    CHANCE_CLASS,                  /* which device class */
    CHANCE_START,                  /* first moment awake */
    CHANCE_CLIENT,                 /* the client's own random numbers */
    CHANCE_LINK,                   /* loss and backoff */
    CHANCE_RETRANSMIT,             /* how much longer a pause is */
    CHANCE_AVAILABLE,              /* idle or not */
    CHANCE_FAULT,                  /* reboots, vanishing devices */
    CHANCE_SPEED,                  /* how much slower than its class a device is */
    CHANCE_ATTACK,                 /* who attacks, and its noise */
    CHANCE_MODEL,                  /* initial parameters */
    CHANCE_PLACE,                  /* zone, path, battery: what a device is given once */
    CHANCE_COORDINATOR,            /* its crashes */
    CHANCE_DETOUR,                 /* datagrams that arrive twice or late */
    CHANCE_ROOT,                   /* the coordinator's own samples */
};

static inline uint64_t chance_u64(uint64_t seed, enum chance_stream stream, uint32_t device,
                                  uint64_t counter)
{
    return rng_u64(seed, (uint64_t)stream << 32 | device, counter);
}

/* Uniform in [0, bound), bound ≥ 1. */
static inline uint64_t chance_below(uint64_t draw, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)draw * bound) >> 64);
}

/* Uniform in [0, 1), 53 bits: exact in f64. */
static inline double chance_uniform(uint64_t draw)
{
    return (double)(draw >> 11) * 0x1p-53;
}

/* Whether something happens that does so in this share of all cases. */
static inline bool chance_happens(uint64_t draw, double share)
{
    return chance_uniform(draw) < share;
}

/* Whether the next of so many candidates is chosen, where `wanted` of those that are left are: any set of
 * them is as likely as another (Knuth 1997, volume 2, 3.4.2, algorithm S). */
static inline bool chance_chooses(uint64_t draw, uint64_t left, uint64_t wanted)
{
    return chance_below(draw, left) < wanted;
}

#endif
