/*
 * `mycel client`: joins the client with the Linux port and drives it until it is told to end. The
 * command line is not read here; whoever calls fills in the options.
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_RUN_H
#define MYCEL_CLIENT_PORT_LINUX_RUN_H

#include <stdbool.h>
#include <stdint.h>

/* Texts are kept by pointer during the call. 0 or NULL means the default. */
struct client_options {
    const char *coordinator; /* HOST[:PORT], default port 5684; needed */
    const char *identity;    /* NULL: as the key file says */
    const char *key_file;    /* see key_file.h; needed, or a certificate */
    const char *token_file;  /* when there is no key file: a token to get one with; or NULL */
    const char *certificate; /* instead of a key file: PEM files of the device's certificate, … */
    const char *private_key; /* … its key, … */
    const char *coordinator_ca;   /* … the CA that the coordinator's certificate is from, … */
    const char *coordinator_crl;  /* … that CA's CRL, or NULL, … */
    const char *coordinator_name; /* … and the name in it; NULL: the host of `coordinator` */
    const char *directory;        /* state folder, made with mode 0700; needed */
    const char *data;             /* samples, in any format of docs/DATA.md; needed */
    const char *labels;    /* their labels, where they are in a file of their own; else NULL */
    uint32_t slice;        /* 0 … slices - 1 */
    uint32_t slices;       /* default 1: the whole set */
    const char *partition; /* PARTITION_FORMS (data/partition.h); default "iid" */
    uint64_t partition_seed;
    const char *device_class; /* default "linux" */
    bool narrow_link;         /* bytes are dear: asks for the shortest encoding */
    bool in_order;            /* train on the samples as they stand in the file, not shuffled */

    float load_max;              /* train below this load average; 0: at any */
    bool on_battery;             /* train without mains power */
    uint8_t battery_min_percent; /* … at this charge or more; default 0 */

    uint32_t rounds;         /* end after that many receipts; 0: never */
    uint32_t block_bytes;    /* largest block of a transfer; default 1,024 */
    uint32_t answer_ms;      /* give a silent coordinator up after this; default 30,000 */
    uint32_t backoff_min_ms; /* pauses after failures; default 1,000 … 600,000 */
    uint32_t backoff_max_ms;
    uint32_t sleep_min_ms;    /* shortest pause between check-ins; default 1,000 */
    uint32_t start_spread_ms; /* first check-in within this time; default 0: at once */
    bool json;                /* events as JSON, one object a line; else sentences */
};

/*
 * Runs until SIGTERM or SIGINT, or until `rounds` receipts came. Events go to stderr. Blocks. The
 * signal mask is restored at the end.
 * 0: ended as asked, whatever is under way goes on at the next start. <0: could not begin, and a line
 * on stderr says why: MYCEL_E_INVALID (options), MYCEL_E_REVOKED (token), MYCEL_E_NOT_FOUND, MYCEL_E_PERMISSION,
 * MYCEL_E_MALFORMED (key or data), MYCEL_E_SHAPE, MYCEL_E_BUSY (folder in use), MYCEL_E_UNREACHABLE
 * (name not found), MYCEL_E_NO_MEMORY, MYCEL_E_IO, MYCEL_E_DISK_FULL.
 */
int client_main(const struct client_options *options);

#endif
