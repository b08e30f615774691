/*
 * The demo's processes: one coordinator and its devices, each a `mycel` of its own. It owns their
 * starting, watching, restarting and ending, and signals no process but these. It must not know what
 * they do.
 *
 * A process that dies by a signal or fails is started again a little later, since that is what the
 * demo shows: nothing is lost. One that says that it was called wrongly is not.
 */
#ifndef MYCEL_SERVER_CLI_DEMO_CREW_H
#define MYCEL_SERVER_CLI_DEMO_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CREW_PROCESSES_MAX 257u /* the coordinator and 256 devices */
#define CREW_ARGUMENTS_MAX 40u
#define CREW_TEXT_BYTES 4096u /* all arguments of one process */
#define CREW_NAME_BYTES 32u
#define CREW_RESTARTS_MAX 100u /* of one process */
#define CREW_RESTART_MS 200u
#define CREW_END_MS 3000u /* between asking to end and killing */

struct crew_process {
    char name[CREW_NAME_BYTES];
    char text[CREW_TEXT_BYTES];
    size_t text_used;
    char *argv[CREW_ARGUMENTS_MAX + 1u]; /* into text */
    size_t argc;
    const char *log_path; /* stderr is appended there; NULL: it goes to `pipe` */
    pid_t pid;            /* 0: not running */
    bool given_up;
    unsigned restarts;
    uint64_t restart_at_ms; /* while pid is 0 and it was not given up */
};

struct crew {
    char program[4096];
    size_t count;
    struct crew_process processes[CREW_PROCESSES_MAX];
    int pipe[2]; /* the coordinator's stderr: read from pipe[0] */
};

/* What crew_reap() found. */
struct crew_exit {
    const struct crew_process *process;
    int signal; /* 0: it exited by itself */
    int code;
    bool restarted; /* it will be started again */
};

/* 0, or MYCEL_E_IO when there is no pipe or the program's own path is unknown. */
int crew_init(struct crew *f);

/* Adds a process that runs this program; it is started by crew_start(). name is copied. */
struct crew_process *crew_add(struct crew *f, const char *name);

/* Appends one argument, printf-style. */
__attribute__((format(printf, 2, 3))) void crew_argument(struct crew_process *p, const char *format,
                                                         ...);

/* Starts one process: own process group, dies with the demo, no MYCEL_* variables, stdout nowhere.
 * 0 or MYCEL_E_IO. */
int crew_start(struct crew *f, struct crew_process *p);

/* Collects one process that has ended; false: none. Never blocks. */
bool crew_reap(struct crew *f, uint64_t now_ms, struct crew_exit *out);

/* Starts again what is due. */
void crew_restart_due(struct crew *f, uint64_t now_ms);

/* Asks all to end, waits up to CREW_END_MS, kills the rest, closes the pipe. Blocks. */
void crew_end(struct crew *f);

#endif
