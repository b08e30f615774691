/* The devices in memory, in order of id and in chunks that never move, with a hash index of identities;
 * and the tokens, chained in a hash table. Both indexes grow by doubling. */
#include "server/daemon/roster.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_ENTRIES 1024u
#define CHUNKS_MAX ((ROSTER_DEVICES_MAX + CHUNK_ENTRIES - 1u) / CHUNK_ENTRIES)
#define BUCKETS_MIN 1024u /* a power of two */

struct token_node {
    struct token_node *next; /* in its bucket */
    struct store_token token;
};

struct roster {
    uint64_t head;
    struct roster_entry *chunk[CHUNKS_MAX];
    uint32_t count;
    uint32_t *bucket; /* position + 1 of the first entry, 0: none */
    uint32_t buckets;
    struct token_node **token_bucket;
    uint32_t token_buckets;
    uint32_t tokens;
};

static void wipe(void *memory, size_t bytes)
{
    explicit_bzero(memory, bytes);
}

/* Names are the operator's, not a stranger's, so that nobody can aim at one bucket. FNV-1a. */
static uint32_t hash_of(const char *identity)
{
    uint32_t hash = 2166136261u;
    for (const char *c = identity; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    }
    return hash ^ hash >> 15;
}

static struct roster_entry *entry_at(const struct roster *roster, uint32_t position)
{
    return &roster->chunk[position / CHUNK_ENTRIES][position % CHUNK_ENTRIES];
}

/* --- life ------------------------------------------------------------------------------------- */

struct roster *roster_new(uint64_t head)
{
    struct roster *roster = calloc(1, sizeof *roster);
    if (roster) {
        roster->head = head;
        roster->buckets = BUCKETS_MIN;
        roster->token_buckets = BUCKETS_MIN;
        roster->bucket = calloc(BUCKETS_MIN, sizeof *roster->bucket);
        roster->token_bucket = calloc(BUCKETS_MIN, sizeof(struct token_node *));
    }
    if (roster && (!roster->bucket || !roster->token_bucket)) {
        roster_free(roster);
        roster = NULL;
    }
    return roster;
}

static void free_tokens(struct roster *roster)
{
    for (uint32_t i = 0; roster->token_bucket && i < roster->token_buckets; i++) {
        struct token_node *next;
        for (struct token_node *node = roster->token_bucket[i]; node; node = next) {
            next = node->next;
            wipe(node, sizeof *node);
            free(node);
        }
    }
    free(roster->token_bucket);
}

void roster_free(struct roster *roster)
{
    if (!roster) {
        return;
    }
    for (uint32_t i = 0; i < CHUNKS_MAX && roster->chunk[i]; i++) {
        wipe(roster->chunk[i], CHUNK_ENTRIES * sizeof(struct roster_entry));
        free(roster->chunk[i]);
    }
    free_tokens(roster);
    free(roster->bucket);
    free(roster);
}

uint64_t roster_head(const struct roster *roster)
{
    return roster->head;
}

size_t roster_count(const struct roster *roster)
{
    return roster->count;
}

/* --- devices ---------------------------------------------------------------------------------- */

static struct roster_entry *find_id(const struct roster *roster, uint32_t device)
{
    uint32_t low = 0;
    uint32_t high = roster->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct roster_entry *entry = entry_at(roster, middle);
        if (entry->device == device) {
            return entry;
        }
        if (device < entry->device) {
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

const struct roster_entry *roster_find(const struct roster *roster, const char *identity)
{
    uint32_t at = roster->bucket[hash_of(identity) & (roster->buckets - 1u)];
    while (at > 0) {
        const struct roster_entry *entry = entry_at(roster, at - 1u);
        if (strcmp(entry->identity, identity) == 0) {
            return entry;
        }
        at = entry->chain;
    }
    return NULL;
}

void roster_set_confirming(struct roster *roster, uint32_t device, bool confirming)
{
    struct roster_entry *entry = find_id(roster, device);
    if (entry) {
        entry->confirming = confirming;
    }
}

static void link_entry(struct roster *roster, uint32_t position)
{
    struct roster_entry *entry = entry_at(roster, position);
    uint32_t *bucket = &roster->bucket[hash_of(entry->identity) & (roster->buckets - 1u)];
    entry->chain = *bucket;
    *bucket = position + 1u;
}

static int grow_index(struct roster *roster)
{
    uint32_t *larger = calloc(2u * (size_t)roster->buckets, sizeof *larger);
    if (!larger) {
        return MYCEL_E_NO_MEMORY;
    }
    free(roster->bucket);
    roster->bucket = larger;
    roster->buckets *= 2u;
    for (uint32_t i = 0; i < roster->count; i++) {
        link_entry(roster, i);
    }
    return MYCEL_OK;
}

static int append(struct roster *roster, const struct roster_entry *entry)
{
    uint32_t position = roster->count;
    struct roster_entry **chunk = &roster->chunk[position / CHUNK_ENTRIES];
    int rc = position >= roster->buckets ? grow_index(roster) : MYCEL_OK;
    if (rc == 0 && !*chunk) {
        *chunk = calloc(CHUNK_ENTRIES, sizeof **chunk);
        rc = *chunk ? MYCEL_OK : MYCEL_E_NO_MEMORY;
    }
    if (rc == 0) {
        *entry_at(roster, position) = *entry;
        link_entry(roster, position);
        roster->count++;
    }
    return rc;
}

/* Ids only grow, and an identity stays with its id. */
static int put_device(struct roster *roster, struct roster_change *change)
{
    struct roster_entry *known = find_id(roster, change->entry.device);
    if (known) {
        struct roster_entry before = *known;
        change->entry.chain = before.chain;
        *known = change->entry;
        change->entry = before;
        wipe(&before, sizeof before);
        return MYCEL_OK;
    }
    bool fits =
        roster->count == 0 || entry_at(roster, roster->count - 1u)->device < change->entry.device;
    if (roster->count == ROSTER_DEVICES_MAX || !fits) {
        return fits ? MYCEL_E_TOO_LARGE : MYCEL_E_STATE;
    }
    change->there = false;
    return append(roster, &change->entry);
}

/* --- tokens ----------------------------------------------------------------------------------- */

static struct token_node **token_link(const struct roster *roster, const char *identity)
{
    struct token_node **link =
        &roster->token_bucket[hash_of(identity) & (roster->token_buckets - 1u)];
    while (*link && strcmp((*link)->token.identity, identity) != 0) {
        link = &(*link)->next;
    }
    return link;
}

static int grow_tokens(struct roster *roster)
{
    uint32_t before = roster->token_buckets;
    struct token_node **old = roster->token_bucket;
    struct token_node **larger = calloc(2u * (size_t)before, sizeof(struct token_node *));
    if (!larger) {
        return MYCEL_E_NO_MEMORY;
    }
    roster->token_bucket = larger;
    roster->token_buckets = 2u * before;
    for (uint32_t i = 0; i < before; i++) {
        struct token_node *next;
        for (struct token_node *node = old[i]; node; node = next) {
            next = node->next;
            struct token_node **link = token_link(roster, node->token.identity);
            node->next = NULL;
            *link = node;
        }
    }
    free(old);
    return MYCEL_OK;
}

static int add_token(struct roster *roster, const struct store_token *token)
{
    int rc = roster->tokens >= roster->token_buckets ? grow_tokens(roster) : MYCEL_OK;
    struct token_node *node = rc == 0 ? calloc(1, sizeof *node) : NULL;
    if (!node || roster->tokens == ROSTER_DEVICES_MAX) {
        free(node);
        return node ? MYCEL_E_TOO_LARGE : MYCEL_E_NO_MEMORY;
    }
    node->token = *token;
    *token_link(roster, token->identity) = node;
    roster->tokens++;
    return MYCEL_OK;
}

static void drop_token(struct roster *roster, struct token_node **link)
{
    struct token_node *node = *link;
    *link = node->next;
    wipe(node, sizeof *node);
    free(node);
    roster->tokens--;
}

static int put_token(struct roster *roster, struct roster_change *change)
{
    struct token_node **link = token_link(roster, change->token.identity);
    bool was_there = *link != NULL;
    int rc = MYCEL_OK;
    if (was_there && change->there) {
        (*link)->token = change->token;
    } else if (was_there) {
        drop_token(roster, link);
    } else if (change->there) {
        rc = add_token(roster, &change->token);
    }
    change->there = was_there;
    return rc;
}

/* --- changes ---------------------------------------------------------------------------------- */

int roster_put(struct roster *roster, struct roster_change *change)
{
    return change->is_token ? put_token(roster, change) : put_device(roster, change);
}

int roster_apply(struct roster *roster, struct roster_changes *changes)
{
    int rc = MYCEL_OK;
    for (struct roster_change *c = changes->first; c; c = c->next) {
        rc = rc == 0 ? roster_put(roster, c) : rc;
        c->there = rc == 0 && c->there; /* else it holds what has not come about: nothing is lost */
    }
    roster->head = rc == 0 ? changes->head : roster->head;
    return rc;
}

static bool has_key(const struct roster_entry *entry, uint32_t number)
{
    return number == 0 || number == entry->generation || number == entry->next_generation;
}

static enum roster_access compare(const struct roster_entry *before, const struct roster_entry *now)
{
    if (before->state != STORE_DEVICE_ACTIVE) {
        return ROSTER_SAME;
    }
    if (!now || now->state != STORE_DEVICE_ACTIVE || now->mode != before->mode) {
        return ROSTER_LOST;
    }
    return has_key(now, before->generation) && has_key(now, before->next_generation)
               ? ROSTER_SAME
               : ROSTER_OTHER_KEYS;
}

static void compare_device(const struct roster_entry *before, const struct roster *now,
                           const struct roster_losses *losses, void *user)
{
    enum roster_access access = compare(before, roster_get(now, before->device));
    if (access != ROSTER_SAME) {
        losses->device(user, before, access);
    }
}

void roster_lost(const struct roster *before, const struct roster *now,
                 const struct roster_losses *losses, void *user)
{
    for (uint32_t i = 0; i < before->count; i++) {
        compare_device(entry_at(before, i), now, losses, user);
    }
    for (uint32_t i = 0; i < before->token_buckets; i++) {
        for (struct token_node *node = before->token_bucket[i]; node; node = node->next) {
            if (!*token_link(now, node->token.identity)) {
                losses->token(user, node->token.identity);
            }
        }
    }
}

void roster_changes_lost(const struct roster_changes *changes, const struct roster *now,
                         const struct roster_losses *losses, void *user)
{
    for (const struct roster_change *c = changes->first; c; c = c->next) {
        if (c->there && !c->is_token) {
            compare_device(&c->entry, now, losses, user);
        } else if (c->there && !*token_link(now, c->token.identity)) {
            losses->token(user, c->token.identity);
        }
    }
}

/* --- keys ------------------------------------------------------------------------------------- */

static void fill(struct roster_key *key, const uint8_t *psk, size_t bytes, uint32_t number)
{
    memcpy(key->psk, psk, bytes);
    key->bytes = bytes;
    key->number = number;
}

/* A key over the air is most likely in use as soon as it is made; one in a file has a way to go. A next key
 * is valid from when it is there, whatever the clock says: it may have been set back since, and the device
 * may have no other. When the overlap is over the present key counts for nothing, whether the store knows
 * that already or not. */
static unsigned device_keys(const struct roster_entry *e, uint64_t wall_ms,
                            struct roster_key keys[ROSTER_KEYS_MAX])
{
    bool has_next = e->next_bytes > 0;
    bool over = has_next && e->rotation.ends_ms > 0 && wall_ms >= e->rotation.ends_ms;
    unsigned count = 0;
    if (has_next && e->rotation.kind == STORE_ROTATION_AIR) {
        fill(&keys[count++], e->next, e->next_bytes, e->next_generation);
        has_next = false;
    }
    if (e->psk_bytes > 0 && !over) {
        fill(&keys[count++], e->psk, e->psk_bytes, e->generation);
    }
    if (has_next) {
        fill(&keys[count++], e->next, e->next_bytes, e->next_generation);
    }
    return count;
}

unsigned roster_keys(const struct roster *roster, const char *identity, uint64_t wall_ms,
                     struct roster_key keys[ROSTER_KEYS_MAX])
{
    const struct roster_entry *entry = roster_find(roster, identity);
    if (entry) {
        return entry->state == STORE_DEVICE_ACTIVE ? device_keys(entry, wall_ms, keys) : 0;
    }
    const struct token_node *node = *token_link(roster, identity);
    if (node && wall_ms < node->token.expires_ms) {
        fill(&keys[0], node->token.psk, sizeof node->token.psk, 0);
        return 1;
    }
    return 0;
}
