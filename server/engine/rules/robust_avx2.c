/* The gathering rules' loops for x86-64 with AVX2 and FMA; built with -mavx2 -mfma. */
#include "server/engine/rules/robust.h"

#if ROBUST_HAS_AVX2
#define ROBUST_NAME(name) robust_##name##_avx2
#include "server/engine/rules/robust_body.h"
#endif
