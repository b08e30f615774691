/*
 * The frame: codec table, sizes, and reading a header with every bound checked. It never looks at the
 * codes themselves.
 */
#include <mycel/error.h>
#include <string.h>

#include "common/assert.h"
#include "common/bytes.h"
#include "common/codec/codec_ops.h"
#include "common/codec/half.h"

#define SCALES_MAX 65535u /* the header's count has 16 bits */

static const struct codec_ops *const codec_table[CODEC_COUNT] = {
    [CODEC_F32] = &codec_ops_f32,     [CODEC_F16] = &codec_ops_f16,
    [CODEC_INT8] = &codec_ops_int8,   [CODEC_INT4] = &codec_ops_int4,
    [CODEC_EDEN2] = &codec_ops_eden2, [CODEC_DRIVE1] = &codec_ops_drive1,
    [CODEC_SIGN] = &codec_ops_sign,   [CODEC_TERNARY] = &codec_ops_ternary,
    [CODEC_TOPK] = &codec_ops_topk,
};

const struct codec_ops *codec_ops_of(int codec)
{
    return codec >= 0 && codec < CODEC_COUNT ? codec_table[codec] : NULL;
}

const char *codec_name(int codec)
{
    const struct codec_ops *ops = codec_ops_of(codec);
    return ops ? ops->name : NULL;
}

int codec_from_name(const char *name)
{
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        if (strcmp(codec_table[codec]->name, name) == 0) {
            return codec;
        }
    }
    return MYCEL_E_NOT_FOUND;
}

int codec_has_residual(enum codec_id codec)
{
    const struct codec_ops *ops = codec_ops_of((int)codec);
    MYCEL_ASSERT(ops);
    return ops->has_residual;
}

uint32_t codec_block_count(uint32_t params, uint32_t block_log2)
{
    return (params + (1u << block_log2) - 1u) >> block_log2;
}

uint32_t codec_block_log2(const struct codec_ops *ops, uint32_t params)
{
    uint32_t block_log2 = ops->block_log2;
    /* Small blocks of a very large model would have more scales than the header can count. */
    while (ops->has_scale && codec_block_count(params, block_log2) > SCALES_MAX) {
        block_log2++;
    }
    MYCEL_ASSERT(1u << block_log2 <= CODEC_BLOCK_PARAMS_MAX);
    return block_log2;
}

struct codec_block codec_block_at(uint32_t params, uint32_t block_log2, uint32_t index,
                                  uint32_t seed)
{
    uint32_t size = 1u << block_log2;
    uint32_t first = index << block_log2;
    MYCEL_ASSERT(first < params);
    return (struct codec_block){
        .seed = seed,
        .index = index,
        .first = first,
        .count = params - first < size ? params - first : size,
        .size = size,
    };
}

struct codec_block codec_frame_block(const struct codec_frame *frame, uint32_t index)
{
    const struct codec_ops *ops = codec_ops_of((int)frame->header.codec);
    MYCEL_ASSERT(ops);
    struct codec_block block =
        codec_block_at(frame->header.params, frame->block_log2, index, frame->header.seed);
    block.codes = frame->codes + (size_t)index * ops->code_bytes(block.size, block.size);
    block.scale = frame->scales ? half_to_float(get_u16le(frame->scales + 2u * index)) : 1.0f;
    return block;
}

int codec_padding_is_zero(const uint8_t *bytes, uint32_t used_bits, uint32_t total_bytes)
{
    for (uint32_t bit = used_bits; bit < 8u * total_bytes; bit++) {
        if (bytes[bit / 8u] >> (bit % 8u) & 1u) {
            return 0;
        }
    }
    return 1;
}

static uint32_t code_bytes_total(const struct codec_ops *ops, uint32_t params, uint32_t block_log2)
{
    if (params == 0) {
        return 0;
    }
    uint32_t size = 1u << block_log2;
    uint32_t full = (params - 1u) >> block_log2; /* blocks before the last */
    uint32_t last = params - (full << block_log2);
    return full * ops->code_bytes(size, size) + ops->code_bytes(last, size);
}

uint32_t codec_frame_bytes(enum codec_id codec, uint32_t params)
{
    const struct codec_ops *ops = codec_ops_of((int)codec);
    MYCEL_ASSERT(ops && params <= CODEC_PARAMS_MAX);
    uint32_t block_log2 = codec_block_log2(ops, params);
    uint32_t scales = ops->has_scale ? codec_block_count(params, block_log2) : 0;
    return CODEC_HEADER_BYTES + 2u * scales + code_bytes_total(ops, params, block_log2);
}

uint32_t codec_block_params(enum codec_id codec, uint32_t params)
{
    const struct codec_ops *ops = codec_ops_of((int)codec);
    MYCEL_ASSERT(ops && params <= CODEC_PARAMS_MAX);
    return 1u << codec_block_log2(ops, params);
}

/* Reads the fixed part. What only the frame's length can confirm is left to codec_open. */
static int header_read(struct codec_header *header, const uint8_t *data, size_t bytes)
{
    if (bytes < CODEC_HEADER_BYTES || data[0] != 'F' || data[1] != 'U') {
        return MYCEL_E_MALFORMED;
    }
    if (data[2] != CODEC_VERSION) {
        return MYCEL_E_VERSION;
    }
    if (!codec_ops_of(data[3])) {
        return MYCEL_E_CODEC;
    }
    *header = (struct codec_header){
        .codec = (enum codec_id)data[3],
        .params = get_u32le(data + 4),
        .base_version = get_u32le(data + 8),
        .seed = get_u32le(data + 12),
        .weight = get_u32le(data + 16),
    };
    return header->params > CODEC_PARAMS_MAX ? MYCEL_E_TOO_LARGE : 0;
}

int codec_open(struct codec_frame *frame, const uint8_t *data, size_t bytes)
{
    struct codec_header header;
    int error = header_read(&header, data, bytes);
    if (error) {
        return error;
    }
    const struct codec_ops *ops = codec_ops_of((int)header.codec);
    uint32_t block_log2 = codec_block_log2(ops, header.params);
    uint32_t blocks = codec_block_count(header.params, block_log2);
    uint32_t scales = ops->has_scale ? blocks : 0;
    if (data[20] != block_log2 || data[21] != 0 || get_u16le(data + 22) != scales ||
        bytes != codec_frame_bytes(header.codec, header.params)) {
        return MYCEL_E_MALFORMED;
    }
    *frame = (struct codec_frame){
        .header = header,
        .block_log2 = block_log2,
        .blocks = blocks,
        .scales = scales ? data + CODEC_HEADER_BYTES : NULL,
        .codes = data + CODEC_HEADER_BYTES + 2u * scales,
    };
    return 0;
}
