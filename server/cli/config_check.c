/* `mycel config check`: what every key is, and who said so. */
#include "server/cli/config_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mycel/error.h>

#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/suggest.h"

struct check_options {
    bool json;
};

static const struct setting rows[] = {
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, .help = "Print a JSON array of keys"},
};

const struct setting_list config_check_settings = SETTING_LIST(rows, struct check_options);

/* A variable like MYCEL_SERVE_PROT does nothing, silently: say so. It is no error, since scripts
 * have variables of their own. */
static void warn_unknown_variables(void)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (char **entry = environ; *entry != NULL; entry++) {
        if (strncmp(*entry, "MYCEL_", 6) != 0 || strncmp(*entry, "MYCEL_CONFIG=", 13) == 0) {
            continue;
        }
        char name[CONFIG_NAME_BYTES_MAX];
        char variables[CONFIG_KEYS_MAX][CONFIG_NAME_BYTES_MAX];
        struct suggest near = {0};
        bool known = false;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*entry, "="), *entry);
        for (size_t i = 0; i < count; i++) {
            known = known || strcmp(name, config_variable(&keys[i], variables[i])) == 0;
            suggest_consider(&near, name, variables[i]);
        }
        if (!known) {
            say_error("note: no key reads the variable %s%s%s%s", name,
                      near.best ? "; did you mean " : "", near.best ? near.best : "",
                      near.best ? "?" : "");
        }
    }
}

static json_t *key_json(const struct config *c, size_t i, const struct config_key *key)
{
    char value[PATH_MAX];
    char origin[PATH_MAX + 16];
    char variable[CONFIG_NAME_BYTES_MAX];
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "section", key->section, "key", key->setting.name,
                     "value", setting_text(&key->setting, c, value, sizeof value), "origin",
                     config_origin_text(c, i, origin, sizeof origin), "variable",
                     config_variable(key, variable));
}

static int print_json(const struct config *c)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(list, key_json(c, i, &keys[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return say_json(list);
}

static void print_text(const struct config *c)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    const char *section = "";
    (void)printf("# %s\n", c->path[0] ? c->path : "no configuration file");
    for (size_t i = 0; i < count; i++) {
        char value[PATH_MAX];
        char origin[PATH_MAX + 16];
        if (strcmp(section, keys[i].section) != 0) {
            section = keys[i].section;
            (void)printf("\n[%s]\n", section);
        }
        setting_text(&keys[i].setting, c, value, sizeof value);
        (void)printf("%s%s = %-*s ; %s\n", value[0] ? "" : "# ", keys[i].setting.name,
                     28 - (int)strlen(keys[i].setting.name), value,
                     config_origin_text(c, i, origin, sizeof origin));
    }
}

int config_check_run(const struct invocation *call)
{
    const struct check_options *options = call->options;
    struct config *c = calloc(1, sizeof *c);
    if (c == NULL) {
        say_error("out of memory");
        return EXIT_CODE_FAILED;
    }
    int result = config_load(c, call->words_count > 0 ? call->words[0] : NULL, NULL);
    int code = exit_of_error(result);
    if (result < 0) {
        say_error("%s", c->message);
    } else {
        warn_unknown_variables();
    }
    if (result == MYCEL_OK && options->json) {
        code = print_json(c);
    } else if (result == MYCEL_OK) {
        print_text(c);
    }
    free(c);
    return code;
}
