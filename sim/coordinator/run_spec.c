/* See run_spec.h. */
#include "sim/coordinator/run_spec.h"

#include "common/codec/codec.h"
#include "server/engine/engine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What a mode stands for, where the scenario does not say otherwise (docs/ENGINE.md). */
struct mode {
    const char *name;
    double minimum; /* share of the goal */
    double over;
    bool over_learn;
    uint32_t staleness;
    bool discount;
    uint32_t concurrency; /* goals; 0: by over-selection */
};

static const struct mode modes[] = {
    {.name = "sync", .minimum = 1.0, .over = 1.0},
    {.name = "semi", .minimum = 0.8, .over = 1.3, .over_learn = true, .staleness = 4},
    {.name = "async",
     .minimum = 0,
     .over = 1.0,
     .staleness = 20,
     .discount = true,
     .concurrency = 3},
};

static const struct mode *mode_of(const char *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].name, name) == 0) {
            return &modes[i];
        }
    }
    return NULL;
}

/* Names separated by commas, the preferred one first. */
static int parse_codecs(const char *text, struct engine_spec *spec, char *problem)
{
    spec->codecs = 0;
    for (const char *at = text; *at != '\0';) {
        size_t bytes = strcspn(at, ",");
        char name[CODEC_NAME_BYTES_MAX + 1u] = {0};
        memcpy(name, at, bytes < CODEC_NAME_BYTES_MAX ? bytes : CODEC_NAME_BYTES_MAX);
        int codec = codec_from_name(name);
        if (codec < 0) {
            (void)snprintf(problem, SCENARIO_PROBLEM_BYTES,
                           "codec = %s: %s is none of f32, f16, int8, int4, eden2, drive1, sign, "
                           "ternary, topk",
                           text, name);
            return MYCEL_E_INVALID;
        }
        if (spec->codecs == 0) {
            spec->codec = (uint8_t)codec;
        }
        spec->codecs |= 1u << codec;
        at += bytes + (at[bytes] == ',');
    }
    return MYCEL_OK;
}

static uint32_t ms(double seconds)
{
    return (uint32_t)lround(seconds * 1000.0);
}

static void fill_clock(const struct scenario *s, struct engine_spec *spec)
{
    spec->select_ms = ms(s->select_s);
    spec->soft_ms = ms(s->soft_s);
    spec->hard_ms = ms(s->hard_s);
    spec->lease_ms = ms(s->lease_s);
    spec->pace_ms = ms(s->pace_s);
    spec->interval_ms = ms(s->interval_s);
}

static void fill_mode(const struct scenario *s, const struct mode *mode, struct engine_spec *spec)
{
    uint32_t minimum = (uint32_t)ceil(mode->minimum * s->goal);
    spec->goal = s->goal;
    spec->minimum = s->minimum > 0 ? s->minimum : minimum > 0 ? minimum : 1u;
    spec->concurrency = s->concurrency > 0 ? s->concurrency : mode->concurrency * s->goal;
    spec->staleness_max = s->staleness > 0 ? s->staleness : mode->staleness;
    spec->staleness_discount = mode->discount;
    spec->over_permille = (uint32_t)lround((s->over > 0 ? s->over : mode->over) * 1000.0);
    spec->over_learn = s->over_learn || (mode->over_learn && s->over <= 0);
}

int run_spec_make(const struct scenario *s, uint32_t params, struct engine_spec *spec,
                  char *problem)
{
    const struct mode *mode = mode_of(s->mode);
    if (mode == NULL) {
        return scenario_refuse(problem, "mode", s->mode, "must be sync, semi or async");
    }
    *spec = (struct engine_spec){.run = RUN_SPEC_ID,
                                 .seed = s->seed,
                                 .samples_min = 1,
                                 .battery_min = s->battery_min,
                                 .spacing_rounds = s->spacing,
                                 .cap = s->cap,
                                 .fair_permille = (uint32_t)lround(s->fairness * 1000.0),
                                 .utility_permille = (uint32_t)lround(s->utility * 1000.0),
                                 .model_bytes = (uint64_t)params * sizeof(float),
                                 .round_limit = s->rounds,
                                 .target_set = s->target > 0,
                                 .target = (float)s->target,
                                 .patience = s->patience};
    fill_mode(s, mode, spec);
    fill_clock(s, spec);
    int rc = parse_codecs(s->codec, spec, problem);
    const char *what = NULL;
    if (rc == 0 && engine_spec_check(spec, &what) < 0) {
        (void)snprintf(problem, SCENARIO_PROBLEM_BYTES,
                       "the run's %s is out of range or contradicts another key", what);
        rc = MYCEL_E_INVALID;
    }
    return rc;
}
