/* What devices hold after each version, where it is not the version itself; and the ring of what may be
 * downloaded. Simulated devices lose their flash when they sleep, so they are sent held models whole:
 * what they learn is real, what the deltas save on the way is measured with real processes. */
#include "sim/coordinator/internal.h"

#include <stdlib.h>
#include <string.h>

void version_put(struct coordinator *c, struct blob *model, struct blob *held)
{
    struct version *version = &c->versions[c->version_count++ % VERSIONS_KEPT];
    struct blob *given = blob_ref(held != NULL ? held : model);
    blob_unref(version->blob);
    memcpy(version->sha256, model->sha256, sizeof version->sha256);
    version->blob = given;
}

const struct version *version_find(const struct coordinator *c,
                                   const uint8_t sha256[PROTO_SHA256_BYTES])
{
    for (uint32_t i = 0; i < VERSIONS_KEPT; i++) {
        const struct version *version = &c->versions[i];
        if (version->blob != NULL && memcmp(version->sha256, sha256, PROTO_SHA256_BYTES) == 0) {
            return version;
        }
    }
    return NULL;
}

int held_make(const struct coordinator *c, uint32_t version, struct sum *sum)
{
    if (c->downlink != DOWNLINK_DELTA) {
        return MYCEL_OK;
    }
    const struct ledger_held *before = &c->ledger.held;
    struct downlink_make make = {.seed = c->scenario->seed,
                                 .version = version,
                                 .params = c->task.params,
                                 .exact = (const float *)(const void *)sum->model->data,
                                 .frames = before->frames};
    if (before->blob != NULL) {
        make.before = (const float *)(const void *)before->blob->data;
    }
    uint8_t *frame = malloc(downlink_frame_bytes(make.params));
    float *held = malloc((size_t)make.params * sizeof *held);
    bool key = false;
    int rc =
        frame != NULL && held != NULL ? downlink_make(&make, frame, held, &key) : MYCEL_E_NO_MEMORY;
    if (rc >= 0) {
        sum->held.frames = key ? 1u : before->frames + 1u;
        sum->held.blob = blob_new(held, (size_t)make.params * sizeof *held);
        rc = sum->held.blob != NULL ? MYCEL_OK : MYCEL_E_NO_MEMORY;
    }
    free(frame);
    free(held);
    return rc;
}
