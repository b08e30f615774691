/*
 * The coordinator as a process: joins the engine (decisions), the endpoint (DTLS and CoAP) and the
 * store (SQLite) on one event loop. This header is what the command line sees of it; everything
 * else in the folder is the joining.
 */
#ifndef MYCEL_SERVER_DAEMON_DAEMON_H
#define MYCEL_SERVER_DAEMON_DAEMON_H

#include "common/crypto/pem_texts.h"
#include "server/daemon/log.h"

#include <stdint.h>

#define DAEMON_BINDS_MAX 4
#define DAEMON_WORKERS_MAX 64

/* Strings are the caller's and must outlive daemon_run. Zero in a numeric field means its default. */
struct daemon_options {
    const char *state_dir;              /* the store's folder; required */
    const char *bind[DAEMON_BINDS_MAX]; /* numeric addresses; none: 127.0.0.1 and ::1 */
    uint16_t port;                      /* UDP; default 5684 */
    enum log_format log_format;
    enum log_level log_level;
    const char *eval_images; /* held-out set (IDX or CSV); NULL: versions are not scored */
    const char *eval_labels; /* with IDX images */
    const char *root_inputs; /* root set, for rules that need a reference; NULL: those cannot run */
    const char *root_labels; /* with IDX images */
    uint32_t root_samples;   /* drawn from it, the same ones for a whole run; 0: all */
    const struct pem_texts *certificates;  /* the coordinator's, and the CA of devices that come
                                             with one; NULL: all devices have keys */
    int (*certificates_again)(void *user); /* on SIGHUP: reads them anew, in place; <0: they stay */
    void *certificates_user;
    uint32_t certificate_handshakes; /* … begun in a second at most; default 50 */
    uint32_t sessions_max;           /* DTLS sessions; default 10,000 */
    unsigned workers;        /* threads of the endpoint; default 1, at most DAEMON_WORKERS_MAX */
    uint32_t keep_versions;  /* of each run keep their parameters, and tagged ones; 0: all */
    const char *record_file; /* log of all events, see record.h; added to; NULL: none */
    const char *ready_file;  /* created with "PORT\n" once requests are served; NULL: none */
};

/*
 * Runs until SIGTERM or SIGINT (clean: answers what is committed, says goodbye to sessions, closes the
 * store). SIGHUP reads devices, runs and certificates anew. Blocks.
 * Returns 0 after a clean end, or the MYCEL_E_* of what made the start impossible, after logging it.
 */
int daemon_run(const struct daemon_options *options);

#endif
