/*
 * What the demo can train: model, data, defaults and the accuracy that must be reached. A new task is
 * a row in task.c. It must not start anything.
 */
#ifndef MYCEL_SERVER_CLI_DEMO_TASK_H
#define MYCEL_SERVER_CLI_DEMO_TASK_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/cli/demo/folder.h"

/* Where the data lies; labels are "" for CSV. */
struct task_files {
    char train[PATH_MAX];
    char train_labels[PATH_MAX];
    char held_out[PATH_MAX];
    char held_out_labels[PATH_MAX];
};

struct task {
    const char *name;
    const char *title;
    const char *model;
    const float *initial; /* parameters of version 0, NULL: drawn from the seed */
    uint32_t rounds, devices, batch;
    uint32_t cohort; /* devices of one round, 0: all of them */
    float learning_rate;
    double target_iid, target_dirichlet;
    const char *const *classes; /* names, NULL: there are none */
    bool in_order;              /* samples are used as they stand in the file, not shuffled */
    /* Fills files; may write below folder. data is --data or NULL. 0, or MYCEL_E_* after having
     * printed why; NOT_FOUND silently if data is NULL and the task's own data is not installed. */
    int (*prepare)(const char *folder, const char *data, uint64_t seed, struct task_files *files);
};

/* Names for --task, NULL-terminated, in the order of task_get(). */
extern const char *const task_names[];

enum task_index { TASK_FASHION, TASK_CONV, TASK_DIGITS, TASK_STREETLIGHT };

/* A row of the table. */
const struct task *task_get(unsigned index);

#endif
