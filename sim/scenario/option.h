/*
 * The small texts by which a scenario sets a model: "kind:key=value,key=value". It owns splitting,
 * numbers with their ranges, and errors that point at a column; what the keys mean is its callers'.
 * No memory is allocated: a list points into the caller's text.
 *
 *   setting  = kind , [ ":" , pair , { "," , pair } ] ;
 *   pair     = key , "=" , value ;
 *   value    = number , [ "s" | "m" | "h" | "d" ]       (* units only for durations *)
 *            | number , { "/" , number } ;              (* lists *)
 */
#ifndef MYCEL_SIM_SCENARIO_OPTION_H
#define MYCEL_SIM_SCENARIO_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#define OPTION_PAIRS_MAX 16
#define OPTION_NUMBER_BYTES_MAX 32 /* of one number's text, with a NUL */

struct option_error {
    int column;       /* of the first wrong character, from 1 */
    const char *text; /* one sentence without a full stop; static storage */
};

struct option_word {
    const char *at;
    uint32_t bytes;
};

struct option_list {
    const char *text;
    struct option_word kind;
    uint32_t count;
    uint32_t used; /* bit i: pair i was asked for */
    struct option_word key[OPTION_PAIRS_MAX];
    struct option_word value[OPTION_PAIRS_MAX];
};

/* Splits a text, NUL-terminated, that outlives the list. error may not be NULL, here and below.
 * 0, or MYCEL_E_MALFORMED. */
int option_parse(const char *text, struct option_list *list, struct option_error *error);

bool option_is(const struct option_list *list, const char *kind);

/* A number within [min, max]. Returns 1 and sets *value; 0 when the key is missing, *value is
 * untouched; MYCEL_E_MALFORMED. */
int option_number(struct option_list *list, const char *key, const double range[2], double *value,
                  struct option_error *error);

/* A duration in seconds, with a unit or without, within [min, max] seconds. Returns like
 * option_number. */
int option_seconds(struct option_list *list, const char *key, const double range[2], double *value,
                   struct option_error *error);

/* A list of 1 … count_max numbers within [min, max]. Returns how many; 0 when the key is missing;
 * MYCEL_E_MALFORMED. */
int option_numbers(struct option_list *list, const char *key, const double range[2],
                   uint32_t count_max, double *values, struct option_error *error);

/* One number, which may have a unit if seconds is true, from bytes of text. Returns the bytes read, 0 if there
 * is no finite number. For parsers of other texts. */
uint32_t option_scan(const char *text, uint32_t bytes, bool seconds, double *value);

/* A probability, 0 … 1, as a share of 2^32; UINT32_MAX stands for certainty. */
uint32_t option_share(double probability);

/* After all keys were asked for: 0, or MYCEL_E_MALFORMED at the first that nobody wanted. */
int option_done(const struct option_list *list, struct option_error *error);

/* Fills *error and returns MYCEL_E_MALFORMED. at lies within text. */
int option_fail(struct option_error *error, const char *text, const char *at, const char *why);

#endif
