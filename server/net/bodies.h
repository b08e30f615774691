/*
 * The partial uploads of all workers: a device that connects anew may come to another worker and goes
 * on there. Spread over tables by identity, each with its lock, so that two devices hardly ever wait
 * for each other; the budget is common. It must never send anything while a table is locked.
 */
#ifndef MYCEL_SERVER_NET_BODIES_H
#define MYCEL_SERVER_NET_BODIES_H

#include "server/net/body.h"

#define BODIES_SHARDS 16u /* with more than one worker; else 1 */

struct bodies;

/* NULL when there is no memory. */
struct bodies *bodies_new(const struct body_limits *limits, uint64_t secret, unsigned shards);
void bodies_free(struct bodies *bodies);

/* The table that has the bodies of an identity, and it alone until bodies_unlock. */
struct body_table *bodies_lock(struct bodies *bodies, const char *identity);
void bodies_unlock(struct bodies *bodies, struct body_table *table);

/* As in body.h, for all tables, with the locks taken. */
void bodies_remove(struct bodies *bodies, struct body *body);
void bodies_return(struct bodies *bodies, struct body *body, uint8_t *data, uint64_t now_ms);
void bodies_forget(struct bodies *bodies, const char *identity);
unsigned bodies_expire(struct bodies *bodies, uint64_t now_ms);
void bodies_gauge(struct bodies *bodies, uint32_t *partial, uint64_t *reserved_bytes);

#endif
