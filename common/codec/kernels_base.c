/* The kernels for whatever the compiler targets by default. */
#define KERNEL_NAME(name) kernel_##name##_base
#include "common/codec/kernels_body.h"
