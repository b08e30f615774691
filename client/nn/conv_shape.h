/*
 * The geometry of a convolution: strips of its input with their zero border, and the way back from
 * outputs to inputs. Pure arithmetic on a layer's shape; it touches no values.
 */
#ifndef MYCEL_NN_CONV_SHAPE_H
#define MYCEL_NN_CONV_SHAPE_H

#include "client/nn/nn_internal.h"

/* Bytes that a strip should not exceed: little where one sample at a time says that memory is
 * short, otherwise enough for long runs of pixels. A strip has at least one row of results. */
#define CONV_STRIP_BYTES_ALONE 4096
#define CONV_STRIP_BYTES 16384

/* A zero-bordered copy of some rows of one sample. */
struct conv_tile {
    uint32_t strip;    /* rows of results that it serves at a time */
    uint32_t advance;  /* rows of the source from a result row to the next */
    uint32_t rows;     /* rows of the tile */
    uint32_t top;      /* rows of border above the source, seen from the first result */
    uint32_t width;    /* pixels of a row */
    uint32_t left;     /* pixels of border before the source */
    uint32_t channels; /* floats of a pixel */
};

static inline uint32_t conv_tile_values(const struct conv_tile *tile)
{
    return nn_pad4(tile->rows * tile->width * tile->channels);
}

/* Chooses the strip: as many of `results` rows as fit, where each strip needs `reach` rows. */
static inline void conv_tile_cut(struct conv_tile *tile, uint32_t results, uint32_t reach,
                                 uint32_t micro_batch)
{
    uint32_t limit = micro_batch == 1 ? CONV_STRIP_BYTES_ALONE : CONV_STRIP_BYTES;
    uint32_t line = tile->width * tile->channels * 4u;
    uint32_t rows = limit / line;
    uint32_t strip = rows > reach ? (rows - reach) / tile->advance + 1 : 1;
    tile->strip = strip < results ? strip : results;
    tile->rows = (tile->strip - 1) * tile->advance + reach;
}

/* Input rows for a strip of output rows. */
static inline struct conv_tile conv_input_tile(const struct mycel_nn_plan *plan, uint32_t i)
{
    const struct mycel_layer *l = &plan->model->layer[i];
    struct conv_tile tile = {
        .advance = l->stride_h,
        .top = l->pad_top,
        .width = (l->out.width - 1u) * l->stride_w + l->kernel_w,
        .left = l->pad_left,
        .channels = nn_in_channels(plan->model, i),
    };
    conv_tile_cut(&tile, l->out.height, l->kernel_h, plan->micro_batch);
    return tile;
}

/* The way back in one direction. Input position p receives from output (p + pad - tap) / stride
 * for each tap where that divides, so positions fall into `stride` phases that share their taps. */
struct conv_way {
    uint32_t in;
    uint32_t out;
    uint32_t kernel;
    uint32_t stride;
    uint32_t pad;
};

struct conv_phase {
    uint32_t first; /* input position; the others follow stride apart */
    uint32_t count; /* of positions */
    uint32_t tap;   /* the largest; the others follow stride apart downwards */
    uint32_t taps;
    uint32_t output; /* what the largest tap asks for at `first`, counted from the border on */
};

/* Zeros needed before the first output. */
static inline uint32_t conv_border(const struct conv_way *way)
{
    uint32_t low = way->kernel - 1 > way->pad ? way->kernel - 1 - way->pad : 0;
    return (low + way->stride - 1) / way->stride;
}

static inline struct conv_phase conv_phase_of(const struct conv_way *way, uint32_t remainder)
{
    uint32_t stride = way->stride;
    struct conv_phase f = {.first = (remainder + stride - way->pad % stride) % stride};
    f.count = f.first < way->in ? (way->in - f.first - 1) / stride + 1 : 0;
    f.taps = remainder < way->kernel ? (way->kernel - 1 - remainder) / stride + 1 : 0;
    if (f.taps > 0) {
        f.tap = remainder + (f.taps - 1) * stride;
        f.output = (f.first + way->pad + conv_border(way) * stride - f.tap) / stride;
    }
    return f;
}

static inline struct conv_way conv_way_v(const struct mycel_layer *l)
{
    return (struct conv_way){l->in.height, l->out.height, l->kernel_h, l->stride_h, l->pad_top};
}

static inline struct conv_way conv_way_h(const struct mycel_layer *l)
{
    return (struct conv_way){l->in.width, l->out.width, l->kernel_w, l->stride_w, l->pad_left};
}

/* The most outputs, border included, that any phase looks at for its first `count` positions. */
static inline uint32_t conv_reach(const struct conv_way *way, uint32_t count)
{
    uint32_t most = 1;
    for (uint32_t r = 0; r < way->stride; r++) {
        struct conv_phase f = conv_phase_of(way, r);
        uint32_t positions = f.count < count ? f.count : count;
        uint32_t end = f.taps > 0 && positions > 0 ? f.output + positions - 1 + f.taps : 0;
        most = end > most ? end : most;
    }
    return most;
}

/* Rows of the output's gradient for a strip of input rows; a result row is one of each phase. */
static inline struct conv_tile conv_gradient_tile(const struct mycel_nn_plan *plan, uint32_t i)
{
    const struct mycel_layer *l = &plan->model->layer[i];
    const struct conv_way v = conv_way_v(l);
    const struct conv_way h = conv_way_h(l);
    struct conv_tile tile = {
        .advance = 1,
        .top = conv_border(&v),
        .width = conv_reach(&h, UINT32_MAX),
        .left = conv_border(&h),
        .channels = nn_pad4(l->out.channels),
    };
    uint32_t results = (l->in.height + (uint32_t)l->stride_h - 1) / l->stride_h;
    conv_tile_cut(&tile, results, conv_reach(&v, 1), plan->micro_batch);
    return tile;
}

#endif
