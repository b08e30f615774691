/* Implementation of store_token.h. */
#include "server/store/internal.h"

#include <string.h>

/* What the table knows beside the public part. */
struct token_row {
    struct store_token token;
    uint8_t proof[PROTO_SHA256_BYTES];
    uint8_t share[PROTO_SHARE_BYTES];
};

static void wipe(void *memory, size_t bytes)
{
    explicit_bzero(memory, bytes);
}

static void read_row(struct query *q, struct token_row *row)
{
    *row = (struct token_row){0};
    query_get_text(q, row->token.identity, sizeof row->token.identity);
    query_get_text(q, row->token.name, sizeof row->token.name);
    query_get_text(q, row->token.device_class, sizeof row->token.device_class);
    query_get_bytes(q, row->token.psk, sizeof row->token.psk);
    row->token.created_ms = query_get_u64(q);
    row->token.expires_ms = query_get_u64(q);
    row->token.device = query_get_u32(q);
    query_get_bytes(q, row->proof, sizeof row->proof);
    query_get_bytes(q, row->share, sizeof row->share);
}

/* --- adding ----------------------------------------------------------------------------------- */

/* The device of that name that an unspent token has made, 0: the name is free. EXISTS: taken. */
static int free_name(struct store *store, const char *name, uint32_t *device)
{
    struct store_device known;
    *device = 0;
    int code = store_device_find(store, name, &known);
    if (code == MYCEL_E_NOT_FOUND) {
        return MYCEL_OK;
    }
    if (code != MYCEL_OK) {
        return code;
    }
    struct query q;
    query_open(&q, store, SQL_TOKEN_OF_DEVICE);
    query_u64(&q, known.id);
    bool unspent = query_row(&q) == 1;
    code = query_close(&q);
    if (code == MYCEL_OK && (!unspent || known.state != STORE_DEVICE_ACTIVE)) {
        return store_fail(store, MYCEL_E_EXISTS, "device %s was enrolled before", name);
    }
    *device = known.id;
    return code;
}

static int discard(struct store *store, const char *name, uint64_t now_ms)
{
    struct query q;
    query_open(&q, store, SQL_TOKEN_DISCARD);
    query_text(&q, name);
    query_u64(&q, now_ms);
    return query_run(&q);
}

static int insert(struct store *store, const struct token_row *row)
{
    struct query q;
    query_open(&q, store, SQL_TOKEN_ADD);
    query_text(&q, row->token.identity);
    query_text(&q, row->token.name);
    query_text(&q, row->token.device_class);
    query_bytes(&q, row->token.psk, sizeof row->token.psk);
    query_bytes(&q, row->proof, sizeof row->proof);
    query_bytes(&q, row->share, sizeof row->share);
    query_u64(&q, row->token.created_ms);
    query_u64(&q, row->token.expires_ms);
    if (row->token.device > 0) {
        query_u64(&q, row->token.device);
    } else {
        query_null(&q);
    }
    return query_run(&q);
}

static int add(struct store *store, struct token_row *row)
{
    const struct store_token *token = &row->token;
    int code = free_name(store, token->name, &row->token.device);
    if (code == MYCEL_OK) {
        code = discard(store, token->name, token->created_ms);
    }
    if (code == MYCEL_OK) {
        code = insert(store, row);
    }
    return code == MYCEL_OK ? store_audit_note(store, token->created_ms, "store", "token.create",
                                               token->name, token->identity)
                            : code;
}

int store_token_add(struct store *store, const uint8_t token[PROTO_TOKEN_BYTES],
                    const uint8_t share[PROTO_SHARE_BYTES], const char *name,
                    const char *device_class, uint64_t now_ms, uint64_t expires_ms)
{
    int code = store_device_check(store, name, device_class);
    if (code != MYCEL_OK) {
        return code;
    }
    struct token_row row = {.token = {.created_ms = now_ms, .expires_ms = expires_ms}};
    memcpy(row.token.name, name, strlen(name) + 1u);
    memcpy(row.token.device_class, device_class, strlen(device_class) + 1u);
    enrol_identity(token, row.token.identity);
    enrol_psk(token, row.token.psk);
    enrol_proof(token, row.proof);
    memcpy(row.share, share, sizeof row.share);
    struct scope scope;
    code = scope_begin(store, &scope);
    if (code == MYCEL_OK) {
        code = scope_end(store, &scope, add(store, &row));
    }
    wipe(&row, sizeof row);
    return code;
}

/* --- use -------------------------------------------------------------------------------------- */

static int no_token(struct store *store)
{
    return store_fail(store, MYCEL_E_NOT_FOUND, "there is no such token");
}

static int find(struct store *store, const char *identity, struct token_row *row)
{
    struct query q;
    query_open(&q, store, SQL_TOKEN_FIND);
    query_text(&q, identity);
    bool found = query_row(&q) == 1;
    if (found) {
        read_row(&q, row);
    }
    int code = query_close(&q);
    return code == MYCEL_OK && !found ? no_token(store) : code;
}

static int link_device(struct store *store, const struct store_token *token, uint32_t device)
{
    struct query q;
    query_open(&q, store, SQL_TOKEN_LINK);
    query_u64(&q, device);
    query_text(&q, token->identity);
    return query_run(&q);
}

/* The device is there: only its key is another, or not even that. */
static int renew_key(struct store *store, const struct store_token *token,
                     const uint8_t key[PROTO_PSK_BYTES], uint64_t now_ms)
{
    int code = store_key_renew(store, token->device, key, now_ms);
    if (code <= 0) {
        return code;
    }
    return store_audit_note(store, now_ms, "store", "device.rekey", token->name, token->identity);
}

static int enrol(struct store *store, const struct store_token *token,
                 const uint8_t key[PROTO_PSK_BYTES], uint64_t now_ms, uint32_t *device)
{
    if (token->device > 0) {
        *device = token->device;
        return renew_key(store, token, key, now_ms);
    }
    int code = store_device_enroll(store, token->name, token->device_class, key, PROTO_PSK_BYTES,
                                   now_ms, device);
    if (code == MYCEL_E_EXISTS) {
        return no_token(store); /* its name was given away meanwhile */
    }
    return code == MYCEL_OK ? link_device(store, token, *device) : code;
}

static int use(struct store *store, const struct token_row *row,
               const uint8_t token[PROTO_TOKEN_BYTES],
               const uint8_t device_share[PROTO_SHARE_BYTES], uint64_t now_ms,
               struct store_enrolment *out)
{
    uint8_t proof[PROTO_SHA256_BYTES];
    uint8_t key[PROTO_PSK_BYTES];
    enrol_proof(token, proof);
    if (!enrol_equal(proof, row->proof) || now_ms >= row->token.expires_ms) {
        return no_token(store);
    }
    enrol_device_key(device_share, row->share, key);
    int code = enrol(store, &row->token, key, now_ms, &out->device);
    wipe(key, sizeof key);
    if (code == MYCEL_OK) {
        memcpy(out->name, row->token.name, sizeof out->name);
        memcpy(out->share, row->share, sizeof out->share);
    }
    return code;
}

int store_token_use(struct store *store, const char *identity,
                    const uint8_t token[PROTO_TOKEN_BYTES],
                    const uint8_t device_share[PROTO_SHARE_BYTES], uint64_t now_ms,
                    struct store_enrolment *out)
{
    *out = (struct store_enrolment){0};
    struct scope scope;
    struct token_row row;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    code = find(store, identity, &row);
    if (code == MYCEL_OK) {
        code = use(store, &row, token, device_share, now_ms, out);
    }
    wipe(&row, sizeof row);
    return scope_end(store, &scope, code);
}

/* --- end -------------------------------------------------------------------------------------- */

static int spend(struct store *store, uint32_t device, uint64_t now_ms)
{
    struct store_device known;
    struct query q;
    query_open(&q, store, SQL_TOKEN_SPEND);
    query_u64(&q, device);
    int code = query_run(&q);
    if (code != MYCEL_OK || sqlite3_changes(store->db) == 0) {
        return code;
    }
    code = store_device_get(store, device, &known);
    return code == MYCEL_OK
               ? store_audit_note(store, now_ms, "store", "token.spend", known.identity, "")
               : code;
}

int store_token_spend(struct store *store, uint32_t device, uint64_t now_ms)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    return code == MYCEL_OK ? scope_end(store, &scope, spend(store, device, now_ms)) : code;
}

static int take_back(struct store *store, const char *name, uint64_t now_ms)
{
    struct query q;
    query_open(&q, store, SQL_TOKEN_REVOKE);
    query_text(&q, name);
    int code = query_run(&q);
    if (code != MYCEL_OK || sqlite3_changes(store->db) == 0) {
        return code;
    }
    code = store_audit_note(store, now_ms, "store", "token.revoke", name, "");
    return code == MYCEL_OK ? 1 : code;
}

int store_token_revoke(struct store *store, const char *name, uint64_t now_ms)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    return code == MYCEL_OK ? scope_end(store, &scope, take_back(store, name, now_ms)) : code;
}

static int each_token(struct query *q, int (*each)(void *user, const struct store_token *token),
                      void *user)
{
    struct token_row row;
    int result = MYCEL_OK;
    while (result == MYCEL_OK && query_row(q) == 1) {
        read_row(q, &row);
        result = q->code != MYCEL_OK ? q->code : each(user, &row.token);
        wipe(&row, sizeof row);
    }
    int code = query_close(q);
    return result != MYCEL_OK ? result : code;
}

int store_tokens(struct store *store, int (*each)(void *user, const struct store_token *token),
                 void *user)
{
    struct query q;
    query_open(&q, store, SQL_TOKEN_LIST);
    return each_token(&q, each, user);
}

int store_tokens_changed(struct store *store, uint64_t since,
                         int (*each)(void *user, const struct store_token *token), void *user)
{
    int code = store_change_known(store, since);
    if (code != MYCEL_OK) {
        return code;
    }
    struct query q;
    query_open(&q, store, SQL_TOKEN_CHANGED);
    query_u64(&q, since);
    return each_token(&q, each, user);
}
