/* The gathering rules' loops for whatever the compiler targets by default. */
#include <math.h>

#define ROBUST_LANES 4u
#define ROBUST_NAME(name) robust_##name##_base
#include "server/engine/rules/robust_body.h"

/* One pair of rows: eight sums side by side, with fused multiply-adds, as the wide variant has them. */
static float product(const float *a, const float *b, uint32_t count)
{
    float sums[ROBUST_GRAM_LANES] = {0};
    for (uint32_t k = 0; k < count; k++) {
        sums[k % ROBUST_GRAM_LANES] = fmaf(a[k], b[k], sums[k % ROBUST_GRAM_LANES]);
    }
    return robust_lanes_sum(sums);
}

void robust_gram_base(const float *const *rows, uint32_t n, uint32_t count, double *matrix,
                      uint32_t stride)
{
    for (uint32_t first = 0; first < count; first += ROBUST_GRAM_CHUNK) {
        uint32_t left = count - first;
        uint32_t chunk = left < ROBUST_GRAM_CHUNK ? left : ROBUST_GRAM_CHUNK;
        for (uint32_t i = 0; i < n; i++) {
            const float *a = rows[i] + first;
            for (uint32_t j = 0; j <= i; j++) {
                const float *b = rows[j] + first;
                matrix[(size_t)i * stride + j] += (double)product(a, b, chunk);
            }
        }
    }
}
