/* Starts, watches and ends the demo's processes. */
#include "server/cli/demo/crew.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mycel/error.h>

#include "common/assert.h"
#include "server/cli/exits.h"

#define ENVIRONMENT_MAX 1024u
#define POLL_MS 10u

int crew_init(struct crew *f)
{
    memset(f, 0, sizeof *f);
    f->pipe[0] = f->pipe[1] = -1;
    ssize_t n = readlink("/proc/self/exe", f->program, sizeof f->program - 1u);
    if (n <= 0 || pipe2(f->pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        return MYCEL_E_IO;
    }
    return MYCEL_OK;
}

struct crew_process *crew_add(struct crew *f, const char *name)
{
    MYCEL_ASSERT(f->count < CREW_PROCESSES_MAX);
    struct crew_process *p = &f->processes[f->count++];
    snprintf(p->name, sizeof p->name, "%s", name);
    crew_argument(p, "mycel");
    return p;
}

void crew_argument(struct crew_process *p, const char *format, ...)
{
    MYCEL_ASSERT(p->argc < CREW_ARGUMENTS_MAX);
    size_t room = sizeof p->text - p->text_used;
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(p->text + p->text_used, room, format, arguments);
    va_end(arguments);
    MYCEL_ASSERT(n >= 0 && (size_t)n < room);
    p->argv[p->argc++] = p->text + p->text_used;
    p->text_used += (size_t)n + 1u;
}

/* The demo's processes are told everything by flags: settings of the user's own coordinator must not
 * reach them. */
static void clean_environment(char *out[ENVIRONMENT_MAX])
{
    size_t count = 0;
    for (char **entry = environ; *entry != NULL && count + 1u < ENVIRONMENT_MAX; entry++) {
        if (strncmp(*entry, "MYCEL_", 6) != 0) {
            out[count++] = *entry;
        }
    }
    out[count] = NULL;
}

/* In the child; does not return. Only async-signal-safe calls. */
static void become(const struct crew *f, const struct crew_process *p, pid_t parent,
                   char *const environment[])
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent) {
        _exit(EXIT_CODE_FAILED); /* the demo is gone already */
    }
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log = p->log_path ? open(p->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
                          : f->pipe[1];
    if (nowhere < 0 || log < 0 || dup2(nowhere, STDIN_FILENO) < 0 ||
        dup2(nowhere, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0) {
        _exit(EXIT_CODE_FAILED);
    }
    /* A log line must not be lost because the demo is busy drawing. */
    (void)fcntl(STDERR_FILENO, F_SETFL, fcntl(STDERR_FILENO, F_GETFL) & ~O_NONBLOCK);
    (void)execve(f->program, p->argv, environment);
    _exit(EXIT_CODE_FAILED);
}

int crew_start(struct crew *f, struct crew_process *p)
{
    char *environment[ENVIRONMENT_MAX];
    pid_t parent = getpid();
    p->argv[p->argc] = NULL;
    clean_environment(environment);
    pid_t pid = fork();
    if (pid == 0) {
        become(f, p, parent, environment);
    }
    if (pid < 0) {
        return MYCEL_E_IO;
    }
    (void)setpgid(pid, pid); /* also here, so that it holds before the next line runs */
    p->pid = pid;
    return MYCEL_OK;
}

static bool called_wrongly(int code)
{
    return code == EXIT_CODE_USAGE || code == EXIT_CODE_NOT_FOUND || code == EXIT_CODE_REFUSED;
}

bool crew_reap(struct crew *f, uint64_t now_ms, struct crew_exit *out)
{
    for (size_t i = 0; i < f->count; i++) {
        int status;
        struct crew_process *p = &f->processes[i];
        if (p->pid <= 0 || waitpid(p->pid, &status, WNOHANG) != p->pid) {
            continue;
        }
        p->pid = 0;
        out->process = p;
        out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        out->code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
        out->restarted =
            p->restarts < CREW_RESTARTS_MAX && (out->signal != 0 || !called_wrongly(out->code));
        p->given_up = !out->restarted;
        p->restart_at_ms = now_ms + CREW_RESTART_MS;
        return true;
    }
    return false;
}

void crew_restart_due(struct crew *f, uint64_t now_ms)
{
    for (size_t i = 0; i < f->count; i++) {
        struct crew_process *p = &f->processes[i];
        if (p->pid != 0 || p->given_up || p->restart_at_ms == 0 || now_ms < p->restart_at_ms) {
            continue;
        }
        p->restarts++;
        p->restart_at_ms = now_ms + CREW_RESTART_MS;
        (void)crew_start(f, p);
    }
}

/* Waits for everything that still runs, at most `ms`. Returns how many are left. */
static size_t wait_all(struct crew *f, unsigned ms)
{
    size_t left = 0;
    for (unsigned waited = 0; waited <= ms; waited += POLL_MS) {
        int status;
        left = 0;
        for (size_t i = 0; i < f->count; i++) {
            struct crew_process *p = &f->processes[i];
            if (p->pid > 0 && waitpid(p->pid, &status, WNOHANG) != 0) {
                p->pid = 0;
            }
            left += p->pid > 0 ? 1u : 0u;
        }
        if (left == 0) {
            break;
        }
        char drain[4096]; /* a coordinator blocked on a full pipe could not end */
        while (read(f->pipe[0], drain, sizeof drain) > 0) {
        }
        struct timespec pause = {0, POLL_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
    return left;
}

static void signal_all(const struct crew *f, int number)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->processes[i].pid > 0) {
            (void)kill(f->processes[i].pid, number);
        }
    }
}

void crew_end(struct crew *f)
{
    signal_all(f, SIGTERM);
    if (wait_all(f, CREW_END_MS) > 0) {
        signal_all(f, SIGKILL);
        (void)wait_all(f, CREW_END_MS);
    }
    for (int i = 0; i < 2; i++) {
        if (f->pipe[i] >= 0) {
            (void)close(f->pipe[i]);
        }
    }
}
