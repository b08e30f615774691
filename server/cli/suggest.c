/* Edit distance over short words, three rows of a bounded table at a time. */
#include "server/cli/suggest.h"

#include <string.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
    size_t rows[3][SUGGEST_WORD_MAX + 1u];
    size_t a_bytes = strlen(a);
    size_t b_bytes = strlen(b);
    if (a_bytes > SUGGEST_WORD_MAX || b_bytes > SUGGEST_WORD_MAX) {
        return SUGGEST_WORD_MAX;
    }
    for (size_t j = 0; j <= b_bytes; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t *row = rows[i % 3u];
        const size_t *above = rows[(i + 2u) % 3u];
        const size_t *two_above = rows[(i + 1u) % 3u];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t cost = a[i - 1u] == b[j - 1u] ? 0u : 1u;
            row[j] = least(least(above[j], row[j - 1u]) + 1u, above[j - 1u] + cost);
            if (i > 1u && j > 1u && a[i - 1u] == b[j - 2u] && a[i - 2u] == b[j - 1u]) {
                row[j] = least(row[j], two_above[j - 2u] + 1u);
            }
        }
    }
    return rows[a_bytes % 3u][b_bytes];
}

void suggest_consider(struct suggest *s, const char *word, const char *candidate)
{
    size_t bytes = strlen(word);
    size_t allowed = bytes / 3u > 0u ? bytes / 3u : 1u;
    size_t distance = suggest_distance(word, candidate);
    if (bytes >= 3u && strncmp(word, candidate, bytes) == 0) {
        distance = least(distance, 1u);
    }
    if (distance <= allowed && (s->best == NULL || distance < s->distance)) {
        s->best = candidate;
        s->distance = distance;
    }
}
