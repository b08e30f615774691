/*
 * Devices with certificates for the fixture: made by tests/certificates/make.sh in a folder of the test
 * program, never kept. Of such a fixture the devices below CERTIFIED_DEVICES have no key.
 */
#ifndef MYCEL_TESTS_UNIT_SERVER_NET_CERTIFIED_H
#define MYCEL_TESTS_UNIT_SERVER_NET_CERTIFIED_H

#include "common/crypto/credentials.h"
#include "tests/unit/server/net/fixture.h"

#define CERTIFIED_DEVICES 500u

static inline bool certified_device(unsigned device)
{
    return device < CERTIFIED_DEVICES;
}

/* Makes "ca", "coordinator" and these others; kinds as make.sh has them, separated by spaces. */
void certified_make(const char *kinds);
void certified_remove(void);
const char *certified_folder(void);

struct certified {
    struct pem_texts texts;
    uint64_t wall_ms; /* 0: now */
    unsigned asked;   /* certificate_lookup */
    unsigned lines;
    char line[256]; /* the latest of level WARN or ERROR */
};

/* After fixture_init, before fixture_open. `crl`: the folder's crl.pem, too. */
void certified_init(struct certified *certified, struct fixture *f, bool crl);
void certified_deinit(struct certified *certified);

/* Replaces one PEM text of the configuration, e.g. &certified->texts.own, by that of a file. */
void certified_text(struct pem_text *text, const char *file);

/* A client that has <name>.pem and <name>.key and trusts the CA. */
struct certified_client {
    struct client client;
    struct credentials credentials;
};
void certified_client_init(struct certified_client *c, struct fixture *f, const char *name,
                           bool cid);
void certified_client_deinit(struct certified_client *c);

#endif
