/* Text to fields and back, by the table of scenario_keys.c. See scenario.h. */
#include "sim/scenario/scenario.h"

#include "sim/scenario/shipped.h"

#include <errno.h>
#include <ini.h>
#include <math.h>
#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(char *problem, const struct scenario_key *key, const char *value,
                  const char *want)
{
    (void)snprintf(problem, SCENARIO_PROBLEM_BYTES, "%s = %s: %s (%s)", key->name, value, want,
                   key->help);
    return MYCEL_E_INVALID;
}

int scenario_refuse(char *problem, const char *key, const char *value, const char *why)
{
    (void)snprintf(problem, SCENARIO_PROBLEM_BYTES, "%s = %s: %s", key, value, why);
    return MYCEL_E_INVALID;
}

int scenario_refuse_at(char *problem, const char *key, const char *value, int column,
                       const char *why)
{
    (void)snprintf(problem, SCENARIO_PROBLEM_BYTES, "%s = %s, column %d: %s", key, value, column,
                   why);
    return MYCEL_E_INVALID;
}

static void *field_of(struct scenario *scenario, const struct scenario_key *key)
{
    return (char *)scenario + key->offset;
}

static int set_number(struct scenario *scenario, const struct scenario_key *key, const char *value,
                      char *problem)
{
    char *end = NULL;
    char range[96];
    errno = 0;
    double number = strtod(value, &end);
    (void)snprintf(range, sizeof range, "must be %s from %g to %g",
                   key->type == SCENARIO_REAL ? "a number" : "a whole number", key->min, key->max);
    if (end == value || *end != '\0' || errno != 0 || !isfinite(number) || number < key->min ||
        number > key->max || (key->type != SCENARIO_REAL && number != floor(number))) {
        return refuse(problem, key, value, range);
    }
    if (key->type == SCENARIO_REAL) {
        *(double *)field_of(scenario, key) = number;
    } else if (key->type == SCENARIO_U32) {
        *(uint32_t *)field_of(scenario, key) = (uint32_t)number;
    } else {
        *(uint64_t *)field_of(scenario, key) = strtoull(value, NULL, 10);
    }
    return MYCEL_OK;
}

static int set_bool(struct scenario *scenario, const struct scenario_key *key, const char *value,
                    char *problem)
{
    bool yes = strcmp(value, "yes") == 0 || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    bool no = strcmp(value, "no") == 0 || strcmp(value, "false") == 0 || strcmp(value, "0") == 0;
    if (!yes && !no) {
        return refuse(problem, key, value, "must be yes or no");
    }
    *(bool *)field_of(scenario, key) = yes;
    return MYCEL_OK;
}

static int set_key(struct scenario *scenario, const struct scenario_key *key, const char *value,
                   char *problem)
{
    if (key->type == SCENARIO_BOOL) {
        return set_bool(scenario, key, value, problem);
    }
    if (key->type != SCENARIO_TEXT) {
        return set_number(scenario, key, value, problem);
    }
    size_t bytes = strlen(value);
    if (bytes >= SCENARIO_TEXT_BYTES) {
        return refuse(problem, key, "…", "is too long");
    }
    memcpy(field_of(scenario, key), value, bytes + 1u);
    return MYCEL_OK;
}

static const struct scenario_key *key_of(const char *name)
{
    for (size_t i = 0; i < scenario_key_count(); i++) {
        if (strcmp(scenario_keys[i].name, name) == 0) {
            return &scenario_keys[i];
        }
    }
    return NULL;
}

int scenario_set(struct scenario *scenario, const char *key, const char *value, char *problem)
{
    const struct scenario_key *found = key_of(key);
    if (found == NULL) {
        (void)snprintf(problem, SCENARIO_PROBLEM_BYTES,
                       "%s: there is no such key; `mycel sim keys` lists them", key);
        return MYCEL_E_INVALID;
    }
    return set_key(scenario, found, value, problem);
}

int scenario_assign(struct scenario *scenario, const char *text, char *problem)
{
    char key[64];
    const char *equals = strchr(text, '=');
    if (equals == NULL || (size_t)(equals - text) >= sizeof key) {
        (void)snprintf(problem, SCENARIO_PROBLEM_BYTES, "%.200s: must be KEY=VALUE", text);
        return MYCEL_E_INVALID;
    }
    (void)snprintf(key, sizeof key, "%.*s", (int)(equals - text), text);
    return scenario_set(scenario, key, equals + 1, problem);
}

void scenario_init(struct scenario *scenario)
{
    char problem[SCENARIO_PROBLEM_BYTES];
    memset(scenario, 0, sizeof *scenario);
    for (size_t i = 0; i < scenario_key_count(); i++) {
        (void)set_key(scenario, &scenario_keys[i], scenario_keys[i].initial, problem);
    }
}

void scenario_text(const struct scenario *scenario, const struct scenario_key *key, char *out,
                   size_t capacity)
{
    const void *field = (const char *)scenario + key->offset;
    switch (key->type) {
    case SCENARIO_TEXT:
        (void)snprintf(out, capacity, "%s", (const char *)field);
        break;
    case SCENARIO_BOOL:
        (void)snprintf(out, capacity, "%s", *(const bool *)field ? "yes" : "no");
        break;
    case SCENARIO_U32:
        (void)snprintf(out, capacity, "%u", *(const uint32_t *)field);
        break;
    case SCENARIO_U64:
        (void)snprintf(out, capacity, "%llu", (unsigned long long)*(const uint64_t *)field);
        break;
    case SCENARIO_REAL:
        (void)snprintf(out, capacity, "%.9g", *(const double *)field);
        break;
    }
}

/* ---- the file ----------------------------------------------------------------------------- */

struct reading {
    struct scenario *scenario;
    char problem[SCENARIO_PROBLEM_BYTES];
};

/* inih's handler: 0 says that the line is wrong. */
static int take_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    const struct scenario_key *key = key_of(name);
    if (reading->problem[0] != '\0') {
        return 0; /* the first is the one that is told */
    }
    if (key != NULL && strcmp(key->section, section) != 0) {
        (void)snprintf(reading->problem, sizeof reading->problem, "%s belongs to section [%s]",
                       name, key->section);
        return 0;
    }
    return scenario_set(reading->scenario, name, value, reading->problem) == MYCEL_OK;
}

static void name_from_path(struct scenario *scenario, const char *path)
{
    const char *slash = strrchr(path, '/');
    (void)snprintf(scenario->name, sizeof scenario->name, "%s", slash != NULL ? slash + 1 : path);
    char *dot = strrchr(scenario->name, '.');
    if (dot != NULL && dot != scenario->name) {
        *dot = '\0';
    }
}

/* What inih says of a text: 0, or the first wrong line. */
static int refuse_line(int line, const char *path, const struct reading *reading, char *problem)
{
    if (line == 0) {
        return MYCEL_OK;
    }
    (void)snprintf(problem, SCENARIO_PROBLEM_BYTES, "%.128s:%d: %.320s", path, line < 0 ? 0 : line,
                   reading->problem[0] != '\0' ? reading->problem : "this is not `key = value`");
    return MYCEL_E_INVALID;
}

const struct shipped_scenario *scenario_shipped(const char *name)
{
    for (const struct shipped_scenario *s = shipped_scenarios; s->name != NULL; s++) {
        if (strcmp(s->name, name) == 0) {
            return s;
        }
    }
    return NULL;
}

int scenario_read(struct scenario *scenario, const char *path, char *problem)
{
    struct reading reading = {.scenario = scenario};
    const struct shipped_scenario *shipped = NULL;
    int line;
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        line = ini_parse_file(file, take_line, &reading);
        (void)fclose(file);
    } else if (errno == ENOENT && (shipped = scenario_shipped(path)) != NULL) {
        line = ini_parse_string(shipped->text, take_line, &reading);
    } else {
        (void)snprintf(
            problem, SCENARIO_PROBLEM_BYTES,
            "%.200s: %s, and no shipped scenario has that name; `mycel sim list` shows them", path,
            strerror(errno));
        return errno == ENOENT ? MYCEL_E_NOT_FOUND : MYCEL_E_IO;
    }
    name_from_path(scenario, path);
    return refuse_line(line, path, &reading, problem);
}
