/*
 * The body of the gathering rules' loops, included once for each instruction set with ROBUST_NAME(name)
 * defined. Fused multiply-adds are written as such, so that every instruction set gives the same bits.
 */
#include <math.h>
#include <string.h>

#include "common/assert.h"
#include "server/engine/rules/robust.h"
#include "server/engine/rules/rules.h"

#define LANES 16u

/* ---- order statistics ----------------------------------------------------------------------- */

/* The bits of a float as an integer of the same order (−0 below +0). */
static inline int32_t key_of(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits ^ (int32_t)((uint32_t)(bits >> 31) >> 1);
}

static inline float key_value(int32_t key)
{
    float x;
    key ^= (int32_t)((uint32_t)(key >> 31) >> 1);
    memcpy(&x, &key, sizeof x);
    return x;
}

/* LANES columns of the rows, as keys, side by side. */
struct columns {
    int32_t keys[RULE_GATHER_MAX][LANES];
};

static void columns_load(struct columns *columns, const float *rows, uint32_t n, uint32_t first,
                         uint32_t lanes)
{
    for (uint32_t u = 0; u < n; u++) {
        const float *row = rows + (size_t)u * RULE_TILE + first;
        if (lanes == LANES) {
            for (uint32_t i = 0; i < LANES; i++) {
                columns->keys[u][i] = key_of(row[i]);
            }
        } else {
            for (uint32_t i = 0; i < LANES; i++) {
                columns->keys[u][i] = key_of(row[i < lanes ? i : 0]);
            }
        }
    }
}

static void columns_bounds(const struct columns *columns, uint32_t n, int32_t *low, int32_t *high)
{
    for (uint32_t i = 0; i < LANES; i++) {
        low[i] = high[i] = columns->keys[0][i];
    }
    for (uint32_t u = 1; u < n; u++) {
        for (uint32_t i = 0; i < LANES; i++) {
            int32_t key = columns->keys[u][i];
            low[i] = key < low[i] ? key : low[i];
            high[i] = key > high[i] ? key : high[i];
        }
    }
}

/* Of each lane the key of rank `rank` (from 0, ascending), by halving [low, high], which must hold it.
 * At most 32 halvings. */
static void columns_select(const struct columns *columns, uint32_t n, uint32_t rank,
                           const int32_t *bound_low, const int32_t *bound_high, int32_t *selected)
{
    int32_t low[LANES], high[LANES];
    memcpy(low, bound_low, sizeof low);
    memcpy(high, bound_high, sizeof high);
    for (uint32_t halving = 0; halving < 32u; halving++) {
        int32_t middle[LANES], at_most[LANES] = {0}, open = 0;
        for (uint32_t i = 0; i < LANES; i++) {
            middle[i] = (low[i] & high[i]) + ((low[i] ^ high[i]) >> 1); /* floor of the mean */
        }
        for (uint32_t u = 0; u < n; u++) {
            for (uint32_t i = 0; i < LANES; i++) {
                at_most[i] += columns->keys[u][i] <= middle[i];
            }
        }
        for (uint32_t i = 0; i < LANES; i++) {
            int32_t lower = at_most[i] > (int32_t)rank;
            high[i] = lower ? middle[i] : high[i];
            low[i] = lower || low[i] == high[i] ? low[i] : middle[i] + 1;
            open |= low[i] != high[i];
        }
        if (!open) {
            break;
        }
    }
    memcpy(selected, low, sizeof low);
}

/* Mean of the ranks drop … n − drop − 1, whose lowest and highest keys are given. */
static void columns_mean(const struct columns *columns, uint32_t n, uint32_t kept,
                         const int32_t *lowest, const int32_t *highest, float *mean)
{
    float sum[LANES] = {0}, inside[LANES] = {0}, below[LANES] = {0};
    for (uint32_t u = 0; u < n; u++) {
        for (uint32_t i = 0; i < LANES; i++) {
            int32_t key = columns->keys[u][i];
            float is_inside = (float)(key > lowest[i] && key < highest[i]);
            sum[i] += is_inside > 0 ? key_value(key) : 0.0f;
            inside[i] += is_inside;
            below[i] += (float)(key <= lowest[i]);
        }
    }
    for (uint32_t i = 0; i < LANES; i++) {
        float low = key_value(lowest[i]), high = key_value(highest[i]);
        float drop = ((float)n - (float)kept) * 0.5f;
        /* Copies of the lowest kept value among the kept ranks, and of the highest. */
        float lows = fminf(below[i] - drop, (float)kept);
        float highs = (float)kept - inside[i] - lows;
        mean[i] = (sum[i] + lows * low + highs * high) / (float)kept;
    }
}

void ROBUST_NAME(trimmed)(const float *rows, uint32_t n, uint32_t count, uint32_t drop, float *out)
{
    MYCEL_ASSERT(n > 0 && n <= RULE_GATHER_MAX && 2u * drop < n);
    struct columns columns; /* 64 KB at most; of few updates only the first part is touched */
    for (uint32_t first = 0; first < count; first += LANES) {
        uint32_t lanes = count - first < LANES ? count - first : LANES;
        int32_t low[LANES], high[LANES], lowest[LANES], highest[LANES];
        float mean[LANES];
        columns_load(&columns, rows, n, first, lanes);
        columns_bounds(&columns, n, low, high);
        columns_select(&columns, n, drop, low, high, lowest);
        columns_select(&columns, n, n - drop - 1u, lowest, high, highest);
        if (n - 2u * drop <= 2u) {
            for (uint32_t i = 0; i < LANES; i++) {
                mean[i] = 0.5f * key_value(lowest[i]) + 0.5f * key_value(highest[i]);
            }
        } else {
            columns_mean(&columns, n, n - 2u * drop, lowest, highest, mean);
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
        list[i] = rows + (size_t)row * RULE_TILE;
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
