/* The thread that brings pieces to the other processes and results back. See workers.h. */
#include "sim/training/workers.h"

#include "common/assert.h"
#include "sim/training/worker_message.h"

#include <mycel/error.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAP_SHORT_US 20u /* after something happened */
#define NAP_LONG_US 500u /* the longest while pieces are under way */
#define NAP_IDLE_US 20000u
#define START_NAP_NS 1000000L

/* Parameters that pieces start from; all devices of a round start from the same. */
struct base {
    uint32_t serial; /* 0: none */
    uint32_t params;
    float *values;
};

/* A piece under way; its index is how its messages name it. */
struct errand {
    struct training *training; /* NULL: free */
    uint32_t rank;
};

struct worker {
    uint32_t serials[WORKER_BASES]; /* of the bases that it was sent */
    uint32_t errands;
    atomic_uint pieces; /* done */
};

struct workers {
    struct peers *peers;
    struct trainers *trainers;
    const struct fleet *fleet;
    uint32_t per_worker; /* errands of one worker at most */
    uint32_t under_way;
    uint32_t serial; /* of the newest base */
    struct base bases[WORKER_BASES];
    struct worker *workers; /* by rank; that of rank 0 is not used */
    struct errand *errands;
    uint32_t errand_count;
    uint32_t answers; /* to SCENARIO */
    bool joined;
    atomic_bool ending;
    pthread_t carrier;
};

/* ---- bases -------------------------------------------------------------------------------- */

static bool is_base(const struct base *base, const struct training *training)
{
    return base->serial > 0 && base->params == training->params &&
           memcmp(base->values, training->values, training->params * sizeof(float)) == 0;
}

/* The place of the parameters that the piece starts from. <0: NO_MEMORY. */
static int keep_base(struct workers *w, const struct training *training)
{
    for (uint32_t i = 0; i < WORKER_BASES; i++) {
        uint32_t place = (w->serial - i) % WORKER_BASES; /* newest first */
        if (is_base(&w->bases[place], training)) {
            return (int)place;
        }
    }
    size_t bytes = training->params * sizeof(float);
    float *values = malloc(bytes);
    if (values == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    memcpy(values, training->values, bytes);
    uint32_t serial = ++w->serial;
    struct base *base = &w->bases[serial % WORKER_BASES];
    free(base->values);
    *base = (struct base){.serial = serial, .params = training->params, .values = values};
    return (int)(serial % WORKER_BASES);
}

static int send_base(struct workers *w, uint32_t rank, uint32_t place)
{
    const struct base *base = &w->bases[place];
    uint32_t *sent = &w->workers[rank].serials[place];
    if (*sent == base->serial) {
        return MYCEL_OK;
    }
    const struct worker_message message = {
        .type = WORKER_BASE, .place = place, .params = base->params};
    int rc =
        worker_message_send(w->peers, rank, &message, base->values, base->params * sizeof(float));
    *sent = rc == 0 ? base->serial : 0;
    return rc;
}

/* ---- pieces out --------------------------------------------------------------------------- */

static int send_work(struct workers *w, uint32_t rank, const struct training *training,
                     uint32_t piece)
{
    int place = keep_base(w, training);
    int rc = place < 0 ? place : send_base(w, rank, (uint32_t)place);
    if (rc < 0) {
        return rc;
    }
    struct worker_message message = {.type = WORKER_WORK,
                                     .place = (uint32_t)place,
                                     .piece = piece,
                                     .device = training->device,
                                     .params = training->params,
                                     .plan = training->plan,
                                     .attack_seed = training->attacker.seed,
                                     .attack_round = training->attacker.round};
    message.plan.model = NULL;
    if (training->attacker.spec != NULL) {
        message.attack = *training->attacker.spec;
    }
    const struct peers_part parts[] = {{&message, sizeof message},
                                       {training->model, sizeof training->model},
                                       {training->correction, training->correction != NULL
                                                                  ? training->params * sizeof(float)
                                                                  : 0}};
    return w->peers->send(w->peers, rank, parts, sizeof parts / sizeof parts[0]);
}

static uint32_t free_errand(const struct workers *w)
{
    uint32_t i = 0;
    while (w->errands[i].training != NULL) {
        i++;
        MYCEL_ASSERT(i < w->errand_count);
    }
    return i;
}

static void hand_out(struct workers *w, uint32_t rank, struct training *training)
{
    uint32_t i = free_errand(w);
    if (send_work(w, rank, training, i) < 0) { /* no memory to send it from */
        training_run(training, w->fleet);
        trainers_finish(w->trainers, training);
        return;
    }
    w->errands[i] = (struct errand){training, rank};
    w->workers[rank].errands++;
    w->under_way++;
}

/* Who has the least to do; 0: all have as much as they may. */
static uint32_t least_busy(const struct workers *w)
{
    uint32_t best = 0;
    uint32_t errands = w->per_worker;
    for (uint32_t rank = 1; rank < w->peers->count; rank++) {
        if (w->workers[rank].errands < errands) {
            best = rank;
            errands = w->workers[rank].errands;
        }
    }
    return best;
}

static bool hand_out_all(struct workers *w)
{
    bool any = false;
    for (uint32_t rank = least_busy(w); rank != 0; rank = least_busy(w)) {
        struct training *training = trainers_take(w->trainers);
        if (training == NULL) {
            break;
        }
        hand_out(w, rank, training);
        any = true;
    }
    return any;
}

/* ---- results in --------------------------------------------------------------------------- */

static void take_result(struct workers *w, const struct worker_message *message, const void *body,
                        size_t bytes)
{
    MYCEL_ASSERT(message->type == WORKER_DONE && message->piece < w->errand_count);
    struct errand *errand = &w->errands[message->piece];
    struct training *training = errand->training;
    MYCEL_ASSERT(training != NULL && bytes == training->params * sizeof(float));
    memcpy(training->values, body, bytes);
    training->result = message->result;
    training->status = message->status;
    w->workers[errand->rank].errands--;
    (void)atomic_fetch_add(&w->workers[errand->rank].pieces, 1u);
    w->under_way--;
    errand->training = NULL;
    trainers_finish(w->trainers, training);
}

static bool take_results(struct workers *w)
{
    struct worker_message message;
    struct peers_message received;
    const void *body;
    size_t bytes;
    bool any = false;
    while (worker_message_receive(w->peers, &message, &received, &body, &bytes) == 1) {
        take_result(w, &message, body, bytes);
        free(received.data);
        any = true;
    }
    return any;
}

static void *carry(void *user)
{
    struct workers *w = user;
    uint32_t nap_us = NAP_SHORT_US;
    while (!atomic_load(&w->ending)) {
        uint64_t news = trainers_news(w->trainers);
        bool busy = take_results(w);
        busy = hand_out_all(w) || busy;
        if (busy) {
            nap_us = NAP_SHORT_US;
            continue;
        }
        trainers_nap(w->trainers, news, nap_us);
        uint32_t longest_us = w->under_way > 0 ? NAP_LONG_US : NAP_IDLE_US;
        nap_us = 2u * nap_us < longest_us ? 2u * nap_us : longest_us;
    }
    return NULL;
}

/* ---- a run -------------------------------------------------------------------------------- */

static void tell_all(struct peers *peers, const struct worker_message *message, const void *body,
                     size_t bytes)
{
    for (uint32_t rank = 1; rank < peers->count; rank++) {
        if (worker_message_send(peers, rank, message, body, bytes) < 0) {
            abort(); /* the others would wait for ever; mpirun ends them all */
        }
    }
}

int workers_begin(struct workers **out, struct peers *peers, const struct scenario *scenario)
{
    struct workers *w = calloc(1, sizeof *w);
    uint32_t per_worker = WORKER_PIECES_PER_THREAD * scenario->threads;
    uint32_t errands = (peers->count - 1u) * per_worker;
    struct worker *workers = calloc(peers->count, sizeof *workers);
    struct errand *list = calloc(errands, sizeof *list);
    if (w == NULL || workers == NULL || list == NULL) {
        free(w);
        free(workers);
        free(list);
        return MYCEL_E_NO_MEMORY;
    }
    w->peers = peers;
    w->per_worker = per_worker;
    w->workers = workers;
    w->errands = list;
    w->errand_count = errands;
    struct worker_message message = {.type = WORKER_SCENARIO};
    worker_kernels(message.kernels);
    tell_all(peers, &message, scenario, sizeof *scenario);
    *out = w;
    return MYCEL_OK;
}

/* One answer to SCENARIO. 0: ready; else why not, in `problem`. */
static int wait_for_one(struct workers *w, char *problem)
{
    const struct timespec nap = {0, START_NAP_NS};
    struct worker_message message;
    struct peers_message received;
    const void *body;
    size_t bytes;
    int rc = worker_message_receive(w->peers, &message, &received, &body, &bytes);
    while (rc == 0) {
        (void)nanosleep(&nap, NULL);
        rc = worker_message_receive(w->peers, &message, &received, &body, &bytes);
    }
    w->answers++;
    if (rc < 0) {
        return rc;
    }
    if (message.type != WORKER_READY) {
        (void)snprintf(problem, SCENARIO_PROBLEM_BYTES, "rank %u: %.*s", received.from, (int)bytes,
                       (const char *)body);
    }
    free(received.data);
    return message.type == WORKER_READY ? MYCEL_OK : MYCEL_E_STATE;
}

int workers_join(struct workers *w, struct trainers *trainers, const struct fleet *fleet,
                 char *problem)
{
    int status = MYCEL_OK;
    while (w->answers + 1u < w->peers->count) {
        int rc = wait_for_one(w, problem);
        status = rc < 0 ? rc : status;
    }
    if (status < 0) {
        return status;
    }
    w->trainers = trainers;
    w->fleet = fleet;
    if (pthread_create(&w->carrier, NULL, carry, w) != 0) {
        return MYCEL_E_NO_MEMORY;
    }
    w->joined = true;
    return MYCEL_OK;
}

uint32_t workers_pieces(struct workers *w, uint32_t rank)
{
    return atomic_load(&w->workers[rank].pieces);
}

uint32_t workers_ranks(const struct workers *w)
{
    return w->peers->count;
}

void workers_end(struct workers *w)
{
    if (w == NULL) {
        return;
    }
    while (w->answers + 1u < w->peers->count) { /* the run ended before it began */
        char problem[SCENARIO_PROBLEM_BYTES];
        (void)wait_for_one(w, problem);
    }
    if (w->joined) {
        atomic_store(&w->ending, true);
        (void)pthread_join(w->carrier, NULL);
        MYCEL_ASSERT(w->under_way == 0);
    }
    const struct worker_message message = {.type = WORKER_END};
    tell_all(w->peers, &message, NULL, 0);
    for (uint32_t i = 0; i < WORKER_BASES; i++) {
        free(w->bases[i].values);
    }
    free(w->workers);
    free(w->errands);
    free(w);
}

void workers_dismiss(struct peers *peers)
{
    const struct worker_message message = {.type = WORKER_QUIT};
    tell_all(peers, &message, NULL, 0);
}
