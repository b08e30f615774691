/* The devices in memory: an array in order of id, and an index of it in order of identity; and the tokens
 * in order of identity. */
#include "server/daemon/roster.h"

#include <stdlib.h>
#include <string.h>

struct roster {
    struct roster_entry *entries; /* by id */
    uint32_t *by_identity;        /* positions in entries */
    size_t count;
    size_t capacity;
    struct store_token *tokens; /* by identity */
    size_t token_count;
    size_t token_capacity;
};

/* The compiler may not remove the wipe of memory that is freed next. */
static void wipe(void *memory, size_t bytes)
{
    volatile uint8_t *byte = memory;
    while (bytes-- > 0) {
        *byte++ = 0;
    }
}

void roster_free(struct roster *roster)
{
    if (!roster) {
        return;
    }
    if (roster->entries) {
        wipe(roster->entries, roster->capacity * sizeof *roster->entries);
    }
    if (roster->tokens) {
        wipe(roster->tokens, roster->token_capacity * sizeof *roster->tokens);
    }
    free(roster->tokens);
    free(roster->entries);
    free(roster->by_identity);
    free(roster);
}

/* Grows by copying instead of realloc, which would leave keys behind in freed memory. */
static int grow(void **array, size_t item_bytes, size_t count, size_t *capacity)
{
    size_t larger = *capacity ? *capacity * 2 : 64;
    void *grown = calloc(larger, item_bytes);
    if (!grown) {
        return MYCEL_E_NO_MEMORY;
    }
    if (*array) {
        memcpy(grown, *array, count * item_bytes);
        wipe(*array, count * item_bytes);
        free(*array);
    }
    *array = grown;
    *capacity = larger;
    return MYCEL_OK;
}

static int collect(void *user, const struct store_device *device)
{
    struct roster *roster = user;
    if (roster->count == ROSTER_DEVICES_MAX) {
        return MYCEL_E_TOO_LARGE;
    }
    if (roster->count == roster->capacity) {
        void *entries = roster->entries;
        int rc = grow(&entries, sizeof *roster->entries, roster->count, &roster->capacity);
        if (rc < 0) {
            return rc;
        }
        roster->entries = entries;
    }
    roster->entries[roster->count++].device = *device;
    return MYCEL_OK;
}

static struct roster_entry *find_id(const struct roster *roster, uint32_t device)
{
    size_t low = 0;
    size_t high = roster->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct roster_entry *entry = &roster->entries[middle];
        if (entry->device.id == device) {
            return entry;
        }
        if (device < entry->device.id) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

static int collect_token(void *user, const struct store_token *token)
{
    struct roster *roster = user;
    if (roster->token_count == ROSTER_DEVICES_MAX) {
        return MYCEL_E_TOO_LARGE;
    }
    if (roster->token_count == roster->token_capacity) {
        void *tokens = roster->tokens;
        int rc =
            grow(&tokens, sizeof *roster->tokens, roster->token_count, &roster->token_capacity);
        if (rc < 0) {
            return rc;
        }
        roster->tokens = tokens;
    }
    roster->tokens[roster->token_count++] = *token;
    struct roster_entry *entry = find_id(roster, token->device);
    if (entry) {
        entry->unconfirmed = true;
    }
    return MYCEL_OK;
}

static int load_keys(struct store *reader, struct roster *roster)
{
    struct store_key key;
    int rc = MYCEL_OK;
    for (size_t i = 0; i < roster->count && rc == 0; i++) {
        struct roster_entry *entry = &roster->entries[i];
        const char *identity = entry->device.identity;
        rc = store_device_key(reader, identity, strlen(identity), &key);
        if (rc == 0) {
            memcpy(entry->psk, key.psk, key.bytes);
            entry->psk_bytes = key.bytes;
        }
    }
    wipe(&key, sizeof key);
    return rc;
}

/* The standard's qsort takes no context, so the index is sorted by glibc's qsort_r. */
static int compare_identities(const void *a, const void *b, void *user)
{
    const struct roster_entry *entries = user;
    const uint32_t *first = a;
    const uint32_t *second = b;
    return strcmp(entries[*first].device.identity, entries[*second].device.identity);
}

static int index_identities(struct roster *roster)
{
    roster->by_identity = calloc(roster->count + 1, sizeof *roster->by_identity);
    if (!roster->by_identity) {
        return MYCEL_E_NO_MEMORY;
    }
    for (size_t i = 0; i < roster->count; i++) {
        roster->by_identity[i] = (uint32_t)i;
    }
    if (roster->count > 1) {
        qsort_r(roster->by_identity, roster->count, sizeof *roster->by_identity, compare_identities,
                roster->entries);
    }
    return MYCEL_OK;
}

int roster_load(struct store *reader, struct roster **out)
{
    *out = NULL;
    struct roster *roster = calloc(1, sizeof *roster);
    if (!roster) {
        return MYCEL_E_NO_MEMORY;
    }
    int rc = store_begin_read(reader);
    if (rc == 0) {
        rc = store_devices(reader, collect, roster);
        if (rc == 0) {
            rc = load_keys(reader, roster);
        }
        if (rc == 0) {
            rc = store_tokens(reader, collect_token, roster);
        }
        store_rollback(reader);
    }
    if (rc == 0) {
        rc = index_identities(roster);
    }
    if (rc < 0) {
        roster_free(roster);
        return rc;
    }
    *out = roster;
    return MYCEL_OK;
}

const struct roster_entry *roster_find(const struct roster *roster, const char *identity)
{
    size_t low = 0;
    size_t high = roster->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct roster_entry *entry = &roster->entries[roster->by_identity[middle]];
        int order = strcmp(identity, entry->device.identity);
        if (order == 0) {
            return entry;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const struct roster_entry *roster_get(const struct roster *roster, uint32_t device)
{
    return find_id(roster, device);
}

static const struct store_token *find_token(const struct roster *roster, const char *identity)
{
    size_t low = 0;
    size_t high = roster->token_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(identity, roster->tokens[middle].identity);
        if (order == 0) {
            return &roster->tokens[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

size_t roster_key(const struct roster *roster, const char *identity, uint64_t wall_ms,
                  uint8_t key[PROTO_PSK_BYTES_MAX])
{
    const struct roster_entry *entry = roster_find(roster, identity);
    const struct store_token *token = entry ? NULL : find_token(roster, identity);
    if (entry && entry->device.state == STORE_DEVICE_ACTIVE) {
        memcpy(key, entry->psk, entry->psk_bytes);
        return entry->psk_bytes;
    }
    if (token && wall_ms < token->expires_ms) {
        memcpy(key, token->psk, sizeof token->psk);
        return sizeof token->psk;
    }
    return 0;
}

size_t roster_count(const struct roster *roster)
{
    return roster->count;
}

static bool same_access(const struct roster_entry *before, const struct roster_entry *now)
{
    return now && now->device.state == STORE_DEVICE_ACTIVE && before->psk_bytes == now->psk_bytes &&
           memcmp(before->psk, now->psk, before->psk_bytes) == 0;
}

void roster_lost(const struct roster *before, const struct roster *now,
                 void (*lost)(void *user, const struct roster_entry *entry), void *user)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct roster_entry *entry = &before->entries[i];
        if (entry->device.state == STORE_DEVICE_ACTIVE &&
            !same_access(entry, roster_get(now, entry->device.id))) {
            lost(user, entry);
        }
    }
}

void roster_lost_tokens(const struct roster *before, const struct roster *now,
                        void (*lost)(void *user, const char *identity), void *user)
{
    for (size_t i = 0; i < before->token_count; i++) {
        if (!find_token(now, before->tokens[i].identity)) {
            lost(user, before->tokens[i].identity);
        }
    }
}
