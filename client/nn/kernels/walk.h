/*
 * The walk over a job's pixels, shared by every kernel set: where the next pixel's operand and
 * result lie. It does address arithmetic only.
 */
#ifndef MYCEL_NN_WALK_H
#define MYCEL_NN_WALK_H

#include "client/nn/kernels/kernels.h"

#define NN_INLINE static inline __attribute__((always_inline))
#define NN_APART __attribute__((noinline, unused))
#define NN_UNROLL _Pragma("GCC unroll 16")

struct nn_walk {
    const float *const *rows;
    const float *x;
    float *y;
    const float *line_x;
    float *line_y;
    uint32_t column;
};

NN_INLINE struct nn_walk nn_walk_start(const struct nn_mac *job)
{
    return (struct nn_walk){job->x.rows, job->x.base, job->y, job->x.base, job->y, 0};
}

/* Gives the next `count` (a constant) pixels. Most of the time they lie in one row of the grid. */
NN_INLINE void nn_walk_take(struct nn_walk *walk, const struct nn_mac *job, const uint32_t count,
                            const float **x, float **y)
{
    const size_t step = job->x.step;
    const size_t y_step = job->y_step;
    if (walk->rows != NULL) {
        NN_UNROLL for (uint32_t p = 0; p < count; p++)
        {
            x[p] = walk->rows[p] + job->x.offset;
            y[p] = walk->y + p * y_step;
        }
        walk->rows += count;
        walk->y += count * y_step;
        return;
    }
    if (walk->column + count < job->x.width) {
        NN_UNROLL for (uint32_t p = 0; p < count; p++)
        {
            x[p] = walk->x + p * step;
            y[p] = walk->y + p * y_step;
        }
        walk->column += count;
        walk->x += count * step;
        walk->y += count * y_step;
        return;
    }
    for (uint32_t p = 0; p < count; p++) {
        x[p] = walk->x;
        y[p] = walk->y;
        walk->x += step;
        walk->y += y_step;
        if (++walk->column == job->x.width) {
            walk->column = 0;
            walk->line_x += job->x.jump;
            walk->line_y += job->y_jump;
            walk->x = walk->line_x;
            walk->y = walk->line_y;
        }
    }
}

/* Offset, from a pixel, of row i of the operand behind it, counted through all segments. */
NN_INLINE uint32_t nn_window_offset(const struct nn_window *window, uint32_t i)
{
    return i / window->length * window->stride + i % window->length;
}

#endif
