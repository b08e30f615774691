/*
 * What the daemon's files share: one struct with everything that lives on the loop's thread (the
 * endpoint's workers, if there are any, see nothing of it but the roster and the log). It is private to
 * this folder. The flow is one way round:
 *
 *   request.c -> engine -> dispatch.c -> reply.c            (answers)
 *                                     -> batch.c -> store   (rows; then what waited for them)
 *                                     -> job_*.c -> pool    (work; its result is an event again)
 */
#ifndef MYCEL_SERVER_DAEMON_SHELL_H
#define MYCEL_SERVER_DAEMON_SHELL_H

#include "server/daemon/access.h"
#include "server/daemon/aggregate.h"
#include "server/daemon/blob_cache.h"
#include "server/daemon/body_cache.h"
#include "server/daemon/daemon.h"
#include "server/daemon/held.h"
#include "server/daemon/receipt_cache.h"
#include "server/daemon/record.h"
#include "server/daemon/roster.h"
#include "server/daemon/run_table.h"
#include "server/daemon/ticket.h"
#include "server/engine/engine.h"
#include "server/eval/eval.h"
#include "server/net/net.h"
#include "server/store/store.h"
#include "server/store/store_thread.h"

#include <uv.h>

/* With so many writes on their way devices are answered 5.03: those that want a key, and those that check
 * in. The rest of the queue is for what has no way back, as an engine whose rows are refused starts over. */
#define SHELL_WRITES_ACCESS 512u
#define SHELL_WRITES_CHECKIN 1024u

#define SHELL_JOBS_MAX 512u /* devices' jobs on the pool or waiting for it; then 5.03 */

/* What the log says about a batch beyond its rows. */
struct batch_facts {
    size_t body_bytes;
};

struct shell;

/* A write of the shell's on the store's thread: whoever submits it embeds this struct first. */
struct shell_write {
    struct store_job job;                                           /* first */
    void (*finish)(struct shell *shell, struct shell_write *write); /* on the loop; frees it */
    void (*drop)(struct shell_write *write); /* frees it unseen, when the daemon ends */
};

struct shell {
    const struct daemon_options *options;
    struct log log;
    uv_loop_t loop;
    uv_timer_t wake;       /* the engine's WAKE_AT */
    uv_async_t store_news; /* from the store's thread */
    uv_signal_t on_term;
    uv_signal_t on_int;
    uv_signal_t on_hup;
    bool closing;
    int status; /* why the daemon ends: 0 or MYCEL_E_* */

    struct net *net;
    struct engine *engine;
    void *engine_memory;
    struct record *record; /* NULL: no event log */
    bool record_ended;     /* it could not be written any more, which was said */
    struct store_thread *store;
    struct eval_set *eval; /* NULL: versions are not scored */
    struct root_set root;

    struct access access; /* who may connect */
    struct run_table runs;
    struct ticket_table tickets;              /* requests and bodies that wait for an answer */
    struct held_queue held;                   /* actions that wait for a batch */
    uint8_t scratch[PROTO_MESSAGE_BYTES_MAX]; /* payload of a refused admission, until the next */
    struct blob_cache blobs;
    struct body_cache bodies;
    struct receipt_cache receipts;
    uint32_t jobs;               /* on the pool or waiting for it */
    uint32_t batches;            /* on their way to the disk */
    struct download *downloads;  /* blobs that are being read for devices (job_download.c) */
    bool reloading;              /* a reload job is under way … */
    bool reload_again;           /* … and something changed meanwhile … */
    bool reload_runs;            /* … or is to be read first: about runs, too */
    uv_timer_t reload;           /* tries again what has failed */
    uint32_t reload_failures;    /* in a row */
    struct store *reload_reader; /* kept from one reload to the next; NULL: none, or a job has it */
    bool rebuilding;             /* the engine is being built anew from the store */
    uv_timer_t rebuild;
    uint32_t rebuild_failures; /* in a row */
    uint64_t durable;          /* newest batch on disk */
};

/* --- dispatch.c: one event in, its actions carried out or held -------------------------------- */
uint64_t shell_now_ms(void);  /* monotonic */
uint64_t shell_wall_ms(void); /* since 1970 */
/* The engine's error when it refused the event; it is logged. */
int shell_step(struct shell *shell, struct engine_event *event);
/* A step whose reply is given to the caller instead of to a ticket. */
int shell_query(struct shell *shell, struct engine_event *event, struct engine_action *answer);
void shell_durable(struct shell *shell, uint64_t batch);

/* --- rebuild.c: the engine starts over from what is on disk ------------------------------------- */
/* reason: why the store refused a batch, or OK when an operator has changed a run's versions. */
void shell_rebuild(struct shell *shell, int reason);

/* --- request.c: what the endpoint hands over -------------------------------------------------- */
void request_handle(void *user, const struct net_request *request);
int request_admit(void *user, const struct net_request *request, uint64_t bytes,
                  struct net_response *refusal);

/* --- enrol.c: one-time tokens become devices --------------------------------------------------- */
void enrol_handle(struct shell *shell, const struct net_request *request);
/* A device has come with its own key: the token that made it, if there is one, is spent. */
void enrol_confirm(struct shell *shell, const struct roster_entry *entry);

/* --- rekey.c: devices get another key ------------------------------------------------------------ */
void rekey_handle(struct shell *shell, const struct net_request *request);

/* --- reply.c: what a device is told; these take the ticket's reply id ------------------------- */
void reply_action(struct shell *shell, const struct engine_action *action);
void reply_problem(struct shell *shell, net_reply_id id, uint8_t code, int reason,
                   const char *text);
void reply_busy(struct shell *shell, net_reply_id id);
/* A message of proto/ that took so many bytes; an error instead of them: 5.03. */
void reply_message(struct shell *shell, net_reply_id id, uint8_t code, const uint8_t *payload,
                   int bytes);
/* The same to an upload, whose body (from malloc, may be NULL) goes back to the endpoint: the device
 * sends its last block again, and no other. */
void reply_busy_body(struct shell *shell, net_reply_id id, uint8_t *body);
void reply_receipt_bytes(struct shell *shell, net_reply_id id, uint8_t code, const void *receipt,
                         size_t bytes);
/* 5.03: ask again in a second. */
struct net_response reply_of_busy(void);
/* Code and payload for a refusal; the payload is written to `out`. */
void reply_fill_problem(struct net_response *response, const struct engine_action_problem *problem,
                        uint8_t *out, size_t cap);

/* --- batch.c: rows of one step, one transaction ----------------------------------------------- */
int batch_submit(struct shell *shell, const struct engine_actions *actions);

/* --- daemon.c ---------------------------------------------------------------------------------- */
/* Queues a write; on an error it is still the caller's. */
int shell_write(struct shell *shell, struct shell_write *write);
/* The same for who may connect: BUSY much earlier. */
int shell_write_access(struct shell *shell, struct shell_write *write);

/* --- narrate.c: tells the log what has become durable ------------------------------------------- */
void narrate(struct shell *shell, const struct engine_action *row, const struct batch_facts *facts);

/* --- jobs on the pool ------------------------------------------------------------------------- */
int job_verify(struct shell *shell, uint64_t tag);
int job_aggregate(struct shell *shell, const struct engine_action_aggregate *aggregate);
int job_evaluate(struct shell *shell, const struct engine_action_evaluate *evaluate);
/* Answers with the model or patch of that hash, at once if it is in memory. */
void job_download(struct shell *shell, const uint8_t sha256[PROTO_SHA256_BYTES],
                  net_reply_id reply);
int job_receipt(struct shell *shell, const struct engine_action_lookup *lookup, net_reply_id reply);
int job_reload(struct shell *shell);        /* what somebody else has changed */
int job_reload_access(struct shell *shell); /* what the shell itself has changed about devices */

/* The receipt that the store keeps for a key and device: 0; NOT_FOUND (none, or it is another device's
 * key); CONFLICT (it was given for another body). */
int receipt_of(struct store *reader, const struct engine_action_lookup *lookup,
               uint8_t receipt[PROTO_MESSAGE_BYTES_MAX], size_t *bytes);

/* --- restore.c: the engine is a function of the store ----------------------------------------- */
struct restored {
    void *memory;
    struct engine *engine;
    struct run_table runs;
    struct roster *roster;
};
/* Reads everything and builds an engine that waits for RESTORED; `record` (may be NULL) gets a new
 * start and every row. May block: the store. */
int restore_build(struct store *reader, uint64_t now_ms, uint64_t wall_ms, struct record *record,
                  struct restored *out);
void restore_drop(struct restored *restored);
/* The RUN event that introduces a stored run, and its newest version. */
int restore_run_event(struct store *reader, const struct store_run *run, struct engine_event *event,
                      struct store_version *newest);
/* Puts it in place of the shell's present one and goes on with what was cut off. Its roster may be the
 * present one. */
void restore_adopt(struct shell *shell, struct restored *restored);

/* A read-only connection for a job. Logs what fails. */
int shell_reader(const struct shell *shell, struct store **out);

#endif
