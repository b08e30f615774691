/*
 * Counter-based randomness: each value is a pure function of (seed, stream, counter), so results do
 * not depend on the order in which anybody asks. Not for keys or nonces: those come from the
 * platform's entropy. The mixer is splitmix64's finaliser (Steele, Lea, Flood, OOPSLA 2014).
 */
#ifndef MYCEL_COMMON_RNG_H
#define MYCEL_COMMON_RNG_H

#include <stdint.h>

static inline uint64_t rng_mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xBF58476D1CE4E5B9u;
    x ^= x >> 27;
    x *= 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* The counter-th value of a stream. Streams separate purposes (see the callers' RNG_STREAM_*). */
static inline uint64_t rng_u64(uint64_t seed, uint64_t stream, uint64_t counter)
{
    uint64_t x = rng_mix64(seed + 0x9E3779B97F4A7C15u);
    x = rng_mix64(x ^ (stream + 0x9E3779B97F4A7C15u) * 0xD1B54A32D192ED03u);
    return rng_mix64(x + (counter + 1u) * 0x9E3779B97F4A7C15u);
}

static inline uint32_t rng_u32(uint64_t seed, uint64_t stream, uint64_t counter)
{
    return (uint32_t)(rng_u64(seed, stream, counter) >> 32);
}

/* Uniform in [0, 1), 24 bits: exact in f32 on every machine. */
static inline float rng_f32(uint64_t seed, uint64_t stream, uint64_t counter)
{
    return (float)(rng_u64(seed, stream, counter) >> 40) * (1.0f / 16777216.0f);
}

/* Uniform in [0, bound), bound ≥ 1, by the multiply-shift map (Lemire 2019, without rejection: the
 * bias is below bound / 2^32). */
static inline uint32_t rng_below(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t bound)
{
    return (uint32_t)(((uint64_t)rng_u32(seed, stream, counter) * bound) >> 32);
}

#endif
