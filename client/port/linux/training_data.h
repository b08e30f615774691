/* This device's slice of a data set. Owns the reading and cutting; the result is the caller's. */
#ifndef MYCEL_CLIENT_PORT_LINUX_TRAINING_DATA_H
#define MYCEL_CLIENT_PORT_LINUX_TRAINING_DATA_H

#include "client/port/linux/run.h"
#include "data/dataset.h"

/* Reads options->data and keeps one slice. `problem` (DATASET_PROBLEM_BYTES) says what is wrong.
 * Errors as dataset_read_from and partition_disjoint; MYCEL_E_INVALID for slice or partition. */
int training_data_load(const struct client_options *options, struct dataset *out, char *problem);

#endif
