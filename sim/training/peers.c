/* Finds the transport. See peers.h. */
#include "sim/training/peers.h"

#include <mycel/error.h>

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Set by Open MPI's mpirun in every process that it starts. */
#define COUNT_VARIABLE "OMPI_COMM_WORLD_SIZE"

static int refuse(char *problem, const char *what, const char *why)
{
    (void)snprintf(problem, PEERS_PROBLEM_BYTES, "%s: %.300s", what, why);
    return MYCEL_E_UNSUPPORTED;
}

/* Where the plugin is: MYCEL_PEERS_PLUGIN is relative to the program's folder. */
static int plugin_path(char out[PATH_MAX], char *problem)
{
    static const char plugin[] = MYCEL_PEERS_PLUGIN;
    char program[PATH_MAX];
    if (plugin[0] == '\0') {
        return refuse(problem, "mpirun", "mycel was built without Open MPI (libopenmpi-dev)");
    }
    ssize_t bytes = readlink("/proc/self/exe", program, sizeof program - 1u);
    if (bytes <= 0) {
        return refuse(problem, "mpirun", "the program's own folder cannot be found");
    }
    program[bytes] = '\0';
    int n = snprintf(out, PATH_MAX, "%s/%s", dirname(program), plugin);
    return n < PATH_MAX ? MYCEL_OK : refuse(problem, "mpirun", "the program's path is too long");
}

/* Open MPI loads components that look for the library's symbols among the global ones. It stays until
 * the process ends: it cannot be unloaded safely. */
static int load(peers_plugin_fn *open, char *problem)
{
    char path[PATH_MAX];
    int rc = plugin_path(path, problem);
    if (rc < 0) {
        return rc;
    }
    void *plugin = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    void *symbol = plugin != NULL ? dlsym(plugin, PEERS_PLUGIN_SYMBOL) : NULL;
    if (symbol == NULL) {
        return refuse(problem, "mpirun", dlerror());
    }
    memcpy(open, &symbol, sizeof *open); /* POSIX lets both kinds of pointer convert, C does not */
    return MYCEL_OK;
}

int peers_open(struct peers **out, char *problem)
{
    const char *count = getenv(COUNT_VARIABLE);
    *out = NULL;
    if (count == NULL || strcmp(count, "1") == 0) {
        return MYCEL_OK;
    }
    peers_plugin_fn open = NULL;
    int rc = load(&open, problem);
    return rc < 0 ? rc : open(out, problem);
}

void peers_close(struct peers *peers)
{
    if (peers != NULL) {
        peers->close(peers);
    }
}
