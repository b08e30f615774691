/*
 * The ring of samples: which slot a new one takes, what feedback does to it, and its form in
 * storage. It owns records and nothing of the model; storage may end at any byte and still opens.
 *
 *   bytes   field of a record (little endian)
 *   4       sequence, 0 in an empty slot
 *   2       label, 0xffff while unknown
 *   2       guess, 0xffff if there was none
 *   4       CRC-32 of the input
 *   4       CRC-32 of the twelve bytes before
 *   …       the input, padded to a multiple of four
 */
#include "mycel/ring.h"

#include <string.h>

#include "client/nn/nn_math.h"
#include "common/bytes.h"
#include "common/crc32.h"
#include "mycel/error.h"

enum { CHUNK_BYTES = 64 };

uint32_t mycel_ring_stride(uint32_t input_bytes)
{
    return MYCEL_RING_RECORD_BYTES + (input_bytes + 3u) / 4u * 4u;
}

static uint32_t offset_of(const struct mycel_ring *ring, uint32_t slot)
{
    return slot * mycel_ring_stride(ring->config.input_bytes);
}

static int read_at(const struct mycel_ring *ring, uint32_t offset, void *bytes, uint32_t count)
{
    if (ring->config.store != NULL) {
        return ring->config.store->read(ring->config.store->ctx, offset, bytes, count);
    }
    memcpy(bytes, (const uint8_t *)ring->config.memory + offset, count);
    return 0;
}

static int write_at(const struct mycel_ring *ring, uint32_t offset, const void *bytes,
                    uint32_t count)
{
    if (ring->config.store != NULL) {
        return ring->config.store->write(ring->config.store->ctx, offset, bytes, count);
    }
    memcpy((uint8_t *)ring->config.memory + offset, bytes, count);
    return 0;
}

static int write_header(const struct mycel_ring *ring, uint32_t slot,
                        const struct mycel_ring_slot *value, uint32_t input_crc)
{
    uint8_t header[MYCEL_RING_RECORD_BYTES];
    put_u32le(header, value->sequence);
    put_u32le(header + 4, (uint32_t)value->label | (uint32_t)value->guess << 16);
    put_u32le(header + 8, input_crc);
    put_u32le(header + 12, crc32_add(0, header, 12));
    return write_at(ring, offset_of(ring, slot), header, sizeof header);
}

/* CRC of an input in storage. */
static int crc_of_input(const struct mycel_ring *ring, uint32_t slot, uint32_t *crc)
{
    uint8_t chunk[CHUNK_BYTES];
    uint32_t bytes = ring->config.input_bytes;
    *crc = 0;
    for (uint32_t at = 0; at < bytes; at += CHUNK_BYTES) {
        uint32_t count = bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES;
        int rc = read_at(ring, offset_of(ring, slot) + MYCEL_RING_RECORD_BYTES + at, chunk, count);
        if (rc != 0) {
            return rc;
        }
        *crc = crc32_add(*crc, chunk, count);
    }
    return 0;
}

/* What a slot in storage holds; sequence 0 when that is nothing whole. */
static int load_slot(const struct mycel_ring *ring, uint32_t slot, struct mycel_ring_slot *value)
{
    uint8_t header[MYCEL_RING_RECORD_BYTES];
    uint32_t crc = 0;
    *value = (struct mycel_ring_slot){0};
    int rc = read_at(ring, offset_of(ring, slot), header, sizeof header);
    if (rc != 0 || get_u32le(header) == 0 || get_u32le(header + 12) != crc32_add(0, header, 12)) {
        return rc;
    }
    rc = crc_of_input(ring, slot, &crc);
    uint32_t labels = get_u32le(header + 4);
    uint16_t label = (uint16_t)labels;
    bool good = label < ring->config.classes || label == MYCEL_RING_UNKNOWN;
    if (rc == 0 && crc == get_u32le(header + 8) && good) {
        *value = (struct mycel_ring_slot){get_u32le(header), label, (uint16_t)(labels >> 16)};
    }
    return rc;
}

static bool is_labelled(const struct mycel_ring_slot *slot)
{
    return slot->sequence != 0 && slot->label != MYCEL_RING_UNKNOWN;
}

int mycel_ring_open(struct mycel_ring *ring, const struct mycel_ring_config *config)
{
    bool good = config->slots >= 1 && config->slots <= MYCEL_RING_SLOTS_MAX &&
                config->input_bytes >= 1 && config->input_bytes < INT32_MAX / config->slots &&
                config->classes >= 1 && config->classes < MYCEL_RING_UNKNOWN &&
                config->slot != NULL && (config->memory != NULL || config->store != NULL);
    if (!good) {
        return MYCEL_E_INVALID;
    }
    *ring = (struct mycel_ring){.config = *config};
    if (ring->config.pending_max == 0) {
        ring->config.pending_max = config->slots >= 8 ? config->slots / 8 : 1;
    }
    int found = 0;
    for (uint32_t i = 0; i < config->slots; i++) {
        struct mycel_ring_slot *slot = &config->slot[i];
        int rc = load_slot(ring, i, slot);
        if (rc != 0) {
            return rc;
        }
        found += slot->sequence != 0;
        ring->sequence = slot->sequence > ring->sequence ? slot->sequence : ring->sequence;
    }
    return found;
}

uint32_t mycel_ring_count(const struct mycel_ring *ring, uint16_t label)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ring->config.slots; i++) {
        const struct mycel_ring_slot *slot = &ring->config.slot[i];
        count += is_labelled(slot) && (label == MYCEL_RING_UNKNOWN || slot->label == label);
    }
    return count;
}

/* The oldest slot with a label (MYCEL_RING_UNKNOWN: a pending one), and how many there are. */
static uint32_t oldest_of(const struct mycel_ring *ring, uint16_t label, uint32_t *count)
{
    uint32_t best = ring->config.slots;
    *count = 0;
    for (uint32_t i = 0; i < ring->config.slots; i++) {
        const struct mycel_ring_slot *slot = &ring->config.slot[i];
        if (slot->sequence == 0 || slot->label != label) {
            continue;
        }
        bool older =
            best == ring->config.slots || slot->sequence < ring->config.slot[best].sequence;
        best = older ? i : best;
        (*count)++;
    }
    return best;
}

/* The oldest sample of the most numerous class. A class as large as any makes room for its own. */
static uint32_t oldest_of_largest(const struct mycel_ring *ring, uint16_t label)
{
    uint32_t most = 0;
    uint32_t victim = label < ring->config.classes ? oldest_of(ring, label, &most) : 0;
    for (uint32_t i = 0; i < ring->config.slots; i++) {
        uint32_t count;
        uint32_t oldest = oldest_of(ring, ring->config.slot[i].label, &count);
        if (is_labelled(&ring->config.slot[i]) && count > most) {
            most = count;
            victim = oldest;
        }
    }
    return victim;
}

/* Pending samples may not crowd out labelled ones, and go first when the ring is full. */
static uint32_t choose_slot(const struct mycel_ring *ring, uint16_t label)
{
    uint32_t pending;
    uint32_t oldest = oldest_of(ring, MYCEL_RING_UNKNOWN, &pending);
    if (label == MYCEL_RING_UNKNOWN && pending >= ring->config.pending_max) {
        return oldest;
    }
    for (uint32_t i = 0; i < ring->config.slots; i++) {
        if (ring->config.slot[i].sequence == 0) {
            return i;
        }
    }
    return pending > 0 ? oldest : oldest_of_largest(ring, label);
}

int mycel_ring_add(struct mycel_ring *ring, const void *input, uint16_t label, uint16_t guess)
{
    bool known = label < ring->config.classes;
    bool guessed = guess < ring->config.classes || guess == MYCEL_RING_UNKNOWN;
    if ((!known && label != MYCEL_RING_UNKNOWN) || !guessed || ring->sequence >= INT32_MAX) {
        return MYCEL_E_INVALID;
    }
    uint32_t slot = choose_slot(ring, label);
    uint32_t bytes = ring->config.input_bytes;
    const struct mycel_ring_slot empty = {0};
    const struct mycel_ring_slot value = {ring->sequence + 1, label, guess};
    int rc = write_header(ring, slot, &empty, 0);
    ring->config.slot[slot] = empty;
    rc = rc == 0 ? write_at(ring, offset_of(ring, slot) + MYCEL_RING_RECORD_BYTES, input, bytes)
                 : rc;
    rc = rc == 0 ? write_header(ring, slot, &value, crc32_add(0, input, bytes)) : rc;
    if (rc != 0) {
        return rc;
    }
    ring->config.slot[slot] = value;
    return (int)++ring->sequence;
}

int mycel_ring_feedback(struct mycel_ring *ring, int ticket, enum mycel_ring_verdict verdict,
                        uint16_t label)
{
    uint32_t slot = 0;
    while (slot < ring->config.slots && ring->config.slot[slot].sequence != (uint32_t)ticket) {
        slot++;
    }
    if (ticket <= 0 || slot == ring->config.slots) {
        return MYCEL_E_NOT_FOUND;
    }
    struct mycel_ring_slot value = ring->config.slot[slot];
    value.label = verdict == MYCEL_RING_RIGHT ? value.guess : label;
    bool dropped = verdict == MYCEL_RING_WRONG && label == MYCEL_RING_UNKNOWN;
    if (!dropped && value.label >= ring->config.classes) {
        return MYCEL_E_INVALID;
    }
    value.sequence = dropped ? 0 : value.sequence;
    uint32_t crc;
    int rc = crc_of_input(ring, slot, &crc);
    rc = rc == 0 ? write_header(ring, slot, &value, crc) : rc;
    ring->config.slot[slot] = rc == 0 ? value : ring->config.slot[slot];
    return rc;
}

/* Slot of the index-th labelled sample. */
static uint32_t labelled_slot(const struct mycel_ring *ring, uint32_t index)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < ring->config.slots; i++) {
        if (is_labelled(&ring->config.slot[i]) && seen++ == index) {
            return i;
        }
    }
    return ring->config.slots;
}

static int ring_fetch(void *ctx, uint32_t index, void *stage, struct mycel_nn_sample *sample)
{
    struct mycel_ring *ring = ctx;
    uint32_t slot = labelled_slot(ring, index);
    if (slot == ring->config.slots) {
        return MYCEL_E_NOT_FOUND;
    }
    uint32_t at = offset_of(ring, slot) + MYCEL_RING_RECORD_BYTES;
    sample->label = ring->config.slot[slot].label;
    if (ring->config.store == NULL) {
        sample->input = (const uint8_t *)ring->config.memory + at;
        return 0;
    }
    sample->input = stage;
    return stage != NULL ? read_at(ring, at, stage, ring->config.input_bytes) : MYCEL_E_STATE;
}

void mycel_ring_data(struct mycel_ring *ring, struct mycel_nn_data *data)
{
    *data = (struct mycel_nn_data){
        .count = mycel_ring_count(ring, MYCEL_RING_UNKNOWN),
        .fetch = ring_fetch,
        .ctx = ring,
    };
}

static float raw_value(const void *input, uint8_t kind, uint32_t k)
{
    switch (kind) {
    case MYCEL_NN_U8:
        return (float)((const uint8_t *)input)[k];
    case MYCEL_NN_I8:
        return (float)((const int8_t *)input)[k];
    default:
        return ((const float *)input)[k];
    }
}

int mycel_ring_scaling(struct mycel_ring *ring, uint8_t input, void *stage, float *scale,
                       float *shift)
{
    uint32_t features = ring->config.input_bytes / (input == MYCEL_NN_F32 ? 4u : 1u);
    uint32_t count = mycel_ring_count(ring, MYCEL_RING_UNKNOWN);
    if (count == 0) {
        return MYCEL_E_STATE;
    }
    /* The mean grows in shift and the sum of squares around it in scale (Welford 1962). */
    for (uint32_t k = 0; k < features; k++) {
        scale[k] = 0.0f;
        shift[k] = 0.0f;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct mycel_nn_sample sample;
        int rc = ring_fetch(ring, i, stage, &sample);
        if (rc != 0) {
            return rc;
        }
        for (uint32_t k = 0; k < features; k++) {
            float before = raw_value(sample.input, input, k) - shift[k];
            shift[k] += before / (float)(i + 1);
            scale[k] += before * (raw_value(sample.input, input, k) - shift[k]);
        }
    }
    for (uint32_t k = 0; k < features; k++) {
        float variance = scale[k] / (float)count;
        scale[k] = variance > 0.0f ? 1.0f / nn_sqrtf(variance) : 1.0f;
        shift[k] = -shift[k] * scale[k];
    }
    return 0;
}
