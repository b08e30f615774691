/* `mycel demo`: from nothing to a trained model with real processes, and what its files share. */
#ifndef MYCEL_SERVER_CLI_DEMO_DEMO_H
#define MYCEL_SERVER_CLI_DEMO_DEMO_H

#include "server/cli/commands.h"
#include "server/cli/demo/crew.h"
#include "server/cli/demo/folder.h"
#include "server/cli/demo/progress.h"
#include "server/cli/demo/task.h"
#include "server/cli/demo/view.h"

extern const struct setting_list demo_settings;
int demo_run(const struct invocation *call);

struct demo_options {
    unsigned task;
    uint64_t rounds, clients, seed; /* rounds, clients: 0: the task's */
    const char *partition;
    const char *strategy;
    const char *data;
    double target; /* 0: the task's */
    bool json, keep;
};

/* Everything of one demo. */
struct demo {
    const struct demo_options *options;
    const struct task *task;
    uint32_t rounds, devices;
    uint32_t cohort; /* devices of one round */
    double target;
    char folder[FOLDER_BYTES_MAX];
    char state[PATH_MAX];
    char ready[PATH_MAX];
    char logs[CREW_PROCESSES_MAX][PATH_MAX];
    struct task_files files;
    struct store *store;
    uint32_t run, params;
    unsigned port;
    uint64_t start_ms;
    struct crew crew;
    struct progress progress;
    struct view view;
};

/* Takes a task with its defaults, where the options do not say otherwise. */
void demo_choose(struct demo *d, const struct task *task);

/* setup.c: data, state folder with devices and run, and the processes' arguments. 0, or MYCEL_E_*
 * after having printed why. */
int demo_prepare(struct demo *d);

/* result.c: what came out of it. Says it and returns the exit code. */
int demo_result(struct demo *d);

/* Monotonic clock, ms. */
uint64_t demo_now_ms(void);

#endif
