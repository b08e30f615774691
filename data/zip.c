/* The directory's end is searched from the back; each entry then leads to its member. */
#define ZLIB_CONST /* zlib.h: its input is const */
#include "data/zip.h"

#include "common/bytes.h"

#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define END_BYTES 22u
#define ENTRY_BYTES 46u
#define LOCAL_BYTES 30u
#define COMMENT_BYTES_MAX 65535u
#define END_MAGIC 0x06054B50u
#define ENTRY_MAGIC 0x02014B50u
#define LOCAL_MAGIC 0x04034B50u
#define FLAG_ENCRYPTED 1u
#define STORED 0u
#define DEFLATED 8u
/* Deflate cannot pack better than 1032 to 1, so larger claims are lies that would only cost memory. */
#define DEFLATE_RATIO_MAX 1032u

static int fail(const char **why, int code, const char *text)
{
    *why = text;
    return code;
}

int zip_open(const uint8_t *bytes, size_t size, struct zip_archive *out, const char **why)
{
    if (size < END_BYTES) {
        return fail(why, MYCEL_E_MALFORMED, "too short for a ZIP archive");
    }
    size_t last = size - END_BYTES;
    size_t lowest = last > COMMENT_BYTES_MAX ? last - COMMENT_BYTES_MAX : 0;
    for (size_t at = last + 1; at > lowest; at--) {
        const uint8_t *end = bytes + at - 1;
        if (get_u32le(end) != END_MAGIC || get_u16le(end + 20) != size - END_BYTES - (at - 1)) {
            continue;
        }
        *out = (struct zip_archive){.bytes = bytes,
                                    .size = size,
                                    .directory = get_u32le(end + 16),
                                    .members = get_u16le(end + 10)};
        if (out->directory > at - 1) {
            return fail(why, MYCEL_E_MALFORMED, "its directory lies outside the archive");
        }
        return MYCEL_OK;
    }
    return fail(why, MYCEL_E_MALFORMED, "no ZIP archive: its directory's end is missing");
}

/* Where a member's data begin: behind its own header, which repeats name and extra fields. */
static int locate(const struct zip_archive *zip, size_t local, struct zip_member *m,
                  const char **why)
{
    if (local > zip->size || zip->size - local < LOCAL_BYTES ||
        get_u32le(zip->bytes + local) != LOCAL_MAGIC) {
        return fail(why, MYCEL_E_MALFORMED, "a member's header is missing");
    }
    const uint8_t *head = zip->bytes + local;
    size_t data = local + LOCAL_BYTES + get_u16le(head + 26) + get_u16le(head + 28);
    if (data > zip->size || zip->size - data < m->packed_bytes) {
        return fail(why, MYCEL_E_MALFORMED, "a member ends outside the archive");
    }
    m->packed = zip->bytes + data;
    if (m->method == STORED && m->packed_bytes != m->bytes) {
        return fail(why, MYCEL_E_MALFORMED, "a stored member has two sizes");
    }
    if (m->bytes / DEFLATE_RATIO_MAX > m->packed_bytes) {
        return fail(why, MYCEL_E_MALFORMED, "a member claims more bytes than it can hold");
    }
    return MYCEL_OK;
}

static int read_entry(const struct zip_archive *zip, const uint8_t *entry, struct zip_member *m,
                      const char **why)
{
    *m = (struct zip_member){.name = (const char *)entry + ENTRY_BYTES,
                             .name_bytes = get_u16le(entry + 28),
                             .method = (uint16_t)get_u16le(entry + 10),
                             .crc = get_u32le(entry + 16),
                             .packed_bytes = get_u32le(entry + 20),
                             .bytes = get_u32le(entry + 24)};
    if ((get_u16le(entry + 8) & FLAG_ENCRYPTED) != 0) {
        return fail(why, MYCEL_E_UNSUPPORTED, "encrypted members are not read");
    }
    if (m->method != STORED && m->method != DEFLATED) {
        return fail(why, MYCEL_E_UNSUPPORTED, "members must be stored or deflated");
    }
    if (m->packed_bytes == UINT32_MAX || m->bytes == UINT32_MAX ||
        get_u32le(entry + 42) == UINT32_MAX) {
        return fail(why, MYCEL_E_UNSUPPORTED, "members of 4 GiB and more are not read");
    }
    return locate(zip, get_u32le(entry + 42), m, why);
}

int zip_find(const struct zip_archive *zip, const char *name, struct zip_member *out,
             const char **why)
{
    size_t wanted = strlen(name);
    size_t at = zip->directory;
    for (uint32_t i = 0; i < zip->members; i++) {
        if (zip->size - at < ENTRY_BYTES || get_u32le(zip->bytes + at) != ENTRY_MAGIC) {
            return fail(why, MYCEL_E_MALFORMED, "its directory is cut off");
        }
        const uint8_t *entry = zip->bytes + at;
        size_t name_bytes = get_u16le(entry + 28);
        size_t entry_bytes =
            ENTRY_BYTES + name_bytes + get_u16le(entry + 30) + get_u16le(entry + 32);
        if (zip->size - at < entry_bytes) {
            return fail(why, MYCEL_E_MALFORMED, "its directory is cut off");
        }
        if (name_bytes == wanted && memcmp(entry + ENTRY_BYTES, name, wanted) == 0) {
            return read_entry(zip, entry, out, why);
        }
        at += entry_bytes;
    }
    return fail(why, MYCEL_E_NOT_FOUND, "no such member");
}

/* Inflates exactly the promised bytes. */
static bool inflate_all(const struct zip_member *m, uint8_t *to)
{
    z_stream z = {
        .next_in = m->packed, .avail_in = m->packed_bytes, .next_out = to, .avail_out = m->bytes};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) { /* raw: ZIP has its own header */
        return false;
    }
    int rc = inflate(&z, Z_FINISH);
    bool whole = rc == Z_STREAM_END && z.total_out == m->bytes;
    (void)inflateEnd(&z);
    return whole;
}

int zip_unpack(const struct zip_member *m, uint8_t **out, const char **why)
{
    *out = malloc((size_t)m->bytes + 1u);
    if (*out == NULL) {
        return fail(why, MYCEL_E_NO_MEMORY, "no memory for a member");
    }
    bool whole = true;
    if (m->method == STORED) {
        memcpy(*out, m->packed, m->bytes);
    } else {
        whole = inflate_all(m, *out);
    }
    if (!whole || crc32_z(0, *out, m->bytes) != m->crc) {
        free(*out);
        *out = NULL;
        return fail(why, MYCEL_E_MALFORMED, "a member is damaged");
    }
    return MYCEL_OK;
}
