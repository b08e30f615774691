/*
 * Words and numbers of a model description, in order, for model_parse.c. Nothing here allocates or
 * blocks. A reader that fails returns MYCEL_E_* and has noted the place and its sentence in `error`.
 */
#ifndef MYCEL_COMMON_MODEL_WORDS_H
#define MYCEL_COMMON_MODEL_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include <mycel/model.h>

struct word {
    const char *text;
    uint32_t length;
    uint32_t at; /* offset in the description */
};

/* The text and the word being looked at, which is empty at ">" and at the end. */
struct words {
    const char *text; /* NUL-terminated */
    uint32_t at;
    struct word word;
    struct mycel_model_error *error; /* may be NULL */
};

/* Notes that `length` characters at `at`, or the current word, are wrong. Both return `code`; `text`
 * must be static. */
int words_fail_at(struct words *w, uint32_t at, uint32_t length, int code, const char *text);
int words_fail(struct words *w, int code, const char *text);

/* Moves to the next word. Stays, with an empty word, in front of ">" and at the end. */
void words_next(struct words *w);

bool word_same(const struct word *word, const char *name);
bool word_is_digit(char c);
bool word_is_letter(char c);

/* Whether the current word is this one, or looks like a number. */
bool words_is(const struct words *w, const char *name);
bool words_at_number(const struct words *w);

/* Reads "n", "nxn", … with 1 … dims_max parts, each 1 … max, into dim and moves on. Returns how many
 * there were. MYCEL_E_MALFORMED; MYCEL_E_TOO_LARGE. */
int words_dims(struct words *w, uint32_t dims_max, uint32_t max, uint32_t *dim);

/* Reads a decimal such as 0.25 and moves on. MYCEL_E_MALFORMED. */
int words_decimal(struct words *w, float *value);

#endif
