/*
 * Real processes for the end-to-end tests: a coordinator and its devices in a temporary folder, made
 * with the `mycel` command as a person would. Every wait has a limit, and every process that a test
 * started is ended with it.
 */
#ifndef MYCEL_TESTS_E2E_HARNESS_H
#define MYCEL_TESTS_E2E_HARNESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HARNESS_DEVICES_MAX 64
#define HARNESS_PATH_BYTES 256
#define HARNESS_WAIT_MS 60000 /* for anything that has to happen; sanitizers are slow */

/* One process and the file that its output goes to. */
struct process {
    pid_t pid; /* 0: not running */
    char log[HARNESS_PATH_BYTES];
    size_t seen; /* bytes of the log that process_expect has passed */
};

struct world {
    char folder[HARNESS_PATH_BYTES];
    char state[HARNESS_PATH_BYTES];
    char train[HARNESS_PATH_BYTES]; /* CSV files: 8 features, 4 classes */
    char test[HARNESS_PATH_BYTES];
    char model[HARNESS_PATH_BYTES];
    uint16_t port;
    uint16_t device_port; /* where devices send to; 0: straight to `port` */
    const char *const
        *device_args; /* further arguments of every device, NULL-terminated, or NULL */
    unsigned devices;
    struct process server;
    struct process device[HARNESS_DEVICES_MAX];
};

/* Makes the folder, the data sets and `devices` enrolled devices "d0", "d1", … Fails the test on any
 * problem, as all functions here do. */
void world_open(struct world *world, unsigned devices);

/* The two halves of world_open, for a test that wants its state elsewhere: it sets world->state in
 * between. */
void world_prepare(struct world *world, unsigned devices);
void world_enroll(struct world *world);

/* Ends every process, checks that none died of a signal that nobody sent, removes the folder. */
void world_close(struct world *world);

/* The same for the world that was opened last, as cmocka wants a teardown. */
int world_teardown(void **state);

/* Starts the coordinator; returns when it serves. The first start chooses the port, later ones keep
 * it. `extra`: further arguments, NULL-terminated, or NULL. */
void server_start(struct world *world, const char *const *extra);
void server_kill(struct world *world);
/* SIGTERM; the exit code. */
int server_stop(struct world *world);

/* Starts device `index` with its own slice of the training set. `key_file`: another than its own, or
 * NULL. */
void device_start(struct world *world, unsigned index, const char *key_file);
/* The same with further arguments, NULL-terminated. */
void device_start_with(struct world *world, unsigned index, const char *key_file,
                       const char *const *extra);
void device_kill(struct world *world, unsigned index);

/* What a device keeps in a file of that name in its folder, up to `capacity` bytes. Returns how many. */
size_t device_file(const struct world *world, unsigned index, const char *name, void *data,
                   size_t capacity);

/* Runs `mycel ARGS… --state STATE` to its end. Exit code; standard output into `out` if not NULL. */
int mycel(const struct world *world, char *out, size_t capacity, const char *const *args);
#define MYCEL(world, ...) mycel((world), NULL, 0, (const char *const[]){__VA_ARGS__, NULL})

/* The same with --json, parsed; the caller frees it with json_decref. */
json_t *mycel_json(const struct world *world, const char *const *args);
#define MYCEL_JSON(world, ...) mycel_json((world), (const char *const[]){__VA_ARGS__, NULL})

/* Creates run "r": `rounds` rounds of `goal` updates, at least `minimum`, with a short pace. */
void run_create(const struct world *world, unsigned rounds, unsigned goal, unsigned minimum,
                const char *deadline);

/* Committed rounds of a shown run. */
unsigned run_committed(json_t *run);

/* `mycel run show --json r` once `rounds` rounds are committed. */
json_t *run_wait(const struct world *world, unsigned rounds);

/* Asserts that in a shown run nobody is counted twice in a round, and that round n made version n. */
void check_counted_once(json_t *run);

/* Starts a program (a path) with these arguments, NULL-terminated; it ends with this process. */
void process_spawn(struct process *process, const char *program, const char *const *args);

/* Waits until new output of the process holds `text`; false after `wait_ms`. */
bool process_expect(struct process *process, const char *text, unsigned wait_ms);

/* SIGKILL and reap; harmless when it is not running. */
void process_kill(struct process *process);

/* Waits for its end; the exit code, or -1 after `wait_ms`. */
int process_wait(struct process *process, unsigned wait_ms);

/* Path of a device's key file. */
void key_path(const struct world *world, unsigned index, char *path, size_t capacity);

void pause_ms(unsigned ms);

#endif
