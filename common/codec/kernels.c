/* Each kernel's choice of variant. */
#include "common/codec/kernels.h"

#if KERNEL_HAS_X86
#define KERNEL_CHOOSE(result, name, parameters, arguments)                                         \
    result kernel_##name parameters                                                                \
    {                                                                                              \
        return KERNEL_CAN_AVX2 ? kernel_##name##_avx2 arguments : kernel_##name##_base arguments;  \
    }
#define KERNEL_CHOOSE_WIDE(result, name, parameters, arguments)                                    \
    result kernel_##name parameters                                                                \
    {                                                                                              \
        return KERNEL_CAN_AVX512 ? kernel_##name##_avx512 arguments                                \
               : KERNEL_CAN_AVX2 ? kernel_##name##_avx2 arguments                                  \
                                 : kernel_##name##_base arguments;                                 \
    }
#else
#define KERNEL_CHOOSE(result, name, parameters, arguments)                                         \
    result kernel_##name parameters                                                                \
    {                                                                                              \
        return kernel_##name##_base arguments;                                                     \
    }
#define KERNEL_CHOOSE_WIDE KERNEL_CHOOSE
#endif

KERNEL_TABLE(KERNEL_CHOOSE)
KERNEL_WIDE_TABLE(KERNEL_CHOOSE_WIDE)
