/*
 * A device gets another key over its own session: POST /k is a write on the store's thread; its answer waits
 * until the roster has the key, so that the device gets in with it at its first try. The first request
 * with it makes it the only one (access.c). It must never log a secret.
 *
 *   rekey_handle -> write -> finish -> access_wait -> ready -> answer
 */
#include "server/daemon/shell.h"

#include "proto/wire.h"

#include <stdlib.h>
#include <string.h>

struct rekey {
    struct shell_write write; /* first */
    struct access_waiter waiter;
    net_reply_id reply;
    uint32_t device;
    uint64_t wall_ms;
    uint8_t share[PROTO_SHARE_BYTES];  /* the device's half … */
    uint8_t answer[PROTO_SHARE_BYTES]; /* … and ours */
};

static void rekey_free(struct rekey *r)
{
    explicit_bzero(r, sizeof *r);
    free(r);
}

static void drop(struct shell_write *write)
{
    rekey_free((struct rekey *)(void *)write);
}

static int run(struct store *store, struct store_job *job)
{
    struct rekey *r = (struct rekey *)(void *)job;
    return store_rotate_give(store, r->device, r->share, r->wall_ms, r->answer);
}

static void answer(struct shell *shell, const struct rekey *r)
{
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    mycel_Rekeyed message = mycel_Rekeyed_init_zero;
    memcpy(message.share, r->answer, sizeof message.share);
    int n = WIRE_ENCODE(mycel_Rekeyed, &message, payload, sizeof payload);
    reply_message(shell, r->reply, NET_CODE(2, 4), payload, n);
    explicit_bzero(payload, sizeof payload);
    explicit_bzero(&message, sizeof message);
}

static void ready(struct shell *shell, struct access_waiter *waiter, bool loaded)
{
    struct rekey *r = (struct rekey *)(void *)((char *)waiter - offsetof(struct rekey, waiter));
    if (shell && loaded) {
        answer(shell, r);
    } else if (shell) {
        reply_busy(shell, r->reply);
    }
    rekey_free(r);
}

static void finish(struct shell *shell, struct shell_write *write)
{
    struct rekey *r = (struct rekey *)(void *)write;
    if (shell->closing) {
        rekey_free(r);
        return;
    }
    if (write->job.result == MYCEL_OK && access_wait(shell, &r->waiter) == MYCEL_OK) {
        return;
    }
    if (write->job.result == MYCEL_E_NOT_FOUND) {
        reply_problem(shell, r->reply, NET_CODE(4, 4), MYCEL_E_NOT_FOUND, "no other key is due");
    } else {
        reply_busy(shell, r->reply);
    }
    rekey_free(r);
}

void rekey_handle(struct shell *shell, const struct net_request *request)
{
    mycel_Rekey message;
    const struct roster_entry *entry = access_device(shell, request);
    if (!entry) {
        reply_problem(shell, request->reply, NET_CODE(4, 3), MYCEL_E_REVOKED, NULL);
        return;
    }
    if (WIRE_DECODE(mycel_Rekey, &message, request->payload, request->payload_bytes) < 0) {
        reply_problem(shell, request->reply, NET_CODE(4, 0), MYCEL_E_MALFORMED, NULL);
        return;
    }
    if (!access_wants_key(shell, entry->device) || request->key != entry->generation) {
        reply_problem(shell, request->reply, NET_CODE(4, 4), MYCEL_E_NOT_FOUND,
                      "no other key is due");
        return;
    }
    struct rekey *r = calloc(1, sizeof *r);
    if (!r) {
        reply_busy(shell, request->reply);
        return;
    }
    r->write.job.run = run;
    r->write.job.writes = true;
    r->write.finish = finish;
    r->write.drop = drop;
    r->waiter.ready = ready;
    r->reply = request->reply;
    r->device = entry->device;
    r->wall_ms = shell_wall_ms();
    memcpy(r->share, message.share, sizeof r->share);
    explicit_bzero(&message, sizeof message);
    if (shell_write_access(shell, &r->write) < 0) {
        reply_busy(shell, r->reply);
        rekey_free(r);
    }
}
