/* See given.h. */
#include "server/cli/sim/given.h"

#include <mycel/error.h>

#include "server/cli/exits.h"
#include "server/cli/say.h"

int given_scenario(struct scenario *scenario, const char *path, const struct setting_texts *set)
{
    char problem[SCENARIO_PROBLEM_BYTES];
    scenario_init(scenario);
    int rc = scenario_read(scenario, path, problem);
    for (size_t i = 0; rc == 0 && i < set->count; i++) {
        rc = scenario_assign(scenario, set->text[i], problem);
    }
    if (rc < 0) {
        say_error("%s", problem);
        return rc == MYCEL_E_NOT_FOUND ? EXIT_CODE_NOT_FOUND : EXIT_CODE_USAGE;
    }
    return EXIT_CODE_OK;
}
