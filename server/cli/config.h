/*
 * The configuration: one table of keys that serves the command line, the environment, the file and
 * the defaults, in this order of precedence. It owns the texts of the values it read. It must never
 * hold a secret: keys are named by file and read by whoever needs them (secret.h).
 *
 * A key "port" of section "serve" is --port of `mycel serve`, MYCEL_SERVE_PORT in the environment,
 * and "port = 5684" below [serve] in the file. Keys without a section stand at the top of the file.
 */
#ifndef MYCEL_SERVER_CLI_CONFIG_H
#define MYCEL_SERVER_CLI_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/cli/setting.h"

#define CONFIG_KEYS_MAX 64u
#define CONFIG_TEXT_BYTES_MAX 32768u /* all values read from files and computed defaults */
#define CONFIG_MESSAGE_BYTES 1024u
#define CONFIG_NAME_BYTES_MAX 64u

/* Which commands take a key as a flag: a command lists the groups it needs. */
enum config_group {
    CONFIG_GROUP_STATE = 1,
    CONFIG_GROUP_LOG = 2,
    CONFIG_GROUP_SERVE = 4,
    CONFIG_GROUP_CLIENT = 8,
    CONFIG_GROUP_ROOT = 16 /* the root set: `serve` trains on it, `run create` asks for it */
};

struct config_key {
    struct setting setting; /* offsets are into struct config */
    const char *section;    /* "" for the top of the file */
    enum config_group group;
};

enum config_source {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_FLAG
};

struct config_origin {
    enum config_source source;
    unsigned line; /* of the file */
};

enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };

struct config_serve {
    const char *listen;
    uint64_t port;
    const char *data;
    const char *labels;
    const char *root_data;
    const char *root_labels;
    uint64_t root_samples;
    uint64_t sessions_max;
    const char *certificate;
    const char *private_key;
    const char *device_ca;
    const char *crl;
    uint64_t certificate_handshakes;
    uint64_t workers;
    uint64_t keep_versions;
};

struct config_client {
    const char *coordinator;
    const char *identity;
    const char *key_file;
    const char *token_file;
    const char *certificate;
    const char *private_key;
    const char *coordinator_ca;
    const char *coordinator_crl;
    const char *coordinator_name;
    const char *directory;
    const char *data;
    const char *labels;
    uint64_t slice;
    uint64_t slices;
    const char *partition;
    uint64_t partition_seed;
    bool in_order;
    double load_max;
    bool on_battery;
    uint64_t battery_min;
    const char *device_class;
    bool narrow_link;
    uint64_t spread_ms;
    uint64_t pause_ms;
    uint64_t block_bytes;
    uint64_t patience_ms;
    uint64_t backoff_ms;
    uint64_t backoff_max_ms;
};

struct config {
    const char *state;
    unsigned log_format;
    unsigned log_level;
    struct config_serve serve;
    struct config_client client;

    char path[PATH_MAX]; /* the file that was read, "" for none */
    struct config_origin origins[CONFIG_KEYS_MAX];
    char message[CONFIG_MESSAGE_BYTES]; /* why the last call failed */
    char text[CONFIG_TEXT_BYTES_MAX];
    size_t text_used;
};

/* The table. Static storage. */
const struct config_key *config_keys(size_t *count);

/* "MYCEL_SERVE_PORT" for the key; returns out. */
const char *config_variable(const struct config_key *key, char out[CONFIG_NAME_BYTES_MAX]);

/* Fills c from defaults, the file, the environment and flags[] (one text or NULL per key, in the
 * table's order; they must outlive c). The file is path, or $MYCEL_CONFIG, or the first that exists
 * of ~/.config/mycel/mycel.conf and /etc/mycel/mycel.conf; "none" reads no file. Blocks on the file.
 * 0, or MYCEL_E_NOT_FOUND (a named file is missing), MYCEL_E_PERMISSION, MYCEL_E_IO,
 * MYCEL_E_INVALID (unknown key, bad value), MYCEL_E_FULL; message then says what and where. */
int config_load(struct config *c, const char *path, const char *const *flags);

/* "default", "/etc/mycel/mycel.conf:12", "MYCEL_SERVE_PORT" or "--port"; returns out. */
const char *config_origin_text(const struct config *c, size_t key, char *out, size_t out_bytes);

#endif
