/*
 * What the workers of one port have in common: each other's mailboxes, the registry of sessions, the
 * partial uploads and the keys to try. It must never hold a decision: it carries what others decide.
 *
 * Numbers 0 … workers - 1 are workers, number `workers` is the shell. Each writes into letters of its
 * own and posts them when its loop has done what there was to do: no lock per request.
 */
#ifndef MYCEL_SERVER_NET_SIBLINGS_H
#define MYCEL_SERVER_NET_SIBLINGS_H

#include "server/net/bodies.h"
#include "server/net/key_choice.h"
#include "server/net/mailbox.h"
#include "server/net/registry.h"

struct siblings {
    unsigned workers; /* at least 2 */
    struct registry registry;
    struct bodies *bodies;
    struct key_choice *key_choice;
    struct mailbox box[NET_WORKERS_MAX + 1];
    struct letters out[NET_WORKERS_MAX + 1][NET_WORKERS_MAX + 1]; /* [writer][reader] */
};

/* Everything but the mailboxes, which belong to loops. Errors: NO_MEMORY. siblings_deinit is safe after
 * any outcome, when every mailbox is shut and no thread runs any more. */
int siblings_init(struct siblings *siblings, const struct net_config *config,
                  const struct body_limits *limits, const uint64_t secret[2]);
void siblings_deinit(struct siblings *siblings);

/* Writes a letter; it leaves with the next siblings_post. */
void siblings_write(struct siblings *siblings, unsigned writer, unsigned reader,
                    struct letter *letter);

/* Posts all that `writer` has written. Returns how many datagrams were lost. */
uint32_t siblings_post(struct siblings *siblings, unsigned writer);

#endif
