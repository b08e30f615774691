/*
 * What several gathering rules share: inner products of all pairs of updates, from which every distance
 * follows, and the sum of updates by their shares.
 */
#include <string.h>

#include "server/engine/rules/robust.h"
#include "server/engine/rules/rule_internal.h"

void rule_rows(struct rule_round *round, uint32_t first, uint32_t count)
{
    for (uint32_t u = 0; u < round->updates; u++) {
        const struct rule_entry *entry = &round->entries[u];
        round->row[u] = entry->gain == 1.0f ? codec_values(&entry->frame, first) : NULL;
        if (round->row[u]) {
            continue;
        }
        float *row = round->rows + (size_t)u * ROBUST_ROW;
        round->row[u] = row;
        codec_decode(&entry->frame, first, count, row);
        for (uint32_t i = 0; entry->gain != 1.0f && i < count; i++) {
            row[i] *= entry->gain;
        }
    }
}

void rule_gram(struct rule_round *round)
{
    uint32_t n = round->updates, params = round->setup.params;
    memset(round->matrix, 0, (size_t)n * n * sizeof *round->matrix);
    for (uint32_t first = 0; first < params; first += RULE_TILE) {
        uint32_t left = params - first;
        uint32_t count = left < RULE_TILE ? left : RULE_TILE;
        rule_rows(round, first, count);
        robust_gram(round->row, n, count, round->matrix, n);
    }
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = i + 1u; j < n; j++) {
            round->matrix[(size_t)i * n + j] = round->matrix[(size_t)j * n + i];
        }
    }
}

void rule_reduce_shares(struct rule_round *round, uint32_t first, uint32_t count, float *delta)
{
    double sum[RULE_TILE] = {0};
    for (uint32_t u = 0; u < round->updates; u++) {
        const struct rule_entry *entry = &round->entries[u];
        if (entry->share > 0) {
            double share = entry->share * (double)entry->gain;
            codec_decode(&entry->frame, first, count, round->rows);
            for (uint32_t i = 0; i < count; i++) {
                sum[i] += share * (double)round->rows[i];
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        delta[i] = (float)sum[i];
    }
}
