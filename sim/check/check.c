/* A run with its books open. See check.h. */
#include "sim/check/internal.h"

#include "sim/run.h"

#include <mycel/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STILL_MAX 200000u /* events in one moment of virtual time */

/* Copies what fits. */
static void copy_text(char *out, size_t capacity, const char *text)
{
    (void)snprintf(out, capacity, "%s", text);
}

void check_fail(struct check *check, const char *name, const char *format, ...)
{
    struct check_finding *finding = &check->result->finding;
    if (finding->check[0] != '\0') {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(finding->words, sizeof finding->words, format, arguments);
    va_end(arguments);
    finding->event = check->result->figures.events;
    finding->at_us = check->result->now_us;
    copy_text(finding->check, sizeof finding->check, name);
    if (check->world != NULL) {
        finding->event = check->world->tally.events;
        finding->at_us = check->world->now_us;
        world_fail(check->world, MYCEL_E_CORRUPT, finding->words);
    }
}

bool check_reserve(struct check *check, void **array, uint32_t count, uint32_t *capacity,
                   size_t element_bytes)
{
    if (count < *capacity) {
        return true;
    }
    uint32_t wanted = *capacity == 0 ? 64u : *capacity * 2u;
    void *grown = realloc(*array, wanted * element_bytes);
    if (grown == NULL) {
        check_fail(check, "run", "no memory for the books");
        return false;
    }
    *array = grown;
    *capacity = wanted;
    return true;
}

/* ---- what the world tells ----------------------------------------------------------------- */

static void note_time(struct check *check)
{
    struct check_result *result = check->result;
    const struct world *world = check->world;
    bool went_back = world->now_us < result->now_us;
    check->still = world->now_us == result->now_us ? check->still + 1u : 0;
    result->now_us = world->now_us;
    result->figures.events = world->tally.events;
    if (went_back) {
        check_fail(check, "time", "virtual time went back");
    } else if (check->still > STILL_MAX) {
        check_fail(check, "time", "virtual time stands still for %u events", STILL_MAX);
    } else if (result->figures.events > CHECK_EVENTS_MAX) {
        check_fail(check, "progress", "there were more than %u events", CHECK_EVENTS_MAX);
    }
}

static void on_event(void *user, struct world *world, const struct queue_event *event)
{
    struct check *check = user;
    (void)world;
    (void)event;
    note_time(check);
}

static void on_sent(void *user, struct world *world, const struct watch_datagram *datagram)
{
    (void)world;
    datagrams_sent(user, datagram);
}

static void on_arrived(void *user, struct world *world, uint32_t device, bool up)
{
    (void)world;
    datagrams_arrived(user, device, up);
}

static void on_stepped(void *user, struct world *world, const struct engine_event *event,
                       const struct engine_actions *actions)
{
    struct check *check = user;
    check->result->figures.steps++;
    updates_stepped(check, event, actions);
    leases_stepped(check, event, actions);
    if (check->result->finding.check[0] == '\0' && check_is_due(check, event)) {
        engine_check(coordinator_engine(world->coordinator));
    }
}

static void on_stored(void *user, struct world *world, const struct engine_action *row)
{
    (void)world;
    updates_stored(user, row);
    leases_stored(user, row);
}

static void on_committed(void *user, struct world *world)
{
    struct check *check = user;
    (void)world;
    leases_committed(check);
}

static void on_told_receipt(void *user, struct world *world, const struct engine_receipt *receipt)
{
    (void)world;
    updates_told(user, receipt);
}

static void on_told_lease(void *user, struct world *world, const struct engine_lease *lease)
{
    (void)world;
    leases_told(user, lease);
}

static bool open_books(struct check *check)
{
    uint32_t devices = check->world->fleet.count;
    check->newest = malloc(devices * sizeof *check->newest);
    if (check->newest == NULL || !datagrams_init(check)) {
        check_fail(check, "run", "no memory for the books");
        return false;
    }
    memset(check->newest, 0xFF, devices * sizeof *check->newest);
    return true;
}

/* The first engine is made before anything else happens. */
static void on_restored(void *user, struct world *world)
{
    struct check *check = user;
    if (check->world == NULL) {
        check->world = world;
        (void)open_books(check);
        return;
    }
    updates_restored(check);
    leases_restored(check);
}

static void on_ended(void *user, const struct world *world, const struct run_figures *figures)
{
    struct check *check = user;
    struct check_figures *f = &check->result->figures;
    const struct ledger *ledger = coordinator_ledger(world->coordinator);
    f->crashes = world->tally.crashes;
    f->reboots = world->tally.reboots;
    f->vanished = world->tally.vanished;
    f->versions = ledger->progress.base.version;
    f->counted = ledger->counted;
    f->rejected = ledger->rejected;
    f->late = ledger->late;
    memcpy(check->result->model_sha256, figures->model_sha256, PROTO_SHA256_BYTES);
    if (check->result->finding.check[0] == '\0') {
        updates_ended(check);
        leases_ended(check);
        datagrams_ended(check);
    }
}

static void close_books(struct check *check)
{
    datagrams_free(check);
    free(check->newest);
    free(check->leases);
    free(check->updates);
}

/* What the run's end means: without a moment of healing nobody has promised an end. */
static void judge_end(struct check *check, const struct scenario *scenario, int rc,
                      const char *problem)
{
    check->world = NULL; /* it is gone */
    if (rc == MYCEL_E_TIMEOUT && scenario->heal_s <= 0) {
        return;
    }
    if (rc == MYCEL_E_TIMEOUT) {
        check_fail(check, "progress", "faults stopped at %g s, and at %g s the run has not ended",
                   scenario->heal_s, scenario->virtual_max_s);
    } else if (rc == MYCEL_E_STATE && problem[0] == '\0') {
        check_fail(check, "progress", "nothing is left to happen, and the run has not ended");
    } else if (rc < 0) {
        check_fail(check, "run", "%s: %s", mycel_error_text(rc), problem);
    }
}

bool checked_run(const struct scenario *scenario, struct check_result *result)
{
    struct check check = {.result = result};
    const struct world_watch watch = {
        .user = &check,
        .event = on_event,
        .sent = on_sent,
        .arrived = on_arrived,
        .stepped = on_stepped,
        .stored = on_stored,
        .committed = on_committed,
        .told_receipt = on_told_receipt,
        .told_lease = on_told_lease,
        .restored = on_restored,
    };
    const struct run_observer observer = {.user = &check, .ended = on_ended, .watch = &watch};
    char problem[SCENARIO_PROBLEM_BYTES] = "";
    memset(result, 0, sizeof *result);
    int rc = sim_run(scenario, &observer, problem);
    judge_end(&check, scenario, rc, problem);
    close_books(&check);
    return result->finding.check[0] == '\0';
}
