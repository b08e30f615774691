/*
 * The texts come from a person's scenario file: every mistake ends in an error with a column, and
 * none is guessed away.
 */
#include "sim/scenario/option.h"

#include <mycel/error.h>

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int option_fail(struct option_error *error, const char *text, const char *at, const char *why)
{
    *error = (struct option_error){.column = (int)(at - text) + 1, .text = why};
    return MYCEL_E_MALFORMED;
}

static bool word_is(const struct option_word *word, const char *text)
{
    return strlen(text) == word->bytes && memcmp(text, word->at, word->bytes) == 0;
}

/* The word from `at` to the first of `ends` or the text's end. */
static struct option_word take(const char *at, const char *ends)
{
    return (struct option_word){at, (uint32_t)strcspn(at, ends)};
}

int option_parse(const char *text, struct option_list *list, struct option_error *error)
{
    *list = (struct option_list){.text = text, .kind = take(text, ":")};
    if (list->kind.bytes == 0) {
        return option_fail(error, text, text, "a kind is missing");
    }
    const char *at = text + list->kind.bytes;
    while (*at != '\0') {
        at++; /* behind ':' or ',' */
        if (list->count == OPTION_PAIRS_MAX) {
            return option_fail(error, text, at, "too many options");
        }
        struct option_word key = take(at, "=,");
        const char *behind = at + key.bytes;
        if (key.bytes == 0 || *behind != '=') {
            return option_fail(error, text, key.bytes == 0 ? at : behind, "expected key=value");
        }
        for (uint32_t i = 0; i < list->count; i++) {
            if (list->key[i].bytes == key.bytes &&
                memcmp(list->key[i].at, key.at, key.bytes) == 0) {
                return option_fail(error, text, at, "the option is given twice");
            }
        }
        struct option_word value = take(behind + 1, ",");
        if (value.bytes == 0) {
            return option_fail(error, text, behind + 1, "a value is missing");
        }
        list->key[list->count] = key;
        list->value[list->count++] = value;
        at = value.at + value.bytes;
    }
    return 0;
}

bool option_is(const struct option_list *list, const char *kind)
{
    return word_is(&list->kind, kind);
}

/* The value of a key, marked as used, or NULL. */
static const struct option_word *value_of(struct option_list *list, const char *key)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (word_is(&list->key[i], key)) {
            list->used |= 1u << i;
            return &list->value[i];
        }
    }
    return NULL;
}

static double unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    default:
        return 0;
    }
}

uint32_t option_scan(const char *text, uint32_t bytes, bool seconds, double *value)
{
    char digits[OPTION_NUMBER_BYTES_MAX];
    uint32_t length = 0;
    while (length < bytes && text[length] != '\0' && strchr("0123456789.+-eE", text[length])) {
        length++;
    }
    if (length == 0 || length >= sizeof digits) {
        return 0;
    }
    memcpy(digits, text, length);
    digits[length] = '\0';
    char *end;
    double number = strtod(digits, &end);
    length = (uint32_t)(end - digits);
    if (length == 0 || !isfinite(number)) {
        return 0;
    }
    double unit = seconds && length < bytes ? unit_seconds(text[length]) : 0;
    *value = unit > 0 ? number * unit : number;
    return unit > 0 ? length + 1 : length;
}

/* A whole value as one number in range. */
static int scan_whole(struct option_list *list, const struct option_word *word, bool seconds,
                      const double range[2], double *value, struct option_error *error)
{
    double number;
    uint32_t read = option_scan(word->at, word->bytes, seconds, &number);
    if (read == 0 || read < word->bytes) {
        return option_fail(error, list->text, word->at + read,
                           seconds ? "not a duration (30, 30s, 5m, 2h or 1d)" : "not a number");
    }
    if (number < range[0] || number > range[1]) {
        return option_fail(error, list->text, word->at, "the number is out of range");
    }
    *value = number;
    return 1;
}

int option_number(struct option_list *list, const char *key, const double range[2], double *value,
                  struct option_error *error)
{
    const struct option_word *word = value_of(list, key);
    return word ? scan_whole(list, word, false, range, value, error) : 0;
}

int option_seconds(struct option_list *list, const char *key, const double range[2], double *value,
                   struct option_error *error)
{
    const struct option_word *word = value_of(list, key);
    return word ? scan_whole(list, word, true, range, value, error) : 0;
}

int option_numbers(struct option_list *list, const char *key, const double range[2],
                   uint32_t count_max, double *values, struct option_error *error)
{
    const struct option_word *word = value_of(list, key);
    if (!word) {
        return 0;
    }
    const char *end = word->at + word->bytes;
    const char *at = word->at;
    for (uint32_t count = 0; count < count_max; count++) {
        struct option_word part = {at, 0};
        while (at + part.bytes < end && at[part.bytes] != '/') {
            part.bytes++;
        }
        int rc = scan_whole(list, &part, false, range, &values[count], error);
        if (rc < 0) {
            return rc;
        }
        at += part.bytes;
        if (at == end) {
            return (int)count + 1;
        }
        at++;
    }
    return option_fail(error, list->text, at, "too many numbers");
}

uint32_t option_share(double probability)
{
    double scaled = probability * 4294967296.0;
    return scaled >= UINT32_MAX ? UINT32_MAX : (uint32_t)scaled;
}

int option_done(const struct option_list *list, struct option_error *error)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (!(list->used >> i & 1u)) {
            return option_fail(error, list->text, list->key[i].at, "unknown option");
        }
    }
    return 0;
}
