/* Reads the roster from the store, as a whole or what has changed. On a pool thread; it must never touch
 * a roster that is in use. */
#include "server/daemon/roster.h"

#include <stdlib.h>
#include <string.h>

static void fill(struct roster_change *change, const struct store_key *key)
{
    struct roster_entry *e = &change->entry;
    *change = (struct roster_change){.there = true};
    e->device = key->device;
    e->state = key->state;
    e->mode = key->mode;
    e->unconfirmed = key->unconfirmed;
    e->rotation = key->rotation;
    e->generation = key->generation;
    e->next_generation = key->next_generation;
    e->psk_bytes = (uint8_t)key->bytes;
    e->next_bytes = (uint8_t)key->next_bytes;
    memcpy(e->psk, key->psk, sizeof e->psk);
    memcpy(e->next, key->next, sizeof e->next);
    memcpy(e->identity, key->identity, sizeof e->identity);
}

/* --- everything ------------------------------------------------------------------------------- */

static int collect(void *user, const struct store_key *key)
{
    struct roster_change change;
    fill(&change, key);
    int rc = roster_put(user, &change);
    explicit_bzero(&change, sizeof change);
    return rc;
}

static int collect_token(void *user, const struct store_token *token)
{
    struct roster_change change = {.is_token = true, .there = true, .token = *token};
    int rc = roster_put(user, &change);
    explicit_bzero(&change, sizeof change);
    return rc;
}

/* In the caller's view. */
static int load(struct store *reader, struct roster **out)
{
    uint64_t head = 0;
    int rc = store_change_head(reader, &head);
    struct roster *roster = rc == 0 ? roster_new(head) : NULL;
    if (!roster) {
        return rc < 0 ? rc : MYCEL_E_NO_MEMORY;
    }
    rc = store_keys(reader, collect, roster);
    if (rc == 0) {
        rc = store_tokens(reader, collect_token, roster);
    }
    if (rc < 0) {
        roster_free(roster);
        return rc;
    }
    *out = roster;
    return MYCEL_OK;
}

int roster_load(struct store *reader, struct roster **out)
{
    *out = NULL;
    int rc = store_begin_read(reader);
    if (rc == 0) {
        rc = load(reader, out);
        store_rollback(reader);
    }
    return rc;
}

/* --- what has changed ------------------------------------------------------------------------- */

static struct roster_change *add(struct roster_changes *changes)
{
    struct roster_change *change = calloc(1, sizeof *change);
    if (change && changes->last) {
        changes->last->next = change;
    } else if (change) {
        changes->first = change;
    }
    changes->last = change ? change : changes->last;
    return change;
}

static int note_device(void *user, const struct store_key *key)
{
    struct roster_change *change = add(user);
    if (change) {
        fill(change, key);
    }
    return change ? MYCEL_OK : MYCEL_E_NO_MEMORY;
}

static int note_token(void *user, const struct store_token *token)
{
    struct roster_change *change = add(user);
    if (change) {
        change->is_token = true;
        change->there = token->name[0] != '\0';
        change->token = *token;
    }
    return change ? MYCEL_OK : MYCEL_E_NO_MEMORY;
}

static int read_changes(struct store *reader, uint64_t head, struct roster_changes *out)
{
    int rc = store_change_head(reader, &out->head);
    if (rc == 0) {
        rc = store_keys_changed(reader, head, note_device, out);
    }
    if (rc == 0) {
        rc = store_tokens_changed(reader, head, note_token, out);
    }
    if (rc == MYCEL_E_NOT_FOUND) {
        rc = load(reader, &out->anew);
    }
    if (rc == 0) {
        rc = store_rotate_next_end(reader, &out->ends_ms);
    }
    return rc;
}

int roster_read_changes(struct store *reader, uint64_t head, struct roster_changes *out)
{
    *out = (struct roster_changes){.ends_ms = UINT64_MAX};
    int rc = store_begin_read(reader);
    if (rc == 0) {
        rc = read_changes(reader, head, out);
        store_rollback(reader);
    }
    if (rc < 0) {
        roster_changes_free(out);
    }
    return rc;
}

void roster_changes_free(struct roster_changes *changes)
{
    struct roster_change *next;
    for (struct roster_change *c = changes->first; c; c = next) {
        next = c->next;
        explicit_bzero(c, sizeof *c);
        free(c);
    }
    roster_free(changes->anew);
    *changes = (struct roster_changes){.ends_ms = UINT64_MAX};
}
