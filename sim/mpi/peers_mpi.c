/*
 * Messages by Open MPI, as a plugin of its own so that nothing else has to link it. Messages are sent
 * without waiting (MPI_Isend) from a copy that lives until the receiver has it; two messages from one
 * process to another stay in order because they share a communicator and a tag (MPI 3.1, 3.5).
 */
#include "sim/training/peers.h"

#include <mycel/error.h>

#include <limits.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG 0

struct sent {
    struct sent *next;
    MPI_Request request;
    unsigned char bytes[];
};

struct peers_mpi {
    struct peers base;
    struct sent *sent; /* not yet all out */
};

static struct peers_mpi *self(struct peers *peers)
{
    return (struct peers_mpi *)(void *)peers; /* base is the first member */
}

/* Frees the messages that are out; with `wait`, all of them, once they are. */
static void finish_sent(struct peers_mpi *m, bool wait)
{
    struct sent **at = &m->sent;
    while (*at != NULL) {
        struct sent *sent = *at;
        int done = 1;
        if (wait) {
            (void)MPI_Wait(&sent->request, MPI_STATUS_IGNORE);
        } else {
            (void)MPI_Test(&sent->request, &done, MPI_STATUS_IGNORE);
        }
        if (done != 0) {
            *at = sent->next;
            free(sent);
        } else {
            at = &sent->next;
        }
    }
}

static int send_parts(struct peers *peers, uint32_t to, const struct peers_part *parts,
                      size_t count)
{
    struct peers_mpi *m = self(peers);
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += parts[i].bytes;
    }
    if (bytes > INT_MAX) {
        return MYCEL_E_TOO_LARGE;
    }
    struct sent *sent = malloc(sizeof *sent + bytes);
    if (sent == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].bytes > 0) {
            memcpy(sent->bytes + at, parts[i].data, parts[i].bytes);
        }
        at += parts[i].bytes;
    }
    finish_sent(m, false);
    (void)MPI_Isend(sent->bytes, (int)bytes, MPI_BYTE, (int)to, TAG, MPI_COMM_WORLD,
                    &sent->request);
    sent->next = m->sent;
    m->sent = sent;
    return MYCEL_OK;
}

static int receive(struct peers *peers, struct peers_message *message)
{
    MPI_Status status;
    int here = 0;
    int bytes = 0;
    finish_sent(self(peers), false);
    (void)MPI_Iprobe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &here, &status);
    if (here == 0) {
        return 0;
    }
    (void)MPI_Get_count(&status, MPI_BYTE, &bytes);
    message->from = (uint32_t)status.MPI_SOURCE;
    message->bytes = (size_t)bytes;
    message->data = malloc((size_t)bytes + 1u);
    if (message->data == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    (void)MPI_Recv(message->data, bytes, MPI_BYTE, status.MPI_SOURCE, TAG, MPI_COMM_WORLD,
                   MPI_STATUS_IGNORE);
    return 1;
}

static void close_peers(struct peers *peers)
{
    finish_sent(self(peers), true);
    (void)MPI_Finalize();
    free(peers);
}

__attribute__((visibility("default"))) int mycel_peers_open(struct peers **out, char *problem);

/* Errors of MPI itself end all processes with Open MPI's message: MPI_ERRORS_ARE_FATAL is its default. */
int mycel_peers_open(struct peers **out, char *problem)
{
    int provided = MPI_THREAD_SINGLE;
    int rank = 0;
    int count = 1;
    (void)MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &count);
    struct peers_mpi *m = calloc(1, sizeof *m);
    if (m == NULL || provided < MPI_THREAD_SERIALIZED || (unsigned)count > PEERS_COUNT_MAX) {
        (void)snprintf(problem, PEERS_PROBLEM_BYTES,
                       "mpirun: %d processes with thread level %d cannot be used", count, provided);
        free(m);
        (void)MPI_Finalize();
        return MYCEL_E_UNSUPPORTED;
    }
    m->base = (struct peers){.rank = (uint32_t)rank,
                             .count = (uint32_t)count,
                             .send = send_parts,
                             .receive = receive,
                             .close = close_peers};
    *out = &m->base;
    return MYCEL_OK;
}
