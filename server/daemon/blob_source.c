/* See blob_source.h. */
#include "server/daemon/blob_source.h"

#include <stdlib.h>
#include <string.h>

static int load(struct store *reader, const uint8_t sha256[PROTO_SHA256_BYTES],
                struct blob_content *out)
{
    uint64_t size;
    int rc = store_blob_size(reader, sha256, &size);
    if (rc < 0) {
        return rc;
    }
    out->owned = malloc((size_t)size);
    if (!out->owned) {
        return MYCEL_E_NO_MEMORY;
    }
    out->data = out->owned;
    rc = store_blob_load(reader, sha256, out->owned, (size_t)size, &out->bytes);
    if (rc < 0) {
        blob_content_free(out);
    }
    return rc;
}

int blob_source_get(const struct blob_source *source, const uint8_t sha256[PROTO_SHA256_BYTES],
                    struct blob_content *out)
{
    const struct blob_cache_entry *entry =
        source->views ? blob_views_find(source->views, sha256) : NULL;
    memset(out, 0, sizeof *out);
    if (!entry) {
        return load(source->reader, sha256, out);
    }
    out->data = entry->data;
    out->bytes = entry->bytes;
    return MYCEL_OK;
}

void blob_content_free(struct blob_content *content)
{
    free(content->owned);
    memset(content, 0, sizeof *content);
}
