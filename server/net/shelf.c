/* Implementation of shelf.h. */
#include "server/net/shelf.h"

#include <stdbool.h>
#include <string.h>

#include "common/assert.h"

static bool is_of(const struct shelf_item *item, const char *path, size_t path_bytes)
{
    return item->blob != NULL && item->path_bytes == path_bytes &&
           memcmp(item->path, path, path_bytes) == 0;
}

static void give_back(struct shelf_item *item)
{
    net_blob_unref(item->blob);
    item->blob = NULL;
}

void shelf_put(struct shelf *shelf, const char *path, size_t path_bytes,
               const struct net_response *response, uint64_t now_ms)
{
    MYCEL_ASSERT(path_bytes <= NET_PATH_BYTES_MAX);
    struct shelf_item *item = NULL;
    for (unsigned i = 0; i < SHELF_PLACES && item == NULL; i++) {
        item = is_of(&shelf->item[i], path, path_bytes) ? &shelf->item[i] : NULL;
    }
    if (item == NULL) {
        item = &shelf->item[shelf->next];
        shelf->next = (shelf->next + 1) % SHELF_PLACES;
    }
    struct net_blob *blob = net_blob_ref(response->blob); /* first: it may be the same */
    give_back(item);
    item->blob = blob;
    item->content_format = response->content_format;
    item->until_ms = now_ms + SHELF_MS;
    item->path_bytes = (uint8_t)path_bytes;
    memcpy(item->path, path, path_bytes);
}

const struct shelf_item *shelf_find(const struct shelf *shelf, const char *path, size_t path_bytes,
                                    uint64_t now_ms)
{
    for (unsigned i = 0; i < SHELF_PLACES; i++) {
        const struct shelf_item *item = &shelf->item[i];
        if (is_of(item, path, path_bytes) && now_ms < item->until_ms) {
            return item;
        }
    }
    return NULL;
}

void shelf_expire(struct shelf *shelf, uint64_t now_ms)
{
    for (unsigned i = 0; i < SHELF_PLACES; i++) {
        if (shelf->item[i].blob != NULL && now_ms >= shelf->item[i].until_ms) {
            give_back(&shelf->item[i]);
        }
    }
}

void shelf_clear(struct shelf *shelf)
{
    for (unsigned i = 0; i < SHELF_PLACES; i++) {
        give_back(&shelf->item[i]);
    }
}
