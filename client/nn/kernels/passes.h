/*
 * The kernels that are one pass over memory, written once for the vector sets: each file includes
 * this after an instance of tile.h with four lanes, called quad_*. The compiler vectorises the
 * plain loops for the file's instruction set.
 */
#include "mycel/nn.h"

#define NN_IVDEP _Pragma("GCC ivdep")

NN_INLINE quad_vector quad_load(const float *p)
{
    return *(const quad_unaligned *)p;
}

/* A 4x4 block: rows of w become columns of t. */
NN_INLINE void transpose_block(const float *w, size_t ldw, float *t, size_t ldt)
{
    quad_vector a = quad_load(w);
    quad_vector b = quad_load(w + ldw);
    quad_vector c = quad_load(w + 2 * ldw);
    quad_vector d = quad_load(w + 3 * ldw);
    quad_vector ab_low = __builtin_shuffle(a, b, (quad_ints){0, 4, 1, 5});
    quad_vector ab_high = __builtin_shuffle(a, b, (quad_ints){2, 6, 3, 7});
    quad_vector cd_low = __builtin_shuffle(c, d, (quad_ints){0, 4, 1, 5});
    quad_vector cd_high = __builtin_shuffle(c, d, (quad_ints){2, 6, 3, 7});
    *(quad_unaligned *)t = __builtin_shuffle(ab_low, cd_low, (quad_ints){0, 1, 4, 5});
    *(quad_unaligned *)(t + ldt) = __builtin_shuffle(ab_low, cd_low, (quad_ints){2, 3, 6, 7});
    *(quad_unaligned *)(t + 2 * ldt) = __builtin_shuffle(ab_high, cd_high, (quad_ints){0, 1, 4, 5});
    *(quad_unaligned *)(t + 3 * ldt) = __builtin_shuffle(ab_high, cd_high, (quad_ints){2, 3, 6, 7});
}

/* Columns of four vectors, added up: one sum for each vector. */
NN_INLINE quad_vector sums_of(quad_vector a, quad_vector b, quad_vector c, quad_vector d)
{
    quad_vector ab = __builtin_shuffle(a, b, (quad_ints){0, 4, 1, 5}) +
                     __builtin_shuffle(a, b, (quad_ints){2, 6, 3, 7});
    quad_vector cd = __builtin_shuffle(c, d, (quad_ints){0, 4, 1, 5}) +
                     __builtin_shuffle(c, d, (quad_ints){2, 6, 3, 7});
    return __builtin_shuffle(ab, cd, (quad_ints){0, 1, 4, 5}) +
           __builtin_shuffle(ab, cd, (quad_ints){2, 3, 6, 7});
}

static void pass_dots(const float *w, uint32_t ldw, uint32_t rows, const float *d, uint32_t count,
                      float *y)
{
    const size_t ld = ldw;
    for (uint32_t i = 0; i < rows; i += 4, w += 4 * ld) {
        quad_vector sum[4] = {{0}, {0}, {0}, {0}};
        for (uint32_t k = 0; k < count; k += 4) {
            quad_vector value = quad_load(d + k);
            NN_UNROLL for (uint32_t r = 0; r < 4; r++)
            {
                sum[r] += quad_load(w + r * ld + k) * value;
            }
        }
        *(quad_unaligned *)(y + i) = sums_of(sum[0], sum[1], sum[2], sum[3]);
    }
}

static void pass_transpose(const float *w, uint32_t ldw, uint32_t rows, uint32_t lanes, float *t,
                           uint32_t ldt)
{
    for (uint32_t i = 0; i < rows; i += 4) {
        for (uint32_t lane = 0; lane < lanes; lane += 4) {
            transpose_block(w + (size_t)i * ldw + lane, ldw, t + (size_t)lane * ldt + i, ldt);
        }
    }
}

static void pass_pass(float *y, const float *raw, const float *skip, uint32_t count,
                      const struct nn_slope *slope)
{
    for (uint32_t k = 0; k < count; k += 4) {
        quad_vector out = quad_load(y + k);
        quad_vector gradient = quad_load(raw + k);
        if (skip != NULL) {
            gradient += quad_load(skip + k);
        }
        quad_vector curve = slope->c0 + out * (slope->c1 + slope->c2 * out);
        quad_ints inside = (out > slope->low) & (out < slope->high);
        quad_vector outside = quad_splat(slope->outside);
        *(quad_unaligned *)(y + k) = gradient * quad_choose(inside, curve, outside);
    }
}

/* The largest of four channels under a window at x, and the first place where it is, counting the
 * window's pixels. height and width may be constants. */
NN_INLINE quad_vector largest_of(const float *x, const struct nn_pool *window,
                                 const uint32_t height, const uint32_t width, quad_ints *place)
{
    quad_vector most = quad_load(x);
    *place = (quad_ints){0};
    int32_t at = 0;
    for (uint32_t r = 0; r < height; r++) {
        for (uint32_t c = 0; c < width; c++, at++) {
            quad_vector value = quad_load(x + (size_t)r * window->line + c * window->lanes);
            quad_ints larger = value > most;
            most = quad_choose(larger, value, most);
            *place = (larger & at) | (~larger & *place);
        }
    }
    return most;
}

NN_INLINE void largest_row(const float *x, const struct nn_pool *window, const uint32_t height,
                           const uint32_t width, uint32_t step, uint32_t count, float *y)
{
    for (; count > 0; count--, x += step, y += window->lanes) {
        for (uint32_t lane = 0; lane < window->lanes; lane += 4) {
            quad_ints place;
            quad_vector most = largest_of(x + lane, window, height, width, &place);
            *(quad_unaligned *)(y + lane) = most;
        }
    }
}

static void pass_largest_row(const float *x, const struct nn_pool *window, uint32_t step,
                             uint32_t count, float *y)
{
    if (window->height == 2 && window->width == 2) {
        largest_row(x, window, 2, 2, step, count, y);
    } else {
        largest_row(x, window, window->height, window->width, step, count, y);
    }
}

/* Adds d to raw at each channel's place in the window. */
NN_INLINE void spread_to(float *raw, const struct nn_pool *window, const uint32_t height,
                         const uint32_t width, quad_ints place, quad_vector d)
{
    int32_t at = 0;
    for (uint32_t r = 0; r < height; r++) {
        for (uint32_t c = 0; c < width; c++, at++) {
            float *to = raw + (size_t)r * window->line + c * window->lanes;
            quad_vector part = (quad_vector)((place == at) & (quad_ints)d);
            *(quad_unaligned *)to = quad_load(to) + part;
        }
    }
}

NN_INLINE void spread_row(const float *x, const struct nn_pool *window, const uint32_t height,
                          const uint32_t width, uint32_t step, uint32_t count, const float *d,
                          float *raw)
{
    for (; count > 0; count--, x += step, raw += step, d += window->lanes) {
        for (uint32_t lane = 0; lane < window->lanes; lane += 4) {
            quad_ints place;
            (void)largest_of(x + lane, window, height, width, &place);
            spread_to(raw + lane, window, height, width, place, quad_load(d + lane));
        }
    }
}

static void pass_spread_row(const float *x, const struct nn_pool *window, uint32_t step,
                            uint32_t count, const float *d, float *raw)
{
    if (window->height == 2 && window->width == 2) {
        spread_row(x, window, 2, 2, step, count, d, raw);
    } else {
        spread_row(x, window, window->height, window->width, step, count, d, raw);
    }
}

static void pass_product(const float *a, const float *b, uint32_t count, float *c)
{
    for (uint32_t k = 0; k < count; k += 4) {
        quad_vector sum = quad_load(c + k) + quad_load(a + k) * quad_load(b + k);
        *(quad_unaligned *)(c + k) = sum;
    }
}

static void pass_widen_u8(const uint8_t *raw, uint32_t count, float scale, float shift,
                          float *restrict value)
{
    NN_IVDEP for (uint32_t i = 0; i < count; i++)
    {
        value[i] = (float)raw[i] * scale + shift;
    }
}

#ifndef NN_WIDE_PASSES

static void pass_sum(const float *d, uint32_t ldd, uint32_t pixels, uint32_t lanes, float *c)
{
    for (uint32_t lane = 0; lane < lanes; lane += 4) {
        quad_sum_lanes(d + lane, ldd, pixels, c + lane, 0);
    }
}

static void pass_softmax(float *y, uint32_t ld, uint32_t rows, uint32_t classes)
{
    for (uint32_t r = 0; r < rows; r++, y += ld) {
        quad_softmax_row(y, ld, classes, 0, 0);
    }
}

#endif
