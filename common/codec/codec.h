/*
 * Update codecs: how a vector of f32 parameters becomes the bytes of an update frame, and back. It owns
 * the frame's layout; it never allocates, never does I/O, and treats every byte of a frame as hostile.
 *
 * Frame, little endian (docs/PROTOCOL.md, "Update frame"):
 *
 *   0  'F' 'U'  version u8  codec u8 | 4 params u32 | 8 base_version u32 | 12 seed u32
 *   16 weight u32 | 20 block_log2 u8 | 21 flags u8 (0) | 22 scales u16 | 24 f16 scale[scales] | codes
 *
 * The length of a frame depends on codec and params alone, so each block of codes has a known place:
 * an encoder works block by block in bounded memory, and a decoder can start anywhere.
 *
 * Encoding, on a device:    codec_encode_begin, codec_encode_block for each block in order, _end.
 * Decoding, anywhere:       codec_open, then codec_decode or codec_accumulate in tiles of any size.
 * Verifying, once a frame:  codec_open, then codec_scan.
 *
 * Results are a function of the arguments alone, to the bit, on every machine and instruction set.
 */
#ifndef MYCEL_COMMON_CODEC_CODEC_H
#define MYCEL_COMMON_CODEC_CODEC_H

#include <stddef.h>
#include <stdint.h>

/* The codec byte of a frame; the numbers are those of Codec in proto/mycel.proto. */
enum codec_id {
    CODEC_F32 = 0,     /* as is */
    CODEC_F16 = 1,     /* nearest IEEE half; beyond ±65504: that */
    CODEC_INT8 = 2,    /* blocks of 256, stochastic rounding, unbiased */
    CODEC_INT4 = 3,    /* the same with 4 bits, low nibble first */
    CODEC_EDEN2 = 4,   /* rotated, 2 bits (Vargaftik et al., "EDEN", ICML 2022) */
    CODEC_DRIVE1 = 5,  /* rotated, 1 bit (Vargaftik et al., "DRIVE", NeurIPS 2021) */
    CODEC_SIGN = 6,    /* sign and mean magnitude, with error feedback (Karimireddy et al., 2019) */
    CODEC_TERNARY = 7, /* 4 % as ±mean, with error feedback (Sattler et al., 2019) */
    CODEC_TOPK = 8,    /* the largest 1 % in f16, with error feedback (Stich et al., 2018) */
    CODEC_COUNT
};

#define CODEC_VERSION 1u
#define CODEC_HEADER_BYTES 24u
#define CODEC_BLOCK_PARAMS_MAX 1024u           /* the most that one encoder call takes */
#define CODEC_PARAMS_MAX (16u * 1024u * 1024u) /* as PROTO_MODEL_PARAMS_MAX */
#define CODEC_NAME_BYTES_MAX 8u                /* longest codec name, with its NUL */

/* What a frame says about itself. */
struct codec_header {
    enum codec_id codec;
    uint32_t params;       /* 0..CODEC_PARAMS_MAX */
    uint32_t base_version; /* the model version that the delta belongs to */
    uint32_t seed;   /* of rotations and stochastic rounding; should differ per device and round */
    uint32_t weight; /* n_i, as the sender claims */
};

/* A frame whose header and length were checked. Points into the caller's bytes; read only. */
struct codec_frame {
    struct codec_header header;
    uint32_t block_log2; /* parameters per block */
    uint32_t blocks;
    const uint8_t *scales; /* f16 per block, or NULL if the codec has none */
    const uint8_t *codes;
};

/* "f32", "int8", "drive1"…; NULL for a number that is no codec. Static storage. */
const char *codec_name(int codec);

/* The codec of that name, or MYCEL_E_NOT_FOUND. */
int codec_from_name(const char *name);

/* Whether encoding leaves a remainder that the caller should keep and give back (see residual). */
int codec_has_residual(enum codec_id codec);

/* Bytes of a frame of `params` ≤ CODEC_PARAMS_MAX parameters: exact, for every codec. */
uint32_t codec_frame_bytes(enum codec_id codec, uint32_t params);

/* Parameters that each call of codec_encode_block takes (the last one: what is left). */
uint32_t codec_block_params(enum codec_id codec, uint32_t params);

/* ---- encoding ------------------------------------------------------------------------------- */

/* Besides the caller's block (4 KB), encoding takes about 0.5 KB of stack on a Cortex-M4. */

/* Stores `bytes` bytes at `offset` of the frame. 0, or an error that ends the encoding. Scales stand
 * before all codes, so a block calls it at two places; offsets never go beyond codec_frame_bytes. */
typedef int (*codec_write_fn)(void *user, uint32_t offset, const void *data, size_t bytes);

/* Caller's memory; the fields are the encoder's own. */
struct codec_encoder {
    struct codec_header header;
    codec_write_fn write;
    void *user;
    uint32_t block_log2;
    uint32_t blocks;
    uint32_t block; /* the next one */
    uint32_t scales_at, codes_at;
};

/* Starts a frame and writes its header. 0; MYCEL_E_CODEC for an unknown codec; MYCEL_E_TOO_LARGE
 * above CODEC_PARAMS_MAX; or what `write` returned. */
int codec_encode_begin(struct codec_encoder *encoder, const struct codec_header *header,
                       codec_write_fn write, void *user);

/*
 * Encodes the next block.
 *   block     CODEC_BLOCK_PARAMS_MAX floats of room, of which the first `count` are the parameters;
 *             it is used as scratch, its content is lost
 *   count     codec_block_params(), or in the last block what is left
 *   residual  NULL, or for codecs with error feedback the same block of a vector that starts as zeros
 *             and lives as long as the run: it is added first, and takes what this frame left out
 * 0; MYCEL_E_NONFINITE for a NaN or infinity (nothing of the block was written, the residual is as
 * before); MYCEL_E_TOO_LARGE if a scale exceeds f16 (|x| beyond about 65504); or what `write` returned.
 */
int codec_encode_block(struct codec_encoder *encoder, float *block, uint32_t count,
                       float *residual);

/* Bytes of the finished frame, or MYCEL_E_STATE if blocks are missing. */
int codec_encode_end(const struct codec_encoder *encoder);

/* Convenience over the three above, for a vector that lies in memory: writes codec_frame_bytes() into
 * `frame` (MYCEL_E_NO_MEMORY if that is more than `frame_bytes`). residual: `params` floats or NULL.
 * scratch: CODEC_BLOCK_PARAMS_MAX floats. Returns the bytes written, or an error as above. */
int codec_encode(const struct codec_header *header, const float *params, float *residual,
                 float *scratch, uint8_t *frame, size_t frame_bytes);

/* ---- decoding ------------------------------------------------------------------------------- */

/* Checks header and length of a frame, in constant time, and describes it. Each bound is checked:
 * 0; MYCEL_E_MALFORMED (magic, flags, block or scale count, length not exactly codec_frame_bytes);
 * MYCEL_E_VERSION; MYCEL_E_CODEC; MYCEL_E_TOO_LARGE (params). `data` must outlive the frame. */
int codec_open(struct codec_frame *frame, const uint8_t *data, size_t bytes);

/* Writes parameters first … first + count − 1, which must lie within the frame (asserted), to `out`.
 * Cheapest from a block's border. Needs up to 6.5 KB of stack. Never reads beyond the frame, whatever the
 * codes; but only codec_scan says whether all values are finite. */
void codec_decode(const struct codec_frame *frame, uint32_t first, uint32_t count, float *out);

/* Where the parameters from `first` on lie in the frame as this machine's floats, so that nothing has to be
 * decoded; NULL if they do not (another codec, another byte order, an address not aligned). */
const float *codec_values(const struct codec_frame *frame, uint32_t first);

/* Where the parts of a frame's block lie, for an encoder that reads its own frame back from where it went
 * and has no room for all of it. */
struct codec_place {
    uint32_t
        scale_at; /* offset in the frame of the block's 2 bytes of scale; 0: the codec has none */
    uint32_t codes_at;
    uint32_t codes_bytes; /* at most 4 x CODEC_BLOCK_PARAMS_MAX */
    uint32_t first;       /* the parameters that it holds */
    uint32_t count;
};

/* The place of block 0 … encoder->blocks − 1 (asserted). */
void codec_block_place(const struct codec_encoder *encoder, uint32_t block,
                       struct codec_place *place);

/* What codec_decode makes of that block. scale: 2 bytes, not looked at if the codec has none; codes:
 * codes_bytes of them; out: room for CODEC_BLOCK_PARAMS_MAX values, not the same memory. */
void codec_decode_block(const struct codec_encoder *encoder, uint32_t block, const uint8_t scale[2],
                        const uint8_t *codes, float *out);

struct codec_stats {
    float squared_norm; /* Σ x² */
    float max_abs;      /* no value is larger; exact but for rotated codecs, where it is a bound */
};

/* Checks all that codec_open did not. 0 and the statistics; MYCEL_E_NONFINITE for a NaN or infinity in scales or
 * values; MYCEL_E_NORM if Σ x² exceeds f32; MYCEL_E_MALFORMED if the codes are not what any encoder
 * writes (sparse positions, padding). The order of summation is fixed. */
int codec_scan(const struct codec_frame *frame, struct codec_stats *stats);

/* ---- fixed-point sums ----------------------------------------------------------------------- */

/*
 * Sums are int64 in units of 2^-frac_bits: acc += weight · round(gain · x · 2^frac_bits), where an update
 * whose largest term would take more than 30 bits is rounded to 30 bits (f32 has 24). What a term adds
 * depends on that update alone, and integer addition is exact and commutes, so neither order nor
 * threads can change a bit of the sum.
 *
 * It cannot overflow: |gain · x| < CODEC_VALUE_LIMIT = 2^8 and frac_bits ≤ 54 − log2(Σ weight), so
 * |acc| < 2^62. 100,000 clients of up to 10,000 samples: Σ weight = 2^29.9, frac_bits 24, unit 6e-8.
 */
#define CODEC_VALUE_LIMIT 256.0f
#define CODEC_FRAC_BITS_MAX 30
#define CODEC_FRAC_BITS_MIN 8
#define CODEC_WEIGHT_MAX 0x3fffffffu /* of one update */

/* The largest usable frac_bits for up to `updates` updates of weight ≤ `weight_max` (both ≥ 1, weight_max
 * ≤ CODEC_WEIGHT_MAX); MYCEL_E_TOO_LARGE if that would be less than CODEC_FRAC_BITS_MIN. */
int codec_frac_bits(uint32_t updates, uint32_t weight_max);

/* How one update enters a sum. */
struct codec_term {
    float gain;      /* finite: clipping, normalisation; 1 is plain */
    uint32_t weight; /* 1..CODEC_WEIGHT_MAX */
    float max_abs;   /* from codec_scan of the same frame */
    int frac_bits;   /* of the accumulator */
};

/* 0, MYCEL_E_WEIGHT, MYCEL_E_NORM if |gain| · max_abs ≥ CODEC_VALUE_LIMIT (or is NaN). Depends on the
 * update alone: who is refused does not depend on who came before. */
int codec_term_check(const struct codec_term *term);

/* Adds parameters first … first + count − 1 (within the frame, asserted) to acc[0 … count − 1]. The term
 * must have passed codec_term_check (asserted), the frame codec_scan; if it did not, the sum is
 * meaningless but nothing is read or written out of bounds. */
void codec_accumulate(const struct codec_frame *frame, const struct codec_term *term,
                      uint32_t first, uint32_t count, int64_t *acc);

/* The same for up to CODEC_ROWS_MAX frames with a term each, all with these parameters; faster than one after
 * the other, and the same sum. */
#define CODEC_ROWS_MAX 4u
void codec_accumulate_rows(const struct codec_frame *const *frames, const struct codec_term *terms,
                           uint32_t rows, uint32_t first, uint32_t count, int64_t *acc);

/* The same for values that are decoded already. */
void codec_accumulate_values(const float *values, const struct codec_term *term, uint32_t count,
                             int64_t *acc);

#endif
