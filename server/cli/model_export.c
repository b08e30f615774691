/* `mycel model export`: a version's parameters as a file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cli/exits.h"
#include "server/cli/model.h"
#include "server/cli/model_write.h"
#include "server/cli/say.h"

struct export_options {
    unsigned format;
    const char *out;
    bool force;
};

static const char *const formats[] = {"raw", "npz", "c-header", NULL};
static const char *const suffixes[] = {"f32", "npz", "h"};

#define AT(member) .offset = offsetof(struct export_options, member)
static const struct setting rows[] = {
    {.name = "format",
     .letter = 'f',
     .type = SETTING_CHOICE,
     .argument = "FORMAT",
     .fallback = "npz",
     .choices = formats,
     AT(format),
     .help = "raw (binary32 little endian, canonical order), npz or c-header"},
    {.name = "out",
     .letter = 'o',
     .type = SETTING_TEXT,
     .argument = "FILE",
     .min = 1,
     .max = PATH_MAX - 16,
     AT(out),
     .help = "File to write; - is stdout (default RUN-VERSION.npz …)"},
    {.name = "force", .type = SETTING_SWITCH, AT(force), .help = "Replace FILE if it exists"},
};
#undef AT

const struct setting_list model_export_settings = SETTING_LIST(rows, struct export_options);

/* The file's name where none was given: the run, the version, the format. */
static const char *export_path(const struct model_source *s, const struct export_options *options,
                               char out[PATH_MAX])
{
    if (options->out != NULL) {
        return options->out;
    }
    snprintf(out, PATH_MAX, "%s-%" PRIu32 ".%s", s->run.config.name, s->version.number,
             suffixes[options->format]);
    return out;
}

static int export(const struct model_source *s, const struct export_options *options)
{
    char buffer[PATH_MAX], size[SAY_SIZE_BYTES];
    const char *path = export_path(s, options, buffer);
    int result = model_write_file(s, options->format, path, options->force);
    if (result == MYCEL_OK && strcmp(path, "-") != 0) {
        (void)printf("Wrote version %" PRIu32 " of run '%s' to %s (%s of parameters).\n",
                     s->version.number, s->run.config.name, path, say_size(s->bytes, size));
    }
    return exit_of_error(result);
}

int model_export_run(const struct invocation *call)
{
    struct store *store = NULL;
    int result = state_open(call->config, STATE_READ, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    struct model_source *s = calloc(1, sizeof *s);
    if (s == NULL) {
        say_error("out of memory");
        store_close(store);
        return EXIT_CODE_FAILED;
    }
    result = model_source_load(s, store, call->words_count > 0 ? call->words[0] : NULL);
    store_close(store);
    int code = result < 0 ? exit_of_error(result) : export(s, call->options);
    model_source_release(s);
    free(s);
    return code;
}
