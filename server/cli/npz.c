/* Writes .npz archives: local headers, stored entries, central directory. */
#include "server/cli/npz.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <mycel/error.h>

#include "common/bytes.h"

#define ZIP_LOCAL 0x04034B50u
#define ZIP_CENTRAL 0x02014B50u
#define ZIP_END 0x06054B50u
#define ZIP_VERSION 20u
#define ZIP_DATE 0x0021u /* 1980-01-01: the same model gives the same file */
#define ZIP_LOCAL_BYTES 30u
#define ZIP_CENTRAL_BYTES 46u
#define ZIP_END_BYTES 22u
#define NPY_PREFIX_BYTES 10u
#define NPY_HEADER_BYTES_MAX 256u
#define NPY_ALIGNMENT 64u
#define TEXT_BYTES_MAX 4096u

static int write_all(struct npz *z, const void *data, size_t bytes)
{
    z->offset += bytes;
    return fwrite(data, 1, bytes, z->out) == bytes ? MYCEL_OK : MYCEL_E_IO;
}

/* "\x93NUMPY", version 1.0, header length, a Python dict padded so that the data is aligned. */
static size_t npy_header(uint8_t out[NPY_HEADER_BYTES_MAX], const char *type, const uint32_t *dims,
                         size_t rank)
{
    char shape[64] = "";
    int used = 0;
    for (size_t i = 0; i < rank; i++) {
        used += snprintf(shape + used, sizeof shape - (size_t)used, "%" PRIu32 ",%s", dims[i],
                         i + 1u < rank ? " " : "");
    }
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    char *text = (char *)out + NPY_PREFIX_BYTES;
    int n = snprintf(text, NPY_HEADER_BYTES_MAX - NPY_PREFIX_BYTES,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, shape);
    size_t total = NPY_PREFIX_BYTES + (size_t)n + 1u;
    total = (total + NPY_ALIGNMENT - 1u) / NPY_ALIGNMENT * NPY_ALIGNMENT;
    memset(text + n, ' ', total - NPY_PREFIX_BYTES - (size_t)n);
    out[total - 1u] = '\n';
    put_u16le(out + 8, (uint16_t)(total - NPY_PREFIX_BYTES));
    return total;
}

/* The fields that local header and directory share, from "version needed" to "extra length". */
static void put_common(uint8_t *out, const struct npz_entry *entry)
{
    put_u16le(out, ZIP_VERSION);
    put_u16le(out + 2, 0); /* flags */
    put_u16le(out + 4, 0); /* method: stored */
    put_u16le(out + 6, 0); /* time */
    put_u16le(out + 8, ZIP_DATE);
    put_u32le(out + 10, entry->crc32);
    put_u32le(out + 14, entry->bytes);
    put_u32le(out + 18, entry->bytes);
    put_u16le(out + 22, (uint16_t)strlen(entry->name));
    put_u16le(out + 24, 0);
}

static int add(struct npz *z, const char *name, const char *type, const uint32_t *dims, size_t rank,
               const uint8_t *values, size_t bytes)
{
    uint8_t header[NPY_HEADER_BYTES_MAX];
    uint8_t local[ZIP_LOCAL_BYTES];
    if (rank > NPZ_RANK_MAX || strlen(name) + sizeof ".npy" > NPZ_NAME_BYTES_MAX) {
        return MYCEL_E_INVALID;
    }
    if (z->count == NPZ_ENTRIES_MAX) {
        return MYCEL_E_FULL;
    }
    size_t header_bytes = npy_header(header, type, dims, rank);
    if (z->offset + bytes + 2u * NPY_HEADER_BYTES_MAX > UINT32_MAX) {
        return MYCEL_E_TOO_LARGE;
    }
    struct npz_entry *entry = &z->entries[z->count++];
    snprintf(entry->name, sizeof entry->name, "%s.npy", name);
    entry->bytes = (uint32_t)(header_bytes + bytes);
    entry->offset = (uint32_t)z->offset;
    uLong crc = crc32(0, header, (uInt)header_bytes);
    entry->crc32 = (uint32_t)crc32(crc, values, (uInt)bytes);
    put_u32le(local, ZIP_LOCAL);
    put_common(local + 4, entry);
    int result = write_all(z, local, sizeof local);
    result = result < 0 ? result : write_all(z, entry->name, strlen(entry->name));
    result = result < 0 ? result : write_all(z, header, header_bytes);
    return result < 0 ? result : write_all(z, values, bytes);
}

void npz_begin(struct npz *z, FILE *out)
{
    memset(z, 0, sizeof *z);
    z->out = out;
}

int npz_add_f32(struct npz *z, const char *name, const uint32_t *dims, size_t rank,
                const uint8_t *values, size_t bytes)
{
    return add(z, name, "<f4", dims, rank, values, bytes);
}

int npz_add_text(struct npz *z, const char *name, const char *text)
{
    static const uint32_t no_dims[1];
    size_t length = strlen(text);
    if (length == 0 || length > TEXT_BYTES_MAX) {
        return MYCEL_E_INVALID;
    }
    uint8_t *wide = calloc(length, 4);
    if (wide == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    for (size_t i = 0; i < length; i++) {
        wide[4u * i] = (uint8_t)text[i];
    }
    char type[16];
    snprintf(type, sizeof type, "<U%zu", length);
    int result = add(z, name, type, no_dims, 0, wide, 4u * length);
    free(wide);
    return result;
}

int npz_end(struct npz *z)
{
    uint32_t start = (uint32_t)z->offset;
    int result = MYCEL_OK;
    for (size_t i = 0; result == MYCEL_OK && i < z->count; i++) {
        uint8_t central[ZIP_CENTRAL_BYTES] = {0};
        put_u32le(central, ZIP_CENTRAL);
        put_u16le(central + 4, ZIP_VERSION);
        put_common(central + 6, &z->entries[i]);
        put_u32le(central + 42, z->entries[i].offset);
        result = write_all(z, central, sizeof central);
        result = result < 0 ? result : write_all(z, z->entries[i].name, strlen(z->entries[i].name));
    }
    uint8_t end[ZIP_END_BYTES] = {0};
    put_u32le(end, ZIP_END);
    put_u16le(end + 8, (uint16_t)z->count);
    put_u16le(end + 10, (uint16_t)z->count);
    put_u32le(end + 12, (uint32_t)(z->offset - start));
    put_u32le(end + 16, start);
    return result < 0 ? result : write_all(z, end, sizeof end);
}
