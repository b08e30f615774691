/*
 * From a CoAP message to its answer: repetitions, refusals, hand-over to the shell, deadlines. It
 * owns the meaning of "answered"; it must never know what a resource is for.
 */
#ifndef MYCEL_SERVER_NET_EXCHANGE_H
#define MYCEL_SERVER_NET_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

#include "server/net/message.h"
#include "server/net/net.h"
#include "server/net/pending.h"

struct endpoint;
struct peer;

/* One decrypted message of an established peer. The peer may be gone afterwards. */
void exchange_receive(struct endpoint *endpoint, struct peer *peer, const uint8_t *bytes,
                      size_t count);

/* Sends an answer and remembers it for repetitions. Errors: CLOSED, NO_MEMORY (the answer does not
 * fit in a message: nothing is sent). */
int exchange_answer(struct endpoint *endpoint, const struct exchange *exchange,
                    const struct net_response *response);

/* An answer that is nothing but its code. */
void exchange_answer_code(struct endpoint *endpoint, const struct exchange *exchange, uint8_t code);

/* Registers the request as waiting; NULL when it was answered 5.03 because too many are. */
struct pending *exchange_wait(struct endpoint *endpoint, struct peer *peer,
                              const struct exchange *exchange);

/* The place of a waiting request is free again, and with it the record of its body. */
void exchange_finish(struct endpoint *endpoint, struct pending *pending);

/* Answers 5.03 to requests whose deadline has passed, and drops those that the shell forgot. */
void exchange_tick(struct endpoint *endpoint);

/* The request as the shell sees it, without payload. */
void exchange_request(const struct peer *peer, const struct message *message,
                      struct net_request *out);

/* 5.03 with Max-Age 1: "ask again in a second". */
struct net_response exchange_busy(void);

#endif
