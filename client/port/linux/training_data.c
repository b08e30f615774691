/* Reads a data set and keeps what belongs to this device. See training_data.h. */
#include "client/port/linux/training_data.h"

#include "data/partition.h"

#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>

#define TRAINING_DATA_LEAST 10u

static int refuse(int code, char *problem, const char *text)
{
    (void)snprintf(problem, DATASET_PROBLEM_BYTES, "%s", text);
    return code;
}

/* The last column of a CSV is a label if all are whole numbers, else a target. */
static int read_set(const struct client_options *options, struct dataset *out, char *problem)
{
    int rc = dataset_read(options->data, options->labels, out, problem);
    if (rc == MYCEL_E_MALFORMED && options->labels == NULL) {
        rc = dataset_read_csv(options->data, DATASET_TARGETS, out, problem);
    }
    return rc;
}

/* Samples that even the most uneven cut leaves every device: enough to train on, where there are any. */
static uint32_t least_of(const struct dataset *whole, uint32_t slices)
{
    uint32_t fair = whole->samples / slices;
    return fair / 2u < TRAINING_DATA_LEAST ? fair / 2u + (fair < 2u) : TRAINING_DATA_LEAST;
}

static int cut(const struct client_options *options, const struct dataset *whole,
               struct dataset *out, char *problem)
{
    struct partition_spec spec;
    const char *partition = options->partition != NULL ? options->partition : "iid";
    if (partition_parse(partition, &spec) < 0) {
        return refuse(MYCEL_E_INVALID, problem, "the partition is neither iid nor dirichlet:ALPHA");
    }
    if (options->slice >= options->slices) {
        return refuse(MYCEL_E_INVALID, problem, "the slice's number is not below the slices'");
    }
    uint32_t *indices = NULL;
    uint32_t count = 0;
    int rc = partition_indices(whole, &spec, options->slices, options->slice,
                               least_of(whole, options->slices), options->partition_seed, &indices,
                               &count);
    if (rc < 0) {
        return refuse(rc, problem, "the data set cannot be cut like that");
    }
    rc = dataset_pick(whole, indices, count, out);
    free(indices);
    return rc < 0 ? refuse(rc, problem, "the slice does not fit into memory") : MYCEL_OK;
}

int training_data_load(const struct client_options *options, struct dataset *out, char *problem)
{
    struct dataset whole;
    int rc = read_set(options, &whole, problem);
    if (rc < 0) {
        return rc;
    }
    if (options->slices <= 1 && options->slice == 0) {
        *out = whole; /* everything, in the file's order */
        return MYCEL_OK;
    }
    rc = cut(options, &whole, out, problem);
    dataset_free(&whole);
    return rc;
}
