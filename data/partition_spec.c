/* What a person writes for a partition: a kind's name and its argument. */
#include "data/partition.h"

#include <errno.h>
#include <math.h>
#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>

enum argument { ARGUMENT_NONE, ARGUMENT_ALPHA, ARGUMENT_K, ARGUMENT_TEXT };

static const struct form {
    const char *name;
    enum argument argument;
} forms[] = {
    [PARTITION_IID] = {"iid", ARGUMENT_NONE},
    [PARTITION_DIRICHLET] = {"dirichlet", ARGUMENT_ALPHA},
    [PARTITION_SHARDS] = {"shards", ARGUMENT_K},
    [PARTITION_LABELS] = {"labels", ARGUMENT_K},
    [PARTITION_QUANTITY] = {"quantity", ARGUMENT_ALPHA},
    [PARTITION_FILE] = {"file", ARGUMENT_TEXT},
    [PARTITION_COLUMN] = {"column", ARGUMENT_TEXT},
};

#define FORMS (sizeof forms / sizeof forms[0])

static bool read_alpha(const char *text, float *alpha)
{
    char *end;
    *alpha = strtof(text, &end);
    return end != text && *end == '\0' && isfinite(*alpha) && *alpha > 0;
}

static bool read_k(const char *text, uint32_t *k)
{
    if (*text < '0' || *text > '9') {
        return false; /* strtoul would take a sign */
    }
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *k = (uint32_t)value;
    return *end == '\0' && errno == 0 && value >= 1 && value <= PARTITION_PER_PART_MAX;
}

static bool read_argument(enum argument kind, const char *text, struct partition_spec *spec)
{
    switch (kind) {
    case ARGUMENT_ALPHA:
        return read_alpha(text, &spec->alpha);
    case ARGUMENT_K:
        return read_k(text, &spec->k);
    case ARGUMENT_TEXT:
        spec->text = text;
        return *text != '\0';
    case ARGUMENT_NONE:
        break;
    }
    return false;
}

int partition_parse(const char *text, struct partition_spec *spec)
{
    memset(spec, 0, sizeof *spec);
    size_t name_bytes = strcspn(text, ":");
    for (size_t i = 0; i < FORMS; i++) {
        if (strlen(forms[i].name) != name_bytes || strncmp(text, forms[i].name, name_bytes) != 0) {
            continue;
        }
        spec->kind = (enum partition_kind)i;
        bool bare = text[name_bytes] == '\0';
        bool valid = bare ? forms[i].argument == ARGUMENT_NONE
                          : read_argument(forms[i].argument, text + name_bytes + 1, spec);
        return valid ? MYCEL_OK : MYCEL_E_INVALID;
    }
    return MYCEL_E_INVALID;
}
