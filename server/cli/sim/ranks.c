/* See ranks.h. */
#include "server/cli/sim/ranks.h"

#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "sim/training/workers.h"

bool ranks_enter(struct peers **peers, int *code)
{
    char problem[SCENARIO_PROBLEM_BYTES];
    _Static_assert(sizeof problem >= PEERS_PROBLEM_BYTES, "one buffer for both");
    *code = EXIT_CODE_OK;
    int rc = peers_open(peers, problem);
    if (rc == 0 && (*peers == NULL || (*peers)->rank == 0)) {
        return true;
    }
    if (rc == 0) {
        rc = worker_serve(*peers, problem);
    }
    if (rc < 0) {
        say_error("%s", problem);
        *code = exit_of_error(rc);
    } else {
        peers_close(*peers);
    }
    return false;
}

void ranks_leave(struct peers *peers)
{
    if (peers != NULL) {
        workers_dismiss(peers);
        peers_close(peers);
    }
}
