/* `mycel client`: the configuration, as the client's Linux port wants it. */
#include "server/cli/client.h"

#include <sys/stat.h>
#include <unistd.h>

#include <mycel/error.h>

#include "client/port/linux/run.h"
#include "server/cli/exits.h"
#include "server/cli/say.h"

struct client_flags {
    uint64_t rounds;
};

static const struct setting rows[] = {
    {.name = "rounds",
     .type = SETTING_COUNT,
     .argument = "N",
     .fallback = "0",
     .max = 1000000000,
     .help = "End after so many updates; 0: go on"},
};

const struct setting_list client_settings = SETTING_LIST(rows, struct client_flags);

/* What the client cannot do without. */
static int check_given(const struct config_client *c)
{
    const struct {
        const char *value, *flag, *what;
    } needed[] = {
        {c->certificate ? c->certificate : c->key_file, "--key-file",
         "the file that 'mycel device enroll' has written, or where one made with a token goes; or "
         "--certificate"},
        {c->directory, "--directory", "a folder for this device's state"},
        {c->data, "--data", "what to train on"},
    };
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (needed[i].value == NULL) {
            say_error("%s is missing: %s", needed[i].flag, needed[i].what);
            return MYCEL_E_INVALID;
        }
    }
    if (c->certificate != NULL && (c->key_file != NULL || c->token_file != NULL)) {
        say_error("--certificate is one identity, --key-file or --enroll-token-file another");
        return MYCEL_E_INVALID;
    }
    if (c->certificate != NULL && (c->private_key == NULL || c->coordinator_ca == NULL)) {
        say_error("--certificate needs --private-key and --coordinator-ca");
        return MYCEL_E_INVALID;
    }
    if (c->slice >= c->slices) {
        say_error("--slice counts from 0 and must be below --slices");
        return MYCEL_E_INVALID;
    }
    return MYCEL_OK;
}

/* The commonest mistake with secrets deserves the way out of it. */
static int check_secret_file(const char *path, const char *what)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        say_error("%s: there is no such %s file", path, what);
        return MYCEL_E_NOT_FOUND;
    }
    if ((info.st_mode & 077) != 0) {
        say_error("%s can be read by others than its owner, so it is no secret: chmod 600 it, and "
                  "enrol the device anew if others had access",
                  path);
        return MYCEL_E_PERMISSION;
    }
    return MYCEL_OK;
}

/* A token is looked at only as long as there is no key. */
static int check_secrets(const struct config_client *c)
{
    if (c->token_file != NULL && access(c->key_file, F_OK) != 0) {
        return check_secret_file(c->token_file, "token");
    }
    return check_secret_file(c->certificate != NULL ? c->private_key : c->key_file, "key");
}

int client_run(const struct invocation *call)
{
    const struct config_client *c = &call->config->client;
    const struct client_flags *flags = call->options;
    int result = check_given(c);
    if (result == MYCEL_OK) {
        result = check_secrets(c);
    }
    if (result < 0) {
        return exit_of_error(result);
    }
    struct client_options options = {
        .coordinator = c->coordinator,
        .identity = c->identity,
        .key_file = c->key_file,
        .token_file = c->token_file,
        .certificate = c->certificate,
        .private_key = c->private_key,
        .coordinator_ca = c->coordinator_ca,
        .coordinator_crl = c->coordinator_crl,
        .coordinator_name = c->coordinator_name,
        .directory = c->directory,
        .data = c->data,
        .labels = c->labels,
        .slice = (uint32_t)c->slice,
        .slices = (uint32_t)c->slices,
        .partition = c->partition,
        .partition_seed = c->partition_seed,
        .device_class = c->device_class,
        .in_order = c->in_order,
        .narrow_link = c->narrow_link,
        .load_max = (float)c->load_max,
        .on_battery = c->on_battery,
        .battery_min_percent = (uint8_t)c->battery_min,
        .rounds = (uint32_t)flags->rounds,
        .block_bytes = (uint32_t)c->block_bytes,
        .answer_ms = (uint32_t)c->patience_ms,
        .backoff_min_ms = (uint32_t)c->backoff_ms,
        .backoff_max_ms = (uint32_t)c->backoff_max_ms,
        .sleep_min_ms = (uint32_t)c->pause_ms,
        .start_spread_ms = (uint32_t)c->spread_ms,
        .json = call->config->log_format == CONFIG_LOG_JSON,
    };
    return exit_of_error(client_main(&options));
}
