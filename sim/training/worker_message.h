/*
 * What rank 0 and the processes that train for it tell each other. Both run the same program on machines
 * of the same kind, so a message is a struct as it lies in memory, with what belongs to it behind it.
 *
 *   rank 0                       the others
 *   SCENARIO  the scenario  ->   build the same fleet
 *                           <-   READY, or FAILED with words
 *   BASE      parameters    ->   keep them in a place
 *   WORK      the model's text, then SCAFFOLD's correction if there is one
 *                           ->   train one device from the parameters in a place
 *                           <-   DONE, trained parameters
 *   END                     ->   forget the fleet; another SCENARIO may come
 *   QUIT                    ->   leave
 */
#ifndef MYCEL_SIM_TRAINING_WORKER_MESSAGE_H
#define MYCEL_SIM_TRAINING_WORKER_MESSAGE_H

#include "sim/training/peers.h"
#include "sim/training/training.h"

#define WORKER_BASES                                                                               \
    8u /* parameters that a worker keeps: those of the last versions trained from */
#define WORKER_PIECES_PER_THREAD 2u /* under way to a worker: one is trained, the next one waits */
#define WORKER_KERNELS_BYTES 16u

enum worker_message_type {
    WORKER_SCENARIO = 1,
    WORKER_READY,
    WORKER_FAILED,
    WORKER_BASE,
    WORKER_WORK,
    WORKER_DONE,
    WORKER_END,
    WORKER_QUIT,
};

/* The head of each message; what a type does not speak of is 0. */
struct worker_message {
    uint32_t type;
    uint32_t place;                   /* BASE, WORK: of the base, below WORKER_BASES */
    uint32_t piece;                   /* WORK; its DONE repeats it */
    uint32_t device;                  /* WORK */
    uint32_t params;                  /* BASE, WORK, DONE */
    int32_t status;                   /* DONE */
    struct mycel_train_result result; /* DONE */
    struct mycel_plan plan;           /* WORK; the model's text is what follows */
    struct attack_spec attack;        /* WORK: of the attacker; ATTACK_NONE: it is honest */
    uint64_t attack_seed;
    uint32_t attack_round;
    char kernels[WORKER_KERNELS_BYTES]; /* SCENARIO, READY: a result's bits depend on them */
};

/* Sends a head and `bytes` bytes behind it. As peers->send. */
int worker_message_send(struct peers *peers, uint32_t to, const struct worker_message *message,
                        const void *body, size_t bytes);

/* The next message: 1 with *message, and *body in *received, which the caller frees; 0: none; <0 as
 * peers->receive. */
int worker_message_receive(struct peers *peers, struct worker_message *message,
                           struct peers_message *received, const void **body, size_t *bytes);

/* The name of the kernels that trainings use on this machine. */
void worker_kernels(char out[WORKER_KERNELS_BYTES]);

#endif
