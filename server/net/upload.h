/*
 * PUT: from blocks to one request with the whole body (RFC 7959 §2.3, PROTOCOL "Uploads"). It
 * translates between CoAP and body.c and asks the shell before the first byte is stored.
 */
#ifndef MYCEL_SERVER_NET_UPLOAD_H
#define MYCEL_SERVER_NET_UPLOAD_H

#include "server/net/bodies.h"
#include "server/net/message.h"
#include "server/net/pending.h"

struct endpoint;
struct peer;

/* One PUT message: with Block1 a block, without it a whole (small) body. Answers it, or hands the
 * completed body to the shell. `admitted`: the shell has been asked and lets the body begin. The peer
 * may be gone afterwards. */
void upload_receive(struct endpoint *endpoint, struct peer *peer, const struct exchange *exchange,
                    const struct message *message, bool admitted);

/* As net_body_status. Any thread. */
int upload_status(struct bodies *bodies, const struct net_request *request, uint8_t *out,
                  size_t capacity);

#endif
