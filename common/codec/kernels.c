/* Chooses the kernels' variant on each call: the processor's features are a load and a test. */
#include "common/codec/kernels.h"

void kernel_accumulate(const float *values, const struct kernel_term *term, uint32_t count,
                       int64_t *acc)
{
#if KERNEL_HAS_AVX2
    if (__builtin_cpu_supports("avx2")) {
        kernel_accumulate_avx2(values, term, count, acc);
        return;
    }
#endif
    kernel_accumulate_base(values, term, count, acc);
}

struct kernel_stats kernel_scan(const float *values, uint32_t count)
{
#if KERNEL_HAS_AVX2
    if (__builtin_cpu_supports("avx2")) {
        return kernel_scan_avx2(values, count);
    }
#endif
    return kernel_scan_base(values, count);
}
