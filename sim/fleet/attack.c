/* One row of a table for each kind; a kind without a function leaves that step honest. */
#include "sim/fleet/attack.h"

#include "common/assert.h"
#include "common/rng.h"

#include <math.h>
#include <mycel/error.h>

#include <stdlib.h>
#include <string.h>

#define RNG_STREAM_FREERIDER ((uint64_t)0x66726565u << 32) /* "free", the device in the low half */
#define RNG_STREAM_POISON ((uint64_t)0x706F6973u << 32)    /* "pois", the device in the low half */

#define TRIGGER_U8 255
#define TRIGGER_F32 1.0f

/* A sum of four uniform 16-bit numbers: its mean and 1 / its deviation, sqrt(4 (65536² - 1) / 12). */
#define FOUR_U16_MEAN 131070.0f
#define FOUR_U16_SCALE (1.0f / 37837.227f)

/* ---- reports */

static void report_scaled(const struct attacker *a, const float *base, float *weights, uint32_t n)
{
    float factor = a->spec->kind == ATTACK_SIGN ? -1.0f : a->spec->factor;
    for (uint32_t i = 0; i < n; i++) {
        weights[i] = base[i] + factor * (weights[i] - base[i]);
    }
}

static void report_alie(const struct attacker *a, const float *base, float *weights, uint32_t n)
{
    const struct attack_crowd *crowd = a->crowd;
    MYCEL_ASSERT(crowd != NULL && crowd->params == n);
    for (uint32_t i = 0; i < n && crowd->count > 0; i++) {
        float deviation = sqrtf(crowd->squares[i] / (float)crowd->count);
        weights[i] = base[i] + crowd->mean[i] - a->spec->z * deviation;
    }
}

static void report_noise(const struct attacker *a, const float *base, float *weights, uint32_t n)
{
    uint64_t first = (uint64_t)a->round << 32;
    if (a->spec->noise == 0.0f) {
        memcpy(weights, base, n * sizeof *weights);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bits = rng_u64(a->seed, RNG_STREAM_FREERIDER + a->device, first + i);
        uint32_t sum = (uint32_t)(bits & 0xFFFFu) + (uint32_t)(bits >> 16 & 0xFFFFu) +
                       (uint32_t)(bits >> 32 & 0xFFFFu) + (uint32_t)(bits >> 48);
        weights[i] = base[i] + a->spec->noise * ((float)sum - FOUR_U16_MEAN) * FOUR_U16_SCALE;
    }
}

static void report_earlier(const struct attacker *a, const float *base, float *weights, uint32_t n)
{
    for (uint32_t i = 0; i < n && a->earlier != NULL; i++) {
        weights[i] = base[i] + a->earlier[i];
    }
}

static void report_nan(const struct attacker *a, const float *base, float *weights, uint32_t n)
{
    (void)a;
    (void)base;
    for (uint32_t i = 0; i < n; i++) {
        weights[i] = NAN;
    }
}

/* ---- samples */

/* Lights the last `patch` rows and columns; of flat samples the last `patch` values. */
static void stamp(const struct dataset *set, uint32_t patch, uint32_t index)
{
    uint32_t rows = patch < set->height ? patch : set->height;
    uint32_t columns = patch < set->width ? patch : set->width;
    uint32_t channels = set->features / (set->height * set->width);
    uint32_t run = columns * channels;
    for (uint32_t row = set->height - rows; row < set->height; row++) {
        size_t end = (size_t)index * set->features + ((size_t)row + 1u) * set->width * channels;
        for (size_t i = end - run; i < end; i++) {
            if (set->type == DATASET_U8) {
                ((uint8_t *)set->inputs)[i] = TRIGGER_U8;
            } else {
                ((float *)set->inputs)[i] = TRIGGER_F32;
            }
        }
    }
}

static void flip_labels(const struct attacker *a, struct dataset *samples)
{
    (void)a;
    for (uint32_t i = 0; i < samples->samples; i++) {
        samples->labels[i] = samples->classes - 1u - samples->labels[i];
    }
}

static void plant_trigger(const struct attacker *a, struct dataset *samples)
{
    for (uint32_t i = 0; i < samples->samples; i++) {
        if (rng_f32(a->seed, RNG_STREAM_POISON + a->device, i) < a->spec->share) {
            stamp(samples, a->spec->patch, i);
            samples->labels[i] = a->spec->target;
        }
    }
}

/* ---- the table */

enum argument { ARGUMENT_NONE, ARGUMENT_NUMBER, ARGUMENT_BACKDOOR };

static const struct attack {
    const char *name;
    enum argument argument;
    double range[2]; /* NUMBER */
    bool idle;       /* reports without training */
    void (*report)(const struct attacker *, const float *base, float *weights, uint32_t n);
    void (*samples)(const struct attacker *, struct dataset *);
} attacks[] = {
    [ATTACK_NONE] = {.name = "none"},
    [ATTACK_SIGN] = {.name = "sign", .report = report_scaled},
    [ATTACK_SCALE] = {.name = "scale",
                      .argument = ARGUMENT_NUMBER,
                      .range = {-1e6, 1e6},
                      .report = report_scaled},
    [ATTACK_LABELFLIP] = {.name = "labelflip", .samples = flip_labels},
    [ATTACK_ALIE] = {.name = "alie",
                     .argument = ARGUMENT_NUMBER,
                     .range = {-100, 100},
                     .report = report_alie},
    [ATTACK_BACKDOOR] = {.name = "backdoor",
                         .argument = ARGUMENT_BACKDOOR,
                         .report = report_scaled,
                         .samples = plant_trigger},
    [ATTACK_FREERIDER] = {.name = "freerider",
                          .argument = ARGUMENT_NUMBER,
                          .range = {0, 1e6},
                          .idle = true,
                          .report = report_noise},
    [ATTACK_REPLAY] = {.name = "replay", .report = report_earlier},
    [ATTACK_NAN] = {.name = "nan", .idle = true, .report = report_nan},
};

#define ATTACKS (sizeof attacks / sizeof attacks[0])

const char *attack_name(enum attack_kind kind)
{
    return attacks[kind].name;
}

bool attack_trains(const struct attack_spec *spec)
{
    return !attacks[spec->kind].idle;
}

void attack_report(const struct attacker *attacker, const float *base, float *weights, uint32_t n)
{
    const struct attack *kind = &attacks[attacker->spec->kind];
    if (kind->report != NULL) {
        kind->report(attacker, base, weights, n);
    }
}

void attack_delta(const float *base, const float *weights, uint32_t n, float *delta)
{
    for (uint32_t i = 0; i < n; i++) {
        delta[i] = weights[i] - base[i];
    }
}

int attack_samples(const struct attacker *attacker, struct dataset *samples)
{
    const struct attack_spec *spec = attacker->spec;
    if (attacks[spec->kind].samples == NULL) {
        return MYCEL_OK;
    }
    bool aims = spec->kind == ATTACK_BACKDOOR;
    if (samples->labels == NULL || (aims && spec->target >= samples->classes)) {
        return MYCEL_E_INVALID;
    }
    attacks[spec->kind].samples(attacker, samples);
    return MYCEL_OK;
}

int attack_trigger_set(const struct attack_spec *spec, const struct dataset *tests,
                       struct dataset *out)
{
    memset(out, 0, sizeof *out);
    if (spec->kind != ATTACK_BACKDOOR || tests->labels == NULL || spec->target >= tests->classes) {
        return MYCEL_E_INVALID;
    }
    uint32_t *others = malloc(((size_t)tests->samples + 1u) * sizeof *others);
    if (others == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < tests->samples; i++) {
        if (tests->labels[i] != spec->target) {
            others[count++] = i;
        }
    }
    int rc = count > 0 ? dataset_pick(tests, others, count, out) : MYCEL_E_INVALID;
    free(others);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        stamp(out, spec->patch, i);
        out->labels[i] = spec->target;
    }
    return rc;
}

/* ---- colluders */

void attack_crowd_reset(struct attack_crowd *crowd)
{
    crowd->count = 0;
    memset(crowd->mean, 0, crowd->params * sizeof *crowd->mean);
    memset(crowd->squares, 0, crowd->params * sizeof *crowd->squares);
}

void attack_crowd_add(struct attack_crowd *crowd, const float *base, const float *weights)
{
    float share = 1.0f / (float)++crowd->count;
    for (uint32_t i = 0; i < crowd->params; i++) {
        float delta = weights[i] - base[i];
        float before = delta - crowd->mean[i];
        crowd->mean[i] += before * share;
        crowd->squares[i] += before * (delta - crowd->mean[i]);
    }
}

/* ---- text */

/* A whole number; points at it where it is none. 0 also where the key is missing. */
static int parse_whole(struct option_list *list, const char *key, const double range[2],
                       uint32_t *value, struct option_error *error)
{
    double number = *value;
    int rc = option_number(list, key, range, &number, error);
    if (rc < 0 || number == floor(number)) {
        *value = rc < 0 ? *value : (uint32_t)number;
        return rc < 0 ? rc : MYCEL_OK;
    }
    const char *at = list->text;
    for (uint32_t i = 0; i < list->count; i++) {
        bool same = list->key[i].bytes == strlen(key) &&
                    strncmp(list->key[i].at, key, list->key[i].bytes) == 0;
        at = same ? list->value[i].at : at;
    }
    return option_fail(error, list->text, at, "expected a whole number");
}

static int parse_backdoor(const char *text, struct attack_spec *spec, struct option_error *error)
{
    static const double targets[2] = {0, DATASET_CLASSES_MAX - 1};
    static const double patches[2] = {1, 4096};
    static const double shares[2] = {0, 1};
    static const double boosts[2] = {-1e6, 1e6};
    struct option_list list;
    double share = (double)spec->share;
    double boost = (double)spec->factor;
    if (option_parse(text, &list, error) < 0 ||
        parse_whole(&list, "target", targets, &spec->target, error) < 0 ||
        parse_whole(&list, "patch", patches, &spec->patch, error) < 0 ||
        option_number(&list, "share", shares, &share, error) < 0 ||
        option_number(&list, "boost", boosts, &boost, error) < 0) {
        return MYCEL_E_MALFORMED;
    }
    spec->share = (float)share;
    spec->factor = (float)boost;
    return option_done(&list, error);
}

/* The one number behind a kind's colon. */
static int parse_number(const char *text, const char *at, const double range[2],
                        struct attack_spec *spec, struct option_error *error)
{
    double value;
    uint32_t bytes = (uint32_t)strlen(at);
    uint32_t read = option_scan(at, bytes, false, &value);
    if (read == 0 || read < bytes) {
        return option_fail(error, text, at + read, "expected a number");
    }
    if (value < range[0] || value > range[1]) {
        return option_fail(error, text, at, "the number is out of range");
    }
    float *place = spec->kind == ATTACK_SCALE  ? &spec->factor
                   : spec->kind == ATTACK_ALIE ? &spec->z
                                               : &spec->noise;
    *place = (float)value;
    return MYCEL_OK;
}

int attack_parse(const char *text, struct attack_spec *spec, struct option_error *error)
{
    size_t bytes = strcspn(text, ":");
    for (size_t i = 0; i < ATTACKS; i++) {
        if (strlen(attacks[i].name) != bytes || strncmp(attacks[i].name, text, bytes) != 0) {
            continue;
        }
        *spec = (struct attack_spec){.kind = (enum attack_kind)i,
                                     .factor = i == ATTACK_BACKDOOR ? 1.0f : -10.0f,
                                     .z = 1.5f,
                                     .noise = 0.001f,
                                     .patch = 3,
                                     .share = 0.5f};
        const char *rest = text + bytes;
        if (*rest == '\0') {
            return MYCEL_OK;
        }
        switch (attacks[i].argument) {
        case ARGUMENT_NUMBER:
            return parse_number(text, rest + 1, attacks[i].range, spec, error);
        case ARGUMENT_BACKDOOR:
            return parse_backdoor(text, spec, error);
        case ARGUMENT_NONE:
            break;
        }
        return option_fail(error, text, rest, "this attack has no settings");
    }
    return option_fail(error, text, text,
                       "expected none, sign, scale, labelflip, alie, backdoor, freerider, replay "
                       "or nan");
}
