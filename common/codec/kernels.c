/* Each kernel's choice of variant. */
#include "common/codec/kernels.h"

#if KERNEL_HAS_AVX2
#define KERNEL_CHOOSE(result, name, parameters, arguments)                                         \
    result kernel_##name parameters                                                                \
    {                                                                                              \
        return KERNEL_CAN_AVX2 ? kernel_##name##_avx2 arguments : kernel_##name##_base arguments;  \
    }
#else
#define KERNEL_CHOOSE(result, name, parameters, arguments)                                         \
    result kernel_##name parameters                                                                \
    {                                                                                              \
        return kernel_##name##_base arguments;                                                     \
    }
#endif

KERNEL_TABLE(KERNEL_CHOOSE)
