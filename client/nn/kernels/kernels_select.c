/*
 * Which kernel set runs. It owns the only question to the processor and keeps no answer: contexts
 * hold a pointer to their table, so that there is nothing mutable to share.
 */
#include "client/nn/kernels/kernels.h"
#include "mycel/nn.h"

#if defined(__x86_64__)

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
}

const struct nn_kernels *nn_kernels_select(uint8_t request)
{
    __builtin_cpu_init();
    switch (request) {
    case MYCEL_NN_KERNELS_AUTO:
        return has_avx512() ? &nn_kernels_avx512 : has_avx2() ? &nn_kernels_avx2 : &nn_kernels_sse2;
    case MYCEL_NN_KERNELS_SCALAR:
        return &nn_kernels_scalar;
    case MYCEL_NN_KERNELS_SSE2:
        return &nn_kernels_sse2;
    case MYCEL_NN_KERNELS_AVX2:
        return has_avx2() ? &nn_kernels_avx2 : NULL;
    case MYCEL_NN_KERNELS_AVX512:
        return has_avx512() ? &nn_kernels_avx512 : NULL;
    default:
        return NULL;
    }
}

#elif defined(__aarch64__)

const struct nn_kernels *nn_kernels_select(uint8_t request)
{
    switch (request) {
    case MYCEL_NN_KERNELS_AUTO:
    case MYCEL_NN_KERNELS_NEON:
        return &nn_kernels_neon;
    case MYCEL_NN_KERNELS_SCALAR:
        return &nn_kernels_scalar;
    default:
        return NULL;
    }
}

#else

const struct nn_kernels *nn_kernels_select(uint8_t request)
{
    bool known = request == MYCEL_NN_KERNELS_AUTO || request == MYCEL_NN_KERNELS_SCALAR;
    return known ? &nn_kernels_scalar : NULL;
}

#endif
