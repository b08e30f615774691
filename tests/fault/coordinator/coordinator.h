/*
 * The coordinator without network and threads: the daemon's own restore, verify, rows, aggregate and held
 * queue around the real engine and the real store, called one after the other, so that operation N of a
 * disk or of an allocator is the same one in every run. It keeps the daemon's rules: rows of a step are one
 * transaction, several are committed together, and no answer leaves before its batch is durable.
 */
#ifndef TESTS_FAULT_COORDINATOR_COORDINATOR_H
#define TESTS_FAULT_COORDINATOR_COORDINATOR_H

#include "server/daemon/shell.h"

#define COORDINATOR_RUN 1u
#define COORDINATOR_GROUP 3u /* batches that are committed together at most */

struct pending_batch;

struct coordinator {
    const char *folder;
    const char *vfs; /* NULL: the real file system */
    uint64_t now_ms;
    uint64_t wall_ms;
    /* What a device hears; the tag is that of its event. */
    void (*reply)(void *user, const struct engine_action *action);
    /* The body behind an update's tag; the coordinator only reads it. */
    const uint8_t *(*body)(void *user, uint64_t tag, size_t *bytes);
    void *user;

    /* Its own. */
    struct store *store;
    struct restored live;
    struct held_queue held;
    struct pending_batch *first, *last;
    uint32_t pending;
    uint64_t durable;
    struct engine_action work[2]; /* a sum and a score at most */
    uint32_t work_count;
};

/* Opens the store and builds the engine from it; then it serves. */
int coordinator_start(struct coordinator *c);

/* One event, at now_ms. An error means what it means for the daemon: the engine believes what is not on
 * disk, so it has to be stopped and started. */
int coordinator_event(struct coordinator *c, struct engine_event *event);

/* Commits what waits, and says what has become true by it. */
int coordinator_flush(struct coordinator *c);

/* Does one piece of work that the engine has asked for. 1: something was done; 0: there was none. */
int coordinator_work(struct coordinator *c);

/* Forgets everything that is not on disk, as kill -9 does. */
void coordinator_stop(struct coordinator *c);

#endif
