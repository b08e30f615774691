/*
 * The encoder's driver: header, order of blocks, error feedback and where each piece goes. It keeps no
 * values: a block passes through the caller's scratch and is gone.
 */
#include <mycel/error.h>
#include <string.h>

#include "common/assert.h"
#include "common/bytes.h"
#include "common/codec/codec_ops.h"
#include "common/codec/half.h"

int codec_encode_begin(struct codec_encoder *encoder, const struct codec_header *header,
                       codec_write_fn write, void *user)
{
    const struct codec_ops *ops = codec_ops_of((int)header->codec);
    if (!ops) {
        return MYCEL_E_CODEC;
    }
    if (header->params > CODEC_PARAMS_MAX) {
        return MYCEL_E_TOO_LARGE;
    }
    uint32_t block_log2 = codec_block_log2(ops, header->params);
    uint32_t blocks = codec_block_count(header->params, block_log2);
    uint32_t scales = ops->has_scale ? blocks : 0;
    *encoder = (struct codec_encoder){
        .header = *header,
        .write = write,
        .user = user,
        .block_log2 = block_log2,
        .blocks = blocks,
        .scales_at = CODEC_HEADER_BYTES,
        .codes_at = CODEC_HEADER_BYTES + 2u * scales,
    };

    uint8_t bytes[CODEC_HEADER_BYTES] = {'F', 'U', CODEC_VERSION, (uint8_t)header->codec};
    put_u32le(bytes + 4, header->params);
    put_u32le(bytes + 8, header->base_version);
    put_u32le(bytes + 12, header->seed);
    put_u32le(bytes + 16, header->weight);
    bytes[20] = (uint8_t)block_log2;
    put_u16le(bytes + 22, (uint16_t)scales);
    return write(user, 0, bytes, sizeof bytes);
}

/* Adds the residual, if any; says whether all sums are finite. */
static int values_prepare(float *values, const float *residual, uint32_t count)
{
    int finite = 1;
    for (uint32_t i = 0; i < count; i++) {
        if (residual) {
            values[i] += residual[i];
        }
        finite &= float_is_finite(values[i]);
    }
    return finite;
}

int codec_encode_block(struct codec_encoder *encoder, float *values, uint32_t count,
                       float *residual)
{
    MYCEL_ASSERT(encoder->block < encoder->blocks);
    const struct codec_ops *ops = codec_ops_of((int)encoder->header.codec);
    struct codec_block block = codec_block_at(encoder->header.params, encoder->block_log2,
                                              encoder->block, encoder->header.seed);
    MYCEL_ASSERT(ops && count == block.count);

    float *kept = ops->has_residual ? residual : NULL;
    if (!values_prepare(values, kept, count)) {
        return MYCEL_E_NONFINITE;
    }
    uint16_t scale = 0;
    int error = ops->encode(&block, values, kept, &scale);
    if (error) {
        return error;
    }
    if (ops->has_scale) {
        uint8_t bytes[2];
        put_u16le(bytes, scale);
        error = encoder->write(encoder->user, encoder->scales_at + 2u * block.index, bytes, 2);
        if (error) {
            return error;
        }
    }
    uint32_t offset = encoder->codes_at + block.index * ops->code_bytes(block.size, block.size);
    error = encoder->write(encoder->user, offset, values, ops->code_bytes(count, block.size));
    if (error) {
        return error;
    }
    encoder->block++;
    return 0;
}

int codec_encode_end(const struct codec_encoder *encoder)
{
    if (encoder->block != encoder->blocks) {
        return MYCEL_E_STATE;
    }
    return (int)codec_frame_bytes(encoder->header.codec, encoder->header.params);
}

void codec_block_place(const struct codec_encoder *encoder, uint32_t block,
                       struct codec_place *place)
{
    const struct codec_ops *ops = codec_ops_of((int)encoder->header.codec);
    MYCEL_ASSERT(ops && block < encoder->blocks);
    struct codec_block at =
        codec_block_at(encoder->header.params, encoder->block_log2, block, encoder->header.seed);
    *place = (struct codec_place){
        .scale_at = ops->has_scale ? encoder->scales_at + 2u * block : 0,
        .codes_at = encoder->codes_at + block * ops->code_bytes(at.size, at.size),
        .codes_bytes = ops->code_bytes(at.count, at.size),
        .first = at.first,
        .count = at.count,
    };
}

void codec_decode_block(const struct codec_encoder *encoder, uint32_t block, const uint8_t scale[2],
                        const uint8_t *codes, float *out)
{
    const struct codec_ops *ops = codec_ops_of((int)encoder->header.codec);
    MYCEL_ASSERT(ops && block < encoder->blocks);
    struct codec_block at =
        codec_block_at(encoder->header.params, encoder->block_log2, block, encoder->header.seed);
    at.scale = ops->has_scale ? half_to_float(get_u16le(scale)) : 0;
    at.codes = codes;
    ops->decode(&at, out);
}

static int write_to_memory(void *user, uint32_t offset, const void *data, size_t bytes)
{
    memcpy((uint8_t *)user + offset, data, bytes);
    return 0;
}

int codec_encode(const struct codec_header *header, const float *params, float *residual,
                 float *scratch, uint8_t *frame, size_t frame_bytes)
{
    if (!codec_ops_of((int)header->codec)) {
        return MYCEL_E_CODEC;
    }
    if (header->params > CODEC_PARAMS_MAX) {
        return MYCEL_E_TOO_LARGE;
    }
    if (frame_bytes < codec_frame_bytes(header->codec, header->params)) {
        return MYCEL_E_NO_MEMORY;
    }
    struct codec_encoder encoder;
    int error = codec_encode_begin(&encoder, header, write_to_memory, frame);
    uint32_t step = codec_block_params(header->codec, header->params);
    for (uint32_t first = 0; first < header->params && !error; first += step) {
        uint32_t count = header->params - first < step ? header->params - first : step;
        memcpy(scratch, params + first, count * sizeof *scratch);
        error = codec_encode_block(&encoder, scratch, count, residual ? residual + first : NULL);
    }
    return error ? error : codec_encode_end(&encoder);
}
