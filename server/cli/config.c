/*
 * Reads the configuration: defaults, then the file, then the environment, then flags; each later
 * source overwrites the earlier. Owns the order and the wording of errors; config_keys.c owns the
 * keys.
 */
#include "server/cli/config.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mycel/error.h>

#include "data/file_error.h"
#include "server/cli/suggest.h"

#define CONFIG_ENVIRONMENT_FILE "MYCEL_CONFIG"
#define CONFIG_NO_FILE "none"
#define CONFIG_SYSTEM_FILE "/etc/mycel/mycel.conf"
#define CONFIG_SYSTEM_STATE "/var/lib/mycel"

__attribute__((format(printf, 3, 4))) static int fail(struct config *c, int error,
                                                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->message, sizeof c->message, format, arguments);
    va_end(arguments);
    return error;
}

/* Copies text into c; NULL when the pool is full. */
static const char *keep(struct config *c, const char *text)
{
    size_t bytes = strlen(text) + 1u;
    if (bytes > sizeof c->text - c->text_used) {
        return NULL;
    }
    char *copy = c->text + c->text_used;
    memcpy(copy, text, bytes);
    c->text_used += bytes;
    return copy;
}

static int assign(struct config *c, size_t index, const char *text, struct config_origin origin)
{
    size_t count;
    const struct config_key *key = &config_keys(&count)[index];
    char why[SETTING_MESSAGE_BYTES];
    c->origins[index] = origin;
    int result = setting_assign(&key->setting, c, text, why);
    if (result < 0) {
        char where[PATH_MAX + 16];
        config_origin_text(c, index, where, sizeof where);
        return fail(c, result, origin.source == CONFIG_FROM_FILE ? "%s: %s: %s" : "%s%.0s: %s",
                    where, key->setting.name, why);
    }
    return MYCEL_OK;
}

const char *config_origin_text(const struct config *c, size_t index, char *out, size_t out_bytes)
{
    size_t count;
    const struct config_key *key = &config_keys(&count)[index];
    char variable[CONFIG_NAME_BYTES_MAX];
    switch (c->origins[index].source) {
    case CONFIG_FROM_DEFAULT:
        snprintf(out, out_bytes, "default");
        break;
    case CONFIG_FROM_FILE:
        snprintf(out, out_bytes, "%s:%u", c->path, c->origins[index].line);
        break;
    case CONFIG_FROM_ENVIRONMENT:
        snprintf(out, out_bytes, "%s", config_variable(key, variable));
        break;
    case CONFIG_FROM_FLAG:
        snprintf(out, out_bytes, "--%s", key->setting.name);
        break;
    }
    return out;
}

/* ---- defaults ---------------------------------------------------------------------------- */

/* The state folder: the system's for root, the user's own (XDG base directories) otherwise. */
static int default_state(struct config *c)
{
    char path[PATH_MAX];
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (geteuid() == 0 || (home == NULL && state == NULL)) {
        snprintf(path, sizeof path, "%s", CONFIG_SYSTEM_STATE);
    } else if (state != NULL && state[0] == '/') {
        snprintf(path, sizeof path, "%s/mycel", state);
    } else {
        snprintf(path, sizeof path, "%s/.local/state/mycel", home ? home : "");
    }
    c->state = keep(c, path);
    return c->state ? MYCEL_OK : fail(c, MYCEL_E_FULL, "the configuration is too long");
}

static int load_defaults(struct config *c)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    struct config_origin origin = {CONFIG_FROM_DEFAULT, 0};
    for (size_t i = 0; i < count; i++) {
        int result = keys[i].setting.fallback ? assign(c, i, keys[i].setting.fallback, origin) : 0;
        if (result < 0) {
            return result;
        }
    }
    return default_state(c);
}

/* ---- file -------------------------------------------------------------------------------- */

struct reader {
    struct config *config;
    FILE *file;
    unsigned line;
    int result;
};

/* fgets() that counts lines, because inih does not tell its handler where it is. */
static char *read_line(char *out, int out_bytes, void *context)
{
    struct reader *r = context;
    if (r->result < 0 || fgets(out, out_bytes, r->file) == NULL) {
        return NULL;
    }
    r->line++;
    size_t bytes = strlen(out);
    if (bytes + 1u == (size_t)out_bytes && out[bytes - 1u] != '\n') {
        r->result = fail(r->config, MYCEL_E_INVALID, "%s:%u: the line is too long", r->config->path,
                         r->line);
        return NULL;
    }
    return out;
}

static int unknown_key(struct reader *r, const char *section, const char *name)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    struct suggest near = {0};
    const char *elsewhere = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].section, section) == 0) {
            suggest_consider(&near, name, keys[i].setting.name);
        }
        if (strcmp(keys[i].setting.name, name) == 0) {
            elsewhere = keys[i].section;
        }
    }
    char hint[128] = "";
    if (elsewhere != NULL && elsewhere[0] != '\0') {
        snprintf(hint, sizeof hint, "; it belongs below [%s]", elsewhere);
    } else if (elsewhere != NULL) {
        snprintf(hint, sizeof hint, "; it belongs at the top, before any [section]");
    } else if (strcmp(name, "key") == 0 || strcmp(name, "psk") == 0) {
        snprintf(hint, sizeof hint, "; secrets are only read from files: use key-file");
    } else if (near.best != NULL) {
        snprintf(hint, sizeof hint, "; did you mean '%s'?", near.best);
    }
    return fail(r->config, MYCEL_E_INVALID, "%s:%u: unknown key '%.60s'%s%.40s%s%s",
                r->config->path, r->line, name, section[0] ? " in [" : "", section,
                section[0] ? "]" : "", hint);
}

static int on_pair(void *context, const char *section, const char *name, const char *value)
{
    struct reader *r = context;
    struct config *c = r->config;
    size_t count;
    const struct config_key *keys = config_keys(&count);
    if (r->result < 0) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].setting.name, name) != 0) {
            continue;
        }
        if (c->origins[i].source == CONFIG_FROM_FILE) {
            r->result = fail(c, MYCEL_E_INVALID, "%s:%u: %s was already set in line %u", c->path,
                             r->line, name, c->origins[i].line);
            return 0;
        }
        const char *kept = keep(c, value);
        struct config_origin origin = {CONFIG_FROM_FILE, r->line};
        r->result =
            kept ? assign(c, i, kept, origin) : fail(c, MYCEL_E_FULL, "%s: too long", c->path);
        return r->result >= 0;
    }
    r->result = unknown_key(r, section, name);
    return 0;
}

static int load_file(struct config *c, const char *path)
{
    if (snprintf(c->path, sizeof c->path, "%s", path) >= (int)sizeof c->path) {
        return fail(c, MYCEL_E_INVALID, "the path of the configuration file is too long");
    }
    struct reader r = {.config = c, .file = fopen(path, "re")};
    if (r.file == NULL) {
        return fail(c, file_error(errno), "%s: %s", path, strerror(errno));
    }
    int line = ini_parse_stream(read_line, &r, on_pair, &r);
    if (r.result == MYCEL_OK && ferror(r.file)) {
        r.result = fail(c, MYCEL_E_IO, "%s: %s", path, strerror(errno));
    } else if (r.result == MYCEL_OK && line != 0) {
        r.result = fail(c, MYCEL_E_INVALID, "%s:%d: neither [section] nor key = value", path, line);
    }
    (void)fclose(r.file);
    return r.result;
}

/* Finds the file where none was named. "" means that there is none. */
static void find_file(char *path, size_t path_bytes)
{
    const char *folder = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    path[0] = '\0';
    if (folder != NULL && folder[0] == '/') {
        snprintf(path, path_bytes, "%s/mycel/mycel.conf", folder);
    } else if (home != NULL) {
        snprintf(path, path_bytes, "%s/.config/mycel/mycel.conf", home);
    }
    if (path[0] != '\0' && access(path, F_OK) == 0) {
        return;
    }
    snprintf(path, path_bytes, "%s",
             access(CONFIG_SYSTEM_FILE, F_OK) == 0 ? CONFIG_SYSTEM_FILE : "");
}

static int load_any_file(struct config *c, const char *path)
{
    char found[PATH_MAX];
    if (path == NULL) {
        path = getenv(CONFIG_ENVIRONMENT_FILE);
    }
    if (path == NULL || path[0] == '\0') {
        find_file(found, sizeof found);
        path = found;
    }
    if (path[0] == '\0' || strcmp(path, CONFIG_NO_FILE) == 0) {
        return MYCEL_OK;
    }
    return load_file(c, path);
}

/* ---- environment and flags --------------------------------------------------------------- */

static int load_environment(struct config *c)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        char variable[CONFIG_NAME_BYTES_MAX];
        const char *text = getenv(config_variable(&keys[i], variable));
        struct config_origin origin = {CONFIG_FROM_ENVIRONMENT, 0};
        int result = text ? assign(c, i, text, origin) : MYCEL_OK;
        if (result < 0) {
            return result;
        }
    }
    return MYCEL_OK;
}

int config_load(struct config *c, const char *path, const char *const *flags)
{
    memset(c, 0, sizeof *c);
    int result = load_defaults(c);
    if (result == MYCEL_OK) {
        result = load_any_file(c, path);
    }
    if (result == MYCEL_OK) {
        result = load_environment(c);
    }
    size_t count;
    config_keys(&count);
    struct config_origin origin = {CONFIG_FROM_FLAG, 0};
    for (size_t i = 0; result == MYCEL_OK && flags != NULL && i < count; i++) {
        result = flags[i] ? assign(c, i, flags[i], origin) : MYCEL_OK;
    }
    return result;
}
