/* Implementation of letter.h. */
#include "server/net/letter.h"

#include <stdlib.h>
#include <string.h>

struct letter *letter_plain(enum letter_type type)
{
    struct letter *letter = calloc(1, sizeof *letter);
    if (letter != NULL) {
        letter->type = (uint8_t)type;
    }
    return letter;
}

/* The segments, one behind the other. */
static void copy_path(struct letter_request *letter, const struct net_request *request)
{
    size_t used = 0;
    for (unsigned i = 0; i < request->segments; i++) {
        size_t bytes = strlen(request->segment[i]) + 1;
        memcpy(letter->path + used, request->segment[i], bytes);
        letter->request.segment[i] = letter->path + used;
        used += bytes;
    }
}

struct letter *letter_request(enum letter_type type, const struct net_request *request,
                              uint64_t bytes)
{
    struct letter_request *letter = calloc(1, sizeof *letter + request->payload_bytes);
    if (letter == NULL) {
        return NULL;
    }
    letter->head.type = (uint8_t)type;
    letter->bytes = bytes;
    letter->request = *request;
    memcpy(letter->identity, request->identity, strlen(request->identity) + 1);
    letter->request.identity = letter->identity;
    copy_path(letter, request);
    letter->request.payload = letter->payload;
    if (request->payload_bytes > 0) {
        memcpy(letter->payload, request->payload, request->payload_bytes);
    }
    return &letter->head;
}

struct letter *letter_reply(enum letter_type type, net_reply_id id,
                            const struct net_response *response)
{
    size_t bytes = response != NULL ? response->payload_bytes : 0;
    struct letter_reply *letter = calloc(1, sizeof *letter + bytes);
    if (letter == NULL) {
        return NULL;
    }
    letter->head.type = (uint8_t)type;
    letter->id = id;
    letter->refused = response != NULL;
    if (response != NULL) {
        letter->response = *response;
        letter->response.payload = letter->payload;
        if (response->blob != NULL) {
            (void)net_blob_ref(response->blob);
        }
    }
    if (bytes > 0) {
        memcpy(letter->payload, response->payload, bytes);
    }
    return &letter->head;
}

struct letter *letter_identity(enum letter_type type, const char *identity, uint64_t claim)
{
    struct letter_identity *letter = calloc(1, sizeof *letter);
    if (letter == NULL) {
        return NULL;
    }
    letter->head.type = (uint8_t)type;
    letter->claim = claim;
    memcpy(letter->identity, identity, strlen(identity) + 1);
    return &letter->head;
}

static void copy_text(struct letter_texts *letter, struct pem_text *to, const struct pem_text *from)
{
    if (from->text != NULL) {
        memcpy(letter->bytes + letter->count, from->text, from->bytes);
        *to = (struct pem_text){letter->bytes + letter->count, from->bytes};
        letter->count += from->bytes;
    }
}

struct letter *letter_texts(enum letter_type type, const struct pem_texts *texts)
{
    size_t bytes = texts->own.bytes + texts->key.bytes + texts->ca.bytes + texts->crl.bytes;
    struct letter_texts *letter = calloc(1, sizeof *letter + bytes);
    if (letter == NULL) {
        return NULL;
    }
    letter->head.type = (uint8_t)type;
    copy_text(letter, &letter->texts.own, &texts->own);
    copy_text(letter, &letter->texts.key, &texts->key);
    copy_text(letter, &letter->texts.ca, &texts->ca);
    copy_text(letter, &letter->texts.crl, &texts->crl);
    return &letter->head;
}

struct letter *letter_datagram(const struct address *from, const uint8_t *bytes, size_t count,
                               unsigned hops)
{
    struct letter_datagram *letter = malloc(sizeof *letter + count);
    if (letter == NULL) {
        return NULL;
    }
    *letter = (struct letter_datagram){
        .head.type = LETTER_DATAGRAM, .from = *from, .hops = hops, .count = (uint32_t)count};
    memcpy(letter->bytes, bytes, count);
    return &letter->head;
}

void letter_free(struct letter *letter)
{
    if (letter == NULL) {
        return;
    }
    if (letter->type == LETTER_REQUEST || letter->type == LETTER_ADMIT) {
        free(((struct letter_request *)letter)->request.body);
    } else if (letter->type == LETTER_REPLY || letter->type == LETTER_VERDICT) {
        net_blob_unref(((struct letter_reply *)letter)->response.blob);
        free(((struct letter_reply *)letter)->response.body);
    } else if (letter->type == LETTER_RENEW) {
        struct letter_texts *texts = (struct letter_texts *)letter;
        explicit_bzero(texts->bytes, texts->count);
    }
    free(letter);
}

void letters_add(struct letters *letters, struct letter *letter)
{
    letter->next = NULL;
    if (letters->last != NULL) {
        letters->last->next = letter;
    } else {
        letters->first = letter;
    }
    letters->last = letter;
    letters->count++;
}

struct letter *letters_take(struct letters *letters)
{
    struct letter *letter = letters->first;
    if (letter == NULL) {
        return NULL;
    }
    letters->first = letter->next;
    if (letters->first == NULL) {
        letters->last = NULL;
    }
    letters->count--;
    letter->next = NULL;
    return letter;
}

void letters_free(struct letters *letters)
{
    struct letter *letter;
    while ((letter = letters_take(letters)) != NULL) {
        letter_free(letter);
    }
}

void letters_append(struct letters *letters, struct letters *more)
{
    if (more->first == NULL) {
        return;
    }
    if (letters->last != NULL) {
        letters->last->next = more->first;
    } else {
        letters->first = more->first;
    }
    letters->last = more->last;
    letters->count += more->count;
    *more = (struct letters){0};
}
