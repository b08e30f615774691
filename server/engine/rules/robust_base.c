/* The gathering rules' loops for whatever the compiler targets by default. */
#define ROBUST_NAME(name) robust_##name##_base
#include "server/engine/rules/robust_body.h"
