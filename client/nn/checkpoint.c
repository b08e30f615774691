/*
 * Checkpoints: a context's parameters, optimizer state and run, as a stream of bytes that is the
 * same on every machine. It owns the format and must never trust what it reads back.
 *
 *   bytes   field (little endian)
 *   4       "MYNN"
 *   4       format version, 1
 *   4       parameters
 *   4       fingerprint of the model's layers and of the arrays that follow
 *   8       seed
 *   4 x 5   learning rate (f32), steps, epochs, position, samples seen
 *   4 x 4   loss, epoch loss, epoch sum, gradient norm (f32)
 *   …       each array, canonical order, f32: parameters, base, correction, first and second
 *           moments, of which only those that the plan has
 *   4       CRC-32 of everything before
 */

#include "client/nn/nn_internal.h"
#include "client/nn/nn_math.h"
#include "common/bytes.h"
#include "common/crc32.h"
#include "mycel/error.h"

#define CHECKPOINT_MAGIC 0x4e4e594du /* "MYNN" */
#define CHECKPOINT_VERSION 1u

enum { HEADER_WORDS = 15, CHUNK_VALUES = 32 };

/* A stream in either direction, with the checksum of what has passed. */
struct stream {
    mycel_nn_sink sink;
    mycel_nn_source source;
    void *ctx;
    uint32_t crc;
};

static int put(struct stream *stream, const void *bytes, size_t count)
{
    stream->crc = crc32_add(stream->crc, bytes, count);
    return stream->sink(stream->ctx, bytes, count);
}

static int get(struct stream *stream, void *bytes, size_t count)
{
    int rc = stream->source(stream->ctx, bytes, count);
    stream->crc = rc == 0 ? crc32_add(stream->crc, bytes, count) : stream->crc;
    return rc;
}

/* Arrays worth keeping: a gradient is used up by the step that made it. */
static bool is_saved(const struct mycel_nn *nn, int array)
{
    return array != MYCEL_NN_GRADIENT && nn_array_exists(nn, array);
}

/* Tells models and plans apart whose checkpoints must not be mixed up. */
static uint32_t fingerprint(const struct mycel_nn *nn)
{
    uint32_t crc = 0;
    uint8_t word[4];
    for (uint32_t i = 0; i < nn->model->layer_count; i++) {
        const struct mycel_layer *l = nn_layer(nn, i);
        const uint32_t words[] = {l->kind,       l->activation, l->frozen,       l->param_count,
                                  l->out.height, l->out.width,  l->out.channels, nn->model->loss};
        for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
            put_u32le(word, words[k]);
            crc = crc32_add(crc, word, sizeof word);
        }
    }
    for (int array = 0; array < NN_ARRAYS; array++) {
        const uint8_t saved = is_saved(nn, array);
        crc = crc32_add(crc, &saved, 1);
    }
    return crc;
}

static void put_header(const struct mycel_nn *nn, uint8_t header[HEADER_WORDS * 4])
{
    const uint32_t words[HEADER_WORDS] = {
        CHECKPOINT_MAGIC,
        CHECKPOINT_VERSION,
        nn->model->param_count,
        fingerprint(nn),
        (uint32_t)nn->seed,
        (uint32_t)(nn->seed >> 32),
        nn_bits_of(nn->learning_rate),
        nn->steps,
        nn->epochs,
        nn->position,
        nn->seen,
        nn_bits_of(nn->loss),
        nn_bits_of(nn->epoch_loss),
        nn_bits_of(nn->epoch_sum),
        nn_bits_of(nn->gradient_norm),
    };
    for (size_t i = 0; i < HEADER_WORDS; i++) {
        put_u32le(header + 4 * i, words[i]);
    }
}

int mycel_nn_save(const struct mycel_nn *nn, mycel_nn_sink sink, void *ctx)
{
    struct stream stream = {.sink = sink, .ctx = ctx};
    uint8_t bytes[CHUNK_VALUES * 4];
    _Static_assert(sizeof bytes >= HEADER_WORDS * 4, "the header fits a chunk");
    put_header(nn, bytes);
    int rc = put(&stream, bytes, HEADER_WORDS * 4);
    for (int array = 0; array < NN_ARRAYS; array++) {
        uint32_t count = is_saved(nn, array) ? nn->model->param_count : 0;
        for (uint32_t at = 0; rc == 0 && at < count; at += CHUNK_VALUES) {
            uint32_t values = count - at < CHUNK_VALUES ? count - at : CHUNK_VALUES;
            rc = nn_array_read(nn, array, at, values, bytes);
            rc = rc == 0 ? put(&stream, bytes, (size_t)values * 4) : rc;
        }
    }
    put_u32le(bytes, stream.crc);
    return rc == 0 ? put(&stream, bytes, 4) : rc;
}

static int check_header(const struct mycel_nn *nn, const uint8_t header[HEADER_WORDS * 4])
{
    if (get_u32le(header) != CHECKPOINT_MAGIC) {
        return MYCEL_E_CORRUPT;
    }
    if (get_u32le(header + 4) != CHECKPOINT_VERSION) {
        return MYCEL_E_VERSION;
    }
    bool same = get_u32le(header + 8) == nn->model->param_count &&
                get_u32le(header + 12) == fingerprint(nn);
    return same ? 0 : MYCEL_E_SHAPE;
}

static void take_header(struct mycel_nn *nn, const uint8_t header[HEADER_WORDS * 4])
{
    nn->seed = get_u32le(header + 16) | (uint64_t)get_u32le(header + 20) << 32;
    nn->learning_rate = nn_float_of(get_u32le(header + 24));
    nn->steps = get_u32le(header + 28);
    nn->epochs = get_u32le(header + 32);
    nn->position = get_u32le(header + 36);
    nn->seen = get_u32le(header + 40);
    nn->loss = nn_float_of(get_u32le(header + 44));
    nn->epoch_loss = nn_float_of(get_u32le(header + 48));
    nn->epoch_sum = nn_float_of(get_u32le(header + 52));
    nn->gradient_norm = nn_float_of(get_u32le(header + 56));
}

static int get_arrays(struct mycel_nn *nn, struct stream *stream)
{
    uint8_t bytes[CHUNK_VALUES * 4];
    int rc = 0;
    for (int array = 0; array < NN_ARRAYS; array++) {
        uint32_t count = is_saved(nn, array) ? nn->model->param_count : 0;
        for (uint32_t at = 0; rc == 0 && at < count; at += CHUNK_VALUES) {
            uint32_t values = count - at < CHUNK_VALUES ? count - at : CHUNK_VALUES;
            rc = get(stream, bytes, (size_t)values * 4);
            rc = rc == 0 ? nn_array_write(nn, array, at, values, bytes) : rc;
        }
    }
    return rc;
}

int mycel_nn_restore(struct mycel_nn *nn, mycel_nn_source source, void *ctx)
{
    struct stream stream = {.source = source, .ctx = ctx};
    uint8_t header[HEADER_WORDS * 4];
    uint8_t crc[4];
    int rc = get(&stream, header, sizeof header);
    rc = rc == 0 ? check_header(nn, header) : rc;
    rc = rc == 0 ? get_arrays(nn, &stream) : rc;
    if (rc != 0) {
        return rc;
    }
    uint32_t expected = stream.crc;
    rc = get(&stream, crc, sizeof crc);
    if (rc != 0) {
        return rc;
    }
    if (get_u32le(crc) != expected) {
        return MYCEL_E_CORRUPT;
    }
    take_header(nn, header);
    return 0;
}
