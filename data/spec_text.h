/*
 * Short texts in which people choose something: "scale:-10", "rotate=30,noise=0.1". Owns numbers, keys and
 * the column of what is wrong; each caller owns its words. Columns count characters from 1.
 */
#ifndef MYCEL_DATA_SPEC_TEXT_H
#define MYCEL_DATA_SPEC_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#define SPEC_PROBLEM_BYTES 256 /* a message for a person, with its NUL */

struct spec_text {
    const char *text;
    const char *at;
    char *problem; /* SPEC_PROBLEM_BYTES, or NULL */
};

struct spec_key {
    const char *name;
    float min, max; /* both allowed */
    bool whole;     /* only whole numbers */
    float *value;   /* keeps its value where the text does not name the key */
};

/* Writes "column N: …" and returns INVALID. */
int spec_fail(const struct spec_text *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes a whole word (letters, up to ':' or the end) if it comes next. */
bool spec_word(struct spec_text *s, const char *word);

/* Takes one character if it comes next. */
bool spec_take(struct spec_text *s, char c);

/* A finite number within the key's limits, into *key->value. 0 or INVALID. */
int spec_number(struct spec_text *s, const struct spec_key *key);

/* "name=number,name=number", each at most once, up to the text's end. 0 or INVALID. */
int spec_keys(struct spec_text *s, const struct spec_key *keys, unsigned count);

/* 0, or INVALID where something follows. */
int spec_end(const struct spec_text *s);

#endif
