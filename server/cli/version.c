/* `mycel version`: which version of what this is. */
#include "server/cli/version.h"

#include <stdio.h>

#include "proto/limits.h"
#include "server/cli/say.h"

struct version_options {
    bool json;
};

static const struct setting rows[] = {
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, .help = "Print one JSON object"},
};

const struct setting_list version_settings = SETTING_LIST(rows, struct version_options);

int version_run(const struct invocation *call)
{
    const struct version_options *options = call->options;
    if (options->json) {
        return say_json(json_pack("{s:s, s:i, s:i}", "version", MYCEL_VERSION, "protocol_min",
                                  (int)PROTO_VERSION_MIN, "protocol_max", (int)PROTO_VERSION_MAX));
    }
    (void)printf("mycel %s (protocol %u to %u)\n", MYCEL_VERSION, PROTO_VERSION_MIN,
                 PROTO_VERSION_MAX);
    return 0;
}
