/*
 * The body of the gathering rules' loops, included once for each instruction set with ROBUST_NAME(name)
 * defined. Sixteen neighbouring coordinates are worked on at once, as two of the compilers' own vectors
 * of eight, which become whatever the target has. Fused multiply-adds are written as such, so that
 * every instruction set gives the same bits.
 */
#include <math.h>
#include <string.h>

#include "common/assert.h"
#include "server/engine/rules/robust.h"

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
        __builtin_prefetch(row +
                           LANES); /* what the next columns need: too many streams for hardware */
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
        s32x8 key = columns->keys[u][v];
        s32x8 lowers = (key >= b->low) & (key < low), raises = (key <= b->high) & (key > high);
        choose(&low, &lowers, &key, &low);
        choose(&high, &raises, &key, &high);
    }
    b->low = low;
    b->high = high;
}

static void bracket_open(const struct columns *columns, uint32_t v, struct bracket *b)
{
    *b = (struct bracket){.low = (s32x8){0} + INT32_MIN, .high = (s32x8){0} + INT32_MAX};
    b->up_to = (s32x8){0} + (int32_t)columns->rows;
    bracket_snap(columns, v, b);
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
        bracket_snap(columns, v, &b[v]);
        selected[v] = b[v].low;
    }
}

/* Mean of the two middle ranks rank and rank + 1, given the first one's key. */
static void columns_pair(const struct columns *columns, uint32_t v, uint32_t rank,
                         const s32x8 *first, f32x8 *mean)
{
    s32x8 count = {0}, second = (s32x8){0} + INT32_MAX, again;
    f32x8 low, high;
    for (uint32_t u = 0; u < columns->rows; u++) {
        s32x8 key = columns->keys[u][v], nearer = (key > *first) & (key < second);
        count -= key <= *first;
        choose(&second, &nearer, &key, &second);
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

/* ---- inner products ------------------------------------------------------------------------- */

#define GRAM_LANES 8u
#define GRAM_ROWS 3u

static float lanes_sum(const float *lanes)
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/* Products of up to GRAM_ROWS × GRAM_ROWS rows; missing ones repeat the last. */
static void gram_block(const float *const *a, const float *const *b, uint32_t count,
                       float products[GRAM_ROWS][GRAM_ROWS])
{
    float sums[GRAM_ROWS][GRAM_ROWS][GRAM_LANES] = {{{0}}};
    uint32_t whole = count - count % GRAM_LANES;
    for (uint32_t k = 0; k < whole; k += GRAM_LANES) {
        for (uint32_t i = 0; i < GRAM_ROWS; i++) {
            for (uint32_t j = 0; j < GRAM_ROWS; j++) {
                for (uint32_t l = 0; l < GRAM_LANES; l++) {
                    sums[i][j][l] = fmaf(a[i][k + l], b[j][k + l], sums[i][j][l]);
                }
            }
        }
    }
    for (uint32_t i = 0; i < GRAM_ROWS; i++) {
        for (uint32_t j = 0; j < GRAM_ROWS; j++) {
            for (uint32_t k = whole; k < count; k++) {
                sums[i][j][k - whole] = fmaf(a[i][k], b[j][k], sums[i][j][k - whole]);
            }
            products[i][j] = lanes_sum(sums[i][j]);
        }
    }
}

static void gram_rows(const float *rows, uint32_t n, uint32_t first, const float **list)
{
    for (uint32_t i = 0; i < GRAM_ROWS; i++) {
        uint32_t row = first + i < n ? first + i : n - 1u;
        list[i] = rows + (size_t)row * ROBUST_ROW;
    }
}

void ROBUST_NAME(gram)(const float *rows, uint32_t n, uint32_t count, double *matrix,
                       uint32_t stride)
{
    for (uint32_t i = 0; i < n; i += GRAM_ROWS) {
        for (uint32_t j = 0; j <= i; j += GRAM_ROWS) {
            const float *a[GRAM_ROWS], *b[GRAM_ROWS];
            float products[GRAM_ROWS][GRAM_ROWS];
            gram_rows(rows, n, i, a);
            gram_rows(rows, n, j, b);
            gram_block(a, b, count, products);
            for (uint32_t r = 0; r < GRAM_ROWS && i + r < n; r++) {
                for (uint32_t c = 0; c < GRAM_ROWS && j + c <= i + r; c++) {
                    matrix[(size_t)(i + r) * stride + j + c] += (double)products[r][c];
                }
            }
        }
    }
}
