/*
 * The search for order statistics, included once for each instruction set with ROBUST_NAME(name) defined. Sixteen neighbouring coordinates are worked on at once, as two of the compilers' own vectors
 * of eight, which become whatever the target has.
 */
#include <string.h>

#include "common/assert.h"
#include "server/engine/rules/robust.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define LANES 16u
#define VECTORS 2u

typedef float f32x8 __attribute__((vector_size(32)));
typedef int32_t s32x8 __attribute__((vector_size(32)));

/* ---- keys ----------------------------------------------------------------------------------- */

/* From the bits of floats to integers of the same order (−0 below +0), and back. */
static inline void flip_negative(s32x8 *bits)
{
    *bits ^= (*bits >> 31) & 0x7fffffff;
}

/* Of each lane: chosen ? a : b, where chosen is all ones or all zeros. */
static inline void choose(s32x8 *out, const s32x8 *chosen, const s32x8 *a, const s32x8 *b)
{
    *out = (*a & *chosen) | (*b & ~*chosen);
}

static inline void lower_to(s32x8 *least, const s32x8 *key)
{
#if defined(__AVX2__)
    *least = (s32x8)_mm256_min_epi32((__m256i)*least, (__m256i)*key);
#else
    s32x8 less = *key < *least;
    choose(least, &less, key, least);
#endif
}

static inline void raise_to(s32x8 *most, const s32x8 *key)
{
#if defined(__AVX2__)
    *most = (s32x8)_mm256_max_epi32((__m256i)*most, (__m256i)*key);
#else
    s32x8 more = *key > *most;
    choose(most, &more, key, most);
#endif
}

static inline void key_value(const s32x8 *key, f32x8 *value)
{
    s32x8 bits = *key;
    flip_negative(&bits);
    memcpy(value, &bits, sizeof *value);
}

/* LANES columns of the rows, as keys, side by side. */
struct columns {
    uint32_t rows;
    s32x8 keys[RULE_GATHER_MAX][VECTORS];
};

static void columns_load(struct columns *columns, const float *rows, uint32_t n, uint32_t lanes)
{
    columns->rows = n;
    for (uint32_t u = 0; u < n; u++) {
        float padded[LANES] = {0};
        const float *row = rows + (size_t)u * ROBUST_ROW;
        /* What the next columns need, which may lie across two cache lines: there are too many rows
         * for the hardware to see the pattern. */
        __builtin_prefetch(row + LANES);
        __builtin_prefetch(row + 2u * LANES - 1u);
        if (lanes < LANES) {
            memcpy(padded, row, lanes * sizeof *row);
            row = padded;
        }
        for (uint32_t v = 0; v < VECTORS; v++) {
            s32x8 key;
            memcpy(&key, row + 8u * v, sizeof key);
            flip_negative(&key);
            columns->keys[u][v] = key;
        }
    }
}

/* ---- order statistics ----------------------------------------------------------------------- */

/* For each lane an interval of keys that is known to hold the wanted rank. */
struct bracket {
    s32x8 low, high;
    s32x8 below, up_to; /* keys < low, keys ≤ high */
};

/* Halving by value closes in fastest on numbers of similar size; halving by key is sure to end. */
#define HALVINGS_BY_VALUE 16u
#define HALVINGS_MAX (HALVINGS_BY_VALUE + 32u)
#define HALVINGS_BEFORE_SNAP 8u

/* Moves both ends to the nearest keys inside, which ends the search among equal values. */
static void bracket_snap(const struct columns *columns, uint32_t v, struct bracket *b)
{
    s32x8 low = b->high, high = b->low;
    for (uint32_t u = 0; u < columns->rows; u++) {
        s32x8 key = columns->keys[u][v], outside = key < b->low, from_low, from_high;
        choose(&from_low, &outside, &b->high, &key);
        lower_to(&low, &from_low);
        outside = key > b->high;
        choose(&from_high, &outside, &b->low, &key);
        raise_to(&high, &from_high);
    }
    b->low = low;
    b->high = high;
}

static void bracket_open(const struct columns *columns, uint32_t v, struct bracket *b)
{
    b->below = (s32x8){0};
    b->up_to = b->below + (int32_t)columns->rows;
    b->low = b->high = columns->keys[0][v];
    for (uint32_t u = 1; u < columns->rows; u++) {
        lower_to(&b->low, &columns->keys[u][v]);
        raise_to(&b->high, &columns->keys[u][v]);
    }
}

static int bracket_is_closed(const struct bracket *b)
{
    s32x8 closed = (b->up_to - b->below == 1) | (b->low == b->high);
    int32_t lanes[8], all = -1;
    memcpy(lanes, &closed, sizeof lanes);
    for (uint32_t i = 0; i < 8u; i++) {
        all &= lanes[i];
    }
    return all != 0;
}

/* A key in [low, high − 1] near the middle. */
static void bracket_middle(const struct bracket *b, uint32_t halving, s32x8 *middle)
{
    s32x8 last = b->high - 1, outside;
    if (halving < HALVINGS_BY_VALUE) {
        f32x8 low, high;
        key_value(&b->low, &low);
        key_value(&b->high, &high);
        low = low * 0.5f + high * 0.5f;
        memcpy(middle, &low, sizeof low);
        flip_negative(middle);
    } else {
        *middle = (b->low & b->high) + ((b->low ^ b->high) >> 1); /* floor of the mean */
    }
    outside = *middle < b->low;
    choose(middle, &outside, &b->low, middle);
    outside = *middle > last;
    choose(middle, &outside, &last, middle);
}

static void bracket_halve(struct bracket *b, const s32x8 *middle, const s32x8 *count, int32_t rank)
{
    s32x8 lower = *count > rank, next = *middle + 1;
    choose(&b->high, &lower, middle, &b->high);
    choose(&b->up_to, &lower, count, &b->up_to);
    choose(&b->low, &lower, &b->low, &next);
    choose(&b->below, &lower, &b->below, count);
}

/* The least key that is not below the bracket. */
static void columns_least(const struct columns *columns, uint32_t v, const struct bracket *b,
                          s32x8 *least)
{
    *least = b->high;
    for (uint32_t u = 0; u < columns->rows; u++) {
        s32x8 key = columns->keys[u][v], outside = key < b->low;
        choose(&key, &outside, &b->high, &key);
        lower_to(least, &key);
    }
}

/* Of each lane the key of a rank (from 0, ascending), by narrowing the bracket. */
static void columns_select(const struct columns *columns, uint32_t rank,
                           const struct bracket start[VECTORS], s32x8 selected[VECTORS])
{
    struct bracket b[VECTORS] = {start[0], start[1]};
    for (uint32_t halving = 0; halving < HALVINGS_MAX; halving++) {
        s32x8 middle[VECTORS], count[VECTORS];
        if (bracket_is_closed(&b[0]) && bracket_is_closed(&b[1])) {
            break;
        }
        if (halving % HALVINGS_BEFORE_SNAP == HALVINGS_BEFORE_SNAP - 1u) {
            bracket_snap(columns, 0, &b[0]);
            bracket_snap(columns, 1, &b[1]);
        }
        bracket_middle(&b[0], halving, &middle[0]);
        bracket_middle(&b[1], halving, &middle[1]);
        count[0] = count[1] = (s32x8){0} + (int32_t)columns->rows;
        for (uint32_t u = 0; u < columns->rows; u++) {
            count[0] += columns->keys[u][0] > middle[0]; /* a comparison that holds is −1 */
            count[1] += columns->keys[u][1] > middle[1];
        }
        bracket_halve(&b[0], &middle[0], &count[0], (int32_t)rank);
        bracket_halve(&b[1], &middle[1], &count[1], (int32_t)rank);
    }
    for (uint32_t v = 0; v < VECTORS; v++) {
        columns_least(columns, v, &b[v], &selected[v]);
    }
}

/* Mean of the two middle ranks rank and rank + 1, given the first one's key. */
static void columns_pair(const struct columns *columns, uint32_t v, uint32_t rank,
                         const s32x8 *first, f32x8 *mean)
{
    const s32x8 none = (s32x8){0} + INT32_MAX;
    s32x8 count = {0}, second = none, again;
    f32x8 low, high;
    for (uint32_t u = 0; u < columns->rows; u++) {
        s32x8 key = columns->keys[u][v], up_to_first = key <= *first;
        count -= up_to_first;
        choose(&key, &up_to_first, &none, &key);
        lower_to(&second, &key);
    }
    again = count > (int32_t)rank + 1; /* the same value holds both ranks */
    choose(&second, &again, first, &second);
    key_value(first, &low);
    key_value(&second, &high);
    *mean = low * 0.5f + high * 0.5f;
}

/* Mean of `kept` ranks from `drop` on, given the lowest and the highest key among them. */
static void columns_mean(const struct columns *columns, uint32_t v, uint32_t drop, uint32_t kept,
                         const s32x8 *lowest, const s32x8 *highest, f32x8 *mean)
{
    f32x8 sum = {0}, low, high;
    s32x8 inside = {0}, up_to_low = {0}, lows, limit = (s32x8){0} + (int32_t)kept;
    for (uint32_t u = 0; u < columns->rows; u++) {
        s32x8 key = columns->keys[u][v], is_inside = (key > *lowest) & (key < *highest);
        f32x8 value;
        inside -= is_inside;
        up_to_low -= key <= *lowest;
        flip_negative(&key);
        key &= is_inside;
        memcpy(&value, &key, sizeof value);
        sum += value;
    }
    /* Copies of the lowest value that are among the kept; what is missing are copies of the highest. */
    lows = up_to_low - (int32_t)drop;
    s32x8 too_many = lows > limit;
    choose(&lows, &too_many, &limit, &lows);
    key_value(lowest, &low);
    key_value(highest, &high);
    for (uint32_t i = 0; i < 8u; i++) {
        float ends =
            (float)lows[i] * low[i] + (float)((int32_t)kept - inside[i] - lows[i]) * high[i];
        (*mean)[i] = (sum[i] + ends) / (float)kept;
    }
}

void ROBUST_NAME(trimmed)(const float *rows, uint32_t n, uint32_t count, uint32_t drop, float *out)
{
    MYCEL_ASSERT(n > 0 && n <= RULE_GATHER_MAX && 2u * drop < n);
    struct columns columns; /* 64 KB at most; of few updates only the first part is touched */
    uint32_t kept = n - 2u * drop;
    for (uint32_t first = 0; first < count; first += LANES) {
        uint32_t lanes = count - first < LANES ? count - first : LANES;
        struct bracket all[VECTORS];
        s32x8 lowest[VECTORS], highest[VECTORS];
        f32x8 mean[VECTORS];
        columns_load(&columns, rows + first, n, lanes);
        bracket_open(&columns, 0, &all[0]);
        bracket_open(&columns, 1, &all[1]);
        columns_select(&columns, drop, all, lowest);
        if (kept > 2u) {
            columns_select(&columns, n - drop - 1u, all, highest);
        }
        for (uint32_t v = 0; v < VECTORS; v++) {
            if (kept == 1u) {
                key_value(&lowest[v], &mean[v]);
            } else if (kept == 2u) {
                columns_pair(&columns, v, drop, &lowest[v], &mean[v]);
            } else {
                columns_mean(&columns, v, drop, kept, &lowest[v], &highest[v], &mean[v]);
            }
        }
        memcpy(out + first, mean, lanes * sizeof *out);
    }
}
