/*
 * One-time tokens become devices: POST /e in a token's session is a write on the store's thread, which
 * decides; its answer waits until a reload has made the device's key known, so that the device gets in
 * at its first try. The device's first check-in spends the token. It must never log a secret.
 *
 *   enrol_handle -> write -> finish -> access_wait -> ready -> answer
 *
 * A crash in between costs the device a repetition: the same request has the same effect again.
 */
#include "server/daemon/shell.h"

#include "proto/enrol.h"
#include "proto/wire.h"

#include <stdlib.h>
#include <string.h>

struct enrolment {
    struct shell_write write; /* first */
    struct access_waiter waiter;
    net_reply_id reply;
    uint64_t wall_ms;
    char identity[PROTO_IDENTITY_BYTES_MAX + 1];
    mycel_Enrol request;
    struct store_enrolment result;
};

static void wipe(void *memory, size_t bytes)
{
    explicit_bzero(memory, bytes);
}

static void enrolment_free(struct enrolment *enrolment)
{
    wipe(enrolment, sizeof *enrolment);
    free(enrolment);
}

static void drop_enrolment(struct shell_write *write)
{
    enrolment_free((struct enrolment *)(void *)write);
}

/* --- the token's session ------------------------------------------------------------------------ */

static int run_enrolment(struct store *store, struct store_job *job)
{
    struct enrolment *e = (struct enrolment *)(void *)job;
    return store_token_use(store, e->identity, e->request.token, e->request.share, e->wall_ms,
                           &e->result);
}

static void answer(struct shell *shell, const struct enrolment *e)
{
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    mycel_Enrolled message = mycel_Enrolled_init_zero;
    memcpy(message.identity, e->result.name, sizeof e->result.name);
    memcpy(message.share, e->result.share, sizeof message.share);
    int n = WIRE_ENCODE(mycel_Enrolled, &message, payload, sizeof payload);
    reply_message(shell, e->reply, NET_CODE(2, 4), payload, n);
    wipe(payload, sizeof payload);
    wipe(&message, sizeof message);
}

/* Whether the device could come with its key already. So it is with a repeated request, and it must not
 * wait for a reload again: in a large fleet that takes longer than a reply may. */
static bool is_known(const struct shell *shell, const struct enrolment *e)
{
    uint8_t key[PROTO_PSK_BYTES];
    const struct roster_entry *entry = roster_get(shell->access.roster, e->result.device);
    enrol_device_key(e->request.share, e->result.share, key);
    bool known =
        entry && entry->psk_bytes == sizeof key && memcmp(entry->psk, key, sizeof key) == 0;
    wipe(key, sizeof key);
    return known;
}

static void ready(struct shell *shell, struct access_waiter *waiter, bool loaded)
{
    struct enrolment *e =
        (struct enrolment *)(void *)((char *)waiter - offsetof(struct enrolment, waiter));
    if (shell && loaded) {
        answer(shell, e);
    } else if (shell) {
        reply_busy(shell, e->reply);
    }
    enrolment_free(e);
}

/* True: it is answered, or will be. */
static bool answer_when_known(struct shell *shell, struct enrolment *e)
{
    if (is_known(shell, e)) {
        answer(shell, e);
        enrolment_free(e);
        return true;
    }
    LOG(&shell->log, LOG_INFO, "device_enrolled", log_text("device", e->result.name),
        log_text("token", e->identity));
    return access_wait(shell, &e->waiter) == MYCEL_OK;
}

static void finish_enrolment(struct shell *shell, struct shell_write *write)
{
    struct enrolment *e = (struct enrolment *)(void *)write;
    if (shell->closing) {
        enrolment_free(e);
        return;
    }
    if (write->job.result == MYCEL_OK && answer_when_known(shell, e)) {
        return;
    }
    if (write->job.result == MYCEL_E_NOT_FOUND) {
        LOG(&shell->log, LOG_WARN, "token_refused", log_text("token", e->identity));
        reply_problem(shell, e->reply, NET_CODE(4, 3), MYCEL_E_REVOKED, NULL);
    } else {
        reply_busy(shell, e->reply);
    }
    enrolment_free(e);
}

void enrol_handle(struct shell *shell, const struct net_request *request)
{
    mycel_Enrol message;
    if (!enrol_is_token(request->identity)) {
        reply_problem(shell, request->reply, NET_CODE(4, 3), MYCEL_E_PERMISSION, NULL);
        return;
    }
    if (WIRE_DECODE(mycel_Enrol, &message, request->payload, request->payload_bytes) < 0) {
        reply_problem(shell, request->reply, NET_CODE(4, 0), MYCEL_E_MALFORMED, NULL);
        return;
    }
    struct enrolment *e = calloc(1, sizeof *e);
    if (!e) {
        reply_busy(shell, request->reply);
        return;
    }
    e->write.job.run = run_enrolment;
    e->write.job.writes = true;
    e->write.finish = finish_enrolment;
    e->write.drop = drop_enrolment;
    e->waiter.ready = ready;
    e->reply = request->reply;
    e->wall_ms = shell_wall_ms();
    e->request = message;
    memcpy(e->identity, request->identity, strlen(request->identity) + 1u);
    wipe(&message, sizeof message);
    if (shell_write_access(shell, &e->write) < 0) {
        reply_busy(shell, e->reply);
        enrolment_free(e);
    }
}

/* --- the device's own session ------------------------------------------------------------------- */

struct confirmation {
    struct shell_write write; /* first */
    uint32_t device;
    uint64_t wall_ms;
};

static int run_confirmation(struct store *store, struct store_job *job)
{
    const struct confirmation *c = (const struct confirmation *)(void *)job;
    return store_token_spend(store, c->device, c->wall_ms);
}

static void finish_confirmation(struct shell *shell, struct shell_write *write)
{
    const struct confirmation *c = (const struct confirmation *)(void *)write;
    if (write->job.result == MYCEL_OK && !shell->closing) {
        LOG(&shell->log, LOG_INFO, "token_spent", log_uint("device", c->device));
        job_reload_access(shell);
    } else {
        roster_set_confirming(shell->access.roster, c->device, false); /* its next check-in */
    }
    free(write);
}

static void drop_confirmation(struct shell_write *write)
{
    free(write);
}

void enrol_confirm(struct shell *shell, const struct roster_entry *entry)
{
    if (!entry->unconfirmed || entry->confirming) {
        return;
    }
    struct confirmation *c = calloc(1, sizeof *c);
    if (!c) {
        return; /* the next check-in tries again */
    }
    c->write.job.run = run_confirmation;
    c->write.job.writes = true;
    c->write.finish = finish_confirmation;
    c->write.drop = drop_confirmation;
    c->device = entry->device;
    c->wall_ms = shell_wall_ms();
    roster_set_confirming(shell->access.roster, entry->device, true);
    if (shell_write_access(shell, &c->write) < 0) {
        roster_set_confirming(shell->access.roster, c->device, false);
        free(c);
    }
}
