/*
 * The processes that simulate together: who they are, and messages between any two of them, in order. It
 * owns the transport and nothing else: what a message means is its users' business (worker_message.h).
 *
 * The transport is a plugin (sim/mpi/peers_mpi.c) that is loaded only under `mpirun`: the program itself
 * does not need Open MPI.
 */
#ifndef MYCEL_SIM_TRAINING_PEERS_H
#define MYCEL_SIM_TRAINING_PEERS_H

#include <stddef.h>
#include <stdint.h>

#define PEERS_PROBLEM_BYTES 512u
#define PEERS_COUNT_MAX 4096u

/* One that has arrived; `bytes` bytes at `data`, which the receiver frees with free(). */
struct peers_message {
    uint32_t from;
    size_t bytes;
    void *data;
};

/* One part of a message. */
struct peers_part {
    const void *data;
    size_t bytes;
};

/* Filled in by the plugin. The functions may be called from any thread, but never from two at once. */
struct peers {
    uint32_t rank;  /* of this process; 0 owns the run */
    uint32_t count; /* at least 2 */

    /* Sends the parts as one message; what they point to is copied. Never waits for the receiver.
     * NO_MEMORY, TOO_LARGE. Of a peer that is gone the plugin ends all processes. */
    int (*send)(struct peers *peers, uint32_t to, const struct peers_part *parts, size_t count);

    /* 1: *message is the next one. 0: none has come. NO_MEMORY. Does not wait. Drives sending, too. */
    int (*receive)(struct peers *peers, struct peers_message *message);

    /* Waits until everything sent has left; the process cannot have peers again. */
    void (*close)(struct peers *peers);
};

/* The plugin's only symbol; *out stays NULL when there is nobody else. */
#define PEERS_PLUGIN_SYMBOL "mycel_peers_open"
typedef int (*peers_plugin_fn)(struct peers **out, char *problem);

/* The other processes that this one was started with. *out is NULL when there are none, which is no
 * error. UNSUPPORTED (built without Open MPI, or it cannot be loaded), or what the plugin says, with
 * words in `problem` (PEERS_PROBLEM_BYTES). Blocks until all of them have started. */
int peers_open(struct peers **out, char *problem);
void peers_close(struct peers *peers); /* NULL is allowed */

#endif
