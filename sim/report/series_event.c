/* Parsers of the events of a run. Each field is checked for type and range, so that nobody after
 * this file has to; texts lose their control characters here, once. */
#include "sim/report/series_event.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#define BUSY_PERMILLE_MAX 1000u
#define ROOM_FIRST 64u

void series_line_fail(struct series_line *line, int result, const char *format, ...)
{
    if (line->result != MYCEL_OK) {
        return;
    }
    line->result = result;
    int used = snprintf(line->problem, REPORT_PROBLEM_BYTES, "line %zu: ", line->number);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line->problem + used, REPORT_PROBLEM_BYTES - (size_t)used, format, arguments);
    va_end(arguments);
}

/* ---- fields ------------------------------------------------------------------------------- */

/* A whole number; missing ones are an error. */
static uint64_t count_of(struct series_line *line, const char *key)
{
    json_int_t value = -1;
    const json_t *field = json_object_get(line->object, key);
    if (json_is_integer(field)) {
        value = json_integer_value(field);
    }
    if (value < 0) {
        series_line_fail(line, MYCEL_E_MALFORMED, "'%s' is not a whole number from 0", key);
        return 0;
    }
    return (uint64_t)value;
}

/* A number in lo … hi; NaN where it is missing or null. */
static double real_or_nan(struct series_line *line, const char *key, double lo, double hi)
{
    const json_t *field = json_object_get(line->object, key);
    if (field == NULL || json_is_null(field)) {
        return (double)NAN;
    }
    double value = json_is_number(field) ? json_number_value(field) : (double)NAN;
    if (!(value >= lo && value <= hi)) {
        series_line_fail(line, MYCEL_E_MALFORMED, "'%s' is not a number in %g … %g", key, lo, hi);
        return (double)NAN;
    }
    return value;
}

/* A number from 0; missing ones are an error. */
static double amount_of(struct series_line *line, const char *key)
{
    double value = real_or_nan(line, key, 0.0, HUGE_VAL);
    if (!isfinite(value)) {
        series_line_fail(line, MYCEL_E_MALFORMED, "'%s' is not a number from 0", key);
        return 0.0;
    }
    return value;
}

/* Control characters (C0, DEL, C1) and the two characters that XML forbids become question marks:
 * a terminal must not obey them, and a page must stay well formed. Text is valid UTF-8. */
static void clean(char *text)
{
    unsigned char *p = (unsigned char *)text;
    for (; *p != 0; p++) {
        if (*p < 0x20u || *p == 0x7fu) {
            *p = '?';
        } else if (p[0] == 0xc2u && p[1] < 0xa0u) {
            p[0] = p[1] = '?';
        } else if (p[0] == 0xefu && p[1] == 0xbfu && p[2] >= 0xbeu) {
            p[0] = p[1] = p[2] = '?';
        }
    }
}

static void keep_text(struct series_line *line, const char *key, const char *text, char *out,
                      size_t out_bytes)
{
    size_t length = strlen(text);
    if (length >= out_bytes) {
        series_line_fail(line, MYCEL_E_TOO_LARGE, "'%.40s' is longer than %zu bytes", key,
                         out_bytes - 1u);
        return;
    }
    memcpy(out, text, length + 1u);
    clean(out);
}

/* A text; "" where it is missing or null. */
static void text_of(struct series_line *line, const char *key, char *out, size_t out_bytes)
{
    const json_t *field = json_object_get(line->object, key);
    out[0] = '\0';
    if (json_is_string(field)) {
        keep_text(line, key, json_string_value(field), out, out_bytes);
    } else if (field != NULL && !json_is_null(field)) {
        series_line_fail(line, MYCEL_E_MALFORMED, "'%s' is not a text", key);
    }
}

/* Room for one more item in a list that grows by doubling. NULL after a failure. */
static void *room(struct series_line *line, void **list, size_t count, size_t *have, size_t bytes,
                  size_t max)
{
    if (count >= max) {
        series_line_fail(line, MYCEL_E_TOO_LARGE, "more than %zu events of this kind", max);
        return NULL;
    }
    if (count == *have) {
        size_t next = *have == 0 ? ROOM_FIRST : *have * 2u;
        void *grown = realloc(*list, next * bytes);
        if (grown == NULL) {
            series_line_fail(line, MYCEL_E_NO_MEMORY, "out of memory");
            return NULL;
        }
        *list = grown;
        *have = next;
    }
    void *item = (char *)*list + count * bytes;
    memset(item, 0, bytes);
    return item;
}

/* ---- events ------------------------------------------------------------------------------- */

static void add_setting(struct series *s, struct series_line *line, const char *key,
                        const json_t *value)
{
    struct series_setting *setting = &s->settings[s->settings_count];
    char number[48] = "";
    keep_text(line, "settings", key, setting->key, sizeof setting->key);
    if (json_is_string(value)) {
        keep_text(line, key, json_string_value(value), setting->value, sizeof setting->value);
        s->settings_count++;
        return;
    }
    if (json_is_integer(value)) {
        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        (void)snprintf(number, sizeof number, "%.9g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        (void)snprintf(number, sizeof number, "%s", json_is_true(value) ? "yes" : "no");
    } else if (!json_is_null(value)) {
        series_line_fail(line, MYCEL_E_MALFORMED, "setting '%.40s' is a list or an object",
                         setting->key);
        return;
    }
    keep_text(line, key, number, setting->value, sizeof setting->value);
    s->settings_count++;
}

static void add_settings(struct series *s, struct series_line *line)
{
    json_t *settings = json_object_get(line->object, "settings");
    const char *key;
    json_t *value;
    if (settings == NULL || line->result != MYCEL_OK) {
        return;
    }
    if (!json_is_object(settings)) {
        series_line_fail(line, MYCEL_E_MALFORMED, "'settings' is not an object");
        return;
    }
    if (json_object_size(settings) > SERIES_SETTINGS_MAX) {
        series_line_fail(line, MYCEL_E_TOO_LARGE, "more than %u settings", SERIES_SETTINGS_MAX);
        return;
    }
    s->settings = calloc(json_object_size(settings) + 1u, sizeof *s->settings);
    if (s->settings == NULL) {
        series_line_fail(line, MYCEL_E_NO_MEMORY, "out of memory");
        return;
    }
    json_object_foreach(settings, key, value)
    {
        add_setting(s, line, key, value);
    }
}

static void add_start(struct series *s, struct series_line *line)
{
    text_of(line, "scenario", s->scenario, sizeof s->scenario);
    text_of(line, "title", s->title, sizeof s->title);
    text_of(line, "commit", s->commit, sizeof s->commit);
    text_of(line, "model", s->model, sizeof s->model);
    text_of(line, "strategy", s->strategy, sizeof s->strategy);
    text_of(line, "codec", s->codec, sizeof s->codec);
    s->seed = count_of(line, "seed");
    s->devices = count_of(line, "devices");
    s->gateways = count_of(line, "gateways");
    s->params = count_of(line, "params");
    if (s->devices == 0) {
        series_line_fail(line, MYCEL_E_MALFORMED, "'devices' is 0");
    }
    add_settings(s, line);
}

static void read_cost(struct series_cost *cost, struct series_line *line)
{
    cost->bytes_up = count_of(line, "bytes_up");
    cost->bytes_down = count_of(line, "bytes_down");
    cost->energy_j = amount_of(line, "energy_j");
    cost->trained = count_of(line, "trained");
    cost->protocol_only = count_of(line, "protocol_only");
    cost->discarded = count_of(line, "discarded");
}

/* What is counted from the start can only grow; discarded work can shrink, because an update that came
 * too late for its round may count in a later one. */
static void check_order(const struct series_round *before, const struct series_round *now,
                        struct series_line *line)
{
    const struct series_cost *a = &before->cost;
    const struct series_cost *b = &now->cost;
    if (now->virtual_s < before->virtual_s) {
        series_line_fail(line, MYCEL_E_MALFORMED, "'virtual_s' is less than a round before");
    }
    if (b->bytes_up < a->bytes_up || b->bytes_down < a->bytes_down || b->energy_j < a->energy_j ||
        b->trained < a->trained || b->protocol_only < a->protocol_only) {
        series_line_fail(line, MYCEL_E_MALFORMED, "a sum since the start is less than before");
    }
}

static void read_class_accuracy(struct series *s, struct series_line *line, uint64_t round)
{
    const json_t *list = json_object_get(line->object, "class_accuracy");
    size_t count = json_array_size(list);
    if (list == NULL || json_is_null(list)) {
        return;
    }
    if (!json_is_array(list) || count > SERIES_CLASSES_MAX) {
        series_line_fail(line, MYCEL_E_MALFORMED, "'class_accuracy' is not a list of up to %u",
                         SERIES_CLASSES_MAX);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        double value = json_is_number(item) ? json_number_value(item) : (double)NAN;
        if (!json_is_null(item) && !(value >= 0.0 && value <= 1.0)) {
            series_line_fail(line, MYCEL_E_MALFORMED, "'class_accuracy' has a value beyond 0 … 1");
            return;
        }
        s->class_accuracy[i] = value;
    }
    s->classes_count = count;
    s->class_accuracy_round = round;
}

static void add_round(struct series *s, struct series_line *line)
{
    void *list = s->rounds;
    struct series_round *round =
        room(line, &list, s->rounds_count, &s->rounds_room, sizeof *round, SERIES_ROUNDS_MAX);
    s->rounds = list;
    if (round == NULL) {
        return;
    }
    round->round = count_of(line, "round");
    round->version = count_of(line, "version");
    round->virtual_s = amount_of(line, "virtual_s");
    round->accuracy = real_or_nan(line, "accuracy", 0.0, 1.0);
    round->loss = real_or_nan(line, "loss", -HUGE_VAL, HUGE_VAL);
    round->selected = count_of(line, "selected");
    round->accepted = count_of(line, "accepted");
    round->rejected = count_of(line, "rejected");
    round->expired = count_of(line, "expired");
    round->late = count_of(line, "late");
    read_cost(&round->cost, line);
    read_class_accuracy(s, line, round->round);
    if (s->rounds_count > 0) {
        const struct series_round *before = &s->rounds[s->rounds_count - 1u];
        if (round->round <= before->round) {
            series_line_fail(line, MYCEL_E_MALFORMED, "'round' does not follow the one before");
        }
        check_order(before, round, line);
    }
    s->rounds_count++;
}

static void add_participation(struct series *s, struct series_line *line)
{
    const json_t *counts = json_object_get(line->object, "counts");
    size_t count = json_array_size(counts);
    if (!json_is_array(counts) || count == 0 || count > SERIES_BINS_MAX) {
        series_line_fail(line, MYCEL_E_MALFORMED, "'counts' is not a list of 1 … %u numbers",
                         SERIES_BINS_MAX);
        return;
    }
    free(s->participation);
    s->participation_count = 0;
    s->participation = calloc(count, sizeof *s->participation);
    if (s->participation == NULL) {
        series_line_fail(line, MYCEL_E_NO_MEMORY, "out of memory");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(counts, i);
        if (!json_is_integer(item) || json_integer_value(item) < 0) {
            series_line_fail(line, MYCEL_E_MALFORMED, "'counts' holds more than whole numbers");
            return;
        }
        s->participation[i] = (uint64_t)json_integer_value(item);
    }
    s->participation_count = count;
}

static void add_gateway(struct series *s, struct series_line *line)
{
    void *list = s->gateway;
    struct series_gateway *g =
        room(line, &list, s->gateway_count, &s->gateway_room, sizeof *g, SERIES_GATEWAYS_MAX);
    s->gateway = list;
    if (g == NULL) {
        return;
    }
    g->id = count_of(line, "id");
    text_of(line, "link", g->link, sizeof g->link);
    g->devices = count_of(line, "devices");
    g->airtime_s = amount_of(line, "airtime_s");
    g->busy_permille = count_of(line, "busy_permille");
    g->outage_s = amount_of(line, "outage_s");
    g->datagrams = count_of(line, "datagrams");
    g->lost = count_of(line, "lost");
    if (g->busy_permille > BUSY_PERMILLE_MAX) {
        series_line_fail(line, MYCEL_E_MALFORMED, "'busy_permille' is above %u", BUSY_PERMILLE_MAX);
    }
    s->gateway_count++;
}

static void add_device_class(struct series *s, struct series_line *line)
{
    if (s->device_class == NULL) {
        s->device_class = calloc(SERIES_DEVICE_CLASSES_MAX, sizeof *s->device_class);
    }
    if (s->device_class == NULL) {
        series_line_fail(line, MYCEL_E_NO_MEMORY, "out of memory");
        return;
    }
    if (s->device_class_count == SERIES_DEVICE_CLASSES_MAX) {
        series_line_fail(line, MYCEL_E_TOO_LARGE, "more than %u classes of devices",
                         SERIES_DEVICE_CLASSES_MAX);
        return;
    }
    struct series_device_class *c = &s->device_class[s->device_class_count];
    text_of(line, "name", c->name, sizeof c->name);
    c->devices = count_of(line, "devices");
    c->energy_j = amount_of(line, "energy_j");
    c->energy_compute_j = amount_of(line, "energy_compute_j");
    c->energy_radio_j = amount_of(line, "energy_radio_j");
    c->trained = count_of(line, "trained");
    c->protocol_only = count_of(line, "protocol_only");
    c->discarded = count_of(line, "discarded");
    s->device_class_count++;
}

static void add_done(struct series *s, struct series_line *line)
{
    s->end.accuracy = real_or_nan(line, "accuracy", 0.0, 1.0);
    s->end_rounds = count_of(line, "rounds");
    s->end.virtual_s = amount_of(line, "virtual_s");
    read_cost(&s->end.cost, line);
    s->wall_s = real_or_nan(line, "wall_s", 0.0, HUGE_VAL);
    text_of(line, "model_sha256", s->model_sha256, sizeof s->model_sha256);
    if (s->rounds_count > 0) {
        check_order(&s->rounds[s->rounds_count - 1u], &s->end, line);
    }
    s->finished = true;
}

/* ---- the table ---------------------------------------------------------------------------- */

const char *series_line_event(struct series_line *line)
{
    const char *name = json_string_value(json_object_get(line->object, "event"));
    if (!json_is_object(line->object) || name == NULL) {
        series_line_fail(line, MYCEL_E_MALFORMED, "not an object with an 'event'");
        return "";
    }
    return name;
}

void series_event_add(struct series *s, struct series_line *line, const char *name)
{
    static const struct {
        const char *name;
        void (*add)(struct series *, struct series_line *);
    } table[] = {
        {"start", add_start},     {"round", add_round},        {"participation", add_participation},
        {"gateway", add_gateway}, {"class", add_device_class}, {"done", add_done}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(name, table[i].name) == 0) {
            table[i].add(s, line);
            return;
        }
    }
}
