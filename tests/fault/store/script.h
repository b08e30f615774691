/*
 * Three rounds of training as the store sees them, written so that they can be cut off anywhere and
 * gone on with: each step is done only if the store does not show it as done, as the daemon does after a
 * restart. What was acknowledged is remembered outside of the store, and compared with it afterwards.
 */
#ifndef TESTS_FAULT_STORE_SCRIPT_H
#define TESTS_FAULT_STORE_SCRIPT_H

#include "server/store/store.h"

#define SCRIPT_ROUNDS 3
#define SCRIPT_DEVICES 4
#define SCRIPT_SELF_ENROLLED 2 /* the one that comes with a token */
#define SCRIPT_ROTATED 3       /* the one that gets other keys */

/* How far the device that enrols itself was told that it is. */
enum script_enrolment { SCRIPT_NOTHING, SCRIPT_TOKEN, SCRIPT_ENROLLED, SCRIPT_SPENT };

/* … and the one that gets other keys. */
enum script_rotation {
    SCRIPT_FIRST_KEY,
    SCRIPT_SECOND_DUE,
    SCRIPT_SECOND_OFFERED,
    SCRIPT_SECOND_KEY,
    SCRIPT_THIRD_OFFERED,
    SCRIPT_THIRD_KEY
};

struct script {
    const char *folder;
    const char *vfs; /* NULL: the real file system */
    struct store *store;
    /* What devices and operators were told: it must never be taken back. */
    bool acknowledged[SCRIPT_ROUNDS + 1][SCRIPT_DEVICES + 1];
    bool published[SCRIPT_ROUNDS + 1];
    enum script_enrolment enrolment;
    enum script_rotation rotation;
    /* Findings. */
    unsigned lost;
    unsigned doubled;
    unsigned wrong;
};

/* Opens the store if it is not open. */
int script_open(struct script *script);

/* Opens the store if it is not open and does all that is missing. 0, or the first error. */
int script_run(struct script *script);

/* Closes the store. */
void script_stop(struct script *script);

/* Compares the open store with what was acknowledged, and counts what is lost, doubled or wrong. 0, or
 * an error of the store. */
int script_check(struct script *script);

/* A digest of all content that must not depend on what happened on the way. */
int script_digest(struct script *script, uint8_t digest[32]);

#endif
