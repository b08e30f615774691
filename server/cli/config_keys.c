/* The table of configuration keys. Nothing else knows a key's name, bounds or default. */
#include "server/cli/config.h"

#include <ctype.h>
#include <stdio.h>

#include "data/partition.h"
#include "proto/limits.h"

static const char *const log_formats[] = {"text", "json", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

#define IN(member) .offset = offsetof(struct config, member)
#define STATE(...)                                                                                 \
    {                                                                                              \
        .section = "", .group = CONFIG_GROUP_STATE, .setting = { __VA_ARGS__ }                     \
    }
#define LOG(...)                                                                                   \
    {                                                                                              \
        .section = "", .group = CONFIG_GROUP_LOG, .setting = { __VA_ARGS__ }                       \
    }
#define SERVE(...)                                                                                 \
    {                                                                                              \
        .section = "serve", .group = CONFIG_GROUP_SERVE, .setting = { __VA_ARGS__ }                \
    }
#define ROOT(...)                                                                                  \
    {                                                                                              \
        .section = "serve", .group = CONFIG_GROUP_ROOT, .setting = { __VA_ARGS__ }                 \
    }
#define CLIENT(...)                                                                                \
    {                                                                                              \
        .section = "client", .group = CONFIG_GROUP_CLIENT, .setting = { __VA_ARGS__ }              \
    }

static const struct config_key keys[] = {
    STATE(.name = "state", .letter = 's', .type = SETTING_TEXT, .argument = "DIR", .min = 1,
          .max = PATH_MAX - 32, IN(state),
          .help = "Folder of the coordinator's database: devices, runs, versions"),

    LOG(.name = "log-format", .type = SETTING_CHOICE, .argument = "text|json", .fallback = "text",
        .choices = log_formats, IN(log_format), .help = "How log lines on stderr look"),
    LOG(.name = "log-level", .type = SETTING_CHOICE, .argument = "LEVEL", .fallback = "info",
        .choices = log_levels, IN(log_level),
        .help = "Least important lines to log: error, warning, info or debug"),

    SERVE(.name = "listen", .type = SETTING_TEXT, .argument = "ADDRESSES",
          .fallback = "127.0.0.1,::1", .min = 1, .max = 255, IN(serve.listen),
          .help = "Numeric addresses to accept devices on, up to 4; only this machine until you "
                  "change it"),
    SERVE(.name = "port", .letter = 'p', .type = SETTING_COUNT, .argument = "N", .fallback = "5684",
          .min = 0, .max = 65535, IN(serve.port), .help = "UDP port; 0 takes a free one"),
    SERVE(.name = "eval-data", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
          .max = PATH_MAX - 1, IN(serve.data),
          .help = "Held-out set that scores each version: IDX (may be gzipped), CSV, .npy or .npz"),
    SERVE(.name = "eval-labels", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
          .max = PATH_MAX - 1, IN(serve.labels),
          .help = "Its labels, if --eval-data is IDX or .npy"),
    ROOT(.name = "root-data", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
         .max = PATH_MAX - 1, IN(serve.root_data),
         .help = "Clean samples of the coordinator's own, which the strategy fltrust measures "
                 "devices by"),
    ROOT(.name = "root-labels", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
         .max = PATH_MAX - 1, IN(serve.root_labels),
         .help = "Their labels, if --root-data is IDX or .npy"),
    ROOT(.name = "root-samples", .type = SETTING_COUNT, .argument = "N", .fallback = "600",
         .min = 0, .max = 100000000, IN(serve.root_samples),
         .help = "How many of them are drawn and trained on; 0: all"),
    SERVE(.name = "sessions-max", .type = SETTING_COUNT, .argument = "N", .fallback = "10000",
          .min = 1, .max = 1000000, IN(serve.sessions_max), .help = "DTLS sessions at most"),
    SERVE(.name = "certificate", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
          .max = PATH_MAX - 1, IN(serve.certificate),
          .help = "The coordinator's certificate (PEM), for devices that come with one"),
    SERVE(.name = "private-key", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
          .max = PATH_MAX - 1, IN(serve.private_key),
          .help = "Its key (PEM), readable by its owner only"),
    SERVE(.name = "device-ca", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
          .max = PATH_MAX - 1, IN(serve.device_ca),
          .help = "The CA (PEM; may be several) that devices' certificates are signed by"),
    SERVE(.name = "device-crl", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
          .max = PATH_MAX - 1, IN(serve.crl), .help = "What that CA has revoked (PEM)"),
    SERVE(.name = "certificate-handshakes", .type = SETTING_COUNT, .argument = "N",
          .fallback = "50", .min = 1, .max = 100000, IN(serve.certificate_handshakes),
          .help = "Handshakes with certificates begun in a second; others have to wait"),
    SERVE(.name = "workers", .type = SETTING_COUNT, .argument = "N", .fallback = "1", .min = 1,
          .max = 64, IN(serve.workers),
          .help = "Threads that serve devices on the port; more than 1 needs that many idle cores"),
    SERVE(.name = "keep-versions", .type = SETTING_COUNT, .argument = "N", .fallback = "50",
          .min = 0, .max = 1000000, IN(serve.keep_versions),
          .help =
              "Newest versions of a run that keep their parameters, beside tagged ones; 0: all"),

    CLIENT(.name = "coordinator", .letter = 'c', .type = SETTING_TEXT, .argument = "HOST[:PORT]",
           .fallback = "127.0.0.1:5684", .min = 1, .max = 255, IN(client.coordinator),
           .help = "Where the coordinator listens"),
    CLIENT(.name = "identity", .letter = 'i', .type = SETTING_TEXT, .argument = "NAME", .min = 1,
           .max = PROTO_IDENTITY_BYTES_MAX, IN(client.identity),
           .help = "Name under which this device was enrolled, unless the key file says it"),
    CLIENT(.name = "key-file", .letter = 'k', .type = SETTING_TEXT, .argument = "FILE", .min = 1,
           .max = PATH_MAX - 1, IN(client.key_file),
           .help = "File with the device's key, readable by its owner only"),
    CLIENT(.name = "enroll-token-file", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
           .max = PATH_MAX - 1, IN(client.token_file),
           .help =
               "File with a one-time token ('mycel device token'), to get a key with as long as "
               "--key-file does not exist"),
    CLIENT(.name = "certificate", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
           .max = PATH_MAX - 1, IN(client.certificate),
           .help = "Instead of a key file: the device's certificate (PEM), which says its name"),
    CLIENT(.name = "private-key", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
           .max = PATH_MAX - 1, IN(client.private_key),
           .help = "Its key (PEM), readable by its owner only"),
    CLIENT(.name = "coordinator-ca", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
           .max = PATH_MAX - 1, IN(client.coordinator_ca),
           .help = "The CA (PEM) that the coordinator's certificate has to be signed by"),
    CLIENT(.name = "coordinator-crl", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
           .max = PATH_MAX - 1, IN(client.coordinator_crl),
           .help = "What that CA has revoked (PEM)"),
    CLIENT(.name = "coordinator-name", .type = SETTING_TEXT, .argument = "NAME", .min = 1,
           .max = 255, IN(client.coordinator_name),
           .help = "Name that the coordinator's certificate has to be for, unless it is HOST"),
    CLIENT(.name = "directory", .type = SETTING_TEXT, .argument = "DIR", .min = 1,
           .max = PATH_MAX - 64, IN(client.directory),
           .help = "Folder where the device keeps its model and unfinished upload"),
    CLIENT(.name = "data", .type = SETTING_TEXT, .argument = "FILE", .min = 1, .max = PATH_MAX - 1,
           IN(client.data),
           .help =
               "Training set: IDX (may be gzipped), CSV, .npy or .npz; it never leaves the device"),
    CLIENT(.name = "labels", .type = SETTING_TEXT, .argument = "FILE", .min = 1,
           .max = PATH_MAX - 1, IN(client.labels), .help = "Its labels, if --data is IDX or .npy"),
    CLIENT(.name = "slice", .type = SETTING_COUNT, .argument = "I", .fallback = "0", .min = 0,
           .max = 99999, IN(client.slice),
           .help = "Which slice of the training set is this device's"),
    CLIENT(.name = "slices", .type = SETTING_COUNT, .argument = "N", .fallback = "1", .min = 1,
           .max = 100000, IN(client.slices), .help = "Into how many slices the set is cut"),
    CLIENT(.name = "partition", .type = SETTING_TEXT, .argument = "KIND", .fallback = "iid",
           .min = 3, .max = PATH_MAX - 1, IN(client.partition),
           .help = "How the set is cut: " PARTITION_FORMS),
    CLIENT(.name = "partition-seed", .type = SETTING_COUNT, .argument = "N", .fallback = "1",
           .min = 0, .max = 9007199254740992.0, IN(client.partition_seed),
           .help = "Seed of the cut: the same on all devices"),
    CLIENT(.name = "in-order", .type = SETTING_SWITCH, .fallback = "no", IN(client.in_order),
           .help = "Train on the samples as they stand in the file, not shuffled"),
    CLIENT(.name = "load-max", .type = SETTING_REAL, .argument = "LOAD", .fallback = "0", .min = 0,
           .max = 4096, IN(client.load_max),
           .help = "Train only while the load average lies below this; 0: always"),
    CLIENT(.name = "on-battery", .type = SETTING_SWITCH, .fallback = "no", IN(client.on_battery),
           .help = "Train without mains power, too"),
    CLIENT(.name = "battery-min", .type = SETTING_COUNT, .argument = "PERCENT", .fallback = "0",
           .min = 0, .max = 100, IN(client.battery_min),
           .help = "… as long as the battery is at least so full"),
    CLIENT(.name = "class", .type = SETTING_TEXT, .argument = "CLASS", .fallback = "linux",
           .max = 23, IN(client.device_class), .help = "Device class, as runs select by"),
    CLIENT(.name = "narrow-link", .type = SETTING_SWITCH, .fallback = "no", IN(client.narrow_link),
           .help = "Bytes are dear here: send updates in the run's shortest encoding"),
    CLIENT(.name = "spread", .type = SETTING_DURATION, .argument = "TIME", .fallback = "0",
           .max = 86400e3, IN(client.spread_ms),
           .help = "Check in for the first time somewhere within this time"),
    CLIENT(.name = "pause", .type = SETTING_DURATION, .argument = "TIME", .fallback = "1s",
           .min = 1, .max = 86400e3, IN(client.pause_ms),
           .help = "Shortest pause between two check-ins, whatever the coordinator says"),
    CLIENT(.name = "block", .type = SETTING_COUNT, .argument = "BYTES", .fallback = "1024",
           .min = 64, .max = PROTO_BLOCK_BYTES_MAX, IN(client.block_bytes),
           .help = "Largest block of a transfer, a power of two; lossy meshes want small ones"),
    CLIENT(.name = "patience", .type = SETTING_DURATION, .argument = "TIME", .fallback = "30s",
           .min = 100, .max = 3600e3, IN(client.patience_ms),
           .help = "Give a silent coordinator up after this, and try again"),
    CLIENT(.name = "backoff", .type = SETTING_DURATION, .argument = "TIME", .fallback = "1s",
           .min = 1, .max = 3600e3, IN(client.backoff_ms),
           .help = "First pause after a failure; it doubles from there"),
    CLIENT(.name = "backoff-max", .type = SETTING_DURATION, .argument = "TIME", .fallback = "10m",
           .min = 1, .max = 86400e3, IN(client.backoff_max_ms),
           .help = "Longest pause after failures"),
};

_Static_assert(sizeof keys / sizeof keys[0] <= CONFIG_KEYS_MAX, "raise CONFIG_KEYS_MAX");

const struct config_key *config_keys(size_t *count)
{
    *count = sizeof keys / sizeof keys[0];
    return keys;
}

const char *config_variable(const struct config_key *key, char out[CONFIG_NAME_BYTES_MAX])
{
    snprintf(out, CONFIG_NAME_BYTES_MAX, "mycel_%s%s%s", key->section, key->section[0] ? "_" : "",
             key->setting.name);
    for (char *c = out; *c != '\0'; c++) {
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    }
    return out;
}
