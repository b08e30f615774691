/*
 * The walk over a job's pixels, shared by every kernel set: where the next pixel's operand and
 * result lie. It does address arithmetic only.
 */
#ifndef MYCEL_NN_WALK_H
#define MYCEL_NN_WALK_H

#include "client/nn/kernels/kernels.h"

#define NN_INLINE static inline __attribute__((always_inline))

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

/* Gives the current pixel and moves to the next. */
NN_INLINE void nn_walk_take(struct nn_walk *walk, const struct nn_mac *job, const float **x,
                            float **y)
{
    *y = walk->y;
    walk->y += job->y_step;
    if (walk->rows != NULL) {
        *x = *walk->rows++ + job->x.offset;
        return;
    }
    *x = walk->x;
    walk->x += job->x.step;
    if (++walk->column == job->x.width) {
        walk->column = 0;
        walk->line_x += job->x.jump;
        walk->line_y += job->y_jump;
        walk->x = walk->line_x;
        walk->y = walk->line_y;
    }
}

/* Offset, from a pixel, of row i of the operand behind it, counted through all segments. */
NN_INLINE uint32_t nn_window_offset(const struct nn_window *window, uint32_t i)
{
    return i / window->length * window->stride + i % window->length;
}

#endif
