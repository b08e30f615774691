/*
 * A round up to its last update: memory, persistent state, what may enter, and the fixed-point sums. What
 * distinguishes the rules is behind struct rule_ops; what becomes of the sums is in finish.c.
 */
#include <math.h>
#include <mycel/error.h>
#include <string.h>

#include "common/assert.h"
#include "server/engine/rules/robust.h"
#include "server/engine/rules/rule_internal.h"

#define STEPS_MAX (1u << 20)

/* ---- memory --------------------------------------------------------------------------------- */

/* Where the parts of the work memory begin; every part is a multiple of 16 bytes. */
struct layout {
    size_t sums, delta, entries, row, rows, scratch, matrix, total;
};

static size_t layout_part(size_t *total, size_t bytes)
{
    size_t at = *total;
    *total += (bytes + 15u) & ~(size_t)15u;
    return at;
}

static struct layout layout_of(const struct rule_setup *setup)
{
    const struct rule *rule = setup->strategy->rule;
    size_t updates = setup->updates_max;
    int gathers = rule->kind == RULE_GATHERING;
    struct layout at = {0};
    size_t vector = (size_t)setup->params * sizeof(int64_t);
    at.sums = layout_part(&at.total, rule->ops->sums * vector);
    at.delta = layout_part(&at.total, RULE_TILE * sizeof(float));
    at.entries = layout_part(&at.total, gathers ? updates * sizeof(struct rule_entry) : 0);
    at.row = layout_part(&at.total, gathers ? updates * sizeof(float *) : 0);
    at.rows = layout_part(&at.total, gathers ? updates * ROBUST_ROW * sizeof(float) : 0);
    at.scratch = layout_part(
        &at.total, rule->ops->sorts ? robust_scratch_bytes(setup->updates_max) + ROBUST_ALIGN : 0);
    at.matrix =
        layout_part(&at.total, rule->ops->needs_matrix ? updates * updates * sizeof(double) : 0);
    return at;
}

static int sizes_are_valid(const struct rule_setup *setup)
{
    int gathers = setup->strategy->rule->kind == RULE_GATHERING;
    return setup->params <= CODEC_PARAMS_MAX && setup->updates_max > 0 &&
           setup->updates_max <= (gathers ? RULE_GATHER_MAX : RULE_UPDATES_MAX) &&
           setup->weight_max > 0 && setup->weight_max <= CODEC_WEIGHT_MAX;
}

size_t rule_work_bytes(const struct rule_setup *setup)
{
    return sizes_are_valid(setup) ? layout_of(setup).total : 0;
}

/* ---- state ---------------------------------------------------------------------------------- */

uint64_t rule_state_floats(const struct rule_strategy *strategy, uint32_t params)
{
    return RULE_STATE_HEAD + (uint64_t)strategy->rule->state_vectors * params;
}

void rule_state_init(const struct rule_strategy *strategy, uint32_t params, float *state)
{
    const struct rule_ops *ops = strategy->rule->ops;
    uint64_t floats = rule_state_floats(strategy, params);
    float *vectors = state + RULE_STATE_HEAD;
    memset(state, 0, RULE_STATE_HEAD * sizeof *state);
    state[RULE_STATE_CLIP] = strategy->clip == RULE_CLIP_NONE ? 0 : strategy->clip_norm;
    for (uint64_t i = 0; i < floats - RULE_STATE_HEAD; i++) {
        uint32_t vector = (uint32_t)(i / params);
        vectors[i] = ops->state_initial ? ops->state_initial(strategy->params, vector) : 0;
    }
}

float rule_state_clip(const struct rule_strategy *strategy, const float *state)
{
    switch (strategy->clip) {
    case RULE_CLIP_FIXED:
        return strategy->clip_norm;
    case RULE_CLIP_ADAPTIVE:
        return state[RULE_STATE_CLIP];
    default:
        return 0;
    }
}

float *rule_state_vector(const struct rule_round *round, uint32_t index, uint32_t first)
{
    return round->setup.state + RULE_STATE_HEAD + (size_t)index * round->setup.params + first;
}

/* ---- begin ---------------------------------------------------------------------------------- */

static double reference_norm(const struct rule_setup *setup)
{
    double square = 0;
    for (uint32_t i = 0; setup->reference && i < setup->params; i++) {
        square += (double)setup->reference[i] * (double)setup->reference[i];
    }
    return sqrt(square);
}

/* The first place in the part, which has room to spare, that is aligned for the widest vector. */
static float *scratch_at(uint8_t *part)
{
    uintptr_t past = (uintptr_t)part % ROBUST_ALIGN;
    return (float *)(void *)(part + (past > 0 ? ROBUST_ALIGN - past : 0));
}

int rule_begin(struct rule_round *round, const struct rule_setup *setup)
{
    if (!sizes_are_valid(setup) || setup->clients == 0 || !(setup->learning_rate > 0) ||
        (rule_needs_reference(setup->strategy) && !setup->reference)) {
        return MYCEL_E_INVALID;
    }
    int frac_bits = codec_frac_bits(setup->updates_max, setup->weight_max);
    if (frac_bits < 0) {
        return frac_bits;
    }
    struct layout at = layout_of(setup);
    if (setup->work_bytes < at.total) {
        return MYCEL_E_NO_MEMORY;
    }
    MYCEL_ASSERT((uintptr_t)setup->work % 16u == 0);
    uint8_t *work = setup->work;
    *round = (struct rule_round){
        .setup = *setup,
        .frac_bits = frac_bits,
        .clip_norm = rule_state_clip(setup->strategy, setup->state),
        .sums = (int64_t *)(void *)(work + at.sums),
        .delta = (float *)(void *)(work + at.delta),
        .entries = (struct rule_entry *)(void *)(work + at.entries),
        .row = (const float **)(void *)(work + at.row),
        .rows = (float *)(void *)(work + at.rows),
        .scratch = setup->strategy->rule->ops->sorts ? scratch_at(work + at.scratch) : NULL,
        .matrix = (double *)(void *)(work + at.matrix),
        .reference_norm = reference_norm(setup),
    };
    memset(round->sums, 0, at.delta - at.sums);
    return 0;
}

/* ---- sums ----------------------------------------------------------------------------------- */

int rule_scalar(double value, int64_t *fixed)
{
    if (!(fabs(value) < RULE_SCALAR_MAX)) {
        return MYCEL_E_NORM;
    }
    *fixed = (int64_t)rint(ldexp(value, RULE_SCALAR_BITS));
    return 0;
}

double rule_scalar_value(const struct rule_round *round, uint32_t index)
{
    return ldexp((double)round->scalar[index], -RULE_SCALAR_BITS);
}

double rule_sum_unit(const struct rule_round *round)
{
    return ldexp(1.0, -round->frac_bits);
}

/* ---- add ------------------------------------------------------------------------------------ */

static int update_check(const struct rule_round *round, const struct rule_update *update)
{
    if (update->frame->header.params != round->setup.params) {
        return MYCEL_E_SHAPE;
    }
    if (update->weight == 0 || update->weight > round->setup.weight_max) {
        return MYCEL_E_WEIGHT;
    }
    if (update->steps == 0 || update->steps > STEPS_MAX || !(update->scale > 0) ||
        !(update->scale <= 1.0f) || !(update->loss >= 0) || !isfinite(update->loss)) {
        return MYCEL_E_INVALID;
    }
    return round->updates < round->setup.updates_max ? 0 : MYCEL_E_FULL;
}

static int is_clipped(const struct rule_round *round, const struct rule_update *update)
{
    return round->clip_norm > 0 && sqrtf(update->stats.squared_norm) > round->clip_norm;
}

static float update_gain(const struct rule_round *round, const struct rule_update *update)
{
    if (!is_clipped(round, update)) {
        return update->scale;
    }
    return update->scale * (round->clip_norm / sqrtf(update->stats.squared_norm));
}

/* The weight and gain with which the update enters one of the round's sums. */
static struct codec_term term_of(const struct rule_round *round, const struct rule_update *update,
                                 uint32_t weight, float gain)
{
    return (struct codec_term){
        .gain = gain,
        .weight = weight,
        .max_abs = update->stats.max_abs,
        .frac_bits = round->frac_bits,
    };
}

/* What the update adds, checked: an update that fails has changed nothing. */
static int update_terms(const struct rule_round *round, const struct rule_update *update,
                        struct rule_terms *terms)
{
    const struct rule_ops *ops = round->setup.strategy->rule->ops;
    float gain = update_gain(round, update);
    *terms = (struct rule_terms){0};
    terms->sum[0].weight = update->weight;
    terms->sum[0].gain = gain;
    int error = update_check(round, update);
    if (!error && ops->terms) {
        *terms = (struct rule_terms){0};
        error = ops->terms(round, update, gain, terms);
    }
    for (uint32_t i = 0; i < RULE_SUMS_MAX && !error; i++) {
        if (terms->sum[i].weight > 0) {
            struct codec_term term =
                term_of(round, update, terms->sum[i].weight, terms->sum[i].gain);
            error = codec_term_check(&term);
        }
    }
    return error;
}

static void update_count(struct rule_round *round, const struct rule_update *update,
                         const struct rule_terms *terms)
{
    if (round->setup.strategy->rule->kind == RULE_GATHERING) {
        round->entries[round->updates] = (struct rule_entry){
            .frame = *update->frame,
            .stats = update->stats,
            .device = update->device,
            .weight = update->weight,
            .gain = terms->sum[0].gain,
        };
    }
    for (uint32_t i = 0; i < RULE_SCALARS_MAX; i++) {
        round->scalar[i] += terms->scalar[i];
    }
    round->updates++;
    round->weight += update->weight;
    round->clipped += (uint32_t)is_clipped(round, update);
}

/* Adds the terms of all updates that were taken to the sums of coordinates first … first + width − 1. */
static void tile_add(struct rule_round *round, const struct rule_update *updates,
                     const struct rule_terms *terms, const int *status, uint32_t count,
                     uint32_t first, uint32_t width)
{
    for (uint32_t i = 0; i < round->setup.strategy->rule->ops->sums; i++) {
        const struct codec_frame *frames[CODEC_ROWS_MAX];
        struct codec_term rows[CODEC_ROWS_MAX];
        int64_t *sum = round->sums + (size_t)i * round->setup.params + first;
        uint32_t some = 0;
        for (uint32_t u = 0; u < count; u++) {
            if (status[u] == 0 && terms[u].sum[i].weight > 0) {
                frames[some] = updates[u].frame;
                rows[some++] =
                    term_of(round, &updates[u], terms[u].sum[i].weight, terms[u].sum[i].gain);
            }
            if (some == CODEC_ROWS_MAX || u + 1u == count) {
                codec_accumulate_rows(frames, rows, some, first, width, sum);
                some = 0;
            }
        }
    }
}

int rule_add_batch(struct rule_round *round, const struct rule_update *updates, uint32_t count,
                   int *status)
{
    struct rule_terms terms[RULE_BATCH_MAX];
    int taken = 0;
    MYCEL_ASSERT(count <= RULE_BATCH_MAX);
    for (uint32_t u = 0; u < count; u++) {
        status[u] = update_terms(round, &updates[u], &terms[u]);
        if (status[u] == 0) {
            update_count(round, &updates[u], &terms[u]);
            taken++;
        }
    }
    /* Tile by tile, so that the sums stay in the cache while the updates pass through. */
    for (uint32_t first = 0; first < round->setup.params; first += RULE_TILE) {
        uint32_t left = round->setup.params - first;
        tile_add(round, updates, terms, status, count, first, left < RULE_TILE ? left : RULE_TILE);
    }
    return taken;
}

int rule_add(struct rule_round *round, const struct rule_update *update)
{
    int status;
    rule_add_batch(round, update, 1, &status);
    return status;
}

int rule_merge(struct rule_round *into, const struct rule_round *from)
{
    const struct rule *rule = into->setup.strategy->rule;
    MYCEL_ASSERT(rule == from->setup.strategy->rule && into->frac_bits == from->frac_bits &&
                 into->setup.params == from->setup.params);
    if (from->updates > into->setup.updates_max - into->updates) {
        return MYCEL_E_FULL;
    }
    if (rule->kind == RULE_GATHERING) {
        memcpy(into->entries + into->updates, from->entries, from->updates * sizeof *into->entries);
    }
    size_t values = (size_t)rule->ops->sums * into->setup.params;
    for (size_t i = 0; i < values; i++) {
        into->sums[i] += from->sums[i];
    }
    into->scalar[0] += from->scalar[0];
    into->scalar[1] += from->scalar[1];
    into->updates += from->updates;
    into->clipped += from->clipped;
    into->weight += from->weight;
    return 0;
}
