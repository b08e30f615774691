/*
 * The simulator as a test: one scenario under checks that keep books of their own on what engine, coordinator,
 * clients and radio do, and compare them after every event. Owns what must hold; it must never
 * change how a scenario runs: the same seed gives the same model with and without it.
 *
 * What is checked, by the name that a finding carries:
 *   counted-twice       a device's updates are part of a round's sum once at most, a key gets one verdict
 *   quorum              a version has at least the minimum of updates, and all that were counted for it
 *   weight              a version's weight is the sum of its rows', a row's what the device has in samples
 *   versions            versions follow each other without a gap
 *   said-before-stored  a lease or receipt is in the ledger, word for word, before it leaves
 *   acknowledged-lost   … and stays there over crashes; what was acknowledged as counted is published
 *   leases              each verdict answers a lease of that device; the ledger's leases are open ones
 *   lease-reclaimed     no more leases hold seats than have time left
 *   lease-honoured      nobody who holds a lease that can still count is turned away
 *   sum                 the coordinator's sum of a round does not fail
 *   bytes               per device and gateway: sent = delivered + lost + under way; totals are sums
 *   time                virtual time goes on, and never back
 *   progress            from heal_s on rounds go on, and the run ends before virtual_max_s
 *   run, trap, hang     the run fails, an assertion (engine_check() too) traps, a process is stuck
 *
 * There is no check of the privacy budget: the coordinator has no privacy ledger yet.
 */
#ifndef MYCEL_SIM_CHECK_CHECK_H
#define MYCEL_SIM_CHECK_CHECK_H

#include "proto/limits.h"
#include "sim/scenario/scenario.h"

#include <stdbool.h>
#include <stdint.h>

#define CHECK_NAME_BYTES 24u
#define CHECK_WORDS_BYTES 320u
#define CHECK_EVENTS_MAX 2000000u /* of one run: far beyond what scenarios of this size need */

struct check_finding {
    char check[CHECK_NAME_BYTES]; /* as above; empty: none */
    char words[CHECK_WORDS_BYTES];
    uint64_t event; /* of the queue, from 1 */
    uint64_t at_us;
};

/* What a run went through: says whether the checks had anything to check. */
struct check_figures {
    uint64_t events;
    uint64_t steps; /* of the engine */
    uint64_t datagrams;
    uint64_t lost; /* of these */
    uint64_t crashes;
    uint64_t reboots;
    uint64_t vanished;
    uint64_t versions;
    uint64_t counted;
    uint64_t rejected;
    uint64_t late;
    uint64_t expired; /* leases without a verdict when their time was over */
};

/* Plain data: it may lie in memory that processes share, and is kept up to date while a run goes on. */
struct check_result {
    struct check_finding finding;
    struct check_figures figures;
    uint64_t now_us;
    uint8_t model_sha256[PROTO_SHA256_BYTES];
};

/* Runs the scenario in this process. True: all checks held. Blocks. A failed assertion ends the process:
 * check_isolated() in jobs.h survives that. */
bool checked_run(const struct scenario *scenario, struct check_result *result);

#endif
