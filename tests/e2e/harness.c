/* Processes, waiting, and the small world that each end-to-end test starts from. */
#include "harness.h"

#include "common/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ARGS_MAX 48
#define LOG_BYTES_MAX (8u << 20)
#define POLL_MS 20u
#define FEATURES 8
#define CLASSES 4

void pause_ms(unsigned ms)
{
    const struct timespec wait = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&wait, NULL);
}

/* --- processes -------------------------------------------------------------------------------- */

void process_spawn(struct process *process, const char *program, const char *const *args)
{
    int log = open(process->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(log >= 0);
    pid_t parent = getpid();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(127);
        }
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        execv(program, (char *const *)(uintptr_t)args);
        _exit(127);
    }
    close(log);
    process->pid = pid;
}

void process_kill(struct process *process)
{
    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
        process->pid = 0;
    }
}

int process_wait(struct process *process, unsigned wait_ms)
{
    int status;
    for (unsigned waited = 0; waited <= wait_ms; waited += POLL_MS) {
        if (waitpid(process->pid, &status, WNOHANG) == process->pid) {
            process->pid = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        pause_ms(POLL_MS);
    }
    return -1;
}

static char *read_log(const char *path, size_t from, size_t *bytes)
{
    char *text = malloc(LOG_BYTES_MAX + 1);
    FILE *file = fopen(path, "r");
    *bytes = 0;
    if (file && fseek(file, (long)from, SEEK_SET) == 0) {
        *bytes = fread(text, 1, LOG_BYTES_MAX, file);
    }
    if (file) {
        fclose(file);
    }
    text[*bytes] = '\0';
    return text;
}

bool process_expect(struct process *process, const char *text, unsigned wait_ms)
{
    for (unsigned waited = 0; waited <= wait_ms; waited += POLL_MS) {
        size_t bytes;
        char *log = read_log(process->log, process->seen, &bytes);
        const char *found = strstr(log, text);
        if (found) {
            process->seen += (size_t)(found - log) + strlen(text);
        }
        free(log);
        if (found) {
            return true;
        }
        pause_ms(POLL_MS);
    }
    return false;
}

static void show_log(const struct process *process)
{
    size_t bytes;
    char *log = read_log(process->log, 0, &bytes);
    const char *tail = bytes > 3000 ? log + bytes - 3000 : log;
    print_error("--- %s ---\n%s\n", process->log, tail);
    free(log);
}

/* --- the command ------------------------------------------------------------------------------ */

static unsigned add_all(const char **to, unsigned n, const char *const *args)
{
    for (; args && *args && n + 1 < ARGS_MAX; args++) {
        to[n++] = *args;
    }
    to[n] = NULL;
    return n;
}

int mycel(const struct world *world, char *out, size_t capacity, const char *const *args)
{
    const char *all[ARGS_MAX];
    struct process process = {0};
    unsigned n = add_all(all, 0, (const char *const[]){"mycel", NULL});
    n = add_all(all, n, args);
    add_all(all, n, (const char *const[]){"--state", world->state, NULL});
    snprintf(process.log, sizeof process.log, "%.200s/command.out", world->folder);
    unlink(process.log);
    process_spawn(&process, MYCEL_BIN, all);
    int code = process_wait(&process, HARNESS_WAIT_MS);
    if (out) {
        size_t bytes;
        char *text = read_log(process.log, 0, &bytes);
        snprintf(out, capacity, "%s", text);
        free(text);
    }
    process_kill(&process);
    return code;
}

json_t *mycel_json(const struct world *world, const char *const *args)
{
    static char out[1 << 20];
    const char *all[ARGS_MAX];
    json_error_t error;
    unsigned n = add_all(all, 0, args);
    add_all(all, n, (const char *const[]){"--json", NULL});
    int code = mycel(world, out, sizeof out, all);
    json_t *json = code == 0 ? json_loads(out, 0, &error) : NULL;
    if (!json) {
        fail_msg("mycel %s %s: exit code %d: %s", args[0], args[1] ? args[1] : "", code, out);
    }
    return json;
}

/* --- the world -------------------------------------------------------------------------------- */

/* Four noisy corners of a cube: learnable, and not perfectly so. */
static void write_csv(const char *path, unsigned samples, uint64_t stream)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (unsigned s = 0; s < samples; s++) {
        uint32_t label = rng_below(1, stream, s, CLASSES);
        for (unsigned f = 0; f < FEATURES; f++) {
            float corner = (f % CLASSES) == label ? 1.0f : 0.0f;
            float noise = rng_f32(1, stream + 1, (uint64_t)s * FEATURES + f) - 0.5f;
            fprintf(file, "%.4f,", (double)(corner + 1.5f * noise));
        }
        fprintf(file, "%u\n", label);
    }
    assert_int_equal(fclose(file), 0);
}

void key_path(const struct world *world, unsigned index, char *path, size_t capacity)
{
    snprintf(path, capacity, "%.200s/d%u.key", world->folder, index);
}

static struct world *opened; /* for world_teardown */

void world_prepare(struct world *world, unsigned devices)
{
    memset(world, 0, sizeof *world);
    snprintf(world->folder, sizeof world->folder, "/tmp/mycel-e2e-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->state, sizeof world->state, "%.200s/state", world->folder);
    snprintf(world->train, sizeof world->train, "%.200s/train.csv", world->folder);
    snprintf(world->test, sizeof world->test, "%.200s/test.csv", world->folder);
    snprintf(world->model, sizeof world->model, "8 > dense 8 relu > dense 4 softmax");
    snprintf(world->server.log, sizeof world->server.log, "%.200s/server.log", world->folder);
    write_csv(world->train, 60 * devices, 10);
    write_csv(world->test, 200, 20);
    world->devices = devices;
    opened = world;
}

void world_enroll(struct world *world)
{
    char folder[HARNESS_PATH_BYTES]; /* a copy: the compiler cannot see that the fields are apart */
    memcpy(folder, world->folder, sizeof folder);
    for (unsigned i = 0; i < world->devices; i++) {
        char name[16], key[HARNESS_PATH_BYTES];
        snprintf(name, sizeof name, "d%u", i);
        key_path(world, i, key, sizeof key);
        snprintf(world->device[i].log, sizeof world->device[i].log, "%.200s/d%u.log", folder, i);
        assert_int_equal(MYCEL(world, "device", "enroll", name, "--key-out", key), 0);
    }
}

void world_open(struct world *world, unsigned devices)
{
    world_prepare(world, devices);
    world_enroll(world);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

void world_close(struct world *world)
{
    for (unsigned i = 0; i < world->devices; i++) {
        process_kill(&world->device[i]);
    }
    process_kill(&world->server);
    if (!getenv("MYCEL_KEEP")) {
        nftw(world->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    }
}

int world_teardown(void **state)
{
    (void)state;
    world_close(opened);
    return 0;
}

void server_start(struct world *world, const char *const *extra)
{
    const char *args[ARGS_MAX];
    char port[8], ready[HARNESS_PATH_BYTES];
    snprintf(port, sizeof port, "%u", world->port);
    snprintf(ready, sizeof ready, "%.200s/ready", world->folder);
    unlink(ready);
    unsigned n =
        add_all(args, 0,
                (const char *const[]){"mycel", "serve", "--state", world->state, "--listen",
                                      "127.0.0.1", "--port", port, "--eval-data", world->test,
                                      "--log-format", "json", "--ready-file", ready, NULL});
    add_all(args, n, extra);
    process_spawn(&world->server, MYCEL_BIN, args);
    for (unsigned waited = 0; waited <= HARNESS_WAIT_MS; waited += POLL_MS) {
        FILE *file = fopen(ready, "r");
        unsigned got = 0;
        if (file) {
            if (fscanf(file, "%u", &got) != 1) {
                got = 0;
            }
            fclose(file);
        }
        if (got > 0) {
            world->port = (uint16_t)got;
            return;
        }
        pause_ms(POLL_MS);
    }
    show_log(&world->server);
    fail_msg("the coordinator did not start");
}

void server_kill(struct world *world)
{
    process_kill(&world->server);
}

int server_stop(struct world *world)
{
    kill(world->server.pid, SIGTERM);
    return process_wait(&world->server, HARNESS_WAIT_MS);
}

void device_start(struct world *world, unsigned index, const char *key_file)
{
    device_start_with(world, index, key_file, NULL);
}

void device_start_with(struct world *world, unsigned index, const char *key_file,
                       const char *const *extra)
{
    const char *args[ARGS_MAX];
    char coordinator[32], name[16], key[HARNESS_PATH_BYTES], folder[HARNESS_PATH_BYTES];
    char slice[8], slices[8];
    snprintf(coordinator, sizeof coordinator, "127.0.0.1:%u",
             world->device_port ? world->device_port : world->port);
    snprintf(name, sizeof name, "d%u", index);
    key_path(world, index, key, sizeof key);
    snprintf(folder, sizeof folder, "%.200s/d%u", world->folder, index);
    snprintf(slice, sizeof slice, "%u", index);
    snprintf(slices, sizeof slices, "%u", world->devices);
    unsigned n =
        add_all(args, 0,
                (const char *const[]){
                    "mycel",        "client",       "--coordinator", coordinator,
                    "--identity",   name,           "--key-file",    key_file ? key_file : key,
                    "--directory",  folder,         "--data",        world->train,
                    "--slice",      slice,          "--slices",      slices,
                    "--on-battery", "--log-format", "json",          NULL});
    n = add_all(args, n, extra);
    add_all(args, n, world->device_args);
    process_spawn(&world->device[index], MYCEL_BIN, args);
}

void device_kill(struct world *world, unsigned index)
{
    process_kill(&world->device[index]);
}

size_t device_file(const struct world *world, unsigned index, const char *name, void *data,
                   size_t capacity)
{
    char path[HARNESS_PATH_BYTES + 32];
    snprintf(path, sizeof path, "%.200s/d%u/%.48s", world->folder, index, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t bytes = fread(data, 1, capacity, file);
    assert_int_equal(fclose(file), 0);
    return bytes;
}

/* --- runs ------------------------------------------------------------------------------------- */

void run_create(const struct world *world, unsigned rounds, unsigned goal, unsigned minimum,
                const char *deadline)
{
    char r[12], g[12], m[12];
    snprintf(r, sizeof r, "%u", rounds);
    snprintf(g, sizeof g, "%u", goal);
    snprintf(m, sizeof m, "%u", minimum);
    assert_int_equal(MYCEL(world, "run", "create", "--name", "r", "--model", world->model,
                           "--rounds", r, "--goal", g, "--min", m, "--deadline", deadline,
                           "--over-selection", "1", "--pace", "200ms", "--learning-rate", "0.2",
                           "--batch", "10", "--seed", "7"),
                     0);
}

unsigned run_committed(json_t *run)
{
    size_t i;
    json_t *round;
    unsigned n = 0;
    json_array_foreach(json_object_get(run, "rounds"), i, round)
    {
        const char *state = json_string_value(json_object_get(round, "state"));
        n += state && strcmp(state, "committed") == 0;
    }
    return n;
}

json_t *run_wait(const struct world *world, unsigned rounds)
{
    for (unsigned waited = 0; waited <= 2 * HARNESS_WAIT_MS; waited += 100) {
        json_t *run = MYCEL_JSON(world, "run", "show", "r");
        if (run_committed(run) >= rounds) {
            return run;
        }
        json_decref(run);
        pause_ms(100);
    }
    show_log(&world->server);
    for (unsigned i = 0; i < world->devices; i++) {
        show_log(&world->device[i]);
    }
    fail_msg("%u rounds were not committed in time", rounds);
    return NULL;
}

void check_counted_once(json_t *run)
{
    size_t i, a, b;
    json_t *round, *first, *second;
    json_array_foreach(json_object_get(run, "rounds"), i, round)
    {
        json_t *accepted = json_object_get(round, "accepted");
        assert_true(json_is_array(accepted));
        json_array_foreach(accepted, a, first)
        {
            json_array_foreach(accepted, b, second)
            {
                assert_true(a == b || !json_equal(first, second));
            }
        }
        const char *state = json_string_value(json_object_get(round, "state"));
        if (state && strcmp(state, "committed") == 0) {
            assert_int_equal(json_integer_value(json_object_get(round, "version")),
                             json_integer_value(json_object_get(round, "round")));
        }
    }
}
