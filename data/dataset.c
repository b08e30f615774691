/* What all formats share: dispatch, picking, freeing, and the made-up task. */
#include "common/assert.h"
#include "common/rng.h"
#include "data/dataset_internal.h"
#include "data/npy.h"

#include <math.h>
#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_CENTRES 1u
#define STREAM_LABELS 2u
#define STREAM_NOISE 3u
#define STREAMS 8u /* per call of dataset_make */

int dataset_read_from(const struct dataset_source *source, struct dataset *out, char *problem)
{
    bool arrays = npy_is_name(source->inputs);
    if (source->id_column != NULL && (arrays || source->labels != NULL)) {
        memset(out, 0, sizeof *out);
        if (problem != NULL) {
            (void)snprintf(problem, DATASET_PROBLEM_BYTES, "%s: only a CSV has an id column",
                           source->inputs);
        }
        return MYCEL_E_INVALID;
    }
    if (arrays) {
        return dataset_read_npy(source, out, problem);
    }
    if (source->labels != NULL) {
        return dataset_read_idx(source->inputs, source->labels, out, problem);
    }
    return dataset_read_csv(source, out, problem);
}

int dataset_read(const char *inputs, const char *labels, struct dataset *out, char *problem)
{
    struct dataset_source source = {.inputs = inputs, .labels = labels, .target = DATASET_LABELS};
    return dataset_read_from(&source, out, problem);
}

bool target_is_label(float value)
{
    return value >= 0 && value < (float)DATASET_CLASSES_MAX && value == floorf(value);
}

int dataset_settle_targets(struct dataset *set, enum dataset_target wanted, uint32_t *odd)
{
    if (wanted == DATASET_TARGETS) {
        return MYCEL_OK;
    }
    for (uint32_t i = 0; i < set->samples; i++) {
        if (!target_is_label(set->targets[i])) {
            *odd = i;
            return wanted == DATASET_EITHER ? MYCEL_OK : MYCEL_E_MALFORMED;
        }
    }
    set->labels = malloc(((size_t)set->samples + 1) * sizeof *set->labels);
    if (set->labels == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < set->samples; i++) {
        set->labels[i] = (uint32_t)set->targets[i];
        set->classes = set->labels[i] >= set->classes ? set->labels[i] + 1u : set->classes;
    }
    free(set->targets);
    set->targets = NULL;
    return MYCEL_OK;
}

void dataset_free(struct dataset *set)
{
    free(set->inputs);
    free(set->labels);
    free(set->targets);
    free(set->groups);
    memset(set, 0, sizeof *set);
}

static size_t row_bytes(const struct dataset *set)
{
    return (size_t)set->features * (set->type == DATASET_U8 ? 1 : sizeof(float));
}

/* Room for `samples` samples of the same kind. */
static int allocate(struct dataset *set)
{
    set->inputs = malloc((size_t)set->samples * row_bytes(set) + 1);
    set->labels = set->classes ? malloc(((size_t)set->samples + 1) * sizeof *set->labels) : NULL;
    set->targets = set->classes ? NULL : malloc(((size_t)set->samples + 1) * sizeof *set->targets);
    if (!set->inputs || (!set->labels && !set->targets)) {
        dataset_free(set);
        return MYCEL_E_NO_MEMORY;
    }
    return MYCEL_OK;
}

int dataset_pick(const struct dataset *from, const uint32_t *indices, uint32_t count,
                 struct dataset *out)
{
    *out = *from;
    out->samples = count;
    out->groups = NULL;
    out->groups_count = 0;
    int rc = allocate(out);
    if (rc < 0) {
        return rc;
    }
    size_t bytes = row_bytes(from);
    for (uint32_t i = 0; i < count; i++) {
        if (indices[i] >= from->samples) {
            dataset_free(out);
            return MYCEL_E_INVALID;
        }
        memcpy((uint8_t *)out->inputs + i * bytes,
               (const uint8_t *)from->inputs + indices[i] * bytes, bytes);
        if (out->labels) {
            out->labels[i] = from->labels[indices[i]];
        } else {
            out->targets[i] = from->targets[indices[i]];
        }
    }
    return MYCEL_OK;
}

/* A round spot of light at the class's place, on noise. */
static void draw_blob(uint8_t *image, const struct dataset *set, float row, float column,
                      uint64_t seed, uint64_t stream, uint32_t sample)
{
    float radius = (float)(set->height < set->width ? set->height : set->width) / 4.0f;
    for (uint32_t i = 0; i < set->features; i++) {
        uint32_t y = i / set->width;
        uint32_t x = i % set->width;
        float dy = (float)y - row;
        float dx = (float)x - column;
        float light = 160.0f * expf(-(dx * dx + dy * dy) / (radius * radius));
        float noise = 95.0f * rng_f32(seed, stream, (uint64_t)sample * set->features + i);
        image[i] = (uint8_t)(light + noise);
    }
}

int dataset_make(uint32_t samples, uint32_t height, uint32_t width, uint32_t classes, uint64_t seed,
                 uint64_t stream, struct dataset *out)
{
    MYCEL_ASSERT(classes > 0);
    memset(out, 0, sizeof *out);
    out->type = DATASET_U8;
    out->samples = samples;
    out->features = height * width;
    out->height = height;
    out->width = width;
    out->classes = classes;
    int rc = allocate(out);
    if (rc < 0) {
        return rc;
    }
    uint64_t first = stream * STREAMS;
    for (uint32_t s = 0; s < samples; s++) {
        uint32_t label = rng_below(seed, first + STREAM_LABELS, s, classes);
        float jitter = rng_f32(seed, first + STREAM_LABELS, samples + 2ull * s) - 0.5f;
        float shift = rng_f32(seed, first + STREAM_LABELS, samples + 2ull * s + 1) - 0.5f;
        float row = (float)height * rng_f32(seed, STREAM_CENTRES, 2ull * label) + 3.0f * jitter;
        float column =
            (float)width * rng_f32(seed, STREAM_CENTRES, 2ull * label + 1) + 3.0f * shift;
        out->labels[s] = label;
        draw_blob((uint8_t *)out->inputs + (size_t)s * out->features, out, row, column, seed,
                  first + STREAM_NOISE, s);
    }
    return MYCEL_OK;
}
