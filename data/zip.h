/*
 * Reading one member of a ZIP archive that lies in memory, as .npz files are: stored or deflated, below
 * 4 GiB, not encrypted (APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16). Owns the directory's
 * checks: any bytes are answered with a member or a reason. It must never write files.
 */
#ifndef MYCEL_DATA_ZIP_H
#define MYCEL_DATA_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZIP_NAME_BYTES_MAX 255u

struct zip_archive {
    const uint8_t *bytes;
    size_t size;
    size_t directory; /* its first entry */
    uint32_t members;
};

struct zip_member {
    const char *name; /* in the archive's bytes, not terminated */
    uint32_t name_bytes;
    uint16_t method; /* 0 stored, 8 deflated */
    uint32_t crc;
    uint32_t packed_bytes;
    uint32_t bytes;
    const uint8_t *packed;
};

/* Finds the directory. 0, or MALFORMED with a reason in *why (a constant text). */
int zip_open(const uint8_t *bytes, size_t size, struct zip_archive *out, const char **why);

/* Looks a member up by its whole name. 0; NOT_FOUND; MALFORMED, UNSUPPORTED (with *why). */
int zip_find(const struct zip_archive *zip, const char *name, struct zip_member *out,
             const char **why);

/* Unpacks into a block from malloc, the caller's. 0; MALFORMED (sizes or CRC-32 do not match), NO_MEMORY
 * (with *why). */
int zip_unpack(const struct zip_member *member, uint8_t **out, const char **why);

#endif
