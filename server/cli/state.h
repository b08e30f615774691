/*
 * Access to the coordinator's state for commands: opens the store of the configured folder, finds
 * runs and versions by what a person types, and says what went wrong. It works on the database
 * itself, whether or not the coordinator runs.
 */
#ifndef MYCEL_SERVER_CLI_STATE_H
#define MYCEL_SERVER_CLI_STATE_H

#include "server/cli/config.h"
#include "server/store/store.h"

enum state_access {
    STATE_READ,  /* must exist */
    STATE_WRITE, /* must exist */
    STATE_CREATE /* made if it is missing: 0700, database 0600 */
};

/* Opens the store. 0 with *out set (close it with store_close()), or MYCEL_E_* after having printed
 * what is wrong and what to do about it. Blocks on the disk. */
int state_open(const struct config *config, enum state_access access, struct store **out);

/* Prints the store's own words, or else the code's, behind "<what>: ". Returns the exit code. */
int state_fail(const struct store *store, int error, const char *what);

/* The run that `text` names: an id, a name, or NULL for the newest. 0, or MYCEL_E_NOT_FOUND after
 * having printed it with the nearest name, or another error after having printed that. */
int state_run(struct store *store, const char *text, struct store_run *out);

/* It is active or paused: a coordinator works on it, or will. */
bool state_run_under_way(const struct store_run *run);

/* The version that "RUN[:VERSION]" names; VERSION is a number, a tag, or missing for the newest.
 * NULL: the newest of the newest run. run is filled as well. Errors as state_run(). */
int state_version(struct store *store, const char *text, struct store_run *run,
                  struct store_version *version);

/* Reads a version's parameters into memory that the caller frees. 0 with *data and *bytes set, or
 * MYCEL_E_* after having printed it. */
int state_blob(struct store *store, const struct store_version *version, uint8_t **data,
               size_t *bytes);

/* Wall clock in ms since 1970. */
uint64_t state_now_ms(void);

#endif
