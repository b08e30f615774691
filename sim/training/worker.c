/* A process that trains for rank 0: its main thread passes messages, the others train. See workers.h. */
#include "sim/training/worker_message.h"
#include "sim/training/workers.h"

#include "common/assert.h"

#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAP_SHORT_US 20u /* after something happened */
#define NAP_LONG_US 500u /* the longest during a run */
#define NAP_IDLE_NS 2000000L

struct piece {
    struct training *training; /* NULL: free */
    struct attack_spec attack;
    uint32_t number; /* as rank 0 calls it */
};

struct serving {
    struct peers *peers;
    struct scenario scenario;
    struct fleet fleet;
    struct trainers *trainers; /* NULL: no run */
    float *bases[WORKER_BASES];
    uint32_t base_params[WORKER_BASES];
    struct piece *pieces;
    uint32_t piece_count;
    bool dismissed;
};

/* ---- a run -------------------------------------------------------------------------------- */

static void end_run(struct serving *s)
{
    trainers_close(s->trainers);
    s->trainers = NULL;
    fleet_free(&s->fleet);
    free(s->pieces);
    s->pieces = NULL;
    for (uint32_t i = 0; i < WORKER_BASES; i++) {
        free(s->bases[i]);
        s->bases[i] = NULL;
    }
}

static int build(struct serving *s, char *problem)
{
    int rc = fleet_init(&s->fleet, &s->scenario, problem);
    if (rc < 0) {
        return rc;
    }
    s->piece_count = WORKER_PIECES_PER_THREAD * s->scenario.threads;
    s->pieces = calloc(s->piece_count, sizeof *s->pieces);
    return s->pieces == NULL ? MYCEL_E_NO_MEMORY
                             : trainers_open(&s->trainers, &s->fleet,
                                             s->scenario.threads + 1u); /* and this one */
}

/* Whether this process can stand in for rank 0. */
static int check_likeness(const char *wanted, size_t bytes, char *problem)
{
    char kernels[WORKER_KERNELS_BYTES];
    worker_kernels(kernels);
    if (bytes != sizeof(struct scenario)) {
        (void)snprintf(problem, SCENARIO_PROBLEM_BYTES, "it runs another version of mycel");
        return MYCEL_E_VERSION;
    }
    if (strncmp(kernels, wanted, sizeof kernels) != 0) {
        (void)snprintf(
            problem, SCENARIO_PROBLEM_BYTES,
            "its processor trains with %s kernels and rank 0's with %.15s: results would "
            "depend on who did what",
            kernels, wanted);
        return MYCEL_E_UNSUPPORTED;
    }
    return MYCEL_OK;
}

static int on_scenario(struct serving *s, const struct worker_message *message, const void *body,
                       size_t bytes)
{
    char problem[SCENARIO_PROBLEM_BYTES] = "";
    int rc = check_likeness(message->kernels, bytes, problem);
    if (rc == 0) {
        memcpy(&s->scenario, body, sizeof s->scenario);
        rc = build(s, problem);
    }
    if (rc < 0 && problem[0] == '\0') {
        (void)snprintf(problem, sizeof problem, "%s", mycel_error_text(rc));
    }
    const struct worker_message answer = {.type = rc < 0 ? WORKER_FAILED : WORKER_READY};
    return worker_message_send(s->peers, 0, &answer, problem, strlen(problem));
}

static int on_base(struct serving *s, const struct worker_message *message, const void *body,
                   size_t bytes)
{
    MYCEL_ASSERT(message->place < WORKER_BASES && bytes == message->params * sizeof(float));
    float *values = malloc(bytes);
    if (values == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    memcpy(values, body, bytes);
    free(s->bases[message->place]);
    s->bases[message->place] = values;
    s->base_params[message->place] = message->params;
    return MYCEL_OK;
}

/* ---- pieces ------------------------------------------------------------------------------- */

static struct piece *free_piece(struct serving *s)
{
    uint32_t i = 0;
    while (s->pieces[i].training != NULL) {
        i++;
        MYCEL_ASSERT(i < s->piece_count); /* rank 0 sends no more than that */
    }
    return &s->pieces[i];
}

static int on_work(struct serving *s, const struct worker_message *message, const char *model,
                   size_t bytes)
{
    const float *base = s->bases[message->place];
    MYCEL_ASSERT(s->trainers != NULL && base != NULL);
    MYCEL_ASSERT(s->base_params[message->place] == message->params);
    struct mycel_plan plan = message->plan;
    plan.model = model;
    struct training *training = training_new(&plan);
    if (training == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    struct piece *piece = free_piece(s);
    *piece = (struct piece){training, message->attack, message->piece};
    training->device = message->device;
    if (piece->attack.kind != ATTACK_NONE) {
        training->attacker = (struct attacker){.spec = &piece->attack,
                                               .seed = message->attack_seed,
                                               .device = message->device,
                                               .round = message->attack_round};
    }
    memcpy(training->values, base, message->params * sizeof(float));
    if (training->correction != NULL) {
        MYCEL_ASSERT(bytes == sizeof training->model + message->params * sizeof(float));
        memcpy(training->correction, model + sizeof training->model,
               message->params * sizeof(float));
    }
    trainers_start(s->trainers, training);
    return MYCEL_OK;
}

static int send_result(struct serving *s, struct piece *piece)
{
    struct training *training = piece->training;
    const struct worker_message message = {.type = WORKER_DONE,
                                           .piece = piece->number,
                                           .params = training->params,
                                           .status = training->status,
                                           .result = training->result};
    int rc = worker_message_send(s->peers, 0, &message, training->values,
                                 training->params * sizeof(float));
    training_free(training);
    piece->training = NULL;
    return rc;
}

/* >0: some were sent. */
static int send_results(struct serving *s)
{
    int sent = 0;
    for (uint32_t i = 0; s->trainers != NULL && i < s->piece_count; i++) {
        struct piece *piece = &s->pieces[i];
        if (piece->training != NULL && trainers_done(s->trainers, piece->training)) {
            int rc = send_result(s, piece);
            if (rc < 0) {
                return rc;
            }
            sent++;
        }
    }
    return sent;
}

/* ---- messages ----------------------------------------------------------------------------- */

static int take_message(struct serving *s, const struct worker_message *message, const void *body,
                        size_t bytes)
{
    switch ((enum worker_message_type)message->type) {
    case WORKER_SCENARIO:
        return on_scenario(s, message, body, bytes);
    case WORKER_BASE:
        return on_base(s, message, body, bytes);
    case WORKER_WORK:
        return on_work(s, message, body, bytes);
    case WORKER_END:
        end_run(s);
        return MYCEL_OK;
    case WORKER_QUIT:
        s->dismissed = true;
        return MYCEL_OK;
    default:
        return MYCEL_E_VERSION; /* another program */
    }
}

/* Everything that has come and that is done; >0: there was something. */
static int look(struct serving *s)
{
    struct worker_message message;
    struct peers_message received;
    const void *body;
    size_t bytes;
    int came = worker_message_receive(s->peers, &message, &received, &body, &bytes);
    if (came > 0) {
        int rc = take_message(s, &message, body, bytes);
        free(received.data);
        came = rc < 0 ? rc : came;
    }
    int sent = came < 0 ? came : send_results(s);
    return sent < 0 ? sent : came + sent;
}

static void nap(struct serving *s, uint64_t news, uint32_t us)
{
    const struct timespec idle = {0, NAP_IDLE_NS};
    if (s->trainers != NULL) {
        trainers_nap(s->trainers, news, us);
    } else {
        (void)nanosleep(&idle, NULL);
    }
}

int worker_serve(struct peers *peers, char *problem)
{
    struct serving *s = calloc(1, sizeof *s);
    int rc = s == NULL ? MYCEL_E_NO_MEMORY : MYCEL_OK;
    uint32_t nap_us = NAP_SHORT_US;
    if (rc == 0) {
        s->peers = peers;
    }
    while (rc >= 0 && !s->dismissed) {
        uint64_t news = s->trainers != NULL ? trainers_news(s->trainers) : 0;
        rc = look(s);
        if (rc > 0) {
            nap_us = NAP_SHORT_US;
        } else if (rc == 0) {
            nap(s, news, nap_us);
            nap_us = 2u * nap_us < NAP_LONG_US ? 2u * nap_us : NAP_LONG_US;
        }
    }
    if (rc < 0) {
        (void)snprintf(problem, SCENARIO_PROBLEM_BYTES, "rank %u: %s", peers->rank,
                       mycel_error_text(rc));
        return rc; /* what it has ends with the process */
    }
    end_run(s);
    free(s);
    return MYCEL_OK;
}
