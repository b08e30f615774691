/* Implementation of allowance.h: per_s times a second are per_s thousandths a millisecond. */
#include "server/net/allowance.h"

#define ONE INT64_C(1000)

static int64_t full(const struct allowance *allowance)
{
    return allowance->burst * ONE;
}

/* A clock that does not move fills nothing; a long pause fills it, without overflow. */
static void fill(struct allowance *allowance, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms > allowance->at_ms ? now_ms - allowance->at_ms : 0;
    uint64_t missing = (uint64_t)(full(allowance) - allowance->thousandths);
    allowance->at_ms = now_ms;
    allowance->thousandths +=
        (int64_t)(passed_ms > missing / allowance->per_s ? missing : passed_ms * allowance->per_s);
}

void allowance_init(struct allowance *allowance, uint32_t per_s, uint32_t burst, uint64_t now_ms)
{
    *allowance = (struct allowance){.per_s = per_s, .burst = burst, .at_ms = now_ms};
    allowance->thousandths = full(allowance);
}

bool allowance_has(struct allowance *allowance, uint64_t now_ms)
{
    fill(allowance, now_ms);
    return allowance->thousandths >= ONE;
}

void allowance_take(struct allowance *allowance, uint64_t now_ms)
{
    if (allowance_has(allowance, now_ms)) {
        allowance->thousandths -= ONE;
    }
}

void allowance_owe(struct allowance *allowance, uint32_t times, uint64_t now_ms)
{
    int64_t least = -(int64_t)allowance->per_s * ALLOWANCE_OWED_S * ONE;
    fill(allowance, now_ms);
    allowance->thousandths -= times * ONE;
    allowance->thousandths = allowance->thousandths > least ? allowance->thousandths : least;
}
