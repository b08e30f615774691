/*
 * Models and patches that devices download: from memory, else read by one job on the pool, however many
 * devices ask for the same one at the same time.
 */
#include "server/daemon/job.h"

#include <stdlib.h>
#include <string.h>

/* A request that waits for a blob; there are no more of them than the endpoint has requests. */
struct waiter {
    struct waiter *next;
    net_reply_id reply;
    uint8_t sha256[PROTO_SHA256_BYTES]; /* that it asked for: the blob's, or of a patch in it */
};

struct download {
    struct job job;
    struct download *next;  /* of those under way */
    struct waiter *waiters; /* newest first */
    uint8_t
        blob[PROTO_SHA256_BYTES]; /* what is stored: the model, or the chain that a patch ends */
    void *data;
    size_t bytes;
};

/* --- on the pool ------------------------------------------------------------------------------ */

static int load(struct store *reader, struct download *download)
{
    uint64_t bytes;
    int rc = store_blob_size(reader, download->blob, &bytes);
    if (rc < 0) {
        return rc;
    }
    download->data = malloc(bytes);
    return download->data
               ? store_blob_load(reader, download->blob, download->data, bytes, &download->bytes)
               : MYCEL_E_NO_MEMORY;
}

static int run(struct job *base)
{
    struct store *reader;
    int rc = shell_reader(base->shell, &reader);
    if (rc == 0) {
        rc = load(reader, (struct download *)base);
        store_close(reader);
    }
    return rc;
}

/* --- on the loop ------------------------------------------------------------------------------ */

/* What is in memory under that hash, or can be cut from what is. NULL: nothing. */
static const struct blob_cache_entry *find(struct shell *shell,
                                           const uint8_t sha256[PROTO_SHA256_BYTES])
{
    const struct blob_cache_entry *entry = blob_cache_find(&shell->blobs, sha256);
    if (entry) {
        return entry;
    }
    uint32_t step = 0;
    const struct downlink_chain *chain = run_table_patch(&shell->runs, sha256, &step);
    const struct blob_cache_entry *whole =
        chain ? blob_cache_find(&shell->blobs, chain->sha256) : NULL;
    return whole ? blob_cache_put_end(&shell->blobs, sha256, whole, chain->steps[step].offset)
                 : NULL;
}

static void answer(struct shell *shell, net_reply_id reply, const struct blob_cache_entry *entry)
{
    struct net_response response = NET_RESPONSE(NET_CODE(2, 5));
    response.content_format = PROTO_FORMAT_MODEL;
    response.blob = entry->blob;
    response.for_all = true; /* the path is its hash */
    net_reply(shell->net, reply, &response);
}

static void answer_waiter(struct shell *shell, const struct waiter *waiter, int status)
{
    const struct blob_cache_entry *entry = status == 0 ? find(shell, waiter->sha256) : NULL;
    if (entry) {
        answer(shell, waiter->reply, entry);
    } else if (status == MYCEL_E_NOT_FOUND) {
        reply_problem(shell, waiter->reply, NET_CODE(4, 4), MYCEL_E_NOT_FOUND, "no such model");
    } else {
        reply_busy(shell, waiter->reply);
    }
}

static void unlink_download(struct shell *shell, const struct download *download)
{
    struct download **link = &shell->downloads;
    while (*link != download) {
        link = &(*link)->next;
    }
    *link = download->next;
}

static void done(struct job *base)
{
    struct download *download = (struct download *)base;
    struct shell *shell = base->shell;
    unlink_download(shell, download);
    if (base->status == 0) {
        blob_cache_put(&shell->blobs, download->blob, download->data, download->bytes);
        download->data = NULL;
    }
    for (struct waiter *waiter = download->waiters, *next; waiter; waiter = next) {
        next = waiter->next;
        if (!shell->closing) {
            answer_waiter(shell, waiter, base->status);
        }
        free(waiter);
    }
    free(download->data);
    free(download);
}

/* The job that reads this blob; started if there is none. NULL: no memory, or too many jobs. */
static struct download *download_of(struct shell *shell, const uint8_t blob[PROTO_SHA256_BYTES])
{
    for (struct download *d = shell->downloads; d; d = d->next) {
        if (memcmp(d->blob, blob, PROTO_SHA256_BYTES) == 0) {
            return d;
        }
    }
    struct download *download = calloc(1, sizeof *download);
    if (!download) {
        return NULL;
    }
    download->job.run = run;
    download->job.done = done;
    memcpy(download->blob, blob, PROTO_SHA256_BYTES);
    if (job_start(shell, &download->job, false) < 0) {
        free(download);
        return NULL;
    }
    download->next = shell->downloads;
    shell->downloads = download;
    return download;
}

void job_download(struct shell *shell, const uint8_t sha256[PROTO_SHA256_BYTES], net_reply_id reply)
{
    const struct blob_cache_entry *entry = find(shell, sha256);
    if (entry) {
        answer(shell, reply, entry);
        return;
    }
    uint32_t step;
    const struct downlink_chain *chain = run_table_patch(&shell->runs, sha256, &step);
    struct waiter *waiter = malloc(sizeof *waiter);
    struct download *download = waiter ? download_of(shell, chain ? chain->sha256 : sha256) : NULL;
    if (!download) {
        free(waiter);
        reply_busy(shell, reply);
        return;
    }
    waiter->reply = reply;
    memcpy(waiter->sha256, sha256, PROTO_SHA256_BYTES);
    waiter->next = download->waiters;
    download->waiters = waiter;
}
