/* `mycel model tag|promote|rollback`: names for versions, and the way back to an old one. */
#include "server/cli/registry.h"

#include <inttypes.h>
#include <stdio.h>

#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/state.h"

#define ACTOR "cli"

struct tag_options {
    bool remove;
};

static const struct setting tag_rows[] = {
    {.name = "delete", .type = SETTING_SWITCH, .help = "Take the tag away"},
};

const struct setting_list model_tag_settings = SETTING_LIST(tag_rows, struct tag_options);

/* What the commands of this file have in common: one version of one run, to be changed. */
struct target {
    struct store *store;
    struct store_run run;
    struct store_version version;
};

static int target_open(struct target *t, const struct invocation *call)
{
    int result = state_open(call->config, STATE_WRITE, &t->store);
    if (result < 0) {
        return result;
    }
    result = state_version(t->store, call->words[0], &t->run, &t->version);
    if (result < 0) {
        store_close(t->store);
    }
    return result;
}

/* ---- tag ---------------------------------------------------------------------------------- */

static int tag(struct target *t, const char *name, bool remove)
{
    int result =
        remove ? store_tag_delete(t->store, t->run.id, name, ACTOR, state_now_ms())
               : store_tag_set(t->store, t->run.id, name, t->version.number, ACTOR, state_now_ms());
    if (result < 0) {
        return state_fail(t->store, result, "tag");
    }
    if (remove) {
        (void)printf("Run '%s' has no tag '%s' any more.\n", t->run.config.name, name);
    } else {
        (void)printf("'%s:%s' is version %" PRIu32 "; its parameters are kept from now on.\n",
                     t->run.config.name, name, t->version.number);
    }
    return EXIT_CODE_OK;
}

int model_tag_run(const struct invocation *call)
{
    const struct tag_options *options = call->options;
    struct target t;
    int result = target_open(&t, call);
    if (result < 0) {
        return exit_of_error(result);
    }
    int code = tag(&t, call->words[1], options->remove);
    store_close(t.store);
    return code;
}

/* ---- promote ------------------------------------------------------------------------------ */

int model_promote_run(const struct invocation *call)
{
    struct target t;
    int result = target_open(&t, call);
    if (result < 0) {
        return exit_of_error(result);
    }
    int code = EXIT_CODE_OK;
    result = store_promote(t.store, t.run.id, t.version.number, ACTOR, state_now_ms());
    if (result < 0) {
        code = state_fail(t.store, result, "promote");
    } else {
        (void)printf("'%s:" STORE_TAG_PROMOTED "' is version %" PRIu32 ".\n", t.run.config.name,
                     t.version.number);
    }
    store_close(t.store);
    return code;
}

/* ---- rollback ----------------------------------------------------------------------------- */

int model_rollback_run(const struct invocation *call)
{
    struct target t;
    uint32_t number = 0;
    int result = target_open(&t, call);
    if (result < 0) {
        return exit_of_error(result);
    }
    int code = EXIT_CODE_OK;
    result = store_rollback_to(t.store, t.run.id, t.version.number, ACTOR, state_now_ms(), &number);
    if (result < 0) {
        code = state_fail(t.store, result, "rollback");
    } else {
        (void)printf("Version %" PRIu32 " of run '%s' is version %" PRIu32 " again.%s\n", number,
                     t.run.config.name, t.version.number,
                     state_run_under_way(&t.run)
                         ? " Training goes on from it; the open round is given up."
                         : "");
    }
    store_close(t.store);
    return code;
}
