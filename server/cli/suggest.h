/* "Did you mean …?": the nearest of a list of known words. Pure; allocates nothing. */
#ifndef MYCEL_SERVER_CLI_SUGGEST_H
#define MYCEL_SERVER_CLI_SUGGEST_H

#include <stddef.h>

/* Words longer than this are never suggested and never answered. */
#define SUGGEST_WORD_MAX 48u

/* Number of single-character insertions, deletions, replacements and swaps of neighbours that turn
 * a into b (optimal string alignment distance); SUGGEST_WORD_MAX where either word is too long. */
size_t suggest_distance(const char *a, const char *b);

/* Keeps the best candidate seen so far; start from {0}. */
struct suggest {
    const char *best;
    size_t distance;
};

/* Considers one candidate; it is kept (not copied) if it is close enough to be a slip of the finger:
 * at most a third of the word's length, at least one edit, or the word is its beginning. */
void suggest_consider(struct suggest *s, const char *word, const char *candidate);

#endif
