/* IDX files: a big-endian header, then bytes. zlib reads plain files through the same calls. */
#include "data/dataset.h"
#include "data/file_error.h"

#include <errno.h>
#include <mycel/error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define IDX_IMAGES 0x00000803u
#define IDX_LABELS 0x00000801u
#define IDX_SIDE_MAX 4096u
#define CHUNK_BYTES (1u << 20)

static int fail(char *problem, int code, const char *path, const char *what)
{
    if (problem) {
        snprintf(problem, DATASET_PROBLEM_BYTES, "%s: %s", path, what);
    }
    return code;
}

static int open_file(const char *path, gzFile *file, char *problem)
{
    *file = gzopen(path, "rb");
    if (!*file) {
        return fail(problem, file_error(errno), path, errno ? strerror(errno) : "out of memory");
    }
    gzbuffer(*file, 1u << 17);
    return MYCEL_OK;
}

/* Exactly `bytes` bytes; a shorter file is malformed. */
static bool read_all(gzFile file, void *data, size_t bytes)
{
    uint8_t *to = data;
    while (bytes > 0) {
        unsigned chunk = bytes < CHUNK_BYTES ? (unsigned)bytes : CHUNK_BYTES;
        int n = gzread(file, to, chunk);
        if (n <= 0) {
            return false;
        }
        to += n;
        bytes -= (size_t)n;
    }
    return true;
}

static bool read_numbers(gzFile file, uint32_t *numbers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t b[4];
        if (!read_all(file, b, sizeof b)) {
            return false;
        }
        numbers[i] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    }
    return true;
}

static int read_images(gzFile file, const char *path, struct dataset *out, char *problem)
{
    uint32_t head[4];
    if (!read_numbers(file, head, 4) || head[0] != IDX_IMAGES) {
        return fail(problem, MYCEL_E_MALFORMED, path, "not an IDX image file (magic 0x00000803)");
    }
    if (head[1] == 0 || head[2] == 0 || head[3] == 0) {
        return fail(problem, MYCEL_E_MALFORMED, path, "holds no samples");
    }
    if (head[1] > DATASET_SAMPLES_MAX || head[2] > IDX_SIDE_MAX || head[3] > IDX_SIDE_MAX ||
        (size_t)head[1] * head[2] * head[3] > DATASET_BYTES_MAX) {
        return fail(problem, MYCEL_E_TOO_LARGE, path, "more samples or pixels than supported");
    }
    out->type = DATASET_U8;
    out->samples = head[1];
    out->height = head[2];
    out->width = head[3];
    out->features = head[2] * head[3];
    size_t bytes = (size_t)out->samples * out->features;
    out->inputs = malloc(bytes);
    if (!out->inputs) {
        return fail(problem, MYCEL_E_NO_MEMORY, path, "no memory for its samples");
    }
    if (!read_all(file, out->inputs, bytes)) {
        return fail(problem, MYCEL_E_MALFORMED, path, "ends before its last sample");
    }
    return MYCEL_OK;
}

static int read_labels(gzFile file, const char *path, struct dataset *out, char *problem)
{
    uint32_t head[2];
    if (!read_numbers(file, head, 2) || head[0] != IDX_LABELS) {
        return fail(problem, MYCEL_E_MALFORMED, path, "not an IDX label file (magic 0x00000801)");
    }
    if (head[1] != out->samples) {
        return fail(problem, MYCEL_E_SHAPE, path, "has another number of samples than the images");
    }
    uint8_t *bytes = malloc(out->samples);
    out->labels = malloc((size_t)out->samples * sizeof *out->labels);
    bool ok = bytes && out->labels && read_all(file, bytes, out->samples);
    for (uint32_t i = 0; ok && i < out->samples; i++) {
        out->labels[i] = bytes[i];
        if (bytes[i] >= out->classes) {
            out->classes = bytes[i] + 1u;
        }
    }
    int code = bytes && out->labels ? MYCEL_E_MALFORMED : MYCEL_E_NO_MEMORY;
    free(bytes);
    return ok ? MYCEL_OK : fail(problem, code, path, "ends before its last label");
}

static int read_file(const char *path, struct dataset *out, char *problem,
                     int (*read)(gzFile, const char *, struct dataset *, char *))
{
    gzFile file;
    int rc = open_file(path, &file, problem);
    if (rc == 0) {
        rc = read(file, path, out, problem);
        gzclose(file);
    }
    return rc;
}

int dataset_read_idx(const char *images, const char *labels, struct dataset *out, char *problem)
{
    memset(out, 0, sizeof *out);
    int rc = read_file(images, out, problem, read_images);
    if (rc == 0) {
        rc = read_file(labels, out, problem, read_labels);
    }
    if (rc < 0) {
        dataset_free(out);
    }
    return rc;
}
