/* Rotation, then noise. */
#include "data/skew.h"

#include "common/rng.h"
#include "data/spec_text.h"

#include <math.h>
#include <mycel/error.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_PART 201u
#define STREAM_NOISE 202u
#define DRAWS_PER_PART 2u
#define CORNERS 4u
#define U16_MEAN 32767.5f
#define FOUR_U16_DEVIATION 37837.227f /* sqrt(4 (65536² - 1) / 12) */

int skew_parse(const char *text, struct skew_spec *spec, char *problem)
{
    _Static_assert(SPEC_PROBLEM_BYTES == DATASET_PROBLEM_BYTES, "one size of messages");
    memset(spec, 0, sizeof *spec);
    struct spec_text s = {text, text, problem};
    const struct spec_key keys[] = {{"rotate", 0, SKEW_DEGREES_MAX, false, &spec->rotate},
                                    {"noise", 0, SKEW_NOISE_MAX, false, &spec->noise}};
    if (spec_word(&s, "none")) {
        return spec_end(&s);
    }
    if (spec_word(&s, "skew") && !spec_take(&s, ':')) {
        return spec_fail(&s, "rotate=DEGREES, noise=SHARE or both are missing");
    }
    return spec_keys(&s, keys, 2);
}

struct skew skew_of_part(const struct skew_spec *spec, uint64_t seed, uint32_t part)
{
    uint64_t counter = (uint64_t)part * DRAWS_PER_PART;
    float turn = 2.0f * rng_f32(seed, STREAM_PART, counter) - 1.0f;
    return (struct skew){.seed = seed,
                         .part = part,
                         .degrees = spec->rotate * turn,
                         .noise = spec->noise * rng_f32(seed, STREAM_PART, counter + 1u)};
}

static float value_at(const struct dataset *set, const void *sample, uint32_t i)
{
    return set->type == DATASET_U8 ? (float)((const uint8_t *)sample)[i]
                                   : ((const float *)sample)[i];
}

static void put_value(const struct dataset *set, void *sample, uint32_t i, float value)
{
    if (set->type == DATASET_F32) {
        ((float *)sample)[i] = value;
    } else {
        ((uint8_t *)sample)[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5f);
    }
}

/* A pixel of the turned image is the weighted mean of four of the original. The same for all images. */
struct origin {
    uint32_t pixel[CORNERS];
    float weight[CORNERS]; /* 0 outside of the image */
};

static struct origin find_origin(const struct dataset *set, float row, float column)
{
    float top = floorf(row);
    float left = floorf(column);
    float down = row - top;
    float right = column - left;
    struct origin origin;
    for (unsigned i = 0; i < CORNERS; i++) {
        int r = (int)top + (int)(i / 2);
        int c = (int)left + (int)(i % 2);
        bool inside = r >= 0 && c >= 0 && r < (int)set->height && c < (int)set->width;
        float weight = (i / 2 != 0 ? down : 1.0f - down) * (i % 2 != 0 ? right : 1.0f - right);
        origin.pixel[i] = inside ? (uint32_t)r * set->width + (uint32_t)c : 0;
        origin.weight[i] = inside ? weight : 0;
    }
    return origin;
}

static void find_origins(const struct dataset *set, float degrees, struct origin *origins)
{
    float angle = degrees * 0.017453292519943295f;
    float cosine = cosf(angle);
    float sine = sinf(angle);
    float middle_row = 0.5f * (float)(set->height - 1u);
    float middle_column = 0.5f * (float)(set->width - 1u);
    for (uint32_t i = 0; i < set->height * set->width; i++) {
        uint32_t row = i / set->width;
        uint32_t column = i % set->width;
        float y = (float)row - middle_row;
        float x = (float)column - middle_column;
        origins[i] = find_origin(set, middle_row + y * cosine + x * sine,
                                 middle_column + x * cosine - y * sine);
    }
}

static void turn(const struct dataset *set, const struct origin *origins, const void *from,
                 void *to)
{
    const struct dataset shape = *set; /* copies: byte stores could change what pointers show */
    uint32_t pixels = shape.height * shape.width;
    uint32_t channels = shape.features / pixels;
    for (uint32_t i = 0; i < pixels; i++) {
        const struct origin *o = &origins[i];
        for (uint32_t channel = 0; channel < channels; channel++) {
            float sum = 0;
            for (unsigned corner = 0; corner < CORNERS; corner++) {
                uint32_t place = o->pixel[corner] * channels + channel;
                sum += o->weight[corner] * value_at(&shape, from, place);
            }
            put_value(&shape, to, i * channels + channel, sum);
        }
    }
}

/* The four 16-bit numbers in 64 random bits, summed and centred. */
static float bell(uint64_t bits)
{
    uint32_t sum = (uint32_t)(bits & 0xFFFF) + (uint32_t)(bits >> 16 & 0xFFFF) +
                   (uint32_t)(bits >> 32 & 0xFFFF) + (uint32_t)(bits >> 48);
    return (float)sum - 4.0f * U16_MEAN;
}

static void add_noise(const struct skew *skew, const struct dataset *set, uint32_t index,
                      void *sample)
{
    const struct dataset shape = *set;
    uint64_t stream = ((uint64_t)skew->part << 32) + STREAM_NOISE;
    uint64_t key = rng_u64(skew->seed, stream, index);
    float scale = skew->noise * (shape.type == DATASET_U8 ? 255.0f : 1.0f) / FOUR_U16_DEVIATION;
    for (uint32_t i = 0; i < shape.features; i++) {
        uint64_t bits = rng_mix64(key + (i + 1u) * 0x9E3779B97F4A7C15u);
        put_value(&shape, sample, i, value_at(&shape, sample, i) + bell(bits) * scale);
    }
}

/* Turns every image. */
static int turn_all(const struct skew *skew, struct dataset *set)
{
    size_t bytes = (size_t)set->features * (set->type == DATASET_U8 ? 1u : sizeof(float));
    if (set->height < 2 || set->width < 2) {
        return MYCEL_E_INVALID;
    }
    struct origin *origins = calloc((size_t)set->height * set->width, sizeof *origins);
    void *before = malloc(bytes);
    int rc = origins != NULL && before != NULL ? MYCEL_OK : MYCEL_E_NO_MEMORY;
    if (rc == 0) {
        find_origins(set, skew->degrees, origins);
    }
    for (uint32_t i = 0; rc == 0 && i < set->samples; i++) {
        void *sample = (uint8_t *)set->inputs + i * bytes;
        memcpy(before, sample, bytes);
        turn(set, origins, before, sample);
    }
    free(origins);
    free(before);
    return rc;
}

int skew_apply(const struct skew *skew, struct dataset *set)
{
    size_t bytes = (size_t)set->features * (set->type == DATASET_U8 ? 1u : sizeof(float));
    int rc = skew->degrees != 0 ? turn_all(skew, set) : MYCEL_OK;
    for (uint32_t i = 0; rc == 0 && skew->noise > 0 && i < set->samples; i++) {
        add_noise(skew, set, i, (uint8_t *)set->inputs + i * bytes);
    }
    return rc;
}
