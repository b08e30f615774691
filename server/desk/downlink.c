/* See downlink.h. */
#include "server/desk/downlink.h"

#include "common/rng.h"

#include <mycel/error.h>
#include <string.h>

#define RNG_STREAM_DOWNLINK 0x646f776eu /* "down" */
#define TILE CODEC_BLOCK_PARAMS_MAX

static const char *const names[] = {[DOWNLINK_F32] = "f32", [DOWNLINK_DELTA] = "delta"};

const char *downlink_name(int downlink)
{
    return downlink == DOWNLINK_F32 || downlink == DOWNLINK_DELTA ? names[downlink] : NULL;
}

int downlink_from_name(const char *name)
{
    for (int i = DOWNLINK_F32; i <= DOWNLINK_DELTA; i++) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }
    return MYCEL_E_NOT_FOUND;
}

uint32_t downlink_frame_bytes(uint32_t params)
{
    uint32_t key = codec_frame_bytes(DOWNLINK_KEY_CODEC, params);
    uint32_t delta = codec_frame_bytes(DOWNLINK_DELTA_CODEC, params);
    return key > delta ? key : delta;
}

/* held = before + what the frame says, and the energy of what is still missing. Without `before` it is added to
 * zeros, as devices do. */
static int apply(const struct downlink_make *make, const float *before, const uint8_t *frame,
                 uint32_t bytes, float *held, double *missing)
{
    struct codec_frame opened;
    float tile[TILE];
    int rc = codec_open(&opened, frame, bytes);
    *missing = 0.0;
    for (uint32_t first = 0; first < make->params && rc == 0; first += TILE) {
        uint32_t left = make->params - first;
        uint32_t count = left < TILE ? left : TILE;
        codec_decode(&opened, first, count, tile);
        for (uint32_t i = 0; i < count; i++) {
            float from = before ? before[first + i] : 0.0f;
            float error;
            held[first + i] = from + tile[i];
            error = make->exact[first + i] - held[first + i];
            *missing += (double)error * (double)error;
        }
    }
    return rc;
}

static int encode(const struct downlink_make *make, enum codec_id codec, const float *values,
                  uint8_t *frame)
{
    const struct codec_header header = {.codec = codec,
                                        .params = make->params,
                                        .base_version = make->version,
                                        .seed =
                                            rng_u32(make->seed, RNG_STREAM_DOWNLINK, make->version),
                                        .weight = 1};
    float scratch[CODEC_BLOCK_PARAMS_MAX];
    return codec_encode(&header, values, NULL, scratch, frame, downlink_frame_bytes(make->params));
}

static bool delta_fits(const struct downlink_make *make)
{
    return make->before && make->frames < DOWNLINK_FRAMES_MAX &&
           codec_frame_bytes(DOWNLINK_DELTA_CODEC, make->params) <
               codec_frame_bytes(DOWNLINK_KEY_CODEC, make->params);
}

static int make_key(const struct downlink_make *make, uint8_t *frame, float *held)
{
    double missing;
    int bytes = encode(make, DOWNLINK_KEY_CODEC, make->exact, frame);
    int rc = bytes < 0 ? bytes : apply(make, NULL, frame, (uint32_t)bytes, held, &missing);
    return rc < 0 ? rc : bytes;
}

/* 0 bytes: it leaves out too much. */
static int make_delta(const struct downlink_make *make, uint8_t *frame, float *held)
{
    double missing;
    double whole = 0.0;
    for (uint32_t i = 0; i < make->params; i++) {
        held[i] = make->exact[i] - make->before[i];
        whole += (double)make->exact[i] * (double)make->exact[i];
    }
    int bytes = encode(make, DOWNLINK_DELTA_CODEC, held, frame);
    int rc = bytes < 0 ? bytes : apply(make, make->before, frame, (uint32_t)bytes, held, &missing);
    if (rc < 0) {
        return rc;
    }
    return missing > 0.25 * whole ? 0 : bytes;
}

int downlink_make(const struct downlink_make *make, uint8_t *frame, float *held, bool *key)
{
    int bytes = delta_fits(make) ? make_delta(make, frame, held) : 0;
    *key = bytes <= 0;
    return bytes > 0 ? bytes : make_key(make, frame, held);
}

/* The bytes of the frame that begins there, or CORRUPT. */
static int frame_at(const uint8_t *data, size_t left)
{
    struct codec_frame opened;
    if (left < CODEC_HEADER_BYTES || data[3] >= CODEC_COUNT) {
        return MYCEL_E_CORRUPT;
    }
    uint32_t params = (uint32_t)data[4] | (uint32_t)data[5] << 8 | (uint32_t)data[6] << 16 |
                      (uint32_t)data[7] << 24;
    if (params > CODEC_PARAMS_MAX) {
        return MYCEL_E_CORRUPT;
    }
    uint32_t bytes = codec_frame_bytes((enum codec_id)data[3], params);
    if (bytes > left || codec_open(&opened, data, bytes) < 0) {
        return MYCEL_E_CORRUPT;
    }
    return (int)bytes;
}

/* Hashes a frame into every patch that it is the end of. */
static void absorb(struct downlink_chain *chain, const uint8_t *frame, size_t bytes)
{
    struct downlink_step *newest = &chain->steps[chain->frames++];
    newest->offset = chain->bytes;
    sha256_init(&newest->patch);
    for (uint32_t i = 0; i < chain->frames; i++) {
        sha256_update(&chain->steps[i].patch, frame, bytes);
    }
    chain->bytes += (uint32_t)bytes;
}

/* The hashes of what has been absorbed so far. */
static void name_patches(struct downlink_chain *chain)
{
    for (uint32_t i = 0; i < chain->frames; i++) {
        struct sha256 copy = chain->steps[i].patch;
        sha256_final(&copy, chain->steps[i].patch_sha256);
    }
    memcpy(chain->sha256, chain->steps[0].patch_sha256, sizeof chain->sha256);
}

int downlink_chain_add(struct downlink_chain *chain, const uint8_t *frame, size_t bytes)
{
    if (chain->frames == DOWNLINK_FRAMES_MAX || frame_at(frame, bytes) != (int)bytes) {
        return MYCEL_E_CORRUPT;
    }
    absorb(chain, frame, bytes);
    name_patches(chain);
    return MYCEL_OK;
}

int downlink_chain_read(struct downlink_chain *chain, const uint8_t *data, size_t bytes)
{
    chain->frames = 0;
    chain->bytes = 0;
    while (chain->bytes < bytes) {
        const uint8_t *frame = data + chain->bytes;
        int length = chain->frames < DOWNLINK_FRAMES_MAX ? frame_at(frame, bytes - chain->bytes)
                                                         : MYCEL_E_CORRUPT;
        if (length < 0) {
            return length;
        }
        absorb(chain, frame, (size_t)length);
    }
    if (chain->frames == 0) {
        return MYCEL_E_CORRUPT;
    }
    name_patches(chain);
    return MYCEL_OK;
}

static void add_frame(const struct codec_frame *frame, bool first, uint32_t params, float *held)
{
    float tile[TILE];
    for (uint32_t at = 0; at < params; at += TILE) {
        uint32_t count = params - at < TILE ? params - at : TILE;
        codec_decode(frame, at, count, tile);
        for (uint32_t i = 0; i < count; i++) {
            held[at + i] = (first ? 0.0f : held[at + i]) + tile[i];
        }
    }
}

int downlink_held(const uint8_t *chain, size_t bytes, uint32_t params, float *held)
{
    size_t at = 0;
    do {
        struct codec_frame frame;
        int length = frame_at(chain + at, bytes - at);
        if (length < 0 || codec_open(&frame, chain + at, (size_t)length) < 0 ||
            frame.header.params != params) {
            return MYCEL_E_CORRUPT;
        }
        add_frame(&frame, at == 0, params, held);
        at += (size_t)length;
    } while (at < bytes);
    return MYCEL_OK;
}

struct downlink_offer downlink_offer(const struct downlink_chain *chain, uint32_t params,
                                     const uint8_t held[PROTO_HELD_BYTES])
{
    struct downlink_offer offer = {.key = true, .bytes = chain->bytes};
    for (uint32_t i = 0; i < chain->frames; i++) {
        if (memcmp(chain->steps[i].held_sha256, held, PROTO_HELD_BYTES) == 0) {
            uint32_t next = i + 1u < chain->frames ? chain->steps[i + 1u].offset : chain->bytes;
            offer.key = false;
            offer.from = (uint8_t)(i + 1u);
            offer.bytes = chain->bytes - next;
        }
    }
    if (offer.bytes >= params * sizeof(float)) {
        offer = (struct downlink_offer){.whole = true};
    }
    return offer;
}
