/* See alloc.h. One thread only. */
#include "alloc.h"

#include "common/assert.h"

#include <sqlite3.h>
#include <stdlib.h>

static struct {
    bool armed;
    bool sticky;
    bool struck;
    uint64_t at;
    uint64_t count;
    sqlite3_mem_methods real;
} alloc;

bool alloc_fails(void)
{
    if (!alloc.armed) {
        return false;
    }
    alloc.count++;
    bool due = alloc.count == alloc.at || (alloc.sticky && alloc.count > alloc.at);
    alloc.struck = alloc.struck || due;
    return due;
}

static void *sqlite_malloc(int bytes)
{
    return alloc_fails() ? NULL : alloc.real.xMalloc(bytes);
}

static void *sqlite_realloc(void *old, int bytes)
{
    return alloc_fails() ? NULL : alloc.real.xRealloc(old, bytes);
}

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);

void *__wrap_calloc(size_t count, size_t bytes)
{
    return alloc_fails() ? NULL : __real_calloc(count, bytes);
}

void alloc_install(void)
{
    MYCEL_ASSERT(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &alloc.real) == SQLITE_OK);
    sqlite3_mem_methods hooked = alloc.real;
    hooked.xMalloc = sqlite_malloc;
    hooked.xRealloc = sqlite_realloc;
    MYCEL_ASSERT(sqlite3_config(SQLITE_CONFIG_MALLOC, &hooked) == SQLITE_OK);
    /* Lookaside would serve small allocations from a pool that never fails. */
    MYCEL_ASSERT(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK);
}

void alloc_arm(uint64_t at, bool sticky)
{
    alloc.armed = true;
    alloc.sticky = sticky;
    alloc.struck = false;
    alloc.at = at;
    alloc.count = 0;
}

void alloc_heal(void)
{
    alloc.armed = false;
}

bool alloc_struck(void)
{
    return alloc.struck;
}
