/*
 * What a device downloads for its lease, and what it then has. With deltas it is told what the daemon would tell it,
 * takes it from the store, and adds it up as a device does: the result has to be what the coordinator believes,
 * whatever happened to it before. One device adds patch to patch, one has to have everything whole, one
 * forgets what it has now and then.
 */
#include "fleet.h"

#include "common/codec/codec.h"
#include "common/crypto/sha256.h"
#include "server/daemon/chain.h"

#include <stdlib.h>
#include <string.h>

#define CHAIN_BYTES_MAX 4096u

bool fleet_add_frames(const uint8_t *frames, size_t bytes, uint32_t params, float *sum)
{
    float values[FLEET_PARAMS_MAX];
    size_t at = 0;
    while (at + CODEC_HEADER_BYTES <= bytes && frames[at + 3] < CODEC_COUNT) {
        struct codec_frame frame;
        size_t length = codec_frame_bytes((enum codec_id)frames[at + 3], params);
        if (length > bytes - at || codec_open(&frame, frames + at, length) < 0 ||
            frame.header.params != params) {
            return false;
        }
        codec_decode(&frame, 0, params, values);
        for (uint32_t i = 0; i < params; i++) {
            sum[i] += values[i];
        }
        at += length;
    }
    return at == bytes;
}

static bool patches(uint32_t id)
{
    return id != 2;
}

static bool forgets(const struct fleet_device *device, uint32_t id)
{
    return id == 3 && device->lease.round % 2 == 0;
}

static int load_whole(struct fleet *fleet, const uint8_t sha256[PROTO_SHA256_BYTES],
                      struct fleet_model *model)
{
    size_t bytes = 0;
    memcpy(model->sha256, sha256, PROTO_SHA256_BYTES);
    return store_blob_load(fleet->coordinator.store, sha256, model->values,
                           fleet->params * sizeof(float), &bytes);
}

static int load_patch(struct fleet *fleet, const struct downlink_chain *chain,
                      const struct downlink_offer *offer, struct fleet_model *model)
{
    uint8_t frames[CHAIN_BYTES_MAX];
    size_t bytes = 0;
    int rc = store_chain_load(fleet->coordinator.store, COORDINATOR_RUN, chain->version, frames,
                              sizeof frames, &bytes);
    if (rc < 0) {
        return rc;
    }
    uint32_t at = bytes >= offer->bytes ? (uint32_t)bytes - offer->bytes : 0;
    if (offer->key) {
        memset(model->values, 0, sizeof model->values);
    }
    if (!fleet_add_frames(frames + at, offer->bytes, fleet->params, model->values)) {
        fleet_complain(fleet, "a patch cannot be read", 0, chain->version);
    }
    sha256(model->values, fleet->params * sizeof(float), model->sha256);
    fleet->patches++;
    return MYCEL_OK;
}

static int load_held(struct fleet *fleet, const struct downlink_chain *chain,
                     struct fleet_model *model)
{
    const struct blob_source source = {.reader = fleet->coordinator.store};
    struct blob_content held;
    int rc = chain_held(&source, COORDINATOR_RUN, chain, fleet->params, &held);
    if (rc == 0) {
        memcpy(model->values, held.data, held.bytes);
        sha256(held.data, held.bytes, model->sha256);
        blob_content_free(&held);
    }
    return rc;
}

/* As the daemon's reply and the client's fetch do. */
static int load_delta(struct fleet *fleet, uint32_t id, const struct downlink_chain *chain)
{
    struct fleet_device *device = &fleet->devices[id];
    const struct downlink_step *last = &chain->steps[chain->frames - 1u];
    static const uint8_t nothing[PROTO_HELD_BYTES];
    const uint8_t *held = forgets(device, id) ? nothing : device->model.sha256;
    struct downlink_offer offer = downlink_offer(chain, fleet->params, held);
    int rc = MYCEL_OK;
    if (!patches(id) || offer.whole) {
        rc = load_held(fleet, chain, &device->model);
    } else if (offer.bytes > 0) {
        rc = load_patch(fleet, chain, &offer, &device->model);
    }
    if (rc == 0 && memcmp(device->model.sha256, last->held_sha256, PROTO_SHA256_BYTES) != 0) {
        fleet_complain(fleet, "a device has another model than is believed", id, chain->version);
    }
    return rc;
}

int fleet_download(struct fleet *fleet, uint32_t id)
{
    struct fleet_device *device = &fleet->devices[id];
    const struct engine_version *base = &device->lease.base;
    const struct run_entry *entry = run_table_find(&fleet->coordinator.live.runs, COORDINATOR_RUN);
    const struct downlink_chain *chain = entry ? run_entry_chain(entry, base->version) : NULL;
    if (fleet->downlink == DOWNLINK_DELTA && base->version > 0 && chain == NULL) {
        fleet_complain(fleet, "a version's chain is not known", id, base->version);
    }
    int rc = chain != NULL ? load_delta(fleet, id, chain)
                           : load_whole(fleet, base->sha256, &device->model);
    device->fetched = rc == 0;
    return rc;
}
