/*
 * What the loops of the shell and of the workers tell each other: copies, from malloc, that belong to
 * whoever holds them. A letter never points into a peer, a session or a table of its sender.
 */
#ifndef MYCEL_SERVER_NET_LETTER_H
#define MYCEL_SERVER_NET_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/net/address.h"
#include "server/net/net.h"

enum letter_type {
    LETTER_REQUEST,  /* worker -> shell: struct letter_request */
    LETTER_ADMIT,    /* worker -> shell: the same, "may this body begin?" */
    LETTER_REPLY,    /* shell -> worker: struct letter_reply */
    LETTER_VERDICT,  /* shell -> worker: the answer to ADMIT; without `refused` it may */
    LETTER_KICK,     /* shell -> workers: struct letter_identity */
    LETTER_RENEW,    /* shell -> workers: struct letter_texts, other certificates */
    LETTER_REPLACED, /* worker -> worker: its session `claim` of an identity is over */
    LETTER_DATAGRAM, /* worker -> worker: struct letter_datagram, which is yours */
    LETTER_CLOSED    /* worker -> shell: its thread ends; nothing but its head */
};

struct letter {
    struct letter *next;
    uint8_t type; /* enum letter_type */
    uint8_t from; /* a worker */
};

/* A list in order of writing. */
struct letters {
    struct letter *first;
    struct letter *last;
    uint32_t count;
};

struct letter_request {
    struct letter head;
    uint64_t bytes; /* of ADMIT: size of the body */
    struct net_request
        request; /* its pointers lead to what follows; `body` belongs to the letter */
    char identity[PROTO_IDENTITY_BYTES_MAX + 1];
    char path[NET_PATH_BYTES_MAX + NET_SEGMENTS_MAX];
    uint8_t payload[];
};

struct letter_reply {
    struct letter head;
    net_reply_id id;
    bool refused;                 /* of VERDICT */
    struct net_response response; /* its payload follows; its blob has a reference of the letter */
    uint8_t payload[];
};

struct letter_identity {
    struct letter head;
    uint64_t claim;              /* of REPLACED */
    uint32_t keep[NET_KEYS_MAX]; /* of KICK: keys whose sessions stay; the first is 0: none does */
    char identity[PROTO_IDENTITY_BYTES_MAX + 1];
};

struct letter_texts {
    struct letter head;
    size_t count; /* of all bytes, which are wiped in the end: one text is a private key */
    struct pem_texts texts; /* lead to what follows */
    uint8_t bytes[];
};

struct letter_datagram {
    struct letter head;
    struct address from;
    unsigned hops;
    uint32_t count;
    uint8_t bytes[];
};

/* Each returns NULL when there is no memory; nothing was taken over then. */
struct letter *letter_plain(enum letter_type type);
struct letter *letter_request(enum letter_type type, const struct net_request *request,
                              uint64_t bytes);
struct letter *letter_reply(enum letter_type type, net_reply_id id,
                            const struct net_response *response);
struct letter *letter_identity(enum letter_type type, const char *identity, uint64_t claim);
struct letter *letter_texts(enum letter_type type, const struct pem_texts *texts);
struct letter *letter_datagram(const struct address *from, const uint8_t *bytes, size_t count,
                               unsigned hops);

/* With what belongs to it. */
void letter_free(struct letter *letter);

void letters_add(struct letters *letters, struct letter *letter);
struct letter *letters_take(struct letters *letters); /* the first, or NULL */
void letters_free(struct letters *letters);

/* Puts all of `more` behind; `more` is empty afterwards. */
void letters_append(struct letters *letters, struct letters *more);

#endif
