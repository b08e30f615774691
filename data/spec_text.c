/* A cursor over one line. */
#include "data/spec_text.h"

#include <math.h>
#include <mycel/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 32u

int spec_fail(const struct spec_text *s, const char *format, ...)
{
    if (s->problem != NULL) {
        int head = snprintf(s->problem, SPEC_PROBLEM_BYTES,
                            "column %u: ", (unsigned)(s->at - s->text) + 1u);
        va_list args;
        va_start(args, format);
        (void)vsnprintf(s->problem + head, SPEC_PROBLEM_BYTES - (size_t)head, format, args);
        va_end(args);
    }
    return MYCEL_E_INVALID;
}

bool spec_word(struct spec_text *s, const char *word)
{
    size_t bytes = strcspn(s->at, ":");
    if (strlen(word) != bytes || strncmp(s->at, word, bytes) != 0) {
        return false;
    }
    s->at += bytes;
    return true;
}

bool spec_take(struct spec_text *s, char c)
{
    bool there = *s->at == c && c != '\0';
    s->at += there ? 1 : 0;
    return there;
}

int spec_number(struct spec_text *s, const struct spec_key *key)
{
    char *end;
    bool begins = strchr("+-.0123456789", *s->at) != NULL && *s->at != '\0'; /* no blanks, no inf */
    float value = begins ? strtof(s->at, &end) : 0;
    if (!begins || end == s->at || !isfinite(value)) {
        return spec_fail(s, "%s needs a number", key->name);
    }
    if (value < key->min || value > key->max || (key->whole && value != floorf(value))) {
        return spec_fail(s, "%s is a %snumber from %g to %g", key->name, key->whole ? "whole " : "",
                         (double)key->min, (double)key->max);
    }
    *key->value = value;
    s->at = end;
    return MYCEL_OK;
}

static int spec_key(struct spec_text *s, const struct spec_key *keys, unsigned count,
                    uint32_t *seen)
{
    size_t bytes = strcspn(s->at, "=,");
    for (unsigned i = 0; i < count; i++) {
        if (strlen(keys[i].name) != bytes || strncmp(keys[i].name, s->at, bytes) != 0) {
            continue;
        }
        if ((*seen & 1u << i) != 0) {
            return spec_fail(s, "%s is given twice", keys[i].name);
        }
        *seen |= 1u << i;
        s->at += bytes;
        if (!spec_take(s, '=')) {
            return spec_fail(s, "%s needs '=' and a number", keys[i].name);
        }
        return spec_number(s, &keys[i]);
    }
    return spec_fail(s, "no such setting: '%.*s'", (int)(bytes < 32 ? bytes : 32), s->at);
}

int spec_keys(struct spec_text *s, const struct spec_key *keys, unsigned count)
{
    uint32_t seen = 0;
    for (unsigned i = 0; i <= count && count <= KEYS_MAX; i++) {
        int rc = spec_key(s, keys, count, &seen);
        if (rc < 0 || !spec_take(s, ',')) {
            return rc < 0 ? rc : spec_end(s);
        }
    }
    return spec_fail(s, "too many settings");
}

int spec_end(const struct spec_text *s)
{
    return *s->at == '\0' ? MYCEL_OK : spec_fail(s, "'%.32s' is too much", s->at);
}
