/*
 * One setting of the program: its name, type, bounds, default and help, and how text becomes its
 * value. Flags, environment, configuration file and defaults all go through setting_assign(), so a
 * value means the same wherever it was written. It must never print or read anything.
 */
#ifndef MYCEL_SERVER_CLI_SETTING_H
#define MYCEL_SERVER_CLI_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTING_MESSAGE_BYTES 256u

enum setting_type {
    SETTING_SWITCH,   /* bool: yes|no|true|false|on|off|1|0; as a flag it takes no argument */
    SETTING_TEXT,     /* const char *: min and max bound its length in bytes */
    SETTING_COUNT,    /* uint64_t: decimal digits, or k, M, G behind them (powers of 1000) */
    SETTING_DURATION, /* uint64_t in ms: a number with ms, s, m or h; bare numbers are seconds */
    SETTING_REAL,     /* double: finite */
    SETTING_CHOICE,   /* unsigned: index into choices */
    SETTING_TEXTS     /* const struct setting_texts *: a flag that may be given again and again */
};

#define SETTING_TEXTS_MAX 64u

struct setting_texts {
    const char *text[SETTING_TEXTS_MAX];
    size_t count;
};

struct setting {
    const char *name; /* long flag and file key, lower case with dashes */
    char letter;      /* short flag, 0: none */
    enum setting_type type;
    const char *argument;       /* what stands for the value in help; NULL for switches */
    const char *fallback;       /* default as the user would write it, NULL: unset (all zero) */
    double min, max;            /* inclusive; both 0: not bounded. Durations: in ms */
    const char *const *choices; /* NULL-terminated, CHOICE only */
    size_t offset;              /* of the value in the struct that receives it */
    const char *help;           /* a phrase without a full stop */
};

/* Writes the value of text to its place in the struct at base. TEXT keeps the pointer: text must
 * outlive it. On MYCEL_E_INVALID nothing is written and message says why, without the setting's
 * name (the caller knows whether it was a flag, a variable or a line of a file). */
int setting_assign(const struct setting *s, void *base, const char *text,
                   char message[SETTING_MESSAGE_BYTES]);

/* Writes the value at base as the user would write it ("" where unset); returns out. */
const char *setting_text(const struct setting *s, const void *base, char *out, size_t out_bytes);

#endif
