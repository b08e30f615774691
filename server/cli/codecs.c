/* Names to numbers and back. See codecs.h. */
#include "server/cli/codecs.h"

#include <stdio.h>
#include <string.h>

#include <mycel/error.h>

#include "common/codec/codec.h"
#include "server/cli/say.h"

const char *const codecs_choices[] = {"auto",   "f32",  "f16",     "int8", "int4", "eden2",
                                      "drive1", "sign", "ternary", "topk", NULL};

_Static_assert(sizeof codecs_choices / sizeof codecs_choices[0] == CODEC_COUNT + 2u,
               "auto, every codec, NULL");

const char *const codecs_downlinks[] = {"f32", "delta", "auto", NULL};

#define CODECS_DEFAULT (1u << CODEC_F32 | 1u << CODEC_INT8 | 1u << CODEC_DRIVE1)

/* Adds one name of `bytes` bytes to the mask. */
static int add_name(const char *name, size_t bytes, uint32_t *mask)
{
    char text[CODEC_NAME_BYTES_MAX];
    int codec = MYCEL_E_NOT_FOUND;
    if (bytes < sizeof text) {
        memcpy(text, name, bytes);
        text[bytes] = '\0';
        codec = codec_from_name(text);
    }
    if (codec < 0) {
        char all[CODECS_TEXT_BYTES];
        say_error("--codecs: '%.*s' is no codec; there are %s", bytes < 40u ? (int)bytes : 40, name,
                  codecs_text((1u << CODEC_COUNT) - 1u, all));
        return MYCEL_E_INVALID;
    }
    *mask |= 1u << codec;
    return MYCEL_OK;
}

static int read_list(const char *list, uint32_t *mask)
{
    *mask = 0;
    for (const char *name = list;;) {
        size_t bytes = strcspn(name, ",");
        int result = add_name(name, bytes, mask);
        if (result < 0 || name[bytes] == '\0') {
            return result;
        }
        name += bytes + 1u;
    }
}

static uint32_t most_exact(uint32_t mask)
{
    uint32_t codec = 0;
    while ((mask >> codec & 1u) == 0) {
        codec++;
    }
    return codec;
}

int codecs_choose(unsigned choice, const char *list, struct codecs *out)
{
    *out = (struct codecs){.codec = CODEC_INT8, .mask = CODECS_DEFAULT};
    if (list != NULL) {
        int result = read_list(list, &out->mask);
        if (result < 0) {
            return result;
        }
        out->codec = most_exact(out->mask);
    }
    if (choice == 0) {
        return MYCEL_OK;
    }
    out->codec = choice - 1u;
    if (list == NULL) {
        out->mask = 1u << out->codec;
    }
    if ((out->mask >> out->codec & 1u) == 0) {
        say_error("--codec %s is not among --codecs %s", codecs_choices[choice], list);
        return MYCEL_E_INVALID;
    }
    return MYCEL_OK;
}

const char *codecs_text(uint32_t mask, char out[CODECS_TEXT_BYTES])
{
    size_t used = 0;
    out[0] = '\0';
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        if (mask >> codec & 1u) {
            int n = snprintf(out + used, CODECS_TEXT_BYTES - used, "%s%s", used > 0 ? ", " : "",
                             codec_name(codec));
            used += n > 0 ? (size_t)n : 0;
        }
    }
    return out;
}

json_t *codecs_json(uint32_t mask)
{
    json_t *names = json_array();
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        if (mask >> codec & 1u) {
            (void)json_array_append_new(names, json_string(codec_name(codec)));
        }
    }
    return names;
}
