/* Reads all runs and closes the rounds that an operator's version has overtaken. */
#include "server/daemon/settle.h"

bool settle_is_operators(const struct store_version *version)
{
    return version->kind == STORE_VERSION_ROLLBACK || version->kind == STORE_VERSION_AVERAGE ||
           version->kind == STORE_VERSION_IMPORT;
}

struct settling {
    struct store *store;
    uint64_t wall_ms;
    int given_up;
};

static bool is_open(const struct store_round *round)
{
    return round->state != STORE_ROUND_COMMITTED && round->state != STORE_ROUND_ABANDONED;
}

static int give_up(struct settling *settling, struct store_round *round)
{
    round->state = STORE_ROUND_ABANDONED;
    round->closed_ms = settling->wall_ms;
    int rc = store_round_put(settling->store, round);
    if (rc == 0) {
        rc = store_spool_drop(settling->store, round->run, round->round);
    }
    if (rc < 0) {
        return rc;
    }
    settling->given_up++;
    return MYCEL_OK;
}

static int settle_run(void *user, const struct store_run *run)
{
    struct settling *settling = user;
    struct store_version newest;
    struct store_round round;
    bool under_way = run->state == STORE_RUN_ACTIVE || run->state == STORE_RUN_PAUSED;
    if (!under_way || run->round == 0) {
        return MYCEL_OK;
    }
    int rc = store_version_newest(settling->store, run->id, &newest);
    if (rc == 0) {
        rc = store_round_get(settling->store, run->id, run->round, &round);
    }
    if (rc == 0 && settle_is_operators(&newest) && is_open(&round) &&
        round.base_version < newest.number) {
        rc = give_up(settling, &round);
    }
    return rc;
}

int settle_runs(struct store *store, uint64_t wall_ms)
{
    struct settling settling = {.store = store, .wall_ms = wall_ms};
    int rc = store_begin(store);
    if (rc < 0) {
        return rc;
    }
    rc = store_runs(store, settle_run, &settling);
    if (rc < 0) {
        store_rollback(store);
        return rc;
    }
    rc = store_commit(store);
    return rc < 0 ? rc : settling.given_up;
}
