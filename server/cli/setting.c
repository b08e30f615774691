/* Parses and prints the values of settings, one function per type. */
#include "server/cli/setting.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "common/assert.h"
#include "server/cli/suggest.h"

struct unit {
    const char *name;
    double factor;
};

static const struct unit count_units[] = {{"", 1.0}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}};
static const struct unit duration_units[] = {{"", 1000.0}, {"ms", 1.0},   {"s", 1000.0},
                                             {"m", 60e3},  {"h", 3600e3}, {"d", 86400e3}};

#define UNITS(table) table, sizeof table / sizeof table[0]

static int check_bounds(const struct setting *s, double value, double shown_per_unit,
                        const char *unit, char *message)
{
    bool bounded = s->min != 0.0 || s->max != 0.0;
    if (!bounded || (value >= s->min && value <= s->max)) {
        return MYCEL_OK;
    }
    snprintf(message, SETTING_MESSAGE_BYTES, "must lie between %.15g%s and %.15g%s",
             s->min / shown_per_unit, unit, s->max / shown_per_unit, unit);
    return MYCEL_E_INVALID;
}

static int parse_switch(const struct setting *s, void *place, const char *text, char *message)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    (void)s;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *(bool *)place = i % 2u == 1u;
            return MYCEL_OK;
        }
    }
    snprintf(message, SETTING_MESSAGE_BYTES, "'%.40s' is neither yes nor no", text);
    return MYCEL_E_INVALID;
}

static int parse_text(const struct setting *s, void *place, const char *text, char *message)
{
    double bytes = (double)strlen(text);
    bool bounded = s->min != 0.0 || s->max != 0.0;
    if (bounded && (bytes < s->min || bytes > s->max)) {
        snprintf(message, SETTING_MESSAGE_BYTES, "must be %.0f to %.0f bytes long", s->min, s->max);
        return MYCEL_E_INVALID;
    }
    *(const char **)place = text;
    return MYCEL_OK;
}

/* A whole number times a unit. Numbers without a unit stay exact over all 64 bits. */
static int parse_units(const struct setting *s, void *place, const char *text,
                       const struct unit *units, size_t unit_count, char *message)
{
    const char *what =
        s->type == SETTING_DURATION ? "a duration such as 500ms, 30s or 5m" : "a whole number";
    char *end = NULL;
    errno = 0;
    uint64_t number = isdigit((unsigned char)text[0]) ? strtoull(text, &end, 10) : 0u;
    for (size_t i = 0; end != NULL && errno == 0 && i < unit_count; i++) {
        if (strcmp(end, units[i].name) != 0) {
            continue;
        }
        uint64_t factor = (uint64_t)units[i].factor;
        if (number > UINT64_MAX / factor) {
            break;
        }
        *(uint64_t *)place = number * factor;
        return s->type == SETTING_DURATION
                   ? check_bounds(s, (double)(number * factor), 1000.0, " s", message)
                   : check_bounds(s, (double)(number * factor), 1.0, "", message);
    }
    snprintf(message, SETTING_MESSAGE_BYTES, "'%.40s' is not %s", text, what);
    return MYCEL_E_INVALID;
}

static int parse_real(const struct setting *s, void *place, const char *text, char *message)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value)) {
        snprintf(message, SETTING_MESSAGE_BYTES, "'%.40s' is not a number", text);
        return MYCEL_E_INVALID;
    }
    *(double *)place = value;
    return check_bounds(s, value, 1.0, "", message);
}

static int parse_choice(const struct setting *s, void *place, const char *text, char *message)
{
    struct suggest near = {0};
    for (unsigned i = 0; s->choices[i] != NULL; i++) {
        if (strcmp(text, s->choices[i]) == 0) {
            *(unsigned *)place = i;
            return MYCEL_OK;
        }
        suggest_consider(&near, text, s->choices[i]);
    }
    int used = snprintf(message, SETTING_MESSAGE_BYTES, "'%.40s' is not one of", text);
    for (unsigned i = 0; s->choices[i] != NULL && used < (int)SETTING_MESSAGE_BYTES; i++) {
        used += snprintf(message + used, SETTING_MESSAGE_BYTES - (size_t)used, "%s %s",
                         i == 0 ? "" : ",", s->choices[i]);
    }
    if (near.best != NULL && used < (int)SETTING_MESSAGE_BYTES) {
        snprintf(message + used, SETTING_MESSAGE_BYTES - (size_t)used, "; did you mean '%s'?",
                 near.best);
    }
    return MYCEL_E_INVALID;
}

static size_t value_bytes(const struct setting *s)
{
    switch (s->type) {
    case SETTING_SWITCH:
        return sizeof(bool);
    case SETTING_TEXT:
        return sizeof(const char *);
    case SETTING_COUNT:
    case SETTING_DURATION:
        return sizeof(uint64_t);
    case SETTING_REAL:
        return sizeof(double);
    case SETTING_CHOICE:
        return sizeof(unsigned);
    case SETTING_TEXTS:
        return sizeof(const struct setting_texts *);
    }
    MYCEL_ASSERT(false);
    return 0;
}

int setting_assign(const struct setting *s, void *base, const char *text,
                   char message[SETTING_MESSAGE_BYTES])
{
    union {
        bool on;
        const char *text;
        uint64_t count;
        double real;
        unsigned choice;
    } value = {0};
    int result = MYCEL_E_INVALID;
    switch (s->type) {
    case SETTING_SWITCH:
        result = parse_switch(s, &value, text, message);
        break;
    case SETTING_TEXT:
        result = parse_text(s, &value, text, message);
        break;
    case SETTING_COUNT:
        result = parse_units(s, &value, text, UNITS(count_units), message);
        break;
    case SETTING_DURATION:
        result = parse_units(s, &value, text, UNITS(duration_units), message);
        break;
    case SETTING_REAL:
        result = parse_real(s, &value, text, message);
        break;
    case SETTING_CHOICE:
        result = parse_choice(s, &value, text, message);
        break;
    case SETTING_TEXTS:
        MYCEL_ASSERT(false); /* collected by args.c; has no meaning in a file or variable */
        break;
    }
    if (result == MYCEL_OK) {
        memcpy((char *)base + s->offset, &value, value_bytes(s));
    }
    return result;
}

const char *setting_text(const struct setting *s, const void *base, char *out, size_t out_bytes)
{
    const char *place = (const char *)base + s->offset;
    uint64_t count = 0;
    double real = 0.0;
    switch (s->type) {
    case SETTING_SWITCH:
        snprintf(out, out_bytes, "%s", *place ? "yes" : "no");
        break;
    case SETTING_TEXT: {
        const char *text = NULL;
        memcpy(&text, place, sizeof text);
        snprintf(out, out_bytes, "%s", text ? text : "");
        break;
    }
    case SETTING_COUNT:
        memcpy(&count, place, sizeof count);
        snprintf(out, out_bytes, "%" PRIu64, count);
        break;
    case SETTING_DURATION:
        memcpy(&count, place, sizeof count);
        snprintf(out, out_bytes, "%" PRIu64 "%s", count % 1000u ? count : count / 1000u,
                 count % 1000u ? "ms" : "s");
        break;
    case SETTING_REAL:
        memcpy(&real, place, sizeof real);
        snprintf(out, out_bytes, "%.15g", real);
        break;
    case SETTING_CHOICE: {
        unsigned index = 0;
        memcpy(&index, place, sizeof index);
        snprintf(out, out_bytes, "%s", s->choices[index]);
        break;
    }
    case SETTING_TEXTS:
        snprintf(out, out_bytes, "%s", "");
        break;
    }
    return out;
}
