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
 *
 * All of them are undefined again at the end.
 */
#include "client/nn/kernels/walk.h"

#ifndef TILE_MASK
#define TILE_MASK uint32_t
#define TILE_LOAD(p, m) ((void)(m), *(const TILE(unaligned) *)(p))
#define TILE_STORE(p, v, m) ((void)(m), *(TILE(unaligned) *)(p) = (v))
#endif

#define TILE_UNROLL _Pragma("GCC unroll 16")

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
    TILE(vector) sum[8][4];
    TILE_UNROLL for (uint32_t p = 0; p < pixels; p++)
    {
        nn_walk_take(walk, job, &x[p], &y[p]);
        TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
        {
            sum[p][v] = TILE(begin)(job, y[p], lane + v * TILE_WIDTH, m);
        }
    }
    const float *w = job->w + lane;
    for (uint32_t s = 0; s < job->window.segments; s++) {
        for (uint32_t i = 0; i < job->window.length; i++) {
            TILE(vector) weight[4];
            TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
            {
                weight[v] = TILE_LOAD(w + v * TILE_WIDTH, m);
            }
            TILE_UNROLL for (uint32_t p = 0; p < pixels; p++)
            {
                TILE(vector) value = TILE(splat)(x[p][i]);
                TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
                {
                    sum[p][v] = TILE_FMA(weight[v], value, sum[p][v]);
                }
            }
            w += job->ldw;
        }
        TILE_UNROLL for (uint32_t p = 0; p < pixels; p++)
        {
            x[p] += job->window.stride;
        }
    }
    TILE_UNROLL for (uint32_t p = 0; p < pixels; p++)
    {
        TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
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
    nn_walk_take(walk, job, &x, &y);
    TILE(vector) sum[4][4];
    TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
    {
        sum[0][v] = TILE(begin)(job, y, lane + v * TILE_WIDTH, m);
        sum[1][v] = sum[2][v] = sum[3][v] = (TILE(vector)){0};
    }
    const float *w = job->w + lane;
    const size_t ldw = job->ldw;
    for (uint32_t s = 0; s < job->window.segments; s++) {
        uint32_t i = 0;
        for (; i + 4 <= job->window.length; i += 4) {
            TILE_UNROLL for (uint32_t c = 0; c < 4; c++)
            {
                TILE(vector) value = TILE(splat)(x[i + c]);
                TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
                {
                    TILE(vector) weight = TILE_LOAD(w + c * ldw + v * TILE_WIDTH, m);
                    sum[c][v] = TILE_FMA(weight, value, sum[c][v]);
                }
            }
            w += 4 * ldw;
        }
        for (; i < job->window.length; i++, w += ldw) {
            TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
            {
                TILE(vector) weight = TILE_LOAD(w + v * TILE_WIDTH, m);
                sum[0][v] = TILE_FMA(weight, TILE(splat)(x[i]), sum[0][v]);
            }
        }
        x += job->window.stride;
    }
    TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
    {
        TILE(vector) whole = (sum[0][v] + sum[1][v]) + (sum[2][v] + sum[3][v]);
        TILE(finish)(job, whole, y, lane + v * TILE_WIDTH, m);
    }
}

/* All pixels, `vectors` vectors of lanes; `pixels` (a constant) at a time while there are. */
NN_INLINE void TILE(mac_lanes)(const struct nn_mac *job, const uint32_t pixels,
                               const uint32_t vectors, uint32_t lane, TILE_MASK m)
{
    struct nn_walk walk = nn_walk_start(job);
    uint32_t left = job->x.count;
    for (; left >= pixels; left -= pixels) {
        TILE(mac_tile)(job, &walk, pixels, vectors, lane, m);
    }
    if (pixels > 4 && left >= 4) {
        TILE(mac_tile)(job, &walk, 4, vectors, lane, m);
        left -= 4;
    }
    if (left >= 2) {
        TILE(mac_tile)(job, &walk, 2, vectors, lane, m);
        left -= 2;
    }
    if (left > 0) {
        TILE(mac_one)(job, &walk, vectors, lane, m);
    }
}

/* c += for `rows` rows (a constant) that lie at `offset` from each pixel. */
NN_INLINE void TILE(outer_tile)(const struct nn_outer *job, const uint32_t *offset, float *c,
                                const uint32_t rows, const uint32_t vectors, uint32_t lane,
                                TILE_MASK m)
{
    TILE(vector) sum[9][4];
    size_t at[9];
    TILE_UNROLL for (uint32_t r = 0; r < rows; r++)
    {
        at[r] = offset[r];
        TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
        {
            sum[r][v] = TILE_LOAD(c + (size_t)r * job->ldc + lane + v * TILE_WIDTH, m);
        }
    }
    const float *d = job->d + lane;
    const float *line = job->x.base;
    const float *const *pointers = job->x.rows;
    uint32_t left = job->x.count;
    while (left > 0) {
        const float *x = line;
        uint32_t run = left < job->x.width ? left : job->x.width;
        for (uint32_t p = 0; p < run; p++) {
            if (pointers != NULL) {
                x = *pointers++ + job->x.offset;
            }
            TILE(vector) delta[4];
            TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
            {
                delta[v] = TILE_LOAD(d + v * TILE_WIDTH, m);
            }
            TILE_UNROLL for (uint32_t r = 0; r < rows; r++)
            {
                TILE(vector) value = TILE(splat)(x[at[r]]);
                TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
                {
                    sum[r][v] = TILE_FMA(delta[v], value, sum[r][v]);
                }
            }
            x += job->x.step;
            d += job->ldd;
        }
        line += job->x.jump;
        left -= run;
    }
    TILE_UNROLL for (uint32_t r = 0; r < rows; r++)
    {
        TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
        {
            TILE_STORE(c + (size_t)r * job->ldc + lane + v * TILE_WIDTH, sum[r][v], m);
        }
    }
}

/* The same for one sample of a dense layer: each weight is read and written once, so there is
 * nothing to keep in registers but d. */
NN_INLINE void TILE(outer_single)(const struct nn_outer *job, const uint32_t vectors, uint32_t lane,
                                  TILE_MASK m)
{
    const float *x = job->x.rows != NULL ? job->x.rows[0] + job->x.offset : job->x.base;
    const float *d = job->d + lane;
    float *c = job->c + lane;
    TILE(vector) delta[4];
    TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
    {
        delta[v] = TILE_LOAD(d + v * TILE_WIDTH, m);
    }
    for (uint32_t i = 0; i < job->window.length; i++, c += job->ldc) {
        TILE(vector) value = TILE(splat)(x[i]);
        TILE_UNROLL for (uint32_t v = 0; v < vectors; v++)
        {
            TILE(vector) old = TILE_LOAD(c + v * TILE_WIDTH, m);
            TILE_STORE(c + v * TILE_WIDTH, TILE_FMA(delta[v], value, old), m);
        }
    }
}

/* All rows, `vectors` vectors of lanes; `rows_max` (a constant, 4 or 8) at a time. A last row that
 * would be alone joins the tile before it where registers allow it: 3x3 kernels come in nines. */
NN_INLINE void TILE(outer_lanes)(const struct nn_outer *job, const uint32_t rows_max,
                                 const uint32_t vectors, uint32_t lane, TILE_MASK m)
{
    if (job->x.count == 1 && job->window.segments == 1) {
        TILE(outer_single)(job, vectors, lane, m);
        return;
    }
    uint32_t rows = job->window.segments * job->window.length;
    uint32_t offset[9];
    float *c = job->c;
    for (uint32_t i = 0; i < rows;) {
        uint32_t left = rows - i;
        uint32_t take = left >= rows_max ? rows_max : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        take = vectors == 1 && rows_max == 8 && left % 8 == 1 && left > 8 ? 9 : take;
        for (uint32_t r = 0; r < take; r++) {
            offset[r] = nn_window_offset(&job->window, i + r);
        }
        switch (take) {
        case 9:
            TILE(outer_tile)(job, offset, c, 9, vectors, lane, m);
            break;
        case 8:
            TILE(outer_tile)(job, offset, c, 8, vectors, lane, m);
            break;
        case 4:
            TILE(outer_tile)(job, offset, c, 4, vectors, lane, m);
            break;
        case 2:
            TILE(outer_tile)(job, offset, c, 2, vectors, lane, m);
            break;
        default:
            TILE(outer_tile)(job, offset, c, 1, vectors, lane, m);
        }
        c += (size_t)take * job->ldc;
        i += take;
    }
}

/* c[lane] += the sum of d over pixels. */
NN_INLINE void TILE(sum_lanes)(const float *d, uint32_t ldd, uint32_t pixels, float *c, TILE_MASK m)
{
    TILE(vector) sum = TILE_LOAD(c, m);
    for (uint32_t p = 0; p < pixels; p++, d += ldd) {
        sum += TILE_LOAD(d, m);
    }
    TILE_STORE(c, sum, m);
}

/* e^x within 2 units in the last place for x <= 88; below -87 it is about 1e-38. */
NN_INLINE TILE(vector) TILE(exp)(TILE(vector) x)
{
    const TILE(vector) round =
        TILE(splat)(12582912.0f); /* 1.5 x 2^23: integers land in the low bits */
    TILE(vector) low = TILE(splat)(-87.0f);
    x = TILE(choose)(x < low, low, x);
    TILE(vector) shifted = TILE_FMA(x, TILE(splat)(1.44269504f), round);
    TILE(vector) k = shifted - round;
    x = TILE_FMA(k, TILE(splat)(-0.693359375f), x);
    x = TILE_FMA(k, TILE(splat)(2.12194440e-4f), x);
    TILE(vector) y = TILE(splat)(1.9875691500e-4f);
    y = TILE_FMA(y, x, TILE(splat)(1.3981999507e-3f));
    y = TILE_FMA(y, x, TILE(splat)(8.3334519073e-3f));
    y = TILE_FMA(y, x, TILE(splat)(4.1665795894e-2f));
    y = TILE_FMA(y, x, TILE(splat)(1.6666665459e-1f));
    y = TILE_FMA(y, x, TILE(splat)(5.0000001201e-1f));
    y = TILE_FMA(y, x * x, x) + 1.0f;
    TILE(ints) power = ((TILE(ints))shifted - (TILE(ints))round + 127) << 23;
    return y * (TILE(vector))power;
}

#undef TILE
#undef TILE_WIDTH
#undef TILE_FMA
#undef TILE_MASK
#undef TILE_LOAD
#undef TILE_STORE
#undef TILE_UNROLL
