/*
 * Kernels without vectors, written for Cortex-M4F: tiles of 4x4 sums in named scalars, since a
 * compiler that optimises for size does not unroll. Every product is rounded before it is added
 * (no contraction), so that these give the same bits on every machine; tests compare x86 with the
 * microcontroller. It must not use anything whose result depends on the compiler's mood.
 */
#include "client/nn/kernels/update.h"
#include "client/nn/kernels/walk.h"
#include "client/nn/nn_math.h"

/* Four lanes of one pixel, and how a weight row meets them. */
#define LANES(p) float p##0, p##1, p##2, p##3
#define LOAD(p, from) (p##0 = (from)[0], p##1 = (from)[1], p##2 = (from)[2], p##3 = (from)[3])
#define MAC(p, w, x)                                                                               \
    (p##0 += w##0 * (x), p##1 += w##1 * (x), p##2 += w##2 * (x), p##3 += w##3 * (x))
#define STORE(p, to) ((to)[0] = p##0, (to)[1] = p##1, (to)[2] = p##2, (to)[3] = p##3)

/* Hides where a pointer came from, so that addresses made from it are made when they are needed
 * and don't occupy registers throughout a loop. */
#define FORGET(pointer) __asm__("" : "+r"(pointer))

/* What every pixel's four sums start from; NULL: from where they will lie. */
static const float *start_of(const struct nn_mac *job, uint32_t lane)
{
    static const float zero[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (job->mode == NN_MAC_ADD) {
        return NULL;
    }
    return job->mode == NN_MAC_BIAS && job->bias != NULL ? job->bias + lane : zero;
}

static void scalar_pass(float *y, const float *raw, const float *skip, uint32_t count,
                        const struct nn_slope *slope)
{
    const struct nn_slope s = *slope;
    for (const float *end = y + count; y < end; y++) {
        float gradient = *raw++;
        if (skip != NULL) {
            gradient += *skip++;
        }
        bool inside = *y > s.low && *y < s.high;
        *y = gradient * (inside ? s.c0 + *y * (s.c1 + s.c2 * *y) : s.outside);
    }
}

/* A pixel's four finished sums become outputs or gradients at y. */
static void finish(const struct nn_mac *job, const float *sums, float *y)
{
    if (job->mode == NN_MAC_GRADIENT) {
        const float *skip = job->skip != NULL ? job->skip + (y - job->y) : NULL;
        scalar_pass(y, sums, skip, 4, &job->slope);
        return;
    }
    const float floor = job->floor;
    const float *end = sums + 4;
    do {
        float sum = *sums++;
        *y++ = sum < floor ? floor : sum;
    } while (sums < end);
}

/* 4 pixels x 4 lanes; apart, so that the loop has all registers. */
static NN_APART void sums_four(const struct nn_mac *job, const float *const x[4],
                               const float *weight, float sums[16])
{
    const uint32_t ldw = job->ldw;
    uint32_t at = 0;
    uint32_t segments = job->window.segments;
    LANES(a);
    LANES(b);
    LANES(c);
    LANES(d);
    LANES(w);
    LOAD(a, sums);
    LOAD(b, sums + 4);
    LOAD(c, sums + 8);
    LOAD(d, sums + 12);
    for (; segments > 0; segments--) {
        FORGET(x);
        FORGET(job);
        const float *xa = x[0] + at;
        const float *xb = x[1] + at;
        const float *xc = x[2] + at;
        const float *xd = x[3] + at;
        uint32_t left = job->window.length;
        do {
            LOAD(w, weight);
            weight += ldw;
            MAC(a, w, *xa);
            MAC(b, w, *xb);
            MAC(c, w, *xc);
            MAC(d, w, *xd);
            xa++;
            xb++;
            xc++;
            xd++;
        } while (--left > 0);
        FORGET(weight);
        at += job->window.stride;
    }
    STORE(a, sums);
    STORE(b, sums + 4);
    STORE(c, sums + 8);
    STORE(d, sums + 12);
}

static NN_APART void sums_one(const struct nn_mac *job, const float *x, const float *weight,
                              float sums[4])
{
    const uint32_t ldw = job->ldw;
    const ptrdiff_t gap = (ptrdiff_t)job->window.stride - (ptrdiff_t)job->window.length;
    LANES(a);
    LANES(w);
    LOAD(a, sums);
    for (uint32_t segments = job->window.segments; segments > 0; segments--) {
        uint32_t left = job->window.length;
        for (; left >= 4; left -= 4, x += 4) {
            LOAD(w, weight);
            weight += ldw;
            MAC(a, w, x[0]);
            LOAD(w, weight);
            weight += ldw;
            MAC(a, w, x[1]);
            LOAD(w, weight);
            weight += ldw;
            MAC(a, w, x[2]);
            LOAD(w, weight);
            weight += ldw;
            MAC(a, w, x[3]);
        }
        for (; left > 0; left--, x++) {
            LOAD(w, weight);
            weight += ldw;
            MAC(a, w, *x);
        }
        x += gap;
    }
    STORE(a, sums);
}

static void scalar_mac(const struct nn_mac *job)
{
    for (uint32_t lane = 0; lane < job->lanes; lane += 4) {
        const float *start = start_of(job, lane);
        struct nn_walk walk = nn_walk_start(job);
        uint32_t count = 4;
        for (uint32_t left = job->x.count; left > 0; left -= count) {
            const float *x[4];
            float *y[4];
            float sums[16];
            if (left >= 4) {
                nn_walk_take(&walk, job, 4, x, y);
            } else {
                count = 1;
                nn_walk_take(&walk, job, 1, x, y);
            }
            for (uint32_t p = 0; p < count; p++) {
                const float *from = start != NULL ? start : y[p] + lane;
                LANES(a);
                LOAD(a, from);
                STORE(a, sums + 4 * p);
            }
            if (count == 4) {
                sums_four(job, x, job->w + lane, sums);
            } else {
                sums_one(job, x[0], job->w + lane, sums);
            }
            for (uint32_t p = 0; p < count; p++) {
                finish(job, sums + 4 * p, y[p] + lane);
            }
        }
    }
}

/* Four rows at a time: each value of d meets four weights. */
static void scalar_dots(const float *w, uint32_t ldw, uint32_t rows, const float *d, uint32_t count,
                        float *y)
{
    for (uint32_t i = 0; i < rows; i += 4, w += 4 * (size_t)ldw) {
        LANES(a);
        a0 = a1 = a2 = a3 = 0.0f;
        const float *w0 = w;
        const float *w1 = w0 + ldw;
        const float *w2 = w1 + ldw;
        const float *w3 = w2 + ldw;
        for (uint32_t k = 0; k < count; k++) {
            a0 += w0[k] * d[k];
            a1 += w1[k] * d[k];
            a2 += w2[k] * d[k];
            a3 += w3[k] * d[k];
        }
        STORE(a, y + i);
    }
}

/* Four rows by four lanes of c, over all pixels. Rows that lie `together` (a constant) share an
 * address, which leaves registers for the sums; others have one each. */
NN_INLINE void outer_four(const struct nn_outer *job, uint32_t row, uint32_t lane,
                          const bool together)
{
    LANES(a);
    LANES(b);
    LANES(e);
    LANES(f);
    LANES(d);
    float *c = job->c + (size_t)row * job->ldc + lane;
    LOAD(a, c);
    LOAD(b, c + job->ldc);
    LOAD(e, c + 2 * (size_t)job->ldc);
    LOAD(f, c + 3 * (size_t)job->ldc);
    const float *delta = job->d + lane;
    const float *line = job->x.base;
    const float *const *pointers = job->x.rows;
    const uint32_t at = nn_window_offset(&job->window, row);
    const uint32_t behind = job->x.offset + at;
    const uint32_t step = job->x.step;
    const uint32_t ldd = job->ldd;
    for (uint32_t left = job->x.count; left > 0;) {
        uint32_t run = left < job->x.width ? left : job->x.width;
        const float *x0 = line + at;
        const float *x1 = line + nn_window_offset(&job->window, row + 1);
        const float *x2 = line + nn_window_offset(&job->window, row + 2);
        const float *x3 = line + nn_window_offset(&job->window, row + 3);
        uint32_t p = run;
        do {
            if (together && pointers != NULL) {
                x0 = *pointers++ + behind;
            }
            LOAD(d, delta);
            MAC(a, d, x0[0]);
            MAC(b, d, together ? x0[1] : *x1);
            MAC(e, d, together ? x0[2] : *x2);
            MAC(f, d, together ? x0[3] : *x3);
            x0 += step;
            x1 += step;
            x2 += step;
            x3 += step;
            delta += ldd;
        } while (--p > 0);
        line += job->x.jump;
        left -= run;
    }
    FORGET(job);
    c = job->c + (size_t)row * job->ldc + lane;
    STORE(a, c);
    STORE(b, c + job->ldc);
    STORE(e, c + 2 * (size_t)job->ldc);
    STORE(f, c + 3 * (size_t)job->ldc);
}

static NN_APART void outer_four_together(const struct nn_outer *job, uint32_t row, uint32_t lane)
{
    outer_four(job, row, lane, true);
}

static NN_APART void outer_four_apart(const struct nn_outer *job, uint32_t row, uint32_t lane)
{
    outer_four(job, row, lane, false);
}

static void outer_one(const struct nn_outer *job, uint32_t row, uint32_t lane)
{
    uint32_t i = nn_window_offset(&job->window, row);
    LANES(a);
    LANES(d);
    float *c = job->c + (size_t)row * job->ldc + lane;
    LOAD(a, c);
    const float *delta = job->d + lane;
    const float *line = job->x.base;
    const float *const *pointers = job->x.rows;
    for (uint32_t left = job->x.count; left > 0;) {
        uint32_t run = left < job->x.width ? left : job->x.width;
        const float *x = line;
        for (uint32_t p = 0; p < run; p++) {
            x = pointers != NULL ? *pointers++ + job->x.offset : x;
            LOAD(d, delta);
            MAC(a, d, x[i]);
            x += job->x.step;
            delta += job->ldd;
        }
        line += job->x.jump;
        left -= run;
    }
    STORE(a, c);
}

/* One sample of a dense layer: every weight is read and written once. */
static void outer_single(const struct nn_outer *job, uint32_t lane)
{
    const float *x = job->x.rows != NULL ? job->x.rows[0] + job->x.offset : job->x.base;
    const float *end = x + job->window.length;
    const uint32_t ldc = job->ldc;
    float *c = job->c + lane;
    LANES(a);
    LANES(d);
    LOAD(d, job->d + lane);
    if ((job->window.length & 1u) != 0) {
        LOAD(a, c);
        MAC(a, d, *x);
        STORE(a, c);
        x++;
        c += ldc;
    }
    while (x < end) {
        LOAD(a, c);
        MAC(a, d, x[0]);
        STORE(a, c);
        c += ldc;
        LOAD(a, c);
        MAC(a, d, x[1]);
        STORE(a, c);
        c += ldc;
        x += 2;
    }
}

static void scalar_outer(const struct nn_outer *job)
{
    uint32_t rows = job->window.segments * job->window.length;
    bool single = job->x.count == 1 && job->window.segments == 1;
    for (uint32_t lane = 0; lane < job->lanes; lane += 4) {
        if (single) {
            outer_single(job, lane);
            continue;
        }
        uint32_t row = 0;
        for (; row + 4 <= rows; row += 4) {
            if (!MYCEL_NN_WITH_CONV || job->window.segments == 1 ||
                row % job->window.length + 4 <= job->window.length) {
                outer_four_together(job, row, lane);
            } else {
                outer_four_apart(job, row, lane);
            }
        }
        for (; row < rows; row++) {
            outer_one(job, row, lane);
        }
    }
}

static void scalar_transpose(const float *w, uint32_t ldw, uint32_t rows, uint32_t lanes, float *t,
                             uint32_t ldt)
{
    for (uint32_t i = 0; i < rows; i++, w += ldw) {
        for (uint32_t lane = 0; lane < lanes; lane++) {
            t[(size_t)lane * ldt + i] = w[lane];
        }
    }
}

static void scalar_sum(const float *d, uint32_t ldd, uint32_t pixels, uint32_t lanes, float *c)
{
    for (const float *end = c + lanes; c < end; c += 4, d += 4) {
        LANES(a);
        LOAD(a, c);
        const float *from = d;
        for (uint32_t p = 0; p < pixels; p++, from += ldd) {
            a0 += from[0];
            a1 += from[1];
            a2 += from[2];
            a3 += from[3];
        }
        STORE(a, c);
    }
}

static void scalar_largest(const float *x, const struct nn_pool *window, float best[4],
                           uint32_t where[4])
{
    for (uint32_t k = 0; k < 4; k++) {
        best[k] = x[k];
        where[k] = k;
    }
    for (uint32_t r = 0; r < window->height; r++) {
        uint32_t at = r * window->line;
        for (uint32_t c = 0; c < window->width; c++, at += window->lanes) {
            for (uint32_t k = 0; k < 4; k++) {
                if (x[at + k] > best[k]) {
                    best[k] = x[at + k];
                    where[k] = at + k;
                }
            }
        }
    }
}

static void scalar_product(const float *a, const float *b, uint32_t count, float *c)
{
    for (uint32_t k = 0; k < count; k++) {
        c[k] += a[k] * b[k];
    }
}

static void scalar_softmax(float *y, uint32_t ld, uint32_t rows, uint32_t classes)
{
    for (uint32_t r = 0; r < rows; r++, y += ld) {
        float high = y[0];
        for (uint32_t i = 1; i < classes; i++) {
            high = y[i] > high ? y[i] : high;
        }
        float sum = 0.0f;
        for (uint32_t i = 0; i < classes; i++) {
            y[i] = nn_expf(y[i] - high);
            sum += y[i];
        }
        float scale = 1.0f / sum;
        for (uint32_t i = 0; i < classes; i++) {
            y[i] *= scale;
        }
        for (uint32_t i = classes; i < ld; i++) {
            y[i] = 0.0f;
        }
    }
}

static void scalar_widen_u8(const uint8_t *raw, uint32_t count, float scale, float shift,
                            float *value)
{
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        value[i] = (float)raw[i] * scale + shift;
        value[i + 1] = (float)raw[i + 1] * scale + shift;
        value[i + 2] = (float)raw[i + 2] * scale + shift;
        value[i + 3] = (float)raw[i + 3] * scale + shift;
    }
    for (; i < count; i++) {
        value[i] = (float)raw[i] * scale + shift;
    }
}

/* What this build never calls is NULL, and not linked. */
const struct nn_kernels nn_kernels_scalar = {
    .name = "scalar",
    .mac = scalar_mac,
    .outer = scalar_outer,
    .dots = scalar_dots,
    .transpose = scalar_transpose,
    .sum = scalar_sum,
    .product = MYCEL_NN_WITH_DEPTHWISE ? scalar_product : NULL,
    .pass = scalar_pass,
    .largest = MYCEL_NN_WITH_POOLS ? scalar_largest : NULL,
    .update = NN_WITH_UPDATES ? update_apply : NULL,
    .softmax = scalar_softmax,
    .widen_u8 = MYCEL_NN_WITH_INPUTS ? scalar_widen_u8 : NULL,
};
