/*
 * One worker: a thread with a loop and an endpoint on it. It turns the endpoint's questions into
 * letters to the shell, and the letters of others into calls of the endpoint. It must never call the
 * shell, except for keys and log lines.
 *
 *   worker_open -> worker_start -> … worker_close … LETTER_CLOSED -> worker_join -> worker_free
 *        |                                                                              ^
 *        +------------------------ worker_abort (never started) ------------------------+
 *
 * All of these are called by the shell's thread.
 */
#ifndef MYCEL_SERVER_NET_WORKER_H
#define MYCEL_SERVER_NET_WORKER_H

#include "server/net/endpoint.h"

/* A request's id as the shell sees it: the worker's number in bits 24 … 31 of the endpoint's id. */
#define WORKER_REPLY_SHIFT 24u
#define WORKER_REPLY_MASK (UINT64_C(0xFF) << WORKER_REPLY_SHIFT)
_Static_assert(NET_PENDING_MAX <= 1u << WORKER_REPLY_SHIFT, "both fit in an id");

struct worker;

/* Opens loop, mailbox, sockets and endpoint of config->worker, on the calling thread. `config` is
 * complete. Errors: as net_open. */
int worker_open(struct worker **out, struct siblings *siblings, const struct net_config *config);

/* Begins to serve. Errors: NO_MEMORY; the worker is as before. */
int worker_start(struct worker *worker);

/* Closes a worker that was never started. */
void worker_abort(struct worker *worker);

/* Asks a started worker to close its endpoint and to end. */
void worker_close(struct worker *worker);

/* Ends the sessions and handshakes of an identity there. Cannot fail: without memory for the letter
 * the worker ends all of its sessions, and devices that still may come back with a handshake. */
void worker_kick(struct worker *worker, const char *identity, const uint32_t *keep);

/* Hands other certificates over. Errors: NO_MEMORY. */
int worker_renew(struct worker *worker, const struct pem_texts *texts);

/* After its LETTER_CLOSED: waits for the thread's last instructions. */
void worker_join(struct worker *worker);

/* Mailboxes live on, in the siblings. */
void worker_free(struct worker *worker);

uint16_t worker_port(const struct worker *worker);

/* Adds what the worker has counted, as of its latest look at the clock. */
void worker_add_stats(struct worker *worker, struct net_stats *sum);

#endif
