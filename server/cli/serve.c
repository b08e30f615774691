/* `mycel serve`: the configuration, as the coordinator wants it. */
#include "server/cli/serve.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <mycel/error.h>

#include "client/port/linux/pem_file.h"
#include "common/assert.h"
#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/daemon/daemon.h"

#define ADDRESSES_BYTES_MAX 256u

struct serve_options {
    const char *ready_file;
    const char *record;
};

static const struct setting rows[] = {
    {.name = "ready-file",
     .type = SETTING_TEXT,
     .argument = "FILE",
     .min = 1,
     .max = PATH_MAX - 1,
     .help = "Write the port there once devices are answered"},
    {.name = "record",
     .type = SETTING_TEXT,
     .argument = "FILE",
     .min = 1,
     .max = PATH_MAX - 1,
     .offset = offsetof(struct serve_options, record),
     .help = "Add every event to this log, for 'mycel replay'"},
};

const struct setting_list serve_settings = SETTING_LIST(rows, struct serve_options);

static bool is_address(const char *text)
{
    unsigned char binary[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1;
}

/* Cuts "127.0.0.1,::1" in place. */
static int split_addresses(char *text, const char *out[DAEMON_BINDS_MAX])
{
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
        if (count == DAEMON_BINDS_MAX) {
            say_error("--listen: at most %d addresses", DAEMON_BINDS_MAX);
            return MYCEL_E_INVALID;
        }
        if (!is_address(word)) {
            say_error("--listen: '%s' is no numeric address, such as 0.0.0.0 or ::", word);
            return MYCEL_E_INVALID;
        }
        out[count++] = word;
    }
    if (count == 0) {
        say_error("--listen: no address is given");
        return MYCEL_E_INVALID;
    }
    return MYCEL_OK;
}

static int check_files(const struct config_serve *c)
{
    struct stat info;
    if (c->labels != NULL && c->data == NULL) {
        say_error("--eval-labels is of no use without --eval-data");
        return EXIT_CODE_USAGE;
    }
    if (c->root_labels != NULL && c->root_data == NULL) {
        say_error("--root-labels is of no use without --root-data");
        return EXIT_CODE_USAGE;
    }
    if (c->root_data != NULL && stat(c->root_data, &info) != 0) {
        say_error("the root set %s cannot be read", c->root_data);
        return EXIT_CODE_NOT_FOUND;
    }
    if (c->data != NULL && stat(c->data, &info) != 0) {
        say_error("the held-out set %s cannot be read", c->data);
        return EXIT_CODE_NOT_FOUND;
    }
    return EXIT_CODE_OK;
}

/* All of --certificate, --private-key and --device-ca, or none. *out stays empty without. */
static int read_certificates(const struct config_serve *c, struct pem_texts *out)
{
    const struct pem_files files = {c->certificate, c->private_key, c->device_ca, c->crl};
    const char *failed = "";
    *out = (struct pem_texts){0};
    bool any = files.own || files.key || files.ca || files.crl;
    if (any && (!files.own || !files.key || !files.ca)) {
        say_error("--certificate, --private-key and --device-ca are of use only together");
        return MYCEL_E_INVALID;
    }
    int result = any ? pem_files_read(&files, out, &failed) : MYCEL_OK;
    if (result == MYCEL_E_PERMISSION && failed == files.key) {
        say_error("%s has to be a file that its owner alone can read: chmod 600 it", failed);
    } else if (result < 0) {
        say_error("%s: %s", failed, mycel_error_text(result));
    }
    return result;
}

struct certificates {
    const struct config_serve *config;
    struct pem_texts texts;
};

static int read_again(void *user)
{
    struct certificates *certificates = user;
    struct pem_texts fresh;
    int result = read_certificates(certificates->config, &fresh);
    if (result == MYCEL_OK) {
        pem_texts_free(&certificates->texts);
        certificates->texts = fresh;
    }
    return result;
}

/* With what was read, which is wiped in the end. */
static int serve_with(struct daemon_options *daemon, const struct config_serve *c)
{
    struct certificates certificates = {.config = c};
    int result = read_certificates(c, &certificates.texts);
    if (result == MYCEL_OK) {
        daemon->certificates = certificates.texts.own.text ? &certificates.texts : NULL;
        daemon->certificates_again = read_again;
        daemon->certificates_user = &certificates;
        daemon->certificate_handshakes = (uint32_t)c->certificate_handshakes;
        result = daemon_run(daemon);
    }
    pem_texts_free(&certificates.texts);
    return exit_of_error(result);
}

int serve_run(const struct invocation *call)
{
    const struct config *c = call->config;
    const struct serve_options *options = call->options;
    char addresses[ADDRESSES_BYTES_MAX];
    struct daemon_options daemon = {
        .state_dir = c->state,
        .port = (uint16_t)c->serve.port,
        .log_format = c->log_format == CONFIG_LOG_JSON ? LOG_JSON : LOG_TEXT,
        .log_level = (enum log_level)c->log_level,
        .eval_images = c->serve.data,
        .eval_labels = c->serve.labels,
        .root_inputs = c->serve.root_data,
        .root_labels = c->serve.root_labels,
        .root_samples = (uint32_t)c->serve.root_samples,
        .sessions_max = (uint32_t)c->serve.sessions_max,
        .workers = (unsigned)c->serve.workers,
        .keep_versions = (uint32_t)c->serve.keep_versions,
        .record_file = options->record,
        .ready_file = options->ready_file,
    };
    MYCEL_ASSERT(daemon.workers <= DAEMON_WORKERS_MAX); /* config_keys.c */
    snprintf(addresses, sizeof addresses, "%s", c->serve.listen);
    if (split_addresses(addresses, daemon.bind) < 0) {
        return EXIT_CODE_USAGE;
    }
    int code = check_files(&c->serve);
    return code == EXIT_CODE_OK ? serve_with(&daemon, &c->serve) : code;
}
