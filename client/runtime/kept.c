/*
 * Vectors that a device keeps from one round of a run to the next. It owns which of a pair's two areas is
 * read and which is written; it must never write to the valid one, nor call one valid that the
 * coordinator has not counted.
 *
 * The residual of codecs with error feedback (Karimireddy et al., "Error Feedback Fixes SignSGD and other
 * Gradient Compression Schemes", ICML 2019, Algorithm 2): p = delta + e, sent = C(p), e+ = p - sent. The
 * coordinator steps by `sent` only if it counts the update. If it does not (refused, too late, expired),
 * the device is as one that never took part in that round: e stays, p is forgotten. Adding p to the next
 * round instead would send a refused update again, and one refused for its norm with a greater norm.
 *
 *            encode_persist: the record that names the body names `next` too
 *   valid ------------------------------------------------------------------> valid, next
 *     ^  ^                                  kept_settle, not counted             |   |
 *     |  +-----------------------------------------------------------------------+   |
 *     +---------- kept_settle, counted: next is the valid one ------------------------+
 */
#include "client/runtime/internal.h"

#include <string.h>

_Static_assert(MYCEL_AREA_CONTROL_A == MYCEL_AREA_RESIDUAL_A + 2, "pairs, in the order of kinds");

static enum mycel_area area_of(enum client_kept_kind kind, unsigned place)
{
    return (enum mycel_area)(MYCEL_AREA_RESIDUAL_A + 2u * (unsigned)kind + place - 1u);
}

static unsigned next_place(const struct client *c, enum client_kept_kind kind)
{
    return c->progress.kept[kind].valid == 1u ? 2u : 1u;
}

static bool is_for_this_job(const struct client *c, const struct client_kept *kept)
{
    return kept->valid != 0 && memcmp(kept->tag, c->job.tag, sizeof kept->tag) == 0;
}

/* A vector that lost its end or holds what no number is must not stand in the way of any round. */
static bool is_usable(const float *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] - values[i] != 0.0f) {
            return false;
        }
    }
    return true;
}

int kept_read(struct client *c, enum client_kept_kind kind, uint32_t first, float *values,
              uint32_t count)
{
    const struct client_kept *kept = &c->progress.kept[kind];
    int rc = MYCEL_E_CORRUPT;
    if (is_for_this_job(c, kept)) {
        rc = area_read_params(c, area_of(kind, kept->valid), first, values, count);
    }
    if (rc == MYCEL_E_CORRUPT || (rc == MYCEL_OK && !is_usable(values, count))) {
        memset(values, 0, count * sizeof *values);
        rc = MYCEL_OK;
    }
    return rc;
}

int kept_begin(struct client *c, enum client_kept_kind kind)
{
    return c->port->store->erase(c->port->store_ctx, area_of(kind, next_place(c, kind)));
}

int kept_write(struct client *c, enum client_kept_kind kind, uint32_t first, float *values,
               uint32_t count)
{
    return area_write_params(c, area_of(kind, next_place(c, kind)), first, values, count);
}

int kept_sync(struct client *c, enum client_kept_kind kind)
{
    unsigned place = next_place(c, kind);
    int rc = c->port->store->sync(c->port->store_ctx, area_of(kind, place));
    if (rc == MYCEL_OK) {
        c->progress.kept[kind].next = (uint8_t)place;
    }
    return rc;
}

void kept_settle(struct client *c, bool counted)
{
    for (unsigned kind = 0; kind < CLIENT_KEPT_KINDS; kind++) {
        struct client_kept *kept = &c->progress.kept[kind];
        if (counted && kept->next != 0) {
            kept->valid = kept->next;
            memcpy(kept->tag, c->job.tag, sizeof kept->tag);
        }
        kept->next = 0;
    }
}
