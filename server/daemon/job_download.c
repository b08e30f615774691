/*
 * Models and patches that devices download: from memory, else read by one job on the pool, however many
 * devices ask for the same one at the same time.
 */
#include "server/daemon/chain.h"
#include "server/daemon/job.h"

#include <stdlib.h>
#include <string.h>

/* A request that waits for a blob; there are no more of them than the endpoint has requests. */
struct waiter {
    struct waiter *next;
    net_reply_id reply;
    uint8_t sha256[PROTO_SHA256_BYTES]; /* that it asked for: the blob's, or of a patch in it */
};

/* What is read for them: content under its own hash, or what a run's frames make. */
enum what { WHAT_BLOB, WHAT_CHAIN, WHAT_HELD };

struct download {
    struct job job;
    struct download *next;            /* of those under way */
    struct waiter *waiters;           /* newest first */
    uint8_t blob[PROTO_SHA256_BYTES]; /* of what is read */
    enum what what;
    uint32_t run, params;        /* of a chain … */
    struct downlink_chain chain; /* … which is this */
    struct blob_content content;
};

/* --- on the pool ------------------------------------------------------------------------------ */

static int load(struct store *reader, struct download *d)
{
    const struct blob_source source = {.reader = reader};
    switch (d->what) {
    case WHAT_CHAIN:
        return chain_frames(&source, d->run, &d->chain, &d->content);
    case WHAT_HELD:
        return chain_held(&source, d->run, &d->chain, d->params, &d->content);
    case WHAT_BLOB:
        break;
    }
    return blob_source_get(&source, d->blob, &d->content);
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
    struct run_chain of;
    const struct blob_cache_entry *whole = run_table_patch(&shell->runs, sha256, &of)
                                               ? blob_cache_find(&shell->blobs, of.chain->sha256)
                                               : NULL;
    return whole ? blob_cache_put_end(&shell->blobs, sha256, whole, of.chain->steps[of.step].offset)
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
        blob_cache_put(&shell->blobs, download->blob, download->content.owned,
                       download->content.bytes);
    }
    for (struct waiter *waiter = download->waiters, *next; waiter; waiter = next) {
        next = waiter->next;
        if (!shell->closing) {
            answer_waiter(shell, waiter, base->status);
        }
        free(waiter);
    }
    free(download);
}

/* What has to be read for that hash, and under which name. */
static enum what describe(const struct shell *shell, const uint8_t sha256[PROTO_SHA256_BYTES],
                          struct run_chain *of, const uint8_t **blob)
{
    bool patch = run_table_patch(&shell->runs, sha256, of);
    *blob = patch ? of->chain->sha256 : sha256;
    if (patch) {
        return WHAT_CHAIN;
    }
    return run_table_held(&shell->runs, sha256, of) ? WHAT_HELD : WHAT_BLOB;
}

/* The job that reads what is asked for; started if there is none. NULL: no memory, or too many jobs. */
static struct download *download_of(struct shell *shell, const uint8_t sha256[PROTO_SHA256_BYTES])
{
    struct run_chain of;
    const uint8_t *blob;
    enum what what = describe(shell, sha256, &of, &blob);
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
    download->what = what;
    memcpy(download->blob, blob, PROTO_SHA256_BYTES);
    if (what != WHAT_BLOB) {
        download->run = of.entry->run.id;
        download->params = of.entry->run.config.params;
        download->chain = *of.chain;
    }
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
    struct waiter *waiter = malloc(sizeof *waiter);
    struct download *download = waiter ? download_of(shell, sha256) : NULL;
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
