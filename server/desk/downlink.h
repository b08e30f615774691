/*
 * The downlink as a key frame and deltas. The coordinator tracks what devices hold, w' (the "held" model),
 * beside the exact version w: a key frame sets w'_v = Q8(w_v), a delta is D_v = Q(w_v - w'_{v-1}) with
 * w'_v = w'_{v-1} + D_v. What D_v leaves out stays in w - w' and is part of the next delta: error feedback on
 * the server's side (Tang et al., "DoubleSqueeze", ICML 2019).
 *
 * A chain is a key frame and the deltas since, one after the other in memory. Whatever a device lacks is
 * an end of the newest chain, called a patch: all of it for who holds nothing that fits, the last frame for
 * who took part in the round before. So a version has one blob, and patches are ranges of it.
 *
 * Pure: no I/O, no allocation. Frames and held models are functions of the arguments alone, to the bit, so that
 * a round summed again after a crash gives the same ones.
 */
#ifndef MYCEL_SERVER_DESK_DOWNLINK_H
#define MYCEL_SERVER_DESK_DOWNLINK_H

#include "common/codec/codec.h"
#include "common/crypto/sha256.h"
#include "proto/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOWNLINK_FRAMES_MAX PROTO_PATCH_FRAMES_MAX /* a key frame every so many versions */
#define DOWNLINK_CHAINS_KEPT 4u                    /* newest versions whose patches are offered */
#define DOWNLINK_KEY_CODEC CODEC_INT8
#define DOWNLINK_DELTA_CODEC CODEC_DRIVE1

/* Of a run; the numbers are stored: append only. */
enum downlink { DOWNLINK_F32 = 0, DOWNLINK_DELTA = 1 };

/* "f32", "delta"; NULL for anything else. */
const char *downlink_name(int downlink);
/* The downlink of that name, or MYCEL_E_NOT_FOUND. */
int downlink_from_name(const char *name);

struct downlink_step {
    uint8_t held_sha256[PROTO_SHA256_BYTES];  /* of w' after this frame, as f32 little endian */
    uint8_t patch_sha256[PROTO_SHA256_BYTES]; /* of the chain from this frame on */
    uint32_t offset;                          /* where that begins */
    struct sha256 patch;                      /* its hash while the chain grows */
};

/* What is known of a version's chain without its bytes. */
struct downlink_chain {
    uint32_t version; /* that its last frame leads to */
    uint32_t frames;  /* 1 … DOWNLINK_FRAMES_MAX */
    uint32_t bytes;
    uint8_t sha256[PROTO_SHA256_BYTES]; /* of all of it */
    struct downlink_step steps[DOWNLINK_FRAMES_MAX];
};

/* The largest frame of a model of so many parameters. */
uint32_t downlink_frame_bytes(uint32_t params);

struct downlink_make {
    uint64_t seed;       /* of the run */
    uint32_t version;    /* that is made */
    uint32_t params;     /* floats in each of the vectors */
    const float *exact;  /* w_v */
    const float *before; /* w'_{v-1}; NULL: nobody holds anything */
    uint32_t frames;     /* in the chain that led there */
};

/* Makes the next frame and w'_v. A key frame when there is nothing before, the chain is full, a delta would be no
 * smaller, or would leave out more than half of ‖w_v‖. frame: downlink_frame_bytes(); held: `params` floats, not
 * the same memory as the others. Returns the frame's bytes; what codec_encode_block returns of values that
 * cannot be encoded (such a version is sent as it is). *key says which of the two it is. */
int downlink_make(const struct downlink_make *make, uint8_t *frame, float *held, bool *key);

/* Adds a frame behind a chain's others, or to an empty one (all zeros): each patch's hash goes on from where it was,
 * so the frame is all that is hashed. CORRUPT: it is no frame of `bytes` bytes, or the chain is full; nothing has changed
 * then. `version` and the step's held_sha256 are the caller's to set. */
int downlink_chain_add(struct downlink_chain *chain, const uint8_t *frame, size_t bytes);

/* Fills in offsets, hashes of patches, count and size from the chain's bytes, which are its own: a damaged
 * chain is CORRUPT. `version` and the steps' held_sha256 are the caller's to set. */
int downlink_chain_read(struct downlink_chain *chain, const uint8_t *data, size_t bytes);

/* What a device is told to fetch. */
struct downlink_offer {
    bool whole;   /* the held model as it is; else, if bytes > 0, a patch: */
    bool key;     /* … to be added to zeros, else to what the device said it has */
    uint8_t from; /* step at which it begins */
    uint32_t bytes;
};

/* What devices hold at the end of a chain of a model of that size, to the bit as downlink_make said. CORRUPT: not all of
 * its frames are of such a model. */
int downlink_held(const uint8_t *chain, size_t bytes, uint32_t params, float *held);

/* For a device that says it holds `held` (the first PROTO_HELD_BYTES of its hash; zeros: nothing). Neither whole
 * nor bytes: it holds the newest. */
struct downlink_offer downlink_offer(const struct downlink_chain *chain, uint32_t params,
                                     const uint8_t held[PROTO_HELD_BYTES]);

#endif
