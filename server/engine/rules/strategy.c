/* The text form of a strategy: parsed with errors that point at a column, and written back. */
#include <mycel/error.h>
#include <string.h>

#include "server/engine/rules/rule_internal.h"

#define NUMBER_DIGITS_MAX 9u

enum { CLIP_NORM, CLIP_QUANTILE, CLIP_RATE };

static const struct rule clip_description = {
    .name = "clip",
    .title = "norm clip before a rule; adaptive: follows a quantile of the norms",
    .equation = "D_i min(1, C / |D_i|); adaptive: C *= exp(-rate (share below C - quantile))",
    .source = "Sun et al., 2019; Andrew et al., NeurIPS 2021",
    .kind = RULE_STREAMING,
    .param_count = 3,
    .params = {{"norm", "C; of the first round if adaptive", 1.0f, 1e-6f, 1e6f},
               {"quantile", "adaptive: share of updates left as they are", 0.8f, 0.01f, 1.0f},
               {"rate", "adaptive: speed of C", 0.2f, 0.0f, 1.0f}},
};

const struct rule *rule_clip_description(void)
{
    return &clip_description;
}

/* ---- errors --------------------------------------------------------------------------------- */

struct parser {
    const char *text;
    uint32_t at;
    struct rule_error *error;
};

static void error_append(struct rule_error *error, const char *part)
{
    size_t used = strlen(error->text), room = sizeof error->text - 1u - used;
    size_t length = strlen(part) < room ? strlen(part) : room;
    memcpy(error->text + used, part, length);
    error->text[used + length] = '\0';
}

/* Says what is wrong at a place: up to three parts in a row. */
static int fail(struct parser *p, uint32_t at, const char *a, const char *b, const char *c)
{
    p->error->column = at + 1u;
    p->error->text[0] = '\0';
    error_append(p->error, a);
    error_append(p->error, b);
    error_append(p->error, c);
    return MYCEL_E_INVALID;
}

/* ---- words and numbers ---------------------------------------------------------------------- */

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static void skip_blanks(struct parser *p)
{
    while (is_blank(p->text[p->at])) {
        p->at++;
    }
}

/* Reads a word of a name's characters into `word`; 0 characters if there is none. */
static uint32_t read_word(struct parser *p, char word[RULE_NAME_BYTES_MAX + 1u])
{
    uint32_t length = 0;
    skip_blanks(p);
    while (is_word(p->text[p->at + length]) && length < RULE_NAME_BYTES_MAX) {
        word[length] = p->text[p->at + length];
        length++;
    }
    word[length] = '\0';
    p->at += length;
    return length;
}

/* Digits with at most one point; no more significant ones than a float holds. */
static int read_digits(struct parser *p, double *value)
{
    uint32_t digits = 0, decimals = 0, point = 0, significant = 0;
    for (;; p->at++) {
        char c = p->text[p->at];
        if (c == '.' && !point) {
            point = 1;
        } else if (c >= '0' && c <= '9') {
            *value = *value * 10.0 + (double)(c - '0');
            significant += *value > 0;
            decimals += point;
            digits++;
        } else {
            break;
        }
    }
    for (; decimals > 0; decimals--) {
        *value /= 10.0;
    }
    return digits > 0 && significant <= NUMBER_DIGITS_MAX;
}

static int read_exponent(struct parser *p, double *value)
{
    if (p->text[p->at] != 'e') {
        return 1;
    }
    p->at++;
    int negative = p->text[p->at] == '-';
    p->at += (uint32_t)(negative || p->text[p->at] == '+');
    uint32_t exponent = 0, digits = 0;
    for (; p->text[p->at] >= '0' && p->text[p->at] <= '9' && digits < 3u; digits++, p->at++) {
        exponent = exponent * 10u + (uint32_t)(p->text[p->at] - '0');
    }
    for (; exponent > 0; exponent--) {
        *value = negative ? *value / 10.0 : *value * 10.0;
    }
    return digits > 0;
}

static int read_number(struct parser *p, float *number)
{
    uint32_t start = p->at;
    int negative = p->text[p->at] == '-';
    p->at += (uint32_t)negative;
    double value = 0;
    int valid = read_digits(p, &value) && read_exponent(p, &value);
    char next = p->text[p->at];
    if (!valid || !(next == '\0' || next == '>' || is_blank(next))) {
        return fail(p, start, "a number is expected here, e.g. 0.01 or 1e-3", "", "");
    }
    *number = (float)(negative ? -value : value);
    return 0;
}

/* ---- grammar -------------------------------------------------------------------------------- */

static int param_index(const struct rule *rule, const char *name)
{
    for (uint32_t i = 0; i < rule->param_count; i++) {
        if (strcmp(rule->params[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static int unknown_param(struct parser *p, uint32_t at, const struct rule *rule)
{
    struct rule_error *error = p->error;
    fail(p, at, rule->name, " has no such parameter; it has ", "");
    for (uint32_t i = 0; i < rule->param_count; i++) {
        error_append(error, i ? ", " : "");
        error_append(error, rule->params[i].name);
    }
    return MYCEL_E_INVALID;
}

/* { name "=" number }, up to ">" or the end. */
static int read_params(struct parser *p, const struct rule *rule, float *values)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < rule->param_count; i++) {
        values[i] = rule->params[i].initial;
    }
    for (skip_blanks(p); p->text[p->at] && p->text[p->at] != '>'; skip_blanks(p)) {
        char name[RULE_NAME_BYTES_MAX + 1u];
        uint32_t start = p->at;
        if (read_word(p, name) == 0 || p->text[p->at] != '=') {
            return fail(p, start, "a parameter as name=number is expected here", "", "");
        }
        int index = param_index(rule, name);
        if (index < 0) {
            return unknown_param(p, start, rule);
        }
        if (seen & 1u << index) {
            return fail(p, start, name, " is given twice", "");
        }
        seen |= 1u << index;
        uint32_t number_at = ++p->at;
        int error = read_number(p, &values[index]);
        if (error) {
            return error;
        }
        const struct rule_param *param = &rule->params[index];
        if (values[index] < param->min || values[index] > param->max) {
            return fail(p, number_at, name, " is out of its bounds", "");
        }
    }
    return 0;
}

static int read_clip(struct parser *p, struct rule_strategy *strategy)
{
    char mode[RULE_NAME_BYTES_MAX + 1u];
    float values[RULE_PARAMS_MAX];
    skip_blanks(p);
    uint32_t start = p->at;
    read_word(p, mode);
    if (strcmp(mode, "adaptive") == 0) {
        strategy->clip = RULE_CLIP_ADAPTIVE;
    } else if (strcmp(mode, "fixed") == 0) {
        strategy->clip = RULE_CLIP_FIXED;
    } else {
        return fail(p, start, "clip is \"adaptive\" or \"fixed\"", "", "");
    }
    int error = read_params(p, &clip_description, values);
    if (error) {
        return error;
    }
    strategy->clip_norm = values[CLIP_NORM];
    strategy->clip_quantile = values[CLIP_QUANTILE];
    strategy->clip_rate = values[CLIP_RATE];
    if (p->text[p->at] != '>') {
        return fail(p, p->at, "\">\" and a rule have to follow the clip", "", "");
    }
    p->at++;
    return 0;
}

static int unknown_rule(struct parser *p, uint32_t at, const char *name)
{
    const struct rule *nearest = rule_nearest(name);
    if (!name[0]) {
        return fail(p, at, "the name of a rule is expected here", "", "");
    }
    if (!nearest) {
        return fail(p, at, "there is no rule \"", name, "\"");
    }
    fail(p, at, "there is no rule \"", name, "\"; did you mean \"");
    error_append(p->error, nearest->name);
    error_append(p->error, "\"?");
    return MYCEL_E_INVALID;
}

int rule_parse(const char *text, struct rule_strategy *strategy, struct rule_error *error)
{
    struct parser p = {.text = text, .error = error};
    char name[RULE_NAME_BYTES_MAX + 1u];
    *strategy = (struct rule_strategy){0};
    if (strlen(text) >= RULE_TEXT_BYTES_MAX) {
        return fail(&p, RULE_TEXT_BYTES_MAX - 1u, "the text is too long", "", "");
    }
    skip_blanks(&p);
    uint32_t start = p.at;
    read_word(&p, name);
    if (strcmp(name, clip_description.name) == 0) {
        int failed = read_clip(&p, strategy);
        if (failed) {
            return failed;
        }
        skip_blanks(&p);
        start = p.at;
        read_word(&p, name);
    }
    strategy->rule = rule_find(name);
    if (!strategy->rule) {
        return unknown_rule(&p, start, name);
    }
    int failed = read_params(&p, strategy->rule, strategy->params);
    if (!failed && p.text[p.at]) {
        failed = fail(&p, p.at, "nothing may follow the rule", "", "");
    }
    return failed;
}

/* ---- questions about a strategy ------------------------------------------------------------- */

float rule_prox_mu(const struct rule_strategy *strategy)
{
    int index = param_index(strategy->rule, "mu");
    return index < 0 ? 0 : strategy->params[index];
}

int rule_needs_reference(const struct rule_strategy *strategy)
{
    return strategy->rule == &rule_fltrust;
}

int rule_needs_control(const struct rule_strategy *strategy)
{
    return strategy->rule == &rule_scaffold;
}
