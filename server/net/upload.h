/*
 * PUT: from blocks to one request with the whole body (RFC 7959 §2.3, PROTOCOL "Uploads"). It
 * translates between CoAP and body.c and asks the shell before the first byte is stored.
 */
#ifndef MYCEL_SERVER_NET_UPLOAD_H
#define MYCEL_SERVER_NET_UPLOAD_H

#include "server/net/message.h"
#include "server/net/pending.h"

struct net;
struct peer;

/* One PUT message: with Block1 a block, without it a whole (small) body. Answers it, or hands the
 * completed body to the shell. The peer may be gone afterwards. */
void upload_receive(struct net *net, struct peer *peer, const struct exchange *exchange,
                    const struct message *message);

#endif
