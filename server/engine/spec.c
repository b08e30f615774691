#include "server/engine/spec.h"

#include "server/engine/engine.h"

#include <string.h>

#define SOFT_MS_DEFAULT 600000u
#define SOFT_MIN_MS_DEFAULT 60000u
#define SOFT_MAX_MS_DEFAULT 86400000u
#define PACE_MS_DEFAULT 60000u
#define TIME_MS_MAX 604800000u /* a week: what any time in a spec may be at most */
#define OVER_PERMILLE_MAX 4000u
#define OVER_LEARN_ROUNDS 3u /* rounds before the observed drop-out is believed */

static void fill(uint32_t *value, uint32_t fallback)
{
    if (*value == 0) {
        *value = fallback;
    }
}

void spec_defaults(struct engine_spec *spec)
{
    fill(&spec->minimum, spec->goal);
    fill(&spec->over_permille, 1000);
    fill(&spec->soft_ms, SOFT_MS_DEFAULT);
    fill(&spec->hard_ms, 2 * spec->soft_ms);
    fill(&spec->select_ms, spec->soft_ms);
    fill(&spec->lease_ms, spec->hard_ms);
    fill(&spec->soft_min_ms, SOFT_MIN_MS_DEFAULT);
    fill(&spec->soft_max_ms, SOFT_MAX_MS_DEFAULT);
    fill(&spec->pace_ms, PACE_MS_DEFAULT);
    fill(&spec->samples_min, 1);
    fill(&spec->samples_max, PROTO_SAMPLES_MAX);
    fill(&spec->codecs, (uint32_t)1 << spec->codec);
    if (spec->update_bytes_max == 0) {
        spec->update_bytes_max = PROTO_UPDATE_BYTES_MAX;
    }
}

static uint32_t scaled(uint32_t value, uint32_t new_whole, uint32_t old_whole)
{
    uint64_t result = (uint64_t)value * new_whole / old_whole;

    result = result > 0 ? result : 1u;
    return (uint32_t)(result < TIME_MS_MAX ? result : TIME_MS_MAX);
}

struct spec_clock spec_clock(const struct engine_spec *spec, const struct engine_learned *learned)
{
    struct spec_clock clock = {spec->select_ms, spec->soft_ms, spec->hard_ms, spec->lease_ms};
    uint64_t soft = (uint64_t)learned->report_ms * 3u / 2u;

    if (!spec->soft_learn || learned->report_ms == 0) {
        return clock;
    }
    soft = soft > spec->soft_min_ms ? soft : spec->soft_min_ms;
    soft = soft < spec->soft_max_ms ? soft : spec->soft_max_ms;
    clock.soft_ms = (uint32_t)soft;
    clock.select_ms = scaled(spec->select_ms, clock.soft_ms, spec->soft_ms);
    clock.hard_ms = scaled(spec->hard_ms, clock.soft_ms, spec->soft_ms);
    clock.lease_ms = scaled(spec->lease_ms, clock.soft_ms, spec->soft_ms);
    return clock;
}

uint32_t spec_seats(const struct engine_spec *spec, const struct engine_learned *learned)
{
    uint64_t over = spec->over_permille;

    if (spec->concurrency > 0) {
        return spec->concurrency;
    }
    if (spec->over_learn && learned->drop_rounds >= OVER_LEARN_ROUNDS) {
        uint32_t kept = learned->drop_permille < 1000 ? 1000u - learned->drop_permille : 1u;

        over = 1000000u / kept;
        over = over < OVER_PERMILLE_MAX ? over : OVER_PERMILLE_MAX;
    }
    return (uint32_t)((spec->goal * over + 999u) / 1000u);
}

static bool is_text(const char *text, size_t bytes)
{
    return memchr(text, '\0', bytes) != NULL;
}

static bool tags_are_text(const struct engine_spec *spec)
{
    for (uint32_t i = 0; i < ENGINE_TAGS_MAX; i++) {
        if (!is_text(spec->tags[i], ENGINE_TAG_BYTES)) {
            return false;
        }
    }
    return true;
}

/* The first field out of range; NULL: none. `s` has its defaults. */
static const char *first_fault(const struct engine_spec *s)
{
    const struct {
        bool ok;
        const char *name;
    } rules[] = {
        {s->run > 0, "run"},
        {is_text(s->device_class, sizeof s->device_class), "device_class"},
        {tags_are_text(s), "tags"},
        {s->goal >= 1 && s->goal <= ENGINE_GOAL_MAX, "goal"},
        {s->minimum <= s->goal, "minimum"},
        {s->concurrency <= ENGINE_GOAL_MAX, "concurrency"},
        {s->staleness_max <= ENGINE_STALENESS_MAX, "staleness_max"},
        {s->over_permille >= 1000 && s->over_permille <= OVER_PERMILLE_MAX, "over_permille"},
        {s->weighting == ENGINE_WEIGHT_SAMPLES || s->weighting == ENGINE_WEIGHT_UNIFORM,
         "weighting"},
        {s->soft_ms <= TIME_MS_MAX, "soft_ms"},
        {s->hard_ms >= s->soft_ms && s->hard_ms <= TIME_MS_MAX, "hard_ms"},
        {s->select_ms <= s->hard_ms, "select_ms"},
        {s->lease_ms <= TIME_MS_MAX, "lease_ms"},
        {s->soft_min_ms <= s->soft_max_ms, "soft_min_ms"},
        {s->soft_max_ms <= TIME_MS_MAX, "soft_max_ms"},
        {s->pace_ms <= TIME_MS_MAX, "pace_ms"},
        {s->interval_ms <= TIME_MS_MAX, "interval_ms"},
        {s->samples_max <= PROTO_SAMPLES_MAX, "samples_max"},
        {s->samples_min <= s->samples_max, "samples_min"},
        {s->battery_min <= 100, "battery_min"},
        {s->fair_permille <= 1000, "fair_permille"},
        {s->utility_permille <= 1000, "utility_permille"},
        {s->codec < SPEC_CODECS, "codec"},
        {s->codecs < (1u << SPEC_CODECS) && (s->codecs >> s->codec & 1u) != 0, "codecs"},
        {s->update_bytes_max <= PROTO_UPDATE_BYTES_MAX, "update_bytes_max"},
    };

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!rules[i].ok) {
            return rules[i].name;
        }
    }
    return NULL;
}

int engine_spec_check(const struct engine_spec *spec, const char **what)
{
    struct engine_spec full = *spec;
    const char *fault;

    full.codec = full.codec < SPEC_CODECS ? full.codec : SPEC_CODECS; /* 1 << codec stays defined */
    spec_defaults(&full);
    fault = first_fault(&full);
    if (what != NULL) {
        *what = fault;
    }
    return fault == NULL ? MYCEL_OK : MYCEL_E_INVALID;
}
