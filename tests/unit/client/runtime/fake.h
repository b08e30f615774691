/*
 * A whole world for one client, in memory and in virtual time: a coordinator that keeps the protocol, a
 * network that loses and delays, a disk that forgets what was not synced and can cut the power at any
 * operation, a trainer whose result is known. Tests turn the knobs; nothing here judges the client.
 */
#ifndef TEST_CLIENT_FAKE_H
#define TEST_CLIENT_FAKE_H

#include "client/runtime/internal.h"

#include <setjmp.h>

#define FAKE_PARAMS_MAX 40000u
#define FAKE_BODY_MAX (FAKE_PARAMS_MAX * 4u + 256u)
#define FAKE_QUEUE 32u
#define FAKE_SENDS_MAX 4096u

enum fake_code {
    CODE_2_04 = 0x44,
    CODE_2_05 = 0x45,
    CODE_2_31 = 0x5F,
    CODE_4_03 = 0x83,
    CODE_4_04 = 0x84,
    CODE_4_08 = 0x88,
    CODE_5_03 = 0xA3
};

struct fake_packet {
    bool used;
    uint64_t due_ms;
    uint32_t generation;
    struct mycel_response response;
    uint8_t payload[1100];
    size_t payload_bytes;
};

/* What one request looked like, for tests that check pace and content. */
struct fake_send {
    uint64_t at_ms;
    enum mycel_method method;
    char resource; /* 'c', 'm', 'u' */
    uint32_t block;
    bool more;
    uint8_t szx;
};

struct fake_world;
/* Sees every answer before it is sent and may change it (payload: up to 1,100 bytes). */
typedef void (*fake_tamper_fn)(struct fake_world *w, const struct mycel_request *request,
                               struct mycel_response *response, uint8_t *payload);

struct fake_net {
    struct fake_packet queue[FAKE_QUEUE];
    uint32_t generation[MYCEL_REQUEST_SLOTS];
    bool open;
    unsigned opens;
    uint32_t messages;     /* requests and answers so far */
    uint32_t lose_message; /* number of the one that gets lost, from 1; 0: none */
    uint32_t loss_percent;
    uint32_t delay_min_ms;
    uint32_t delay_max_ms;
    uint32_t seed;
    bool duplicate; /* every request reaches the coordinator twice */
    bool forgotten; /* nothing gets through in this session: the coordinator was restarted */
    bool dead;      /* nothing gets through in either direction */
    int open_error;
    int send_error;
    int receive_error;
    int send_refusals;                      /* so many sends are answered "not now" */
    struct fake_send sends[FAKE_SENDS_MAX]; /* a ring */
    uint32_t send_count;
};

struct fake_coordinator {
    mycel_Lease lease;
    mycel_Window window; /* for check-ins without work, and in receipts */
    bool has_work;
    uint8_t model[FAKE_PARAMS_MAX * 4u];
    uint8_t control[FAKE_PARAMS_MAX * 4u + PROTO_CONTROL_HEAD_BYTES];
    uint8_t patch[FAKE_PARAMS_MAX * 4u]; /* served while the lease names one … */
    bool patch_gone;                     /* … and it is there */
    uint32_t blob_bytes;                 /* given out in blocks of models and patches */
    uint8_t model_szx;
    uint8_t body[FAKE_BODY_MAX];
    bool have[FAKE_BODY_MAX / 16u + 1u]; /* each 16 bytes */
    uint32_t block_bytes;                /* of the latest block */
    uint32_t body_bytes;                 /* of the partial body; 0: nothing known */
    uint32_t forget_at;                  /* forgets the partial body when that many PUTs came */
    uint32_t puts;
    bool done; /* a receipt was given */
    int32_t status;
    bool late;
    uint8_t digest[32];
    uint8_t first_body[FAKE_BODY_MAX]; /* as first completed */
    uint32_t first_bytes;
    unsigned commits; /* complete bodies that were new */
    unsigned checkins;
    mycel_CheckIn last_checkin;
    fake_tamper_fn tamper;
};

struct fake_file {
    uint8_t data[FAKE_BODY_MAX];
    uint32_t bytes;
};

struct fake_disk {
    struct fake_file now[MYCEL_AREA_COUNT];
    struct fake_file safe[MYCEL_AREA_COUNT]; /* what survives */
    uint32_t operations;                     /* that change something */
    uint32_t cut_before; /* the power goes before operation number …; 0: never */
    uint32_t cut_after;
    bool keeps_unsynced; /* after a cut: unsynced writes survived anyway */
    int error;           /* returned by every changing operation when negative */
    jmp_buf power;
};

struct fake_trainer {
    float weights[FAKE_PARAMS_MAX];
    uint32_t params;
    uint32_t samples;
    uint32_t steps_left;
    uint32_t steps_total;
    bool prepared;
    unsigned prepares;
    unsigned releases;
    unsigned completed; /* trainings that came to their end */
    int prepare_error;
    uint32_t prepare_column;
    float loss;
    float correction[FAKE_PARAMS_MAX];
    uint32_t corrected; /* parameters that were, since prepare */
    bool control;       /* as the plan said */
    float poison;       /* added to weight 5 after training */
};

struct fake_world {
    uint64_t now_ms;
    struct fake_net net;
    struct fake_coordinator coordinator;
    struct fake_disk disk;
    struct fake_trainer trainer;
    struct mycel_client client;
    struct mycel_client_config config;
    struct mycel_port port;
    uint64_t scratch[MYCEL_CLIENT_SCRATCH_BYTES / 8u];
    uint64_t random;
    bool idle;
    unsigned events[MYCEL_EVENT_REKEYED + 1];
    struct mycel_event last_event;
    int last_problem;
    uint32_t last_column;
    unsigned polls;
    unsigned polls_per_ms; /* in the current millisecond */
};

/* One world at a time; starts with a lease of `params` parameters and `codec` waiting. */
struct fake_world *fake_world(uint32_t params, enum codec_id codec);
/* As fake_world, but the coordinator and the disk stay: a reboot. */
void fake_reboot(struct fake_world *w);
/* The coordinator has another lease to give, for the round after this one. */
void fake_next_round(struct fake_world *w);
/* Polls until the state is reached or virtual time runs out. Fails the test on a tight loop. */
bool fake_run_until(struct fake_world *w, enum mycel_client_state state, uint64_t ms);
/* Polls for that long. */
void fake_run(struct fake_world *w, uint64_t ms);
/* Runs until the coordinator gave its receipt and the client sleeps again. */
bool fake_run_round(struct fake_world *w, uint64_t ms);

/* One power cut in a round. */
struct fake_cut {
    uint32_t operation; /* of those that change the disk, from 1 */
    bool after;         /* it, or before it */
    bool keeps_unsynced;
};

/* Runs a round with that cut, a reboot, and the rest of the round if there is any; fails the test if that does
 * not end it. False: the round has fewer operations. */
bool fake_run_cut_round(struct fake_world *w, const struct fake_cut *cut, uint64_t ms);

/* Runs a scenario with every cut until it says that there was none: before and after each operation, with and
 * without the unsynced writes. Fails the test if its operations are not from `least` to `most`. */
void fake_cut_everywhere(bool (*run)(const struct fake_cut *cut), uint32_t least, uint32_t most);

extern const struct mycel_transport fake_transport;
extern const struct mycel_store fake_store;
extern const struct mycel_trainer fake_trainer_table;
void fake_answer(struct fake_world *w, const struct mycel_request *request,
                 struct mycel_response *response, uint8_t *payload);
uint64_t fake_net_due(const struct fake_world *w);

#endif
