/*
 * Register tiles over vectors of TILE_WIDTH lanes, written once with the compiler's vector types
 * and included by each instruction set, possibly several times with different widths. A tile holds
 * pixels x vectors accumulators in registers through a whole sum, so that each weight that is
 * loaded meets several pixels and nothing is added up across a vector. Before inclusion define:
 *
 *   TILE(name)          the name with this instance's suffix
 *   TILE_WIDTH          lanes of a vector
 *   TILE_FMA(a, b, c)   a x b + c
 *   TILE_MASK           for a last vector that is only partly there: the mask's type, and
 *   TILE_LOAD(p, m), TILE_STORE(p, v, m)  which touch only the lanes of m
 *   TILE_PIN(m)         keeps the mask where loads want it
 *
 * All of them are undefined again at the end.
 */
#include "client/nn/kernels/walk.h"

#ifndef TILE_MASK
#define TILE_MASK uint32_t
#define TILE_LOAD(p, m) ((void)(m), *(const TILE(unaligned) *)(p))
#define TILE_STORE(p, v, m) ((void)(m), *(TILE(unaligned) *)(p) = (v))
#define TILE_PIN(m) ((void)(m))
#endif

typedef float TILE(vector) __attribute__((vector_size(4 * TILE_WIDTH)));
typedef float TILE(unaligned) __attribute__((vector_size(4 * TILE_WIDTH), aligned(4), may_alias));
typedef int32_t TILE(ints) __attribute__((vector_size(4 * TILE_WIDTH)));

NN_INLINE TILE(vector) TILE(splat)(float value)
{
    return value - (TILE(vector)){0};
}

NN_INLINE TILE(vector) TILE(choose)(TILE(ints) condition, TILE(vector) yes, TILE(vector) no)
{
    return (TILE(vector))((condition & (TILE(ints))yes) | (~condition & (TILE(ints))no));
}

/* Puts one finished sum where it belongs. */
NN_INLINE void TILE(finish)(const struct nn_mac *job, TILE(vector) sum, float *y, uint32_t lane,
                            TILE_MASK m)
{
    if (job->mode != NN_MAC_GRADIENT) {
        TILE(vector) floor = TILE(splat)(job->floor);
        TILE_STORE(y + lane, TILE(choose)(sum < floor, floor, sum), m);
        return;
    }
    const struct nn_slope *s = &job->slope;
    if (job->skip != NULL) {
        sum += TILE_LOAD(job->skip + (y - job->y) + lane, m);
    }
    TILE(vector) out = TILE_LOAD(y + lane, m);
    TILE(vector) curve = TILE_FMA(out, TILE(splat)(s->c2), TILE(splat)(s->c1));
    curve = TILE_FMA(out, curve, TILE(splat)(s->c0));
    TILE(ints) inside = (out > TILE(splat)(s->low)) & (out < TILE(splat)(s->high));
    TILE_STORE(y + lane, sum * TILE(choose)(inside, curve, TILE(splat)(s->outside)), m);
}

/* What a sum starts from. */
NN_INLINE TILE(vector)
    TILE(begin)(const struct nn_mac *job, const float *y, uint32_t lane, TILE_MASK m)
{
    if (job->mode == NN_MAC_ADD) {
        return TILE_LOAD(y + lane, m);
    }
    if (job->mode == NN_MAC_BIAS && job->bias != NULL) {
        return TILE_LOAD(job->bias + lane, m);
    }
    return (TILE(vector)){0};
}

/* `pixels` pixels at once, `vectors` vectors of lanes from `lane` on; both are constants. */
NN_INLINE void TILE(mac_tile)(const struct nn_mac *job, struct nn_walk *walk, const uint32_t pixels,
                              const uint32_t vectors, uint32_t lane, TILE_MASK m)
{
    const float *x[8];
    float *y[8];
    TILE(vector) sum[8][2];
    TILE_PIN(m);
    nn_walk_take(walk, job, pixels, x, y);
    NN_UNROLL for (uint32_t p = 0; p < pixels; p++)
    {
        NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
        {
            sum[p][v] = TILE(begin)(job, y[p], lane + v * TILE_WIDTH, m);
        }
    }
    const float *w = job->w + lane;
    const size_t ldw = job->ldw;
    const size_t length = job->window.length;
    size_t at = 0;
    for (uint32_t s = job->window.segments; s > 0; s--) {
        for (const size_t end = at + length; at < end; at++) {
            TILE(vector) weight[2];
            NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
            {
                weight[v] = TILE_LOAD(w + v * TILE_WIDTH, m);
            }
            NN_UNROLL for (uint32_t p = 0; p < pixels; p++)
            {
                TILE(vector) value = TILE(splat)(x[p][at]);
                NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
                {
                    sum[p][v] = TILE_FMA(weight[v], value, sum[p][v]);
                }
            }
            w += ldw;
        }
        at += job->window.stride - length; /* may wrap, and wraps back */
    }
    NN_UNROLL for (uint32_t p = 0; p < pixels; p++)
    {
        NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
        {
            TILE(finish)(job, sum[p][v], y[p], lane + v * TILE_WIDTH, m);
        }
    }
}

/* One pixel: four sums side by side, since one alone would wait for itself at every step. */
NN_INLINE void TILE(mac_one)(const struct nn_mac *job, struct nn_walk *walk, const uint32_t vectors,
                             uint32_t lane, TILE_MASK m)
{
    const float *x;
    float *y;
    nn_walk_take(walk, job, 1, &x, &y);
    TILE(vector) sum[4][2];
    NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
    {
        sum[0][v] = TILE(begin)(job, y, lane + v * TILE_WIDTH, m);
        sum[1][v] = sum[2][v] = sum[3][v] = (TILE(vector)){0};
    }
    const float *w = job->w + lane;
    const size_t ldw = job->ldw;
    for (uint32_t s = 0; s < job->window.segments; s++) {
        uint32_t i = 0;
        for (; i + 4 <= job->window.length; i += 4) {
            NN_UNROLL for (uint32_t c = 0; c < 4; c++)
            {
                TILE(vector) value = TILE(splat)(x[i + c]);
                NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
                {
                    TILE(vector) weight = TILE_LOAD(w + c * ldw + v * TILE_WIDTH, m);
                    sum[c][v] = TILE_FMA(weight, value, sum[c][v]);
                }
            }
            w += 4 * ldw;
        }
        for (; i < job->window.length; i++, w += ldw) {
            NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
            {
                TILE(vector) weight = TILE_LOAD(w + v * TILE_WIDTH, m);
                sum[0][v] = TILE_FMA(weight, TILE(splat)(x[i]), sum[0][v]);
            }
        }
        x += job->window.stride;
    }
    NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
    {
        TILE(vector) whole = (sum[0][v] + sum[1][v]) + (sum[2][v] + sum[3][v]);
        TILE(finish)(job, whole, y, lane + v * TILE_WIDTH, m);
    }
}

/* Each tile is a function of its own: together they would share, and run out of, one function's
 * registers. */
#define TILE_MAC(P, V)                                                                             \
    static NN_APART void TILE(mac_##P##x##V)(const struct nn_mac *job, struct nn_walk *walk,       \
                                             uint32_t lane, TILE_MASK m)                           \
    {                                                                                              \
        if ((P) == 1) {                                                                            \
            TILE(mac_one)(job, walk, V, lane, m);                                                  \
        } else {                                                                                   \
            TILE(mac_tile)(job, walk, P, V, lane, m);                                              \
        }                                                                                          \
    }

TILE_MAC(8, 2)
TILE_MAC(6, 2)
TILE_MAC(4, 2)
TILE_MAC(2, 2)
TILE_MAC(1, 2)
TILE_MAC(8, 1)
TILE_MAC(4, 1)
TILE_MAC(2, 1)
TILE_MAC(1, 1)
#undef TILE_MAC

/* All pixels, two vectors of lanes; `most` (4, 6 or 8, a constant) pixels at a time while there
 * are. */
NN_INLINE void TILE(mac_pair)(const struct nn_mac *job, const uint32_t most, uint32_t lane,
                              TILE_MASK m)
{
    struct nn_walk walk = nn_walk_start(job);
    uint32_t left = job->x.count;
    for (; most == 8 && left >= 8; left -= 8) {
        TILE(mac_8x2)(job, &walk, lane, m);
    }
    for (; most == 6 && left >= 6; left -= 6) {
        TILE(mac_6x2)(job, &walk, lane, m);
    }
    for (; left >= 4; left -= 4) {
        TILE(mac_4x2)(job, &walk, lane, m);
    }
    for (; left >= 2; left -= 2) {
        TILE(mac_2x2)(job, &walk, lane, m);
    }
    if (left > 0) {
        TILE(mac_1x2)(job, &walk, lane, m);
    }
}

/* All pixels, one vector of lanes. */
NN_INLINE void TILE(mac_single)(const struct nn_mac *job, uint32_t lane, TILE_MASK m)
{
    struct nn_walk walk = nn_walk_start(job);
    uint32_t left = job->x.count;
    for (; left >= 8; left -= 8) {
        TILE(mac_8x1)(job, &walk, lane, m);
    }
    for (; left >= 4; left -= 4) {
        TILE(mac_4x1)(job, &walk, lane, m);
    }
    for (; left >= 2; left -= 2) {
        TILE(mac_2x1)(job, &walk, lane, m);
    }
    if (left > 0) {
        TILE(mac_1x1)(job, &walk, lane, m);
    }
}

/* Adds `count` pixels' products to a tile of sums. `pointers` (a constant): they are x.rows' from
 * `first` on; otherwise they follow from x in steps. */
NN_INLINE void TILE(outer_run)(const struct nn_outer *job, TILE(vector) (*sum)[2], const size_t *at,
                               const float *x, const float *d, uint32_t first, uint32_t count,
                               const bool pointers, const uint32_t rows, const uint32_t vectors,
                               TILE_MASK m)
{
    const size_t step = job->x.step;
    const size_t ldd = job->ldd;
    const float *const *row = pointers ? job->x.rows + first : NULL;
    for (uint32_t p = 0; p < count; p++) {
        const float *from = pointers ? row[p] : x;
        TILE(vector) delta[2];
        NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
        {
            delta[v] = TILE_LOAD(d + v * TILE_WIDTH, m);
        }
        NN_UNROLL for (uint32_t r = 0; r < rows; r++)
        {
            TILE(vector) value = TILE(splat)(from[at[r]]);
            NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
            {
                sum[r][v] = TILE_FMA(delta[v], value, sum[r][v]);
            }
        }
        x += step;
        d += ldd;
    }
}

/* c += for `rows` rows from row i on. Rows that lie `together` within a segment are found from one
 * address, others from one each. rows, together, pointers and vectors are constants. */
NN_INLINE void TILE(outer_tile)(const struct nn_outer *job, uint32_t i, const uint32_t rows,
                                const bool together, const bool pointers, const uint32_t vectors,
                                uint32_t lane, TILE_MASK m)
{
    TILE(vector) sum[9][2];
    size_t at[9];
    const size_t start = nn_window_offset(&job->window, i);
    const size_t offset = pointers ? job->x.offset : 0;
    float *c = job->c + (size_t)i * job->ldc + lane;
    NN_UNROLL for (uint32_t r = 0; r < rows; r++)
    {
        at[r] = offset + (together ? start + r : nn_window_offset(&job->window, i + r));
        NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
        {
            sum[r][v] = TILE_LOAD(c + (size_t)r * job->ldc + v * TILE_WIDTH, m);
        }
    }
    const float *d = job->d + lane;
    const float *line = job->x.base;
    const uint32_t width = pointers ? job->x.count : job->x.width;
    for (uint32_t done = 0; done < job->x.count; done += width) {
        uint32_t left = job->x.count - done;
        TILE(outer_run)
        (job, sum, at, line, d, done, left < width ? left : width, pointers, rows, vectors, m);
        line += job->x.jump;
        d += (size_t)width * job->ldd;
    }
    NN_UNROLL for (uint32_t r = 0; r < rows; r++)
    {
        NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
        {
            TILE_STORE(c + (size_t)r * job->ldc + v * TILE_WIDTH, sum[r][v], m);
        }
    }
}

#define TILE_OUTER(R, V)                                                                           \
    static NN_APART void TILE(outer_##R##x##V)(const struct nn_outer *job, uint32_t i,             \
                                               bool together, uint32_t lane, TILE_MASK m)          \
    {                                                                                              \
        if (job->x.rows != NULL) {                                                                 \
            TILE(outer_tile)(job, i, R, true, true, V, lane, m);                                   \
        } else if (together) {                                                                     \
            TILE(outer_tile)(job, i, R, true, false, V, lane, m);                                  \
        } else {                                                                                   \
            TILE(outer_tile)(job, i, R, false, false, V, lane, m);                                 \
        }                                                                                          \
    }

TILE_OUTER(8, 2)
TILE_OUTER(4, 2)
TILE_OUTER(2, 2)
TILE_OUTER(1, 2)
TILE_OUTER(9, 1)
TILE_OUTER(8, 1)
TILE_OUTER(4, 1)
TILE_OUTER(2, 1)
TILE_OUTER(1, 1)
#undef TILE_OUTER

/* One sample of a dense layer: each weight is read and written once, so there is nothing to keep in
 * registers but d. */
NN_INLINE void TILE(outer_once)(const struct nn_outer *job, const uint32_t vectors, uint32_t lane,
                                TILE_MASK m)
{
    const float *x = job->x.rows != NULL ? job->x.rows[0] + job->x.offset : job->x.base;
    const float *d = job->d + lane;
    float *c = job->c + lane;
    TILE(vector) delta[2];
    NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
    {
        delta[v] = TILE_LOAD(d + v * TILE_WIDTH, m);
    }
    for (uint32_t i = 0; i < job->window.length; i++, c += job->ldc) {
        TILE(vector) value = TILE(splat)(x[i]);
        NN_UNROLL for (uint32_t v = 0; v < vectors; v++)
        {
            TILE(vector) old = TILE_LOAD(c + v * TILE_WIDTH, m);
            TILE_STORE(c + v * TILE_WIDTH, TILE_FMA(delta[v], value, old), m);
        }
    }
}

NN_INLINE bool TILE(is_once)(const struct nn_outer *job)
{
    return job->x.count == 1 && job->window.segments == 1;
}

/* Whether rows i … i + rows - 1 lie in one segment. */
NN_INLINE bool TILE(lie_together)(const struct nn_outer *job, uint32_t i, uint32_t rows)
{
    return job->window.segments == 1 || i % job->window.length + rows <= job->window.length;
}

/* All rows, two vectors of lanes; `most` (4 or 8, a constant) rows at a time. */
NN_INLINE void TILE(outer_pair)(const struct nn_outer *job, const uint32_t most, uint32_t lane,
                                TILE_MASK m)
{
    uint32_t rows = job->window.segments * job->window.length;
    if (TILE(is_once)(job)) {
        TILE(outer_once)(job, 2, lane, m);
        return;
    }
    uint32_t i = 0;
    for (; most == 8 && rows - i >= 8; i += 8) {
        TILE(outer_8x2)(job, i, TILE(lie_together)(job, i, 8), lane, m);
    }
    for (; rows - i >= 4; i += 4) {
        TILE(outer_4x2)(job, i, TILE(lie_together)(job, i, 4), lane, m);
    }
    for (; rows - i >= 2; i += 2) {
        TILE(outer_2x2)(job, i, TILE(lie_together)(job, i, 2), lane, m);
    }
    if (rows > i) {
        TILE(outer_1x2)(job, i, true, lane, m);
    }
}

/* All rows, one vector of lanes. Nine rows that are left go together: 3x3 kernels come in nines. */
NN_INLINE void TILE(outer_single)(const struct nn_outer *job, uint32_t lane, TILE_MASK m)
{
    uint32_t rows = job->window.segments * job->window.length;
    if (TILE(is_once)(job)) {
        TILE(outer_once)(job, 1, lane, m);
        return;
    }
    uint32_t i = 0;
    for (; rows - i >= 8 && rows - i != 9; i += 8) {
        TILE(outer_8x1)(job, i, TILE(lie_together)(job, i, 8), lane, m);
    }
    for (; rows - i >= 9; i += 9) {
        TILE(outer_9x1)(job, i, TILE(lie_together)(job, i, 9), lane, m);
    }
    for (; rows - i >= 4; i += 4) {
        TILE(outer_4x1)(job, i, TILE(lie_together)(job, i, 4), lane, m);
    }
    for (; rows - i >= 2; i += 2) {
        TILE(outer_2x1)(job, i, TILE(lie_together)(job, i, 2), lane, m);
    }
    if (rows > i) {
        TILE(outer_1x1)(job, i, true, lane, m);
    }
}

/* c[lane] += the sum of d over pixels, by four sums side by side. */
NN_INLINE void TILE(sum_lanes)(const float *d, uint32_t ldd, uint32_t pixels, float *c, TILE_MASK m)
{
    TILE(vector) sum[4] = {TILE_LOAD(c, m)};
    uint32_t p = 0;
    for (; p + 4 <= pixels; p += 4, d += 4 * (size_t)ldd) {
        NN_UNROLL for (uint32_t k = 0; k < 4; k++)
        {
            sum[k] += TILE_LOAD(d + k * (size_t)ldd, m);
        }
    }
    for (; p < pixels; p++, d += ldd) {
        sum[0] += TILE_LOAD(d, m);
    }
    TILE_STORE(c, (sum[0] + sum[1]) + (sum[2] + sum[3]), m);
}

#include "client/nn/kernels/tile_softmax.h"

#undef TILE
#undef TILE_WIDTH
#undef TILE_FMA
#undef TILE_MASK
#undef TILE_LOAD
#undef TILE_STORE
#undef TILE_PIN
