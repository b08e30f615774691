/* Chooses the variant of the gathering rules' loops on each call. */
#include "server/engine/rules/robust.h"

void robust_trimmed(const float *const *rows, uint32_t n, uint32_t count, uint32_t drop,
                    float *scratch, float *out)
{
#if ROBUST_HAS_X86
    if (__builtin_cpu_supports("avx512f")) {
        robust_trimmed_avx512(rows, n, count, drop, scratch, out);
        return;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        robust_trimmed_avx2(rows, n, count, drop, scratch, out);
        return;
    }
#endif
    robust_trimmed_base(rows, n, count, drop, scratch, out);
}

void robust_gram(const float *const *rows, uint32_t n, uint32_t count, double *matrix,
                 uint32_t stride)
{
#if ROBUST_HAS_X86
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        robust_gram_avx2(rows, n, count, matrix, stride);
        return;
    }
#endif
    robust_gram_base(rows, n, count, matrix, stride);
}
