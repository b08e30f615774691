/*
 * The inner loops as a table: what every instruction set implements, once, in a file of its own.
 * Layers describe their work as jobs and never see an instruction set; kernels see numbers and
 * strides and never see a layer. Everything is f32; lanes are output channels, always a multiple of
 * four; a row is one broadcast value's worth of weights.
 */
#ifndef MYCEL_NN_KERNELS_H
#define MYCEL_NN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the broadcast operand's pixels lie: pointers, or a grid of `width` pixels a row. A dense
 * layer is the grid with one row of samples, or pointers to the caller's samples. */
struct nn_pixels {
    const float *const *rows; /* NULL: a grid */
    uint32_t offset;          /* floats from a pointer of rows to the operand */
    const float *base;
    uint32_t count; /* pixels in all */
    uint32_t width; /* pixels of a grid's row, >= 1 */
    uint32_t step;  /* floats from a pixel to the next in its row */
    uint32_t jump;  /* floats from a row's first pixel to the next row's */
};

/* The operand behind one pixel: `segments` runs of `length` floats, `stride` floats apart. A
 * convolution has one run for each row of its kernel, a dense layer has one. */
struct nn_window {
    uint32_t segments;
    uint32_t length;
    uint32_t stride;
};

/* An activation's derivative as a function of its output y, for all of them alike:
 * low < y < high ? c0 + y (c1 + c2 y) : outside. */
struct nn_slope {
    float low;
    float high;
    float c0;
    float c1;
    float c2;
    float outside;
};

enum nn_mac_mode {
    NN_MAC_BIAS,     /* y = max(bias + sum, floor) */
    NN_MAC_ADD,      /* y = max(y + sum, floor) */
    NN_MAC_GRADIENT, /* y = (sum + skip) x slope(y): an output gives place to its gradient */
};

/* y[pixel][lane] from the sum over segments and i of x[pixel][segment][i] x w[row][lane], where
 * row counts through all segments. Sums run in that order in every set but n = 1's, which splits
 * them into four. */
struct nn_mac {
    struct nn_pixels x;
    struct nn_window window;
    const float *w;
    uint32_t ldw; /* floats from a row of w to the next */
    uint32_t lanes;
    const float *bias;     /* NN_MAC_BIAS: lanes floats; NULL: zero */
    float floor;           /* 0 makes a ReLU, -infinity nothing */
    uint8_t mode;          /* enum nn_mac_mode */
    struct nn_slope slope; /* NN_MAC_GRADIENT */
    const float *skip;     /* NN_MAC_GRADIENT: laid out as y; NULL: none */
    float *y;
    uint32_t y_step; /* as in nn_pixels, with the same width */
    uint32_t y_jump;
};

/* c[row][lane] += the sum over pixels of x[pixel][row] x d[pixel][lane]. */
struct nn_outer {
    struct nn_pixels x;
    struct nn_window window;
    const float *d; /* pixels in order, ldd floats apart */
    uint32_t ldd;
    uint32_t lanes;
    float *c;
    uint32_t ldc;
};

/* One step of an optimizer over `count` values (a multiple of four) that lie side by side. */
struct nn_update {
    uint8_t optimizer; /* enum mycel_nn_optimizer */
    uint32_t count;
    float *w;
    const float *g;
    float *m;                /* velocity or first moment; NULL with SGD */
    float *v;                /* ADAMW's second moment */
    const float *base;       /* FedProx; NULL: none */
    const float *correction; /* SCAFFOLD; NULL: none */
    float scale;             /* of g: clipping */
    float rate;
    float decay;
    float prox;
    float momentum; /* or beta1 */
    float beta2;
    float epsilon;
    float correct1; /* 1 / (1 - beta1^t) */
    float correct2; /* 1 / (1 - beta2^t) */
};

/* A pool's window: `height` runs of `width` pixels. */
struct nn_pool {
    uint32_t height;
    uint32_t width;
    uint32_t line;  /* floats from a run to the next */
    uint32_t lanes; /* floats of a pixel */
};

struct nn_kernels {
    const char *name;
    void (*mac)(const struct nn_mac *job);
    void (*outer)(const struct nn_outer *job);
    /* y[i] = the sum over k < count of w[i][k] x d[k] for `rows` (a multiple of four) rows. Values
     * of d and w behind count, up to a multiple of four, are 0. */
    void (*dots)(const float *w, uint32_t ldw, uint32_t rows, const float *d, uint32_t count,
                 float *y);
    /* t[lane][i] = w[i][lane] for `rows` (a multiple of four) rows i; ldt floats a row of t. */
    void (*transpose)(const float *w, uint32_t ldw, uint32_t rows, uint32_t lanes, float *t,
                      uint32_t ldt);
    /* c[lane] += the sum of d[pixel][lane]. */
    void (*sum)(const float *d, uint32_t ldd, uint32_t pixels, uint32_t lanes, float *c);
    /* c[k] += a[k] x b[k] for count values, a multiple of four. */
    void (*product)(const float *a, const float *b, uint32_t count, float *c);
    /* y[k] = (raw[k] + skip[k]) x slope(y[k]); skip may be NULL. */
    void (*pass)(float *y, const float *raw, const float *skip, uint32_t count,
                 const struct nn_slope *slope);
    /* The largest of four channels under a window at x, and at which offset from x each is, the
     * first where several are. NULL: the set has the next two. */
    void (*largest)(const float *x, const struct nn_pool *window, float best[4], uint32_t where[4]);
    /* A row of `count` windows, each `step` floats after the one before: their largest values, y
     * being a row of pixels; and d, such a row, added to raw (laid out as x) where those are. */
    void (*largest_row)(const float *x, const struct nn_pool *window, uint32_t step, uint32_t count,
                        float *y);
    void (*spread_row)(const float *x, const struct nn_pool *window, uint32_t step, uint32_t count,
                       const float *d, float *raw);
    void (*update)(const struct nn_update *job);
    /* Softmax of each row of `classes` values, ld floats apart (a multiple of four); the values
     * behind the classes become 0. */
    void (*softmax)(float *y, uint32_t ld, uint32_t rows, uint32_t classes);
    /* value = raw x scale + shift */
    void (*widen_u8)(const uint8_t *raw, uint32_t count, float scale, float shift, float *value);
};

/* Whether this machine has a set besides the scalar one. */
#if defined(__x86_64__) || defined(__aarch64__)
#define NN_HAS_VECTORS 1
#else
#define NN_HAS_VECTORS 0
#endif

extern const struct nn_kernels nn_kernels_scalar;
#if defined(__x86_64__)
extern const struct nn_kernels nn_kernels_sse2;
extern const struct nn_kernels nn_kernels_avx2;
extern const struct nn_kernels nn_kernels_avx512;
#elif defined(__aarch64__)
extern const struct nn_kernels nn_kernels_neon;
#endif

/* The set for a request (enum mycel_nn_kernels), or NULL when this machine lacks it. Reads the
 * processor's features each time and keeps nothing. */
const struct nn_kernels *nn_kernels_select(uint8_t request);

#endif
