/*
 * `--codec` and `--codecs`: which encodings the updates of a run may have, as a person writes it. It owns
 * the texts; which device gets which encoding is the engine's decision at each check-in.
 */
#ifndef MYCEL_SERVER_CLI_CODECS_H
#define MYCEL_SERVER_CLI_CODECS_H

#include <stdint.h>

#include <jansson.h>

#define CODECS_TEXT_BYTES 96u /* all names with separators and a NUL */

/* "auto" and then the codecs in the order of their numbers; NULL-terminated. */
extern const char *const codecs_choices[];

/* How devices are sent versions; the index is what a run stores (enum downlink). NULL ends. */
extern const char *const codecs_downlinks[];
#define CODECS_DOWNLINK_F32 0u
#define CODECS_DOWNLINK_DELTA 1u
#define CODECS_DOWNLINK_AUTO 2u /* a choice only: delta, but f32 for SCAFFOLD */

/* What a run stores: the encoding for most devices, and the bit mask of all that are allowed. */
struct codecs {
    uint32_t codec;
    uint32_t mask;
};

/*
 * choice: index into codecs_choices. list: names with commas between them, or NULL.
 *   auto, no list   f32, int8 and drive1; int8 for most (the default)
 *   auto, a list    those; the most exact of them for most
 *   NAME, no list   that one only
 *   NAME, a list    those; NAME, which must be among them, for most
 * A device on a narrow link always gets the shortest one that it shares with the run.
 * 0, or MYCEL_E_INVALID after having printed why.
 */
int codecs_choose(unsigned choice, const char *list, struct codecs *out);

/* The names in the mask, "f32, int8, drive1"; returns out. */
const char *codecs_text(uint32_t mask, char out[CODECS_TEXT_BYTES]);

/* The same as an array of strings; the caller's. */
json_t *codecs_json(uint32_t mask);

#endif
