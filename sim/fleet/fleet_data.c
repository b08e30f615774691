/* The fleet's samples: found, read or made, and dealt out. See fleet.h. */
#include "sim/fleet/fleet.h"

#include "data/mnist.h"

#include <errno.h>
#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_TRAIN 0u
#define STREAM_TEST 1u
#define TRACE_BYTES_MAX ((long)1 << 30)

static int read_fashion(bool test, struct dataset *out, char *problem)
{
    char images[PATH_MAX], labels[PATH_MAX];
    const char *folder = MNIST_FASHION_FOLDER;
    (void)mnist_find(folder, test ? MNIST_TEST_IMAGES : MNIST_TRAIN_IMAGES, images);
    (void)mnist_find(folder, test ? MNIST_TEST_LABELS : MNIST_TRAIN_LABELS, labels);
    int rc = dataset_read(images, labels, out, problem);
    if (rc == MYCEL_E_NOT_FOUND) {
        (void)snprintf(
            problem, SCENARIO_PROBLEM_BYTES,
            "Fashion-MNIST is not installed (apt-get install dataset-fashion-mnist); data "
            "= blobs:6000,16,10 needs no files");
    }
    return rc;
}

/* "blobs:SAMPLES,SIDE,CLASSES": a task that can be made anywhere. */
static int make_blobs(const struct scenario *s, uint64_t stream, struct dataset *out, char *problem)
{
    unsigned samples, side, classes;
    char rest;
    if (sscanf(s->data, "blobs:%u,%u,%u%c", &samples, &side, &classes, &rest) != 3 ||
        samples == 0 || side == 0 || side > 1024 || classes < 2 || classes > 256) {
        return scenario_refuse(problem, "data", s->data, "must be blobs:SAMPLES,SIDE,CLASSES");
    }
    uint32_t count = stream == STREAM_TRAIN ? samples : samples / 10u + classes;
    return dataset_make(count, side, side, classes, s->seed, stream, out);
}

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static int read_samples(const struct scenario *s, bool test, struct dataset *out, char *problem)
{
    if (strcmp(s->data, "fashion") == 0) {
        return read_fashion(test, out, problem);
    }
    if (strncmp(s->data, "blobs:", 6) == 0) {
        return make_blobs(s, test ? STREAM_TEST : STREAM_TRAIN, out, problem);
    }
    if (test && s->test_data[0] == '\0') {
        (void)snprintf(problem, SCENARIO_PROBLEM_BYTES,
                       "test_data is missing: without held-out samples nothing can be scored");
        return MYCEL_E_INVALID;
    }
    struct dataset_source source = {.inputs = test ? s->test_data : s->data,
                                    .labels = or_null(test ? s->test_labels : s->labels),
                                    .target = DATASET_EITHER};
    if (!test && strncmp(s->partition, "column:", 7) == 0) {
        source.id_column = s->partition + 7;
    }
    return dataset_read_from(&source, out, problem);
}

int fleet_read_test(const struct scenario *scenario, struct dataset *out, char *problem)
{
    return read_samples(scenario, true, out, problem);
}

int fleet_read_data(struct fleet *fleet, const struct scenario *s, char *problem)
{
    char words[DATASET_PROBLEM_BYTES];
    fleet->seed = s->seed;
    if (skew_parse(s->skew, &fleet->skew, words) < 0) {
        return scenario_refuse(problem, "skew", s->skew, words);
    }
    struct partition_spec spec;
    if (partition_parse(s->partition, &spec) < 0) {
        return scenario_refuse(problem, "partition", s->partition, "must be " PARTITION_FORMS);
    }
    int rc = read_samples(s, false, &fleet->data, problem);
    if (rc == 0) {
        rc = partition_all(&fleet->data, &spec, s->devices, s->least, s->seed, &fleet->parts);
        if (rc < 0) {
            (void)scenario_refuse(problem, "partition", s->partition, fleet->parts.problem);
        }
    }
    return rc;
}

/* ---- traces ------------------------------------------------------------------------------- */

static int read_file(const char *path, char **out, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        size = ftell(file);
    }
    char *text = size >= 0 && size < TRACE_BYTES_MAX ? malloc((size_t)size + 1u) : NULL;
    bool good = text != NULL && fseek(file, 0, SEEK_SET) == 0 &&
                fread(text, 1, (size_t)size, file) == (size_t)size;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (!good) {
        free(text);
        return MYCEL_E_IO;
    }
    *out = text;
    *bytes = (size_t)size;
    return MYCEL_OK;
}

int fleet_read_trace(struct fleet *fleet, const struct scenario *s, char *problem)
{
    char *text = NULL;
    struct trace_text whole = {0};
    errno = 0;
    if (read_file(s->trace, &text, &whole.bytes) < 0) {
        (void)scenario_refuse(problem, "trace", s->trace,
                              errno != 0 ? strerror(errno) : "cannot be read");
        return MYCEL_E_IO;
    }
    whole.at = text;
    size_t capacity = trace_windows_max(whole);
    struct trace_window *windows = malloc((capacity + 1u) * sizeof *windows);
    struct trace_error error = {0};
    int rc = windows == NULL
                 ? MYCEL_E_NO_MEMORY
                 : trace_parse(whole, windows, capacity, &fleet->availability.trace, &error);
    if (rc == MYCEL_E_MALFORMED) {
        (void)snprintf(problem, SCENARIO_PROBLEM_BYTES, "%.128s:%d: %s", s->trace, error.line,
                       error.text);
    }
    free(text);
    fleet->trace_memory = windows;
    return rc;
}
