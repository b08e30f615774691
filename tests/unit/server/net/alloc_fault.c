/* Implementation of alloc_fault.h with the linker's --wrap. */
#include "tests/unit/server/net/alloc_fault.h"

#include <stddef.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);

/* Of the calling thread: workers are spared. */
static _Thread_local struct {
    unsigned remaining; /* allocations until the one that fails; 0: not armed */
    bool sticky;
    bool fired;
    bool inside;
    unsigned count;
} fault;

void alloc_fault_arm(unsigned nth, bool sticky)
{
    fault.remaining = nth;
    fault.sticky = sticky;
    fault.fired = false;
    fault.count = 0;
}

unsigned alloc_fault_count(void)
{
    return fault.count;
}

bool alloc_fault_fired(void)
{
    return fault.fired;
}

void alloc_fault_enter(void)
{
    fault.inside = true;
}

void alloc_fault_leave(void)
{
    fault.inside = false;
}

static bool fails(void)
{
    if (!fault.inside) {
        return false;
    }
    fault.count++;
    if (fault.fired && fault.sticky) {
        return true;
    }
    if (fault.remaining == 0 || --fault.remaining > 0) {
        return false;
    }
    fault.fired = true;
    return true;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}
