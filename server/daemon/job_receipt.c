/* Receipts that are no longer in memory, read for devices that ask again. */
#include "server/daemon/job.h"

#include <stdlib.h>
#include <string.h>

struct receipt_job {
    struct job job;
    net_reply_id reply; /* 0: only for the cache */
    struct engine_action_lookup lookup;
    uint8_t receipt[PROTO_MESSAGE_BYTES_MAX];
    size_t bytes;
};

int receipt_of(struct store *reader, const struct engine_action_lookup *lookup,
               uint8_t receipt[PROTO_MESSAGE_BYTES_MAX], size_t *bytes)
{
    uint8_t digest[PROTO_SHA256_BYTES];
    struct store_lease lease;
    int rc = store_lease_get(reader, lookup->key, &lease);
    if (rc == 0 && lease.device != lookup->device) {
        rc = MYCEL_E_NOT_FOUND; /* somebody else's key */
    }
    if (rc == 0) {
        rc = store_receipt(reader, lookup->key, receipt, PROTO_MESSAGE_BYTES_MAX, bytes, digest);
    }
    if (rc == 0 && lookup->digest_set && memcmp(digest, lookup->digest, sizeof digest) != 0) {
        rc = MYCEL_E_CONFLICT;
    }
    return rc;
}

static int run_receipt(struct job *base)
{
    struct receipt_job *job = (struct receipt_job *)base;
    struct store *reader;
    int rc = shell_reader(base->shell, &reader);
    if (rc < 0) {
        return rc;
    }
    rc = receipt_of(reader, &job->lookup, job->receipt, &job->bytes);
    store_close(reader);
    return rc;
}

static void answer_receipt(struct shell *shell, const struct receipt_job *job, int status)
{
    if (status == MYCEL_E_NOT_FOUND) {
        reply_problem(shell, job->reply, NET_CODE(4, 3), MYCEL_E_LEASE, NULL);
    } else if (status == MYCEL_E_CONFLICT) {
        reply_problem(shell, job->reply, NET_CODE(4, 9), MYCEL_E_CONFLICT, NULL);
    } else if (status < 0) {
        reply_busy(shell, job->reply);
    } else {
        reply_receipt_bytes(shell, job->reply,
                            job->lookup.digest_set ? NET_CODE(2, 4) : NET_CODE(2, 5), job->receipt,
                            job->bytes);
    }
}

static void done_receipt(struct job *base)
{
    struct receipt_job *job = (struct receipt_job *)base;
    struct shell *shell = base->shell;
    if (base->status == 0 || base->status == MYCEL_E_NOT_FOUND) {
        receipt_cache_put(&shell->receipts, job->lookup.device, job->lookup.key, job->receipt,
                          base->status == 0 ? job->bytes : 0, shell_now_ms());
    }
    if (job->reply != 0 && !shell->closing) {
        answer_receipt(shell, job, base->status);
    }
    free(job);
}

int job_receipt(struct shell *shell, const struct engine_action_lookup *lookup, net_reply_id reply)
{
    struct receipt_job *job = calloc(1, sizeof *job);
    if (!job) {
        return MYCEL_E_NO_MEMORY;
    }
    job->job.run = run_receipt;
    job->job.done = done_receipt;
    job->reply = reply;
    job->lookup = *lookup;
    int rc = job_start(shell, &job->job, false);
    if (rc < 0) {
        free(job);
    }
    return rc;
}
