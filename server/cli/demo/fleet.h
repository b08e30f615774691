/*
 * The demo's processes: one coordinator and its devices, each a `mycel` of its own. It owns their
 * starting, watching, restarting and ending, and signals no process but these. It must not know what
 * they do.
 *
 * A process that dies by a signal or fails is started again a little later, since that is what the
 * demo shows: nothing is lost. One that says that it was called wrongly is not.
 */
#ifndef MYCEL_SERVER_CLI_DEMO_FLEET_H
#define MYCEL_SERVER_CLI_DEMO_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FLEET_PROCESSES_MAX 257u /* the coordinator and 256 devices */
#define FLEET_ARGUMENTS_MAX 40u
#define FLEET_TEXT_BYTES 4096u /* all arguments of one process */
#define FLEET_NAME_BYTES 32u
#define FLEET_RESTARTS_MAX 100u /* of one process */
#define FLEET_RESTART_MS 200u
#define FLEET_END_MS 3000u /* between asking to end and killing */

struct fleet_process {
    char name[FLEET_NAME_BYTES];
    char text[FLEET_TEXT_BYTES];
    size_t text_used;
    char *argv[FLEET_ARGUMENTS_MAX + 1u]; /* into text */
    size_t argc;
    const char *log_path; /* stderr is appended there; NULL: it goes to `pipe` */
    pid_t pid;            /* 0: not running */
    bool given_up;
    unsigned restarts;
    uint64_t restart_at_ms; /* while pid is 0 and it was not given up */
};

struct fleet {
    char program[4096];
    size_t count;
    struct fleet_process processes[FLEET_PROCESSES_MAX];
    int pipe[2]; /* the coordinator's stderr: read from pipe[0] */
};

/* What fleet_reap() found. */
struct fleet_exit {
    const struct fleet_process *process;
    int signal; /* 0: it exited by itself */
    int code;
    bool restarted; /* it will be started again */
};

/* 0, or MYCEL_E_IO when there is no pipe or the program's own path is unknown. */
int fleet_init(struct fleet *f);

/* Adds a process that runs this program; it is started by fleet_start(). name is copied. */
struct fleet_process *fleet_add(struct fleet *f, const char *name);

/* Appends one argument, printf-style. */
__attribute__((format(printf, 2, 3))) void fleet_argument(struct fleet_process *p,
                                                          const char *format, ...);

/* Starts one process: own process group, dies with the demo, no MYCEL_* variables, stdout nowhere.
 * 0 or MYCEL_E_IO. */
int fleet_start(struct fleet *f, struct fleet_process *p);

/* Collects one process that has ended; false: none. Never blocks. */
bool fleet_reap(struct fleet *f, uint64_t now_ms, struct fleet_exit *out);

/* Starts again what is due. */
void fleet_restart_due(struct fleet *f, uint64_t now_ms);

/* Asks all to end, waits up to FLEET_END_MS, kills the rest, closes the pipe. Blocks. */
void fleet_end(struct fleet *f);

#endif
