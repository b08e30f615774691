/*
 * Numbers for the texts of a column: equal texts get equal numbers, 0, 1, 2… as they are first met.
 * Owns copies of the texts. Hashing decides nothing but speed.
 */
#ifndef MYCEL_DATA_NAMES_H
#define MYCEL_DATA_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_MAX 1000000u
#define NAMES_TEXT_BYTES_MAX (1u << 30) /* of all texts together */

struct names {
    uint32_t count;
    char *text; /* all, each with its NUL */
    uint32_t text_bytes;
    uint32_t text_room;
    uint32_t *starts; /* slots' texts, + 1; 0: a free slot */
    uint32_t *numbers;
    uint32_t slots; /* a power of two, at most half full; 0 at first */
};

/* Sets *number. 0; FULL: NAMES_MAX or NAMES_TEXT_BYTES_MAX; NO_MEMORY. Begin with a zeroed struct. */
int names_number(struct names *names, const char *text, size_t bytes, uint32_t *number);

void names_free(struct names *names);

#endif
