/*
 * Which blocks of a transfer are still to be done, in eight bytes and a word: a base and a bit for each
 * of the 32 blocks from it. Owns no transfer and sends nothing. Blocks may complete in any order, but
 * none is started 32 or more behind the first incomplete one.
 */
#include "client/runtime/internal.h"

#define BLOCKS_WINDOW 32u

void blocks_init(struct client_blocks *b, uint32_t base, uint32_t end)
{
    MYCEL_ASSERT(base <= end);
    *b = (struct client_blocks){.base = base, .end = end, .done = 0};
}

bool blocks_complete(const struct client_blocks *b)
{
    return b->base == b->end;
}

static void skip_done(struct client_blocks *b)
{
    while (b->done & 1u) {
        b->done >>= 1;
        b->base++;
    }
    MYCEL_ASSERT(b->base <= b->end);
}

void blocks_mark(struct client_blocks *b, uint32_t block)
{
    if (block < b->base || block >= b->end || block - b->base >= BLOCKS_WINDOW) {
        return; /* done before, or not part of this transfer any more */
    }
    b->done |= UINT32_C(1) << (block - b->base);
    skip_done(b);
}

int blocks_from_missing(struct client_blocks *b, const uint32_t *missing, uint32_t count, bool cut,
                        uint32_t end)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (missing[i] > end || (i > 0 && missing[i] <= missing[i - 1])) {
            return MYCEL_E_MALFORMED;
        }
        last = missing[i] < end ? missing[i] + 1u : last; /* `end` itself is the final block */
    }
    if (last == 0) {
        blocks_init(b, end, end);
        return MYCEL_OK;
    }
    blocks_init(b, missing[0], cut ? end : last);
    /* Within the window only the listed ones are sent again; behind it everything is, which costs a
     * few blocks in a case that does not arise with a coordinator that keeps or loses whole bodies. */
    for (uint32_t i = 0, at = 0; i < BLOCKS_WINDOW && missing[0] + i < last; i++) {
        if (at < count && missing[at] == missing[0] + i) {
            at++;
        } else {
            b->done |= UINT32_C(1) << i;
        }
    }
    return MYCEL_OK;
}

void blocks_resize(struct client_blocks *b, uint8_t from_szx, uint8_t to_szx, uint32_t end)
{
    uint64_t units = (uint64_t)b->base << from_szx;
    uint32_t base = b->base == b->end ? end : (uint32_t)(units >> to_szx);
    blocks_init(b, base < end ? base : end, end);
}

uint32_t blocks_next(const struct client_blocks *b, const struct client *c)
{
    for (uint32_t i = 0; i < BLOCKS_WINDOW && b->base + i < b->end; i++) {
        if (!(b->done >> i & 1u) && !requests_in_flight(c, b->base + i)) {
            return b->base + i;
        }
    }
    return UINT32_MAX;
}
