/* The kernels for x86-64 with AVX2; the build compiles this file with -mavx2. */
#include "common/codec/kernels.h"

#if KERNEL_HAS_AVX2
#define KERNEL_NAME(name) kernel_##name##_avx2
#include "common/codec/kernels_body.h"
#endif
