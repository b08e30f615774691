/* Trimmed mean and median for x86-64 with AVX-512; built with -mavx512f. */
#include "server/engine/rules/robust.h"

#if ROBUST_HAS_X86
#define ROBUST_LANES 16u
#define ROBUST_NAME(name) robust_##name##_avx512
#include "server/engine/rules/robust_body.h"
#endif
