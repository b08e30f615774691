/*
 * `mycel demo`: prepares, starts the processes, watches until the run ends, and cleans up whatever
 * happens. Signals arrive on a descriptor, so that there is one place where the demo ends.
 */
#include "server/cli/demo/demo.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "data/partition.h"
#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/state.h"
#include "server/cli/strategy.h"

#define TICK_MS 100
#define REFRESH_MS 500u
#define START_MS 15000u  /* for the coordinator to answer */
#define STALL_MS 180000u /* without a new version */

#define AT(member) .offset = offsetof(struct demo_options, member)
static const struct setting rows[] = {
    {.name = "task",
     .letter = 't',
     .type = SETTING_CHOICE,
     .argument = "NAME",
     .fallback = "fashion",
     .choices = task_names,
     AT(task),
     .help = "fashion, conv (100 devices), digits (built in) or streetlight (exact results)"},
    {.name = "rounds",
     .letter = 'r',
     .type = SETTING_COUNT,
     .argument = "N",
     .min = 1,
     .max = PROGRESS_ROUNDS_MAX,
     AT(rounds),
     .help = "Rounds to train (default 20)"},
    {.name = "clients",
     .letter = 'n',
     .type = SETTING_COUNT,
     .argument = "N",
     .min = 1,
     .max = PROGRESS_DEVICES_MAX,
     AT(clients),
     .help = "Devices, each a process (default 10; conv 100)"},
    {.name = "partition",
     .type = SETTING_TEXT,
     .argument = "KIND",
     .fallback = "iid",
     .min = 3,
     .max = PARTITION_TEXT_MAX,
     AT(partition),
     .help = "How the data is shared out, alike or unevenly: " PARTITION_DRAWN_FORMS},
    {.name = "strategy",
     .type = SETTING_TEXT,
     .argument = "TEXT",
     .fallback = "fedavg",
     .min = 1,
     .max = STORE_STRATEGY_BYTES - 1,
     AT(strategy),
     .help = "How updates are joined, e.g. scaffold; see 'mycel strategy list'"},
    {.name = "seed",
     .type = SETTING_COUNT,
     .argument = "N",
     .fallback = "1",
     .min = 1,
     .max = 9007199254740992.0,
     AT(seed),
     .help = "The same seed gives the same model, bit by bit"},
    {.name = "target",
     .type = SETTING_REAL,
     .argument = "X",
     .min = 0,
     .max = 1,
     AT(target),
     .help = "Accuracy to reach (default 0.85, or 0.83 with dirichlet)"},
    {.name = "data",
     .type = SETTING_TEXT,
     .argument = "DIR",
     .min = 1,
     .max = PATH_MAX - 64,
     AT(data),
     .help = "Folder with the four IDX files of an MNIST-like set"},
    {.name = "keep",
     .letter = 'k',
     .type = SETTING_SWITCH,
     AT(keep),
     .help = "Keep the folder with database, keys and logs"},
    {.name = "json",
     .letter = 'j',
     .type = SETTING_SWITCH,
     AT(json),
     .help = "Print one JSON object a line; the last is the result"},
};
#undef AT

const struct setting_list demo_settings = SETTING_LIST(rows, struct demo_options);

uint64_t demo_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- signals ------------------------------------------------------------------------------ */

/* SIGPIPE is among them: a reader that goes away is a reason to clean up, not to vanish. */
static int catch_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)sigaddset(&set, numbers[i]);
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* true if the demo is asked to end. */
static bool take_signals(int fd)
{
    struct signalfd_siginfo info;
    bool end = false;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        end = end || info.ssi_signo != SIGCHLD;
    }
    return end;
}

/* ---- processes ---------------------------------------------------------------------------- */

/* The last words of a process that ended by itself; "" if there are none. */
static const char *last_line(const char *path, char *out, size_t out_bytes)
{
    char line[512];
    FILE *log = path ? fopen(path, "re") : NULL;
    out[0] = '\0';
    while (log != NULL && fgets(line, sizeof line, log) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, out_bytes, ": %.200s", line);
    }
    if (log != NULL) {
        (void)fclose(log);
    }
    return out;
}

static void report_exits(struct demo *d)
{
    char words[256];
    struct crew_exit exit;
    while (crew_reap(&d->crew, demo_now_ms(), &exit)) {
        const char *next = exit.restarted ? "; starting it again" : "; it is left alone";
        if (exit.process == &d->crew.processes[0]) {
            progress_restarted(&d->progress);
        }
        if (exit.signal != 0) {
            view_note(&d->view, "died", "%s was killed by signal %d (%s)%s", exit.process->name,
                      exit.signal, strsignal(exit.signal), next);
        } else {
            view_note(&d->view, "died", "%s ended with exit code %d%s%s", exit.process->name,
                      exit.code, next, last_line(exit.process->log_path, words, sizeof words));
        }
    }
}

/* Nothing can come of it any more: the coordinator, or all devices, are given up. */
static bool is_hopeless(const struct demo *d)
{
    size_t devices = 0;
    for (size_t i = 1; i < d->crew.count; i++) {
        devices += d->crew.processes[i].given_up ? 0u : 1u;
    }
    return d->crew.processes[0].given_up || devices == 0;
}

/* ---- the watch ---------------------------------------------------------------------------- */

struct watch {
    int signals;
    FILE *log;
    uint64_t refreshed_ms;
    uint64_t moved_ms; /* when a version was last made */
    bool devices_started;
};

static void start_devices(struct demo *d, struct watch *w)
{
    if (w->devices_started || access(d->ready, R_OK) != 0) {
        return;
    }
    w->devices_started = true;
    for (size_t i = 1; i < d->crew.count; i++) {
        (void)crew_start(&d->crew, &d->crew.processes[i]);
    }
}

/* What makes the demo give up; NULL: nothing. */
static const char *trouble(const struct demo *d, const struct watch *w, uint64_t now_ms)
{
    if (is_hopeless(d)) {
        return "its processes cannot run";
    }
    if (!w->devices_started && now_ms - d->start_ms > START_MS) {
        return "the coordinator does not start";
    }
    if (now_ms - w->moved_ms > STALL_MS) {
        return "no round has ended for three minutes";
    }
    return NULL;
}

static int refresh(struct demo *d, struct watch *w, uint64_t now_ms)
{
    size_t before = d->progress.count;
    int result = progress_refresh(&d->progress, d->store, now_ms - d->start_ms);
    w->refreshed_ms = now_ms;
    if (d->progress.count > before) {
        w->moved_ms = now_ms;
    }
    if (result < 0 && mycel_error_class(result) != MYCEL_CLASS_RETRY) {
        (void)state_fail(d->store, result, "demo");
        return result;
    }
    return MYCEL_OK;
}

/* One turn: wait for news, take them, show them. EXIT_CODE_OK: go on; else the demo ends. */
static int turn(struct demo *d, struct watch *w)
{
    struct pollfd fds[] = {{.fd = w->signals, .events = POLLIN},
                           {.fd = d->crew.pipe[0], .events = POLLIN}};
    (void)poll(fds, 2, w->devices_started ? TICK_MS : TICK_MS / 10);
    uint64_t now_ms = demo_now_ms();
    if (take_signals(w->signals)) {
        return EXIT_CODE_INTERRUPTED;
    }
    bool news = progress_read(&d->progress, d->crew.pipe[0], w->log);
    report_exits(d);
    crew_restart_due(&d->crew, now_ms);
    start_devices(d, w);
    if ((news || now_ms - w->refreshed_ms >= REFRESH_MS) && refresh(d, w, now_ms) < 0) {
        return EXIT_CODE_FAILED;
    }
    view_update(&d->view, &d->progress, now_ms - d->start_ms);
    const char *why = trouble(d, w, now_ms);
    if (why != NULL) {
        view_finish(&d->view, &d->progress, false);
        say_error("the demo gives up: %s%s%s", why,
                  d->progress.problem[0] ? "; the coordinator's last words: " : "",
                  d->progress.problem);
        return EXIT_CODE_FAILED;
    }
    return EXIT_CODE_OK;
}

static int watch(struct demo *d, struct watch *w)
{
    int code = EXIT_CODE_OK;
    d->start_ms = w->refreshed_ms = w->moved_ms = demo_now_ms();
    if (crew_start(&d->crew, &d->crew.processes[0]) < 0) {
        say_error("the coordinator cannot be started: %s", strerror(errno));
        return EXIT_CODE_FAILED;
    }
    while (code == EXIT_CODE_OK && !d->progress.ended) {
        code = turn(d, w);
    }
    view_finish(&d->view, &d->progress, code == EXIT_CODE_OK);
    crew_end(&d->crew);
    return code;
}

/* ---- the command -------------------------------------------------------------------------- */

static int train(struct demo *d, struct watch *w)
{
    char path[PATH_MAX];
    if (demo_prepare(d) < 0) {
        return EXIT_CODE_FAILED;
    }
    snprintf(path, sizeof path, "%.*s/coordinator.log", FOLDER_BYTES_MAX, d->folder);
    w->log = fopen(path, "ae");
    progress_init(&d->progress, d->run);
    view_begin(&d->view, &(struct view_start){.folder = d->folder,
                                              .state = d->state,
                                              .partition = d->options->partition,
                                              .params = d->params,
                                              .seed = d->options->seed,
                                              .port = d->port});
    int code = watch(d, w);
    if (w->log != NULL) {
        (void)fclose(w->log);
    }
    return code == EXIT_CODE_OK ? demo_result(d) : code;
}

void demo_choose(struct demo *d, const struct task *task)
{
    const struct demo_options *options = d->options;
    bool iid = strcmp(options->partition, "iid") == 0;
    d->task = task;
    d->rounds = options->rounds ? (uint32_t)options->rounds : task->rounds;
    d->devices = options->clients ? (uint32_t)options->clients : task->devices;
    d->cohort = task->cohort && task->cohort < d->devices ? task->cohort : d->devices;
    d->target = options->target;
    if (d->target <= 0.0) {
        d->target = iid ? task->target_iid : task->target_dirichlet;
    }
    view_init(&d->view, task, d->rounds, d->devices, d->cohort, options->json);
}

static int check(const struct demo_options *options)
{
    struct partition_spec spec;
    if (partition_parse(options->partition, &spec) < 0 || partition_is_natural(&spec)) {
        say_error("--partition: '%s' is none of " PARTITION_DRAWN_FORMS
                  " with ALPHA above 0 and K from 1",
                  options->partition);
        return MYCEL_E_INVALID;
    }
    if (strategy_check(options->strategy) < 0) {
        return MYCEL_E_INVALID;
    }
    if (options->task == TASK_STREETLIGHT &&
        (options->rounds != 0 || options->clients != 0 || options->data != NULL)) {
        say_error(
            "--task streetlight is one device and forty rounds: its results are known exactly");
        return MYCEL_E_INVALID;
    }
    return MYCEL_OK;
}

int demo_run(const struct invocation *call)
{
    struct watch w = {.signals = catch_signals()};
    struct demo *d = calloc(1, sizeof *d);
    if (check(call->options) < 0) {
        free(d);
        return EXIT_CODE_USAGE;
    }
    if (d == NULL || w.signals < 0) {
        say_error("the demo cannot start: %s", strerror(errno));
        free(d);
        return EXIT_CODE_FAILED;
    }
    (void)setvbuf(stdout, NULL, _IOFBF, 1u << 16); /* a panel appears at once, or not at all */
    d->options = call->options;
    demo_choose(d, task_get(d->options->task));
    int code = folder_make(d->folder) < 0 ? EXIT_CODE_FAILED : train(d, &w);
    store_close(d->store);
    if (d->options->keep && d->folder[0] != '\0') {
        (void)fprintf(stderr, "Kept: %s (mycel run show --state %s)\n", d->folder, d->state);
    } else if (d->folder[0] != '\0') {
        folder_remove(d->folder);
    }
    (void)close(w.signals);
    free(d);
    return code;
}
