/* The commands under "Models": the versions that runs have made. */
#include "server/cli/commands/groups.h"

#include "server/cli/model.h"
#include "server/cli/model_plan.h"
#include "server/cli/registry.h"

static const struct command rows[] = {
    {.name = "model list",
     .arguments = "[RUN]",
     .words_max = 1,
     .group = "Models",
     .summary = "List the versions of a run's model and how good they are",
     .help =
         "RUN is a name or an id; without it, the newest run.\n\n  mycel model list --json run-1",
     .config = CONFIG_GROUP_STATE,
     .settings = &model_list_settings,
     .run = model_list_run},

    {.name = "model show",
     .arguments = "[RUN[:VERSION]]",
     .words_max = 1,
     .group = "Models",
     .summary = "Show one version: where it came from, its metrics, its tensors",
     .help = "VERSION is a number, a tag or 'latest'; without it, the newest.\n\n"
             "  mycel model show run-1:7",
     .config = CONFIG_GROUP_STATE,
     .settings = &model_show_settings,
     .run = model_show_run},

    {.name = "model plan",
     .arguments = "MODEL",
     .words_min = 1,
     .words_max = 1,
     .group = "Models",
     .summary = "Say what a model takes on a device, to the byte, before any device runs it",
     .help = "A row a layer: shape, parameters, bytes, multiply-adds of a forward pass; then the "
             "arena class by class.\n\n"
             "  mycel model plan \"28x28x1 > dense 32 relu > dense 10 softmax\" --batch 32 "
             "--optimizer adam",
     .settings = &model_plan_settings,
     .run = model_plan_run},

    {.name = "model export",
     .arguments = "[RUN[:VERSION]]",
     .words_max = 1,
     .group = "Models",
     .summary = "Write a version's parameters to a file: raw, .npz or C header",
     .help = "Tensors are in PyTorch's shapes and order. In Python: "
             "m = numpy.load('run-1-20.npz'); m['dense1.weight'].\n\n"
             "  mycel model export run-1 --format c-header --out model.h",
     .config = CONFIG_GROUP_STATE,
     .settings = &model_export_settings,
     .run = model_export_run},

    {.name = "model tag",
     .arguments = "RUN[:VERSION] TAG",
     .words_min = 2,
     .words_max = 2,
     .group = "Models",
     .summary = "Give a version a name, or take it away",
     .help = "A tag stands for one version of its run and can be moved. The parameters of a tagged "
             "version are never dropped.\n\n"
             "  mycel model tag run-1:7 field-trial\n"
             "  mycel model tag run-1 field-trial --delete",
     .config = CONFIG_GROUP_STATE,
     .settings = &model_tag_settings,
     .run = model_tag_run},

    {.name = "model promote",
     .arguments = "RUN[:VERSION]",
     .words_min = 1,
     .words_max = 1,
     .group = "Models",
     .summary = "Tag a version as the one to use: 'promoted'",
     .help = "  mycel model promote run-1:7\n"
             "  mycel model export run-1:promoted --format c-header --out model.h",
     .config = CONFIG_GROUP_STATE,
     .run = model_promote_run},

    {.name = "model rollback",
     .arguments = "RUN:VERSION",
     .words_min = 1,
     .words_max = 1,
     .group = "Models",
     .summary = "Go back to an old version: a new number with its content",
     .help = "Nothing is taken back: the new version names the old content. A running coordinator "
             "goes on from it within a second; the round that is open then is given up, and what "
             "it has collected does not count.\n\n"
             "  mycel model rollback run-1:7",
     .config = CONFIG_GROUP_STATE,
     .run = model_rollback_run},

    {.name = "model diff",
     .arguments = "A B",
     .words_min = 2,
     .words_max = 2,
     .group = "Models",
     .summary = "Say how far two versions are apart, tensor by tensor",
     .help = "A and B are RUN[:VERSION]. Shows the norms of both and of their difference, the "
             "largest difference of a value, and the cosine of the angle between them.\n\n"
             "  mycel model diff run-1:7 run-1:8",
     .config = CONFIG_GROUP_STATE,
     .settings = &model_diff_settings,
     .run = model_diff_run},

    {.name = "model average",
     .arguments = "[RUN]",
     .words_max = 1,
     .group = "Models",
     .summary = "Average the newest versions into a new one",
     .help = "An exponential moving average: often a little better than the newest version, and "
             "steadier. It becomes the newest version, so a run under way would go on from it; "
             "that needs --adopt.\n\n"
             "  mycel model average run-1 --versions 10 --decay 0.5",
     .config = CONFIG_GROUP_STATE,
     .settings = &model_average_settings,
     .run = model_average_run},
};

const struct command_group commands_models = COMMAND_GROUP(rows);
