/*
 * The .npy header: a magic, a version, a length, and a Python dictionary in ASCII with exactly the keys
 * descr, fortran_order and shape, in any order (NumPy, NEP 1).
 */
#include "data/npy.h"

#include <mycel/error.h>
#include <string.h>

#define MAGIC_BYTES 6u

static const struct {
    const char *name; /* without byte order */
    enum npy_type type;
    uint32_t bytes;
} types[] = {{"u1", NPY_U8, 1},  {"b1", NPY_U8, 1},  {"i1", NPY_I8, 1},  {"i2", NPY_I16, 2},
             {"u2", NPY_U16, 2}, {"i4", NPY_I32, 4}, {"u4", NPY_U32, 4}, {"i8", NPY_I64, 8},
             {"u8", NPY_U64, 8}, {"f4", NPY_F32, 4}, {"f8", NPY_F64, 8}};

#define TYPES (sizeof types / sizeof types[0])

/* The dictionary's text, being read. */
struct header {
    const char *at;
    const char *end;
    const char **why;
    struct npy_array *out;
    uint32_t value_bytes;
};

static int fail(const char **why, int code, const char *text)
{
    *why = text;
    return code;
}

static void skip_blanks(struct header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n' || *h->at == '\t')) {
        h->at++;
    }
}

/* Takes a word if it comes next. */
static bool take(struct header *h, const char *word)
{
    skip_blanks(h);
    size_t bytes = strlen(word);
    if ((size_t)(h->end - h->at) < bytes || memcmp(h->at, word, bytes) != 0) {
        return false;
    }
    h->at += bytes;
    return true;
}

/* A text in quotes of either kind, without escapes. */
static bool take_text(struct header *h, const char **text, size_t *bytes)
{
    skip_blanks(h);
    if (h->at == h->end || (*h->at != '\'' && *h->at != '"')) {
        return false;
    }
    char quote = *h->at++;
    *text = h->at;
    while (h->at < h->end && *h->at != quote) {
        h->at++;
    }
    *bytes = (size_t)(h->at - *text);
    return h->at++ < h->end;
}

static int read_type(struct header *h)
{
    const char *text;
    size_t bytes;
    if (!take_text(h, &text, &bytes) || bytes < 2) {
        return fail(h->why, MYCEL_E_UNSUPPORTED, "its element type is not one of numbers");
    }
    char order = *text;
    bool ordered = order == '<' || order == '|' || order == '>' || order == '=';
    const char *name = ordered ? text + 1 : text;
    size_t name_bytes = bytes - (ordered ? 1u : 0u);
    for (size_t i = 0; i < TYPES; i++) {
        if (name_bytes != 2 || memcmp(types[i].name, name, 2) != 0) {
            continue;
        }
        if (order == '>' && types[i].bytes > 1) {
            return fail(h->why, MYCEL_E_UNSUPPORTED, "its values are big endian");
        }
        h->out->type = types[i].type;
        h->value_bytes = types[i].bytes;
        return MYCEL_OK;
    }
    return fail(h->why, MYCEL_E_UNSUPPORTED,
                "its element type is none of u1, i1, i2, u2, i4, u4, i8, u8, f4, f8");
}

static int read_order(struct header *h)
{
    if (take(h, "False")) {
        return MYCEL_OK;
    }
    return take(h, "True") ? fail(h->why, MYCEL_E_UNSUPPORTED,
                                  "it is in Fortran order: save numpy.ascontiguousarray() of it")
                           : fail(h->why, MYCEL_E_MALFORMED, "its header is damaged");
}

static bool take_number(struct header *h, uint64_t *value)
{
    skip_blanks(h);
    const char *first = h->at;
    *value = 0;
    while (h->at < h->end && *h->at >= '0' && *h->at <= '9' && h->at - first < 18) {
        *value = *value * 10u + (uint64_t)(*h->at++ - '0');
    }
    (void)take(h, "L"); /* Python 2 wrote long integers so */
    return h->at > first;
}

static int read_shape(struct header *h)
{
    struct npy_array *a = h->out;
    if (!take(h, "(")) {
        return fail(h->why, MYCEL_E_MALFORMED, "its shape is damaged");
    }
    a->count = 1;
    while (!take(h, ")")) {
        uint64_t side;
        if (a->dims == NPY_DIMS_MAX) {
            return fail(h->why, MYCEL_E_UNSUPPORTED, "it has more than 8 axes");
        }
        if (!take_number(h, &side)) {
            return fail(h->why, MYCEL_E_MALFORMED, "its shape is damaged");
        }
        if (side > DATASET_BYTES_MAX || (side > 0 && a->count > DATASET_BYTES_MAX / side)) {
            return fail(h->why, MYCEL_E_TOO_LARGE, "it is larger than supported");
        }
        a->shape[a->dims++] = side;
        a->count *= side;
        if (!take(h, ",") && !(h->at < h->end && *h->at == ')')) {
            return fail(h->why, MYCEL_E_MALFORMED, "its shape is damaged");
        }
    }
    return MYCEL_OK;
}

static int read_dictionary(struct header *h)
{
    static const struct {
        const char *key;
        int (*read)(struct header *);
    } keys[] = {{"descr", read_type}, {"fortran_order", read_order}, {"shape", read_shape}};
    unsigned seen = 0;
    if (!take(h, "{")) {
        return fail(h->why, MYCEL_E_MALFORMED, "its header is damaged");
    }
    while (!take(h, "}")) {
        const char *key;
        size_t bytes;
        int rc = MYCEL_E_MALFORMED;
        *h->why = "its header is damaged";
        if (!take_text(h, &key, &bytes) || !take(h, ":")) {
            return rc;
        }
        for (unsigned i = 0; i < 3; i++) {
            bool wanted = strlen(keys[i].key) == bytes && memcmp(keys[i].key, key, bytes) == 0;
            if (wanted && (seen & 1u << i) == 0) {
                seen |= 1u << i;
                rc = keys[i].read(h);
            }
        }
        if (rc < 0) {
            return rc;
        }
        (void)take(h, ",");
    }
    return seen == 7u ? MYCEL_OK : fail(h->why, MYCEL_E_MALFORMED, "its header is not whole");
}

int npy_parse(const uint8_t *bytes, size_t size, struct npy_array *out, const char **why)
{
    memset(out, 0, sizeof *out);
    if (size < MAGIC_BYTES + 4u || memcmp(bytes, "\x93NUMPY", MAGIC_BYTES) != 0) {
        return fail(why, MYCEL_E_MALFORMED, "not a .npy array");
    }
    unsigned version = bytes[MAGIC_BYTES];
    if (version < 1 || version > 3) {
        return fail(why, MYCEL_E_VERSION, "its .npy version is none of 1, 2 and 3");
    }
    size_t head = MAGIC_BYTES + (version == 1 ? 4u : 6u);
    const uint8_t *n = bytes + MAGIC_BYTES + 2;
    size_t length = (size_t)n[0] | (size_t)n[1] << 8;
    if (version > 1 && size >= head) {
        length |= (size_t)n[2] << 16 | (size_t)n[3] << 24;
    }
    if (size < head || size - head < length || length > NPY_HEADER_BYTES_MAX) {
        return fail(why, MYCEL_E_MALFORMED, "its header is cut off");
    }
    struct header h = {.at = (const char *)bytes + head,
                       .end = (const char *)bytes + head + length,
                       .why = why,
                       .out = out};
    int rc = read_dictionary(&h);
    if (rc < 0) {
        return rc;
    }
    out->values = bytes + head + length;
    if ((size - head - length) / h.value_bytes < out->count) {
        return fail(why, MYCEL_E_MALFORMED, "it ends before its last value");
    }
    return MYCEL_OK;
}

/* `bytes` little endian ones. */
static uint64_t load(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)p[i] << 8 * i;
    }
    return value;
}

float npy_value(const struct npy_array *a, uint64_t i)
{
    float single;
    double wide;
    uint32_t bits;
    uint64_t more;
    switch (a->type) {
    case NPY_U8:
        return a->values[i];
    case NPY_I8:
        return (int8_t)a->values[i];
    case NPY_U16:
        return (float)load(a->values + 2 * i, 2);
    case NPY_I16:
        return (int16_t)load(a->values + 2 * i, 2);
    case NPY_U32:
        return (float)load(a->values + 4 * i, 4);
    case NPY_I32:
        return (float)(int32_t)load(a->values + 4 * i, 4);
    case NPY_U64:
        return (float)load(a->values + 8 * i, 8);
    case NPY_I64:
        return (float)(int64_t)load(a->values + 8 * i, 8);
    case NPY_F32:
        bits = (uint32_t)load(a->values + 4 * i, 4);
        memcpy(&single, &bits, sizeof single);
        return single;
    case NPY_F64:
        break;
    }
    more = load(a->values + 8 * i, 8);
    memcpy(&wide, &more, sizeof wide);
    return (float)wide; /* beyond binary32: infinite, which the reader refuses */
}
