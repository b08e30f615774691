/* Data sets from arrays: finding them in files and archives, and their shapes' meaning. */
#include "data/dataset_internal.h"
#include "data/file_error.h"
#include "data/npy.h"
#include "data/zip.h"

#include <errno.h>
#include <math.h>
#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES_MAX 4096u

/* Arrays that belong together, as people name them. The first pair that an archive has is taken. */
static const struct {
    const char *inputs;
    const char *labels;
} pairs[] = {{"x", "y"},
             {"X", "y"},
             {"x_train", "y_train"},
             {"X_train", "y_train"},
             {"images", "labels"},
             {"train_images", "train_labels"},
             {"data", "labels"},
             {"data", "target"},
             {"inputs", "labels"},
             {"inputs", "targets"},
             {"features", "labels"},
             {"features", "targets"},
             {"arr_0", "arr_1"}};

#define PAIRS (sizeof pairs / sizeof pairs[0])

/* A file's bytes, and a member's where the file is an archive. */
struct loaded {
    uint8_t *file;
    size_t file_bytes;
    uint8_t *member;
    size_t member_bytes;
    struct npy_array array;
};

static int fail(char *problem, int code, const char *name, const char *what)
{
    if (problem != NULL) {
        (void)snprintf(problem, DATASET_PROBLEM_BYTES, "%s: %s", name, what);
    }
    return code;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t bytes = strlen(name);
    return bytes > strlen(ending) && strcmp(name + bytes - strlen(ending), ending) == 0;
}

/* The archive's member in FILE.npz:NAME, or NULL. */
static const char *member_of(const char *name)
{
    const char *at = strstr(name, ".npz:");
    return at != NULL ? at + strlen(".npz:") : NULL;
}

bool npy_is_name(const char *name)
{
    return ends_with(name, ".npy") || ends_with(name, ".npz") || member_of(name) != NULL;
}

static int read_open_file(FILE *f, uint8_t **bytes, size_t *size)
{
    long end = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    if (end < 0 || fseek(f, 0, SEEK_SET) != 0) {
        return MYCEL_E_IO;
    }
    if ((size_t)end > DATASET_BYTES_MAX) {
        return MYCEL_E_TOO_LARGE;
    }
    *size = (size_t)end;
    *bytes = malloc(*size + 1u);
    if (*bytes == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    return fread(*bytes, 1, *size, f) == *size ? MYCEL_OK : MYCEL_E_IO;
}

static int read_file(const char *path, uint8_t **bytes, size_t *size, char *problem)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return fail(problem, file_error(errno), path, strerror(errno));
    }
    int rc = read_open_file(f, bytes, size);
    (void)fclose(f);
    static const char what[] = "cannot be read whole: no regular file, too large, or no memory";
    return rc < 0 ? fail(problem, rc, path, what) : MYCEL_OK;
}

/* Unpacks the archive's array `name` into `l->member`. */
static int unpack(struct loaded *l, const char *name, const char **why)
{
    struct zip_archive zip;
    struct zip_member member;
    char whole[ZIP_NAME_BYTES_MAX + 1u];
    if ((size_t)snprintf(whole, sizeof whole, "%s.npy", name) >= sizeof whole) {
        *why = "no such array";
        return MYCEL_E_NOT_FOUND;
    }
    int rc = zip_open(l->file, l->file_bytes, &zip, why);
    rc = rc < 0 ? rc : zip_find(&zip, whole, &member, why);
    rc = rc < 0 ? rc : zip_unpack(&member, &l->member, why);
    if (rc == 0) {
        l->member_bytes = member.bytes;
    }
    return rc == MYCEL_E_NOT_FOUND ? (*why = "has no array of this name", rc) : rc;
}

/* Reads X.npy or F.npz:NAME. */
static int load(const char *name, struct loaded *l, char *problem)
{
    const char *member = member_of(name);
    char path[PATH_BYTES_MAX];
    size_t bytes = member != NULL ? (size_t)(member - name) - 1u : strlen(name);
    if (bytes >= sizeof path) {
        return fail(problem, MYCEL_E_NOT_FOUND, "the arrays' file", strerror(ENAMETOOLONG));
    }
    memcpy(path, name, bytes);
    path[bytes] = '\0';
    int rc = read_file(path, &l->file, &l->file_bytes, problem);
    if (rc < 0) {
        return rc;
    }
    const char *why = "";
    rc = member != NULL ? unpack(l, member, &why) : MYCEL_OK;
    if (rc == 0) {
        rc = l->member != NULL ? npy_parse(l->member, l->member_bytes, &l->array, &why)
                               : npy_parse(l->file, l->file_bytes, &l->array, &why);
    }
    return rc < 0 ? fail(problem, rc, name, why) : MYCEL_OK;
}

static void unload(struct loaded *l)
{
    free(l->file);
    free(l->member);
    memset(l, 0, sizeof *l);
}

/* Samples, features and the image's sides. */
static int shape(const struct npy_array *a, struct dataset *out, const char **why)
{
    *why = "has no samples";
    if (a->dims == 0 || a->count == 0) {
        return MYCEL_E_MALFORMED;
    }
    *why = "has more samples or features than supported";
    if (a->shape[0] > DATASET_SAMPLES_MAX || a->count / a->shape[0] > DATASET_FEATURES_MAX ||
        a->count > DATASET_BYTES_MAX / sizeof(float)) {
        return MYCEL_E_TOO_LARGE;
    }
    *why = "has its channels first (samples, channels, height, width); they must come last: "
           "transpose(0, 2, 3, 1)";
    if (a->dims == 4 && a->shape[1] == 3 && a->shape[3] > 4) {
        return MYCEL_E_SHAPE;
    }
    out->samples = (uint32_t)a->shape[0];
    out->features = (uint32_t)(a->count / a->shape[0]);
    out->height = 1;
    out->width = out->features;
    if (a->dims == 3 || a->dims == 4) {
        unsigned first =
            a->dims == 4 && a->shape[1] == 1 ? 2u : 1u; /* one channel may come first */
        out->height = (uint32_t)a->shape[first];
        out->width = (uint32_t)a->shape[first + 1u];
    }
    return MYCEL_OK;
}

static int convert_inputs(const char *name, const struct npy_array *a, struct dataset *out,
                          char *problem)
{
    const char *why;
    int rc = shape(a, out, &why);
    if (rc < 0) {
        return fail(problem, rc, name, why);
    }
    out->type = a->type == NPY_U8 ? DATASET_U8 : DATASET_F32;
    out->inputs = malloc((size_t)a->count * (a->type == NPY_U8 ? 1u : sizeof(float)));
    if (out->inputs == NULL) {
        return fail(problem, MYCEL_E_NO_MEMORY, name, "no memory for its samples");
    }
    if (a->type == NPY_U8) {
        memcpy(out->inputs, a->values, (size_t)a->count);
        return MYCEL_OK;
    }
    float *to = out->inputs;
    for (uint64_t i = 0; i < a->count; i++) {
        to[i] = npy_value(a, i);
        if (!isfinite(to[i])) {
            char what[64];
            (void)snprintf(what, sizeof what, "a value of sample %llu is not finite",
                           (unsigned long long)(i / out->features));
            return fail(problem, MYCEL_E_MALFORMED, name, what);
        }
    }
    return MYCEL_OK;
}

static int convert_labels(const char *name, const struct npy_array *a, enum dataset_target wanted,
                          struct dataset *out, char *problem)
{
    if (a->dims == 0 || a->count != a->shape[0] || a->count != out->samples) {
        return fail(problem, MYCEL_E_SHAPE, name, "does not have one value for each sample");
    }
    out->targets = malloc(out->samples * sizeof *out->targets);
    if (out->targets == NULL) {
        return fail(problem, MYCEL_E_NO_MEMORY, name, "no memory for its labels");
    }
    uint32_t odd = 0;
    int rc = MYCEL_OK;
    for (uint32_t i = 0; rc == 0 && i < out->samples; i++) {
        out->targets[i] = npy_value(a, i);
        if (!isfinite(out->targets[i])) {
            odd = i;
            rc = MYCEL_E_MALFORMED;
        }
    }
    rc = rc < 0 ? rc : dataset_settle_targets(out, wanted, &odd);
    if (rc == MYCEL_E_MALFORMED) {
        char what[96];
        (void)snprintf(what, sizeof what,
                       "the label of sample %u is no whole number from 0 to 65535", odd);
        return fail(problem, rc, name, what);
    }
    return rc < 0 ? fail(problem, rc, name, "no memory for its labels") : MYCEL_OK;
}

/* Chooses the first pair of usual names in an archive. */
static int load_pair(const char *path, struct loaded *inputs, struct loaded *labels, char *problem)
{
    int rc = read_file(path, &inputs->file, &inputs->file_bytes, problem);
    if (rc < 0) {
        return rc;
    }
    const char *why = "";
    rc = MYCEL_E_NOT_FOUND;
    for (size_t i = 0; i < PAIRS && rc == MYCEL_E_NOT_FOUND; i++) {
        free(inputs->member);
        inputs->member = NULL;
        struct loaded same = *inputs; /* the file's bytes stay the inputs' */
        rc = unpack(inputs, pairs[i].inputs, &why);
        rc = rc < 0 ? rc : unpack(&same, pairs[i].labels, &why);
        labels->member = same.member;
        labels->member_bytes = same.member_bytes;
    }
    if (rc == MYCEL_E_NOT_FOUND) {
        return fail(problem, rc, path,
                    "has no pair of arrays with usual names as x and y: name them, as in "
                    "FILE.npz:images and FILE.npz:classes");
    }
    if (rc == 0) {
        rc = npy_parse(inputs->member, inputs->member_bytes, &inputs->array, &why);
    }
    if (rc == 0) {
        rc = npy_parse(labels->member, labels->member_bytes, &labels->array, &why);
    }
    return rc < 0 ? fail(problem, rc, path, why) : MYCEL_OK;
}

int dataset_read_npy(const struct dataset_source *source, struct dataset *out, char *problem)
{
    struct loaded inputs = {.file = NULL};
    struct loaded labels = {.file = NULL};
    const char *labels_name = source->labels != NULL ? source->labels : source->inputs;
    int rc;
    memset(out, 0, sizeof *out);
    if (source->labels == NULL && ends_with(source->inputs, ".npz")) {
        rc = load_pair(source->inputs, &inputs, &labels, problem);
    } else if (source->labels == NULL || !npy_is_name(source->labels)) {
        rc = fail(problem, MYCEL_E_INVALID, source->inputs,
                  "its labels are a second array: Y.npy or FILE.npz:NAME");
    } else {
        rc = load(source->inputs, &inputs, problem);
        rc = rc < 0 ? rc : load(source->labels, &labels, problem);
    }
    rc = rc < 0 ? rc : convert_inputs(source->inputs, &inputs.array, out, problem);
    rc = rc < 0 ? rc : convert_labels(labels_name, &labels.array, source->target, out, problem);
    unload(&inputs);
    unload(&labels);
    if (rc < 0) {
        dataset_free(out);
    }
    return rc;
}
