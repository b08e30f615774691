/* Implementation of keyring.h. */
#include "client/port/linux/keyring.h"

#include <errno.h>
#include <limits.h>
#include <mycel/error.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* A folder that takes no new file would waste the coordinator's key: asked before it makes one. */
static bool can_replace(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash != NULL ? snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path)
                          : snprintf(folder, sizeof folder, ".");
    return n > 0 && (size_t)n < sizeof folder && access(folder, W_OK) == 0;
}

static int share(void *ctx, uint8_t out[MYCEL_SHARE_BYTES])
{
    struct keyring *k = ctx;
    if (!can_replace(k->path)) {
        return MYCEL_E_PERMISSION;
    }
    while (!k->has_share) {
        ssize_t n = getrandom(k->share, sizeof k->share, 0); /* so few bytes come whole */
        k->has_share = n == (ssize_t)sizeof k->share;
        if (n < 0 && errno != EINTR) {
            return MYCEL_E_CRYPTO;
        }
    }
    memcpy(out, k->share, sizeof k->share);
    return MYCEL_OK;
}

static int replace(void *ctx, const uint8_t key[MYCEL_KEY_BYTES])
{
    struct keyring *k = ctx;
    struct key_file file = {.key_bytes = MYCEL_KEY_BYTES};
    memcpy(file.key, key, MYCEL_KEY_BYTES);
    (void)snprintf(file.identity, sizeof file.identity, "%s", k->identity);
    int rc = key_file_write(k->path, &file);
    if (rc == MYCEL_OK) {
        coap_transport_set_key(k->transport, key, MYCEL_KEY_BYTES);
        explicit_bzero(k->share, sizeof k->share);
        k->has_share = false;
    }
    explicit_bzero(&file, sizeof file);
    return rc;
}

const struct mycel_keyring keyring_table = {share, replace};
