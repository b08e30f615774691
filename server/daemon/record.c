/* See record.h. */
#include "server/daemon/record.h"

#include "common/assert.h"
#include "common/crc32.h"
#include "server/daemon/record_fields.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "MYCELREC"
#define MAGIC_BYTES 8u
#define FILE_HEAD_BYTES (MAGIC_BYTES + 4u)
#define HEAD_BYTES 5u /* of a record */
#define TAIL_BYTES 4u
#define PAYLOAD_MAX (RECORD_FIELDS_MAX + 8u + RECORD_HASH_BYTES)
#define RECORD_MAX (HEAD_BYTES + PAYLOAD_MAX + TAIL_BYTES)

struct record {
    int file;
    int status;
    uint64_t bytes; /* of all whole records */
    struct record_chain chain;
};

struct record_reader {
    FILE *file;
    uint64_t number;
    uint64_t bytes;
    bool cut;
};

/* --- the hash --------------------------------------------------------------------------------- */

void record_chain_add(struct record_chain *chain, int result, const struct engine_actions *actions)
{
    struct sha256 hash;
    uint8_t data[RECORD_FIELDS_MAX];
    struct fields f = {.data = data, .bytes = sizeof data};
    int32_t code = result;
    uint64_t batch = actions->batch;
    uint32_t count = actions->count;
    fields_i32(&f, &code);
    fields_u64(&f, &batch);
    fields_u32(&f, &count);
    sha256_init(&hash);
    sha256_update(&hash, chain->digest, sizeof chain->digest);
    sha256_update(&hash, data, f.at);
    for (uint32_t i = 0; i < count; i++) {
        struct engine_action action = actions->list[i];
        f.at = 0;
        fields_action(&f, &action);
        MYCEL_ASSERT(!f.failed);
        sha256_update(&hash, data, f.at);
    }
    sha256_final(&hash, chain->digest);
}

/* --- writing ---------------------------------------------------------------------------------- */

static int write_all(int file, const uint8_t *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(file, data, bytes);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return errno == ENOSPC ? MYCEL_E_DISK_FULL : MYCEL_E_IO;
        }
        data += n;
        bytes -= (size_t)n;
    }
    return MYCEL_OK;
}

/* Frames the payload, which lies at data + HEAD_BYTES, and writes the record. A half-written one is
 * taken back, so that nothing can follow it. */
static void put(struct record *record, uint8_t *data, enum record_kind kind, size_t payload)
{
    uint32_t bytes = (uint32_t)payload;
    uint8_t kind_byte = (uint8_t)kind;
    struct fields head = {.data = data, .bytes = HEAD_BYTES};
    struct fields tail = {.data = data + HEAD_BYTES + payload, .bytes = TAIL_BYTES};
    fields_u32(&head, &bytes);
    fields_u8(&head, &kind_byte);
    uint32_t crc = crc32_add(0, data, HEAD_BYTES + payload);
    fields_u32(&tail, &crc);
    size_t whole = HEAD_BYTES + payload + TAIL_BYTES;
    record->status = write_all(record->file, data, whole);
    if (record->status == MYCEL_OK) {
        record->bytes += whole;
    } else if (ftruncate(record->file, (off_t)record->bytes) < 0) {
        record->status = MYCEL_E_IO; /* the reader finds the cut */
    }
}

void record_start(struct record *record, const struct engine_config *config)
{
    if (record == NULL || record->status < 0) {
        return;
    }
    uint8_t data[RECORD_MAX];
    struct engine_config copy = *config;
    struct fields f = {.data = data + HEAD_BYTES, .bytes = PAYLOAD_MAX};
    memset(&record->chain, 0, sizeof record->chain);
    fields_config(&f, &copy);
    put(record, data, RECORD_START, f.at);
}

void record_step(struct record *record, const struct engine_event *event, int result,
                 const struct engine_actions *actions)
{
    if (record == NULL || record->status < 0) {
        return;
    }
    uint8_t data[RECORD_MAX];
    struct engine_event copy = *event;
    struct fields f = {.data = data + HEAD_BYTES, .bytes = PAYLOAD_MAX};
    int32_t code = result;
    uint32_t count = actions->count;
    record_chain_add(&record->chain, result, actions);
    fields_event(&f, &copy);
    fields_i32(&f, &code);
    fields_u32(&f, &count);
    fields_bytes(&f, record->chain.digest, RECORD_HASH_BYTES);
    MYCEL_ASSERT(!f.failed);
    put(record, data, RECORD_STEP, f.at);
}

int record_status(const struct record *record)
{
    return record == NULL ? MYCEL_OK : record->status;
}

void record_close(struct record *record)
{
    if (record != NULL) {
        (void)close(record->file);
        free(record);
    }
}

/* The end of the last whole record. */
static int find_end(const char *path, uint64_t *bytes)
{
    struct record_reader *reader;
    struct record_entry entry;
    int rc = record_reader_open(path, &reader);
    if (rc < 0) {
        return rc;
    }
    do {
        rc = record_reader_next(reader, &entry);
    } while (rc > 0);
    *bytes = reader->bytes;
    record_reader_close(reader);
    return rc;
}

static int write_file_head(struct record *record)
{
    uint8_t data[FILE_HEAD_BYTES];
    uint8_t magic[] = MAGIC;
    uint32_t version = RECORD_VERSION;
    struct fields f = {.data = data, .bytes = sizeof data};
    fields_bytes(&f, magic, MAGIC_BYTES);
    fields_u32(&f, &version);
    record->bytes = sizeof data;
    return write_all(record->file, data, sizeof data);
}

static int go_to_end(struct record *record, const char *path)
{
    off_t size = lseek(record->file, 0, SEEK_END);
    if (size < 0) {
        return MYCEL_E_IO;
    }
    if (size == 0) {
        return write_file_head(record);
    }
    int rc = find_end(path, &record->bytes);
    if (rc < 0) {
        return rc;
    }
    return ftruncate(record->file, (off_t)record->bytes) < 0 ? MYCEL_E_IO : MYCEL_OK;
}

int record_open(const char *path, struct record **out)
{
    *out = NULL;
    struct record *record = calloc(1, sizeof *record);
    if (record == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    record->file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int rc = record->file < 0 ? MYCEL_E_IO : go_to_end(record, path);
    if (rc < 0) {
        if (record->file >= 0) {
            (void)close(record->file);
        }
        free(record);
        return rc;
    }
    *out = record;
    return MYCEL_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_file_head(struct record_reader *reader)
{
    uint8_t data[FILE_HEAD_BYTES];
    uint32_t version = 0;
    if (fread(data, 1, sizeof data, reader->file) != sizeof data ||
        memcmp(data, MAGIC, MAGIC_BYTES) != 0) {
        return MYCEL_E_CORRUPT;
    }
    struct fields f = {.data = data, .bytes = sizeof data, .at = MAGIC_BYTES, .reading = true};
    fields_u32(&f, &version);
    reader->bytes = sizeof data;
    return version == RECORD_VERSION ? MYCEL_OK : MYCEL_E_VERSION;
}

int record_reader_open(const char *path, struct record_reader **out)
{
    *out = NULL;
    struct record_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    reader->file = fopen(path, "rbe");
    int rc = reader->file != NULL ? read_file_head(reader)
             : errno == ENOENT    ? MYCEL_E_NOT_FOUND
                                  : MYCEL_E_IO;
    if (rc < 0) {
        record_reader_close(reader);
        return rc;
    }
    *out = reader;
    return MYCEL_OK;
}

static int parse(struct record_entry *entry, uint8_t kind, uint8_t *payload, size_t bytes)
{
    struct fields f = {.data = payload, .bytes = bytes, .reading = true};
    if (kind == RECORD_START) {
        entry->kind = RECORD_START;
        fields_config(&f, &entry->config);
    } else if (kind == RECORD_STEP) {
        entry->kind = RECORD_STEP;
        fields_event(&f, &entry->event);
        fields_i32(&f, &entry->result);
        fields_u32(&f, &entry->actions);
        fields_bytes(&f, entry->hash, sizeof entry->hash);
    } else {
        f.failed = true;
    }
    return f.failed || f.at != bytes ? MYCEL_E_CORRUPT : 1;
}

/* 1: so many bytes were read; 0: the file ends before. */
static int take(struct record_reader *reader, uint8_t *data, size_t bytes)
{
    size_t n = fread(data, 1, bytes, reader->file);
    if (n == bytes) {
        return 1;
    }
    reader->cut = reader->cut || n > 0;
    return ferror(reader->file) ? MYCEL_E_IO : 0;
}

int record_reader_next(struct record_reader *reader, struct record_entry *entry)
{
    uint8_t data[RECORD_MAX];
    uint32_t payload = 0;
    uint32_t crc = 0;
    int rc = take(reader, data, HEAD_BYTES);
    if (rc <= 0) {
        return rc;
    }
    struct fields head = {.data = data, .bytes = HEAD_BYTES, .reading = true};
    fields_u32(&head, &payload);
    if (payload > PAYLOAD_MAX) {
        return MYCEL_E_CORRUPT;
    }
    rc = take(reader, data + HEAD_BYTES, payload + TAIL_BYTES);
    if (rc <= 0) {
        reader->cut = true;
        return rc;
    }
    struct fields tail = {
        .data = data + HEAD_BYTES + payload, .bytes = TAIL_BYTES, .reading = true};
    fields_u32(&tail, &crc);
    if (crc != crc32_add(0, data, HEAD_BYTES + payload)) {
        return MYCEL_E_CORRUPT;
    }
    memset(entry, 0, sizeof *entry);
    entry->number = ++reader->number;
    reader->bytes += HEAD_BYTES + payload + TAIL_BYTES;
    return parse(entry, data[HEAD_BYTES - 1], data + HEAD_BYTES, payload);
}

bool record_reader_cut(const struct record_reader *reader)
{
    return reader->cut;
}

void record_reader_close(struct record_reader *reader)
{
    if (reader != NULL) {
        if (reader->file != NULL) {
            (void)fclose(reader->file);
        }
        free(reader);
    }
}
