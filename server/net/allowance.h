/*
 * So many times a second and no more: a bucket that fills with time and is emptied by what it allows.
 * Pure; time is an argument. It must never decide what happens to what it does not allow.
 */
#ifndef MYCEL_SERVER_NET_ALLOWANCE_H
#define MYCEL_SERVER_NET_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

#define ALLOWANCE_OWED_S 60u

struct allowance {
    uint32_t per_s;      /* at least 1 */
    uint32_t burst;      /* at once, after a pause; at least 1 */
    uint64_t at_ms;      /* when it was filled last */
    int64_t thousandths; /* of one time, in the bucket; below 0: owed */
};

/* A full one. */
void allowance_init(struct allowance *allowance, uint32_t per_s, uint32_t burst, uint64_t now_ms);

/* Whether one more is allowed now. */
bool allowance_has(struct allowance *allowance, uint64_t now_ms);

/* Uses one up, if there is one. */
void allowance_take(struct allowance *allowance, uint64_t now_ms);

/* Uses up `times` more, for what has cost more than it was allowed for: also what comes only within the
 * next ALLOWANCE_OWED_S seconds. */
void allowance_owe(struct allowance *allowance, uint32_t times, uint64_t now_ms);

#endif
