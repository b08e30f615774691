#include "server/engine/heap.h"

static bool before(const struct engine *e, uint32_t a, uint32_t b)
{
    uint64_t left = e->devices[a].lease.deadline_ms;
    uint64_t right = e->devices[b].lease.deadline_ms;

    return left < right || (left == right && a < b);
}

static void place(struct engine *e, uint32_t at, uint32_t slot)
{
    e->heap[at] = slot;
    e->devices[slot].heap_at = at;
}

static void sift_up(struct engine *e, uint32_t at)
{
    uint32_t slot = e->heap[at];

    while (at > 0 && before(e, slot, e->heap[(at - 1) / 2])) {
        place(e, at, e->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(e, at, slot);
}

static void sift_down(struct engine *e, uint32_t at)
{
    uint32_t slot = e->heap[at];

    for (uint32_t child = 2 * at + 1; child < e->heap_count; child = 2 * at + 1) {
        if (child + 1 < e->heap_count && before(e, e->heap[child + 1], e->heap[child])) {
            child++;
        }
        if (before(e, slot, e->heap[child])) {
            break;
        }
        place(e, at, e->heap[child]);
        at = child;
    }
    place(e, at, slot);
}

void heap_push(struct engine *e, uint32_t device_slot)
{
    MYCEL_ASSERT(e->heap_count < e->config.device_max);
    place(e, e->heap_count, device_slot);
    e->heap_count++;
    sift_up(e, e->heap_count - 1);
}

void heap_remove(struct engine *e, uint32_t device_slot)
{
    uint32_t at = e->devices[device_slot].heap_at;
    uint32_t last = e->heap[e->heap_count - 1];

    MYCEL_ASSERT(e->heap[at] == device_slot);
    e->heap_count--;
    if (last != device_slot) {
        place(e, at, last);
        sift_up(e, at);
        sift_down(e, e->devices[last].heap_at);
    }
}
