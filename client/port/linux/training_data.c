/* Reads a data set and keeps what belongs to this device. See training_data.h. */
#include "client/port/linux/training_data.h"

#include "data/partition.h"

#include <mycel/error.h>
#include <stdio.h>

#define TRAINING_DATA_LEAST 10u

static int refuse(int code, char *problem, const char *text)
{
    (void)snprintf(problem, DATASET_PROBLEM_BYTES, "%s", text);
    return code;
}

/* Samples that even the most uneven cut leaves every device: enough to train on, where there are any. */
static uint32_t least_of(const struct dataset *whole, uint32_t slices)
{
    uint32_t fair = whole->samples / slices;
    return fair / 2u < TRAINING_DATA_LEAST ? fair / 2u + (fair < 2u) : TRAINING_DATA_LEAST;
}

static int cut(const struct client_options *options, const struct partition_spec *spec,
               const struct dataset *whole, struct dataset *out, char *problem)
{
    if (options->slice >= options->slices) {
        return refuse(MYCEL_E_INVALID, problem, "the slice's number is not below the slices'");
    }
    struct partition all;
    int rc = partition_disjoint(whole, spec, options->slices, least_of(whole, options->slices),
                                options->partition_seed, &all);
    if (rc < 0) {
        return refuse(rc, problem, all.problem);
    }
    uint32_t first = all.offsets[options->slice];
    rc = dataset_pick(whole, all.indices + first, all.offsets[options->slice + 1u] - first, out);
    partition_free(&all);
    return rc < 0 ? refuse(rc, problem, "the slice does not fit into memory") : MYCEL_OK;
}

int training_data_load(const struct client_options *options, struct dataset *out, char *problem)
{
    struct partition_spec spec;
    const char *partition = options->partition != NULL ? options->partition : "iid";
    if (partition_parse(partition, &spec) < 0) {
        return refuse(MYCEL_E_INVALID, problem, "the partition is none of " PARTITION_FORMS);
    }
    struct dataset_source source = {.inputs = options->data,
                                    .labels = options->labels,
                                    .target = DATASET_EITHER,
                                    .id_column = spec.kind == PARTITION_COLUMN ? spec.text : NULL};
    struct dataset whole;
    int rc = dataset_read_from(&source, &whole, problem);
    if (rc < 0) {
        return rc;
    }
    if (options->slices <= 1 && options->slice == 0 && !partition_is_natural(&spec)) {
        *out = whole; /* everything, in the file's order */
        return MYCEL_OK;
    }
    rc = cut(options, &spec, &whole, out, problem);
    dataset_free(&whole);
    return rc;
}
