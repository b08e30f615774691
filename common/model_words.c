/*
 * Words and numbers of a model description. It owns the position in the text and how a place in it is
 * reported; it knows nothing of layers. Its input may come from a peer: numbers have a limit, and it
 * never reads behind the NUL.
 */
#include "common/model_words.h"

#include <string.h>

#include "mycel/error.h"

enum {
    NUMBER_DIGITS_MAX = 9,
    DECIMAL_DIGITS_MAX = 7,
};

int words_fail_at(struct words *w, uint32_t at, uint32_t length, int code, const char *text)
{
    if (w->error != NULL) {
        w->error->column = (int)at + 1;
        w->error->length = length > 0 ? (int)length : 1;
        w->error->text = text;
    }
    return code;
}

int words_fail(struct words *w, int code, const char *text)
{
    return words_fail_at(w, w->word.at, w->word.length, code, text);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool word_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool word_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void words_next(struct words *w)
{
    while (is_blank(w->text[w->at])) {
        w->at++;
    }
    uint32_t start = w->at;
    char c = w->text[w->at];
    while (c != '\0' && c != '>' && !is_blank(c)) {
        c = w->text[++w->at];
    }
    w->word = (struct word){w->text + start, w->at - start, start};
}

bool word_same(const struct word *word, const char *name)
{
    return strlen(name) == word->length && memcmp(word->text, name, word->length) == 0;
}

bool words_is(const struct words *w, const char *name)
{
    return word_same(&w->word, name);
}

/* Reads digits at *at of the current word as 1 … max. */
static int read_count(struct words *w, uint32_t *at, uint32_t max, uint32_t *value)
{
    uint32_t start = *at;
    uint32_t v = 0;
    while (*at < w->word.length && word_is_digit(w->word.text[*at])) {
        if (*at - start >= NUMBER_DIGITS_MAX) {
            return words_fail(w, MYCEL_E_TOO_LARGE, "this number is too large");
        }
        v = v * 10u + (uint32_t)(w->word.text[*at] - '0');
        (*at)++;
    }
    if (*at == start) {
        return words_fail(w, MYCEL_E_MALFORMED, "a whole number is expected here");
    }
    if (v == 0) {
        return words_fail(w, MYCEL_E_MALFORMED, "this number must be at least 1");
    }
    if (v > max) {
        return words_fail(w, MYCEL_E_TOO_LARGE, "this number is too large");
    }
    *value = v;
    return 0;
}

int words_dims(struct words *w, uint32_t dims_max, uint32_t max, uint32_t *dim)
{
    uint32_t at = 0;
    uint32_t count = 0;
    while (count < dims_max) {
        int rc = read_count(w, &at, max, &dim[count]);
        if (rc != 0) {
            return rc;
        }
        count++;
        if (at == w->word.length) {
            words_next(w);
            return (int)count;
        }
        if (w->word.text[at] != 'x') {
            break;
        }
        at++;
    }
    return words_fail(w, MYCEL_E_MALFORMED, "a size such as 3 or 3x3 is expected here");
}

/* Reads a decimal such as 0.25 without going through double: digits / power of ten, one rounding. */
int words_decimal(struct words *w, float *value)
{
    uint32_t digits = 0;
    uint32_t scale = 1;
    uint32_t at = 0;
    uint32_t used = 0;
    bool point = false;
    for (; at < w->word.length; at++) {
        char c = w->word.text[at];
        if (c == '.' && !point) {
            point = true;
        } else if (word_is_digit(c) && used < DECIMAL_DIGITS_MAX) {
            digits = digits * 10u + (uint32_t)(c - '0');
            scale *= point ? 10u : 1u;
            used++;
        } else {
            break;
        }
    }
    if (at < w->word.length || used == 0) {
        return words_fail(w, MYCEL_E_MALFORMED, "a number such as 0.25 is expected here");
    }
    *value = (float)digits / (float)scale;
    words_next(w);
    return 0;
}

bool words_at_number(const struct words *w)
{
    return w->word.length > 0 && (word_is_digit(w->word.text[0]) || w->word.text[0] == '.');
}
