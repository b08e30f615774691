/*
 * Where a loop finds the letters of the others. Senders collect what they have for it and post it in
 * one go, so that a lock and a wake-up are paid per batch, not per request. It must never read a
 * letter.
 */
#ifndef MYCEL_SERVER_NET_MAILBOX_H
#define MYCEL_SERVER_NET_MAILBOX_H

#include <stdbool.h>

#include <uv.h>

#include "server/net/letter.h"

/* Beyond this many unread letters datagrams are lost, as in a full socket buffer. The others are
 * bounded by what can wait for an answer. */
#define MAILBOX_DATAGRAMS_MAX 4096u

struct mailbox {
    uv_mutex_t lock;
    struct letters in; /* under the lock, as the next */
    bool open;
    uv_async_t bell; /* on the owner's loop */
};

/* `rung` runs on `loop` when there are letters; `user` is its handle's data. Errors: NO_MEMORY. */
int mailbox_open(struct mailbox *box, uv_loop_t *loop, uv_async_cb rung, void *user);

/* Hands over all of `letters`, which is empty afterwards. Any thread. Returns how many were lost. */
uint32_t mailbox_post(struct mailbox *box, struct letters *letters);

/* Everything that is in it. The owner's thread. */
struct letters mailbox_take(struct mailbox *box);

/* From now on letters are thrown away; closes the bell. The owner's thread. */
void mailbox_shut(struct mailbox *box, uv_close_cb closed);

/* After the bell is closed and when nobody can post any more. */
void mailbox_deinit(struct mailbox *box);

#endif
