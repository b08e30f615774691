/*
 * One round of any rule: memory, what may enter, fixed-point sums, and the tiles that turn them into the
 * next model. What distinguishes the rules is behind struct rule_ops.
 */
#include <math.h>
#include <mycel/error.h>
#include <string.h>

#include "common/assert.h"
#include "server/engine/rules/rule_internal.h"

#define STEPS_MAX (1u << 20)
#define STATE_ROUNDS 0 /* places in the head of the state */
#define STATE_CLIP 1

/* ---- memory --------------------------------------------------------------------------------- */

/* Where the parts of the work memory begin; every part is a multiple of 16 bytes. */
struct layout {
    size_t sums, delta, entries, rows, matrix, total;
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
    at.rows = layout_part(&at.total, gathers ? updates * RULE_TILE * sizeof(float) : 0);
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
    state[STATE_CLIP] = strategy->clip == RULE_CLIP_NONE ? 0 : strategy->clip_norm;
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
        return state[STATE_CLIP];
    default:
        return 0;
    }
}

float *rule_state_vector(const struct rule_round *round, uint32_t index, uint32_t first)
{
    return round->setup.state + RULE_STATE_HEAD + (size_t)index * round->setup.params + first;
}

/* C := C exp(−rate (share below C − quantile)): Andrew et al., NeurIPS 2021, without the noise. */
static void clip_adapt(struct rule_round *round)
{
    const struct rule_strategy *strategy = round->setup.strategy;
    if (strategy->clip != RULE_CLIP_ADAPTIVE) {
        return;
    }
    float below = 1.0f - (float)round->clipped / (float)round->updates;
    float *clip = &round->setup.state[STATE_CLIP];
    *clip *= expf(-strategy->clip_rate * (below - strategy->clip_quantile));
    *clip = fminf(fmaxf(*clip, 1e-6f), 1e6f);
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
        .rows = (float *)(void *)(work + at.rows),
        .matrix = (double *)(void *)(work + at.matrix),
        .reference_norm = reference_norm(setup),
    };
    memset(round->sums, 0, at.delta - at.sums);
    return 0;
}

/* ---- sums ----------------------------------------------------------------------------------- */

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

int rule_term_check(const struct rule_round *round, const struct rule_update *update,
                    uint32_t weight, float gain)
{
    struct codec_term term = term_of(round, update, weight, gain);
    return codec_term_check(&term);
}

void rule_sum(struct rule_round *round, uint32_t index, const struct rule_update *update,
              uint32_t weight, float gain)
{
    struct codec_term term = term_of(round, update, weight, gain);
    uint32_t params = round->setup.params;
    codec_accumulate(update->frame, &term, 0, params, round->sums + (size_t)index * params);
}

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

static int entry_add(struct rule_round *round, const struct rule_update *update, float gain)
{
    int error = rule_term_check(round, update, update->weight, gain);
    if (!error) {
        round->entries[round->updates] = (struct rule_entry){
            .frame = *update->frame,
            .stats = update->stats,
            .device = update->device,
            .weight = update->weight,
            .gain = gain,
        };
    }
    return error;
}

static int sum_add(struct rule_round *round, const struct rule_update *update, float gain)
{
    int error = rule_term_check(round, update, update->weight, gain);
    if (!error) {
        rule_sum(round, 0, update, update->weight, gain);
    }
    return error;
}

int rule_add(struct rule_round *round, const struct rule_update *update)
{
    const struct rule *rule = round->setup.strategy->rule;
    int error = update_check(round, update);
    if (error) {
        return error;
    }
    float gain = update_gain(round, update);
    if (rule->kind == RULE_GATHERING) {
        error = entry_add(round, update, gain);
    } else if (rule->ops->add) {
        error = rule->ops->add(round, update, gain);
    } else {
        error = sum_add(round, update, gain);
    }
    if (error) {
        return error;
    }
    round->updates++;
    round->weight += update->weight;
    round->clipped += (uint32_t)is_clipped(round, update);
    return 0;
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

/* ---- finish --------------------------------------------------------------------------------- */

/* By device: the order of arrival must not be seen. Few entries, often sorted already. */
static void entries_sort(struct rule_round *round)
{
    for (uint32_t i = 1; i < round->updates; i++) {
        struct rule_entry entry = round->entries[i];
        uint32_t j = i;
        for (; j > 0 && round->entries[j - 1u].device > entry.device; j--) {
            round->entries[j] = round->entries[j - 1u];
        }
        round->entries[j] = entry;
    }
}

void rule_rows(struct rule_round *round, uint32_t first, uint32_t count)
{
    for (uint32_t u = 0; u < round->updates; u++) {
        const struct rule_entry *entry = &round->entries[u];
        float *row = round->rows + (size_t)u * RULE_TILE;
        codec_decode(&entry->frame, first, count, row);
        for (uint32_t i = 0; entry->gain != 1.0f && i < count; i++) {
            row[i] *= entry->gain;
        }
    }
}

static void tile_reduce(struct rule_round *round, uint32_t first, uint32_t count, double factor)
{
    const struct rule *rule = round->setup.strategy->rule;
    if (rule->kind == RULE_GATHERING) {
        rule_rows(round, first, count);
        rule->ops->reduce(round, count, round->delta);
        return;
    }
    const int64_t *sum = round->sums + first;
    for (uint32_t i = 0; i < count; i++) {
        round->delta[i] = (float)((double)sum[i] * factor);
    }
}

static void tile_apply(struct rule_round *round, const struct rule_tile *tile)
{
    const struct rule_ops *ops = round->setup.strategy->rule->ops;
    if (ops->apply) {
        ops->apply(round, tile);
        return;
    }
    float rate = rule_value(round, 0); /* every rule's first parameter is lr */
    for (uint32_t i = 0; i < tile->count; i++) {
        tile->next[i] = tile->base[i] + rate * tile->delta[i];
    }
}

/* Σ (next − base)², or NaN/infinity if a parameter is not finite. `before` is the base. */
static double tile_step(const float *before, const float *next, uint32_t count)
{
    double square = 0;
    for (uint32_t i = 0; i < count; i++) {
        double step = (double)next[i] - (double)before[i];
        square += step * step;
    }
    return square;
}

static double sum_factor(const struct rule_round *round)
{
    const struct rule_ops *ops = round->setup.strategy->rule->ops;
    double factor = ops->factor ? ops->factor(round) : 1.0 / (double)round->weight;
    return factor * rule_sum_unit(round);
}

static double tiles_run(struct rule_round *round, const float *base, float *next)
{
    double factor = sum_factor(round), step = 0;
    for (uint32_t first = 0; first < round->setup.params; first += RULE_TILE) {
        float before[RULE_TILE]; /* base and next may be the same memory */
        uint32_t left = round->setup.params - first;
        uint32_t count = left < RULE_TILE ? left : RULE_TILE;
        memcpy(before, base + first, count * sizeof *before);
        tile_reduce(round, first, count, factor);
        tile_apply(round, &(struct rule_tile){.first = first,
                                              .count = count,
                                              .delta = round->delta,
                                              .base = before,
                                              .next = next + first});
        step += tile_step(before, next + first, count);
    }
    return step;
}

int rule_finish(struct rule_round *round, const float *base, float *next,
                struct rule_result *result)
{
    const struct rule *rule = round->setup.strategy->rule;
    if (round->updates == 0) {
        return MYCEL_E_STATE;
    }
    if (rule->kind == RULE_GATHERING) {
        entries_sort(round);
        if (rule->ops->prepare) {
            rule->ops->prepare(round);
        }
    }
    double step = tiles_run(round, base, next);
    if (!isfinite(step)) {
        return MYCEL_E_NONFINITE;
    }
    clip_adapt(round);
    round->setup.state[STATE_ROUNDS] += 1.0f;
    if (result) {
        *result = (struct rule_result){
            .updates = round->updates,
            .weight = round->weight,
            .clipped = round->clipped,
            .clip_norm = round->clip_norm,
            .step_norm = (float)sqrt(step),
        };
    }
    return 0;
}
