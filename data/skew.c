/* Rotation, then noise, one sample at a time. */
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
    return set->type == DATASET_U8 ? ((const uint8_t *)sample)[i] : ((const float *)sample)[i];
}

static void put_value(const struct dataset *set, void *sample, uint32_t i, float value)
{
    if (set->type == DATASET_F32) {
        ((float *)sample)[i] = value;
    } else {
        float rounded = floorf(value + 0.5f);
        ((uint8_t *)sample)[i] = (uint8_t)(rounded < 0 ? 0 : rounded > 255 ? 255 : rounded);
    }
}

/* One channel's pixel; 0 outside of the image. */
static float pixel(const struct dataset *set, const void *sample, int row, int column,
                   uint32_t channel)
{
    if (row < 0 || column < 0 || row >= (int)set->height || column >= (int)set->width) {
        return 0;
    }
    uint32_t channels = set->features / (set->height * set->width);
    uint32_t place = (uint32_t)row * set->width + (uint32_t)column;
    return value_at(set, sample, place * channels + channel);
}

static float between(const struct dataset *set, const void *sample, float row, float column,
                     uint32_t channel)
{
    float top = floorf(row);
    float left = floorf(column);
    float down = row - top;
    float right = column - left;
    int r = (int)top;
    int c = (int)left;
    float upper = pixel(set, sample, r, c, channel) * (1.0f - right) +
                  pixel(set, sample, r, c + 1, channel) * right;
    float lower = pixel(set, sample, r + 1, c, channel) * (1.0f - right) +
                  pixel(set, sample, r + 1, c + 1, channel) * right;
    return upper * (1.0f - down) + lower * down;
}

/* Each pixel of `to` looks up where it came from in `from`. */
static void turn(const struct dataset *set, float cosine, float sine, const void *from, void *to)
{
    uint32_t channels = set->features / (set->height * set->width);
    float middle_row = 0.5f * (float)(set->height - 1u);
    float middle_column = 0.5f * (float)(set->width - 1u);
    for (uint32_t i = 0; i < set->height * set->width; i++) {
        float y = (float)(i / set->width) - middle_row;
        float x = (float)(i % set->width) - middle_column;
        float row = middle_row + y * cosine + x * sine;
        float column = middle_column + x * cosine - y * sine;
        for (uint32_t channel = 0; channel < channels; channel++) {
            put_value(set, to, i * channels + channel, between(set, from, row, column, channel));
        }
    }
}

static void add_noise(const struct skew *skew, const struct dataset *set, uint32_t index,
                      void *sample)
{
    float scale = skew->noise * (set->type == DATASET_U8 ? 255.0f : 1.0f) / FOUR_U16_DEVIATION;
    uint64_t stream = ((uint64_t)skew->part << 32) + STREAM_NOISE;
    uint64_t first = (uint64_t)index * set->features;
    for (uint32_t i = 0; i < set->features; i++) {
        uint64_t bits = rng_u64(skew->seed, stream, first + i);
        uint32_t sum = (uint32_t)(bits & 0xFFFF) + (uint32_t)(bits >> 16 & 0xFFFF) +
                       (uint32_t)(bits >> 32 & 0xFFFF) + (uint32_t)(bits >> 48);
        float noise = ((float)sum - 4.0f * U16_MEAN) * scale;
        put_value(set, sample, i, value_at(set, sample, i) + noise);
    }
}

int skew_apply(const struct skew *skew, struct dataset *set)
{
    size_t bytes = (size_t)set->features * (set->type == DATASET_U8 ? 1u : sizeof(float));
    bool turned = skew->degrees != 0;
    if (turned && (set->height < 2 || set->width < 2)) {
        return MYCEL_E_INVALID;
    }
    void *before = turned ? malloc(bytes) : NULL;
    if (turned && before == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    float angle = skew->degrees * 0.017453292519943295f;
    float cosine = cosf(angle);
    float sine = sinf(angle);
    for (uint32_t i = 0; i < set->samples; i++) {
        void *sample = (uint8_t *)set->inputs + i * bytes;
        if (turned) {
            memcpy(before, sample, bytes);
            turn(set, cosine, sine, before, sample);
        }
        if (skew->noise > 0) {
            add_noise(skew, set, i, sample);
        }
    }
    free(before);
    return MYCEL_OK;
}
