/* The coordinator's own malloc, through the linker's --wrap; calloc and SQLite are in ../store/alloc.c.
 * The simulated disk is no part of the coordinator: it is compiled with the real ones (CMakeLists.txt). */
#include "tests/fault/store/alloc.h"

#include <stddef.h>

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    return alloc_fails() ? NULL : __real_malloc(bytes);
}
