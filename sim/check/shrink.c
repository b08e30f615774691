/* Greedy and bounded. See shrink.h. */
#include "sim/check/shrink.h"

#include "sim/check/scenario.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CUT_MAX 32u /* halves of one number */

struct shrinking {
    struct scenario *best;
    struct check_result *result;
    struct scenario calm;
    uint32_t runs;
    uint32_t runs_max;
    check_try_fn try_it;
    void *user;
};

/* Keeps the candidate if the same check fails. */
static bool keep(struct shrinking *s, const struct scenario *candidate)
{
    struct check_result result;
    if (s->runs >= s->runs_max || !check_scenario_is_sound(candidate)) {
        return false;
    }
    s->runs++;
    if (s->try_it(s->user, candidate, &result) ||
        strcmp(result.finding.check, s->result->finding.check) != 0) {
        return false;
    }
    *s->best = *candidate;
    *s->result = result;
    return true;
}

static bool set(struct scenario *scenario, const struct scenario_key *key, const char *value)
{
    char problem[SCENARIO_PROBLEM_BYTES];
    return scenario_set(scenario, key->name, value, problem) == 0;
}

static bool try_value(struct shrinking *s, const struct scenario_key *key, const char *value)
{
    struct scenario candidate = *s->best;
    return set(&candidate, key, value) && keep(s, &candidate);
}

/* ---- numbers ------------------------------------------------------------------------------ */

static double number_of(const struct scenario *scenario, const struct scenario_key *key)
{
    const void *field = (const char *)scenario + key->offset;
    return key->type == SCENARIO_U32 ? *(const uint32_t *)field : *(const double *)field;
}

/* Half-way to calm, again and again. */
static bool cut(struct shrinking *s, const struct scenario_key *key)
{
    bool changed = false;
    for (uint32_t i = 0; i < CUT_MAX; i++) {
        char text[32];
        double calm = number_of(&s->calm, key);
        double now = number_of(s->best, key);
        double next = calm + (now - calm) / 2.0;
        next = key->type == SCENARIO_U32 ? floor(next) : round(next * 1000.0) / 1000.0;
        (void)snprintf(text, sizeof text, "%.9g", next);
        if (next == now || next == calm || !try_value(s, key, text)) {
            break;
        }
        changed = true;
    }
    return changed;
}

/* ---- lists -------------------------------------------------------------------------------- */

/* Without the element that begins at `from`; where the next one is in the shorter text. */
static void without(const char *text, size_t from, char out[SCENARIO_TEXT_BYTES])
{
    size_t bytes = strcspn(text + from, ",");
    bytes += text[from + bytes] == ',';
    (void)snprintf(out, SCENARIO_TEXT_BYTES, "%.*s%s", (int)from, text, text + from + bytes);
    size_t length = strlen(out);
    if (length > 0 && out[length - 1u] == ',') {
        out[length - 1u] = '\0';
    }
}

static bool drop_elements(struct shrinking *s, const struct scenario_key *key)
{
    bool changed = false;
    size_t at = 0;
    for (;;) {
        const char *text = (const char *)s->best + key->offset;
        if (at >= strlen(text)) {
            return changed;
        }
        char shorter[SCENARIO_TEXT_BYTES];
        without(text, at, shorter);
        if (try_value(s, key, shorter)) {
            changed = true;
        } else {
            at += strcspn(text + at, ",") + 1u;
        }
    }
}

/* ---- keys --------------------------------------------------------------------------------- */

/* A deadline that is too short would be a reason of its own for a run that does not go on. */
static bool is_left_alone(const struct shrinking *s, const struct scenario_key *key)
{
    bool clock = strcmp(key->name, "soft_s") == 0 || strcmp(key->name, "hard_s") == 0 ||
                 strcmp(key->name, "lease_s") == 0 || strcmp(key->name, "select_s") == 0 ||
                 strcmp(key->name, "classes") == 0;
    return strcmp(key->name, "seed") == 0 ||
           (clock && strcmp(s->result->finding.check, "progress") == 0);
}

static bool shrink_key(struct shrinking *s, const struct scenario_key *key)
{
    char calm[SCENARIO_TEXT_BYTES];
    char now[SCENARIO_TEXT_BYTES];
    scenario_text(&s->calm, key, calm, sizeof calm);
    scenario_text(s->best, key, now, sizeof now);
    if (strcmp(calm, now) == 0 || is_left_alone(s, key)) {
        return false;
    }
    if (try_value(s, key, calm)) {
        return true;
    }
    if (key->type == SCENARIO_U32 || key->type == SCENARIO_REAL) {
        return cut(s, key);
    }
    return strcmp(key->name, "crash_at") == 0 && drop_elements(s, key);
}

uint32_t check_shrink(struct scenario *scenario, struct check_result *result, uint32_t runs_max,
                      check_try_fn try_it, void *user)
{
    struct shrinking s = {
        .best = scenario, .result = result, .runs_max = runs_max, .try_it = try_it, .user = user};
    check_scenario_calm(&s.calm);
    bool changed = true;
    while (changed && s.runs < runs_max) {
        changed = false;
        for (size_t i = scenario_key_count(); i > 0; i--) { /* faults first, then the fleet */
            changed |= shrink_key(&s, &scenario_keys[i - 1u]);
        }
    }
    return s.runs;
}
