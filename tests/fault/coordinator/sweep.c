/*
 * fault_coordinator SWEEP [STRIDE [SEEDS [DOWNLINK]]]
 *
 * Three rounds of the real engine over the real store on a simulated disk (fleet.h), once for every point at
 * which something can go wrong; prints what it found as one JSON object. STRIDE 1 tries every point. DOWNLINK "delta": versions as key frames
 * and deltas, and every device has to have what the coordinator believes it to have.
 *
 *   crash   power cut at operation N of the disk: unsynced writes all lost, all kept, or SEEDS random choices
 *           with torn and reordered sectors, every second of these with a second cut after the restart
 *   error   operation N fails, alone or with all later ones, reads included; full: as if the disk were full
 *   alloc   the N-th allocation of SQLite, store or coordinator fails, once and with all later ones; then
 *           the engine is built anew from the store, as the daemon does
 *   clock   killed after pass N and started with another wall clock and monotonic clock (clock.c)
 *   replay  every update sent a hundred times: at once, later, after restarts, after its round, by another
 *           device, with another body under its key
 *
 * Each history has to end with every acknowledged update there once and with the model of an undisturbed
 * one, also after a last power cut. Exit code 0 only if it is so.
 */
#include "sweep.h"

#include "common/rng.h"
#include "tests/fault/store/alloc.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTEMPTS_MAX 10
#define POINTS_MAX 1000000u
#define REPLAYS 100u
#define REPLAYS_PER_LIFE 10u

void trial_begin(struct sweep *sweep, struct trial *trial, uint32_t over_permille)
{
    /* The same random numbers in every run, so that operation N is the same one. */
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, NULL);
    memset(trial, 0, sizeof *trial);
    trial->sweep = sweep;
    trial->disk = disk_new();
    disk_prepare(trial->disk, sweep->database);
    vfs_install(trial->disk);
    fleet_init(&trial->fleet, sweep->folder, VFS_NAME, sweep->downlink);
    int rc = fleet_prepare(&trial->fleet, over_permille);
    if (rc < 0) {
        trial_complain(trial, "cannot be prepared", rc);
    }
}

void trial_complain(struct trial *trial, const char *what, int code)
{
    const struct store *store = trial->fleet.coordinator.store;
    (void)fprintf(stderr, "%s: %s (%s)\n", what, mycel_error_name(code),
                  store != NULL ? store_problem(store) : "not open");
    trial->fleet.wrong++;
}

/* From what is on disk to the end of the run. 0, or the first error. */
static int live(struct trial *trial)
{
    int rc = coordinator_start(&trial->fleet.coordinator);
    return rc == 0 ? fleet_run(&trial->fleet) : rc;
}

void trial_restart(struct trial *trial, uint64_t now_ms)
{
    coordinator_stop(&trial->fleet.coordinator);
    fleet_wait(&trial->fleet, 2000);
    trial->fleet.coordinator.now_ms = now_ms;
}

static void inspect(struct trial *trial)
{
    uint8_t model[PROTO_SHA256_BYTES];
    int rc = live(trial);
    if (rc == 0) {
        rc = fleet_check(&trial->fleet, true);
    }
    if (rc == 0) {
        rc = fleet_replay(&trial->fleet);
    }
    if (rc == 0) {
        rc = fleet_model(&trial->fleet, model);
    }
    if (rc < 0) {
        trial_complain(trial, "does not come to its end", rc);
    } else if (memcmp(model, trial->sweep->reference, sizeof model) != 0) {
        trial_complain(trial, "another model than undisturbed", rc);
    }
}

void trial_end(struct trial *trial)
{
    struct sweep *sweep = trial->sweep;
    trial_restart(trial, 1000);
    inspect(trial);
    trial_restart(trial, 1000);
    disk_reboot(trial->disk, DISK_LOSE_ALL, 0);
    inspect(trial);
    coordinator_stop(&trial->fleet.coordinator);
    sweep->runs++;
    sweep->lost += trial->fleet.lost;
    sweep->doubled += trial->fleet.doubled;
    sweep->wrong += trial->fleet.wrong;
    sweep->replays += trial->fleet.replays;
    sweep->patches += trial->fleet.patches;
    disk_free(trial->disk);
}

static uint64_t findings(const struct sweep *sweep)
{
    return sweep->lost + sweep->doubled + sweep->wrong;
}

void sweep_point_out(const struct sweep *sweep, const char *kind, uint64_t at, uint64_t variant,
                     uint64_t before)
{
    if (findings(sweep) != before) {
        (void)fprintf(stderr, "^ %s at %llu, variant %llu\n", kind, (unsigned long long)at,
                      (unsigned long long)variant);
    }
}

/* --- power cuts ------------------------------------------------------------------------------- */

/* Lives until the power is cut, and looks at what is left. */
static bool cut(struct trial *trial, uint64_t at, enum disk_fate fate, uint64_t seed)
{
    disk_arm(trial->disk, DISK_POWER_CUT, at, false);
    int rc = live(trial);
    bool struck = disk_struck(trial->disk);
    if (rc < 0 && !struck) {
        trial_complain(trial, "fails without a fault", rc);
    }
    trial_restart(trial, 1000);
    disk_reboot(trial->disk, fate, seed);
    return struck;
}

/* Variants 0 and 1 lose or keep everything; each other one draws. */
static bool cut_power(struct sweep *sweep, uint64_t at, uint64_t variant)
{
    static const enum disk_fate fixed[] = {DISK_LOSE_ALL, DISK_KEEP_ALL};
    struct trial *trial = &sweep->trial;
    uint64_t seed = at * 1000u + variant;
    trial_begin(sweep, trial, SWEEP_OVER_PERMILLE);
    bool struck = cut(trial, at, variant < 2 ? fixed[variant] : DISK_LOSE_SOME, seed);
    if (variant % 2 == 1 && variant > 2) {
        (void)cut(trial, 1 + rng_below(seed, 9, 0, 60), DISK_LOSE_SOME, seed + 1);
    }
    trial_end(trial);
    return struck;
}

static void sweep_crash(struct sweep *sweep)
{
    bool struck = true;
    for (uint64_t at = 1; struck && at < POINTS_MAX; at += sweep->stride) {
        for (uint64_t variant = 0; variant < 2 + sweep->seeds; variant++) {
            uint64_t before = findings(sweep);
            struck = cut_power(sweep, at, variant);
            sweep_point_out(sweep, "power cut", at, variant, before);
        }
        sweep->points += struck;
    }
}

/* --- failures that the coordinator lives through ---------------------------------------------- */

struct failure {
    enum disk_fault fault; /* HEALTHY: allocations */
    bool sticky;
};

static void arm(struct trial *trial, const struct failure *failure, uint64_t at)
{
    if (failure->fault != DISK_HEALTHY) {
        disk_arm(trial->disk, failure->fault, at, failure->sticky);
    } else {
        alloc_arm(at, failure->sticky);
    }
}

static bool struck_and_healed(struct trial *trial, const struct failure *failure)
{
    disk_heal(trial->disk);
    alloc_heal();
    return failure->fault != DISK_HEALTHY ? disk_struck(trial->disk) : alloc_struck();
}

/* What the store may say: the fault by its name. While it is being opened also CORRUPT: SQLite's check
 * cannot tell a page that it could not read from a damaged one, and the store stays shut. */
static bool is_expected(const struct trial *trial, const struct failure *failure, int code)
{
    if (code == MYCEL_E_CORRUPT && trial->fleet.coordinator.store == NULL) {
        return failure->fault != DISK_FULL;
    }
    switch (failure->fault) {
    case DISK_FULL:
        return code == MYCEL_E_DISK_FULL || code == MYCEL_E_IO;
    case DISK_HEALTHY:
        return code == MYCEL_E_NO_MEMORY;
    default:
        return code == MYCEL_E_IO;
    }
}

/* The engine is dropped and built anew after each error, as the daemon does. */
static bool fail(struct sweep *sweep, uint64_t at, const struct failure *failure)
{
    struct trial *trial = &sweep->trial;
    trial_begin(sweep, trial, SWEEP_OVER_PERMILLE);
    arm(trial, failure, at);
    int rc = MYCEL_E_AGAIN;
    bool struck = false;
    for (int attempt = 0; attempt < ATTEMPTS_MAX && rc < 0; attempt++) {
        rc = live(trial);
        struck = struck_and_healed(trial, failure) || struck;
        if (rc < 0 && !is_expected(trial, failure, rc)) {
            trial_complain(trial, "unexpected error", rc);
        }
        trial_restart(trial, 1000);
    }
    trial_end(trial);
    return struck;
}

static void sweep_failures(struct sweep *sweep, enum disk_fault fault, const char *kind)
{
    for (int sticky = 0; sticky < 2; sticky++) {
        const struct failure failure = {.fault = fault, .sticky = sticky != 0};
        bool struck = true;
        for (uint64_t at = 1; struck && at < POINTS_MAX; at += sweep->stride) {
            uint64_t before = findings(sweep);
            struck = fail(sweep, at, &failure);
            sweep_point_out(sweep, kind, at, (uint64_t)sticky, before);
            sweep->points += struck;
        }
    }
}

static void sweep_alloc(struct sweep *sweep)
{
    sweep_failures(sweep, DISK_HEALTHY, "allocation");
}

static void sweep_error(struct sweep *sweep)
{
    sweep_failures(sweep, DISK_ERROR, "operation");
}

static void sweep_full(struct sweep *sweep)
{
    sweep_failures(sweep, DISK_FULL, "full disk");
}

/* --- the same update a hundred times ----------------------------------------------------------- */

static int repeat(struct trial *trial)
{
    int rc = MYCEL_OK;
    for (uint32_t i = 0; i < REPLAYS && rc == 0; i++) {
        rc = fleet_replay(&trial->fleet);
        if (rc == 0) {
            rc = fleet_forge(&trial->fleet);
        }
        if (rc == 0 && i % REPLAYS_PER_LIFE == REPLAYS_PER_LIFE - 1) {
            trial_restart(trial, 1000);
            rc = coordinator_start(&trial->fleet.coordinator);
        }
    }
    return rc;
}

static void sweep_replay(struct sweep *sweep)
{
    struct trial *trial = &sweep->trial;
    trial_begin(sweep, trial, SWEEP_OVER_PERMILLE);
    int rc = coordinator_start(&trial->fleet.coordinator);
    int more = 1;
    while (rc == 0 && more > 0 && trial->fleet.passes < FLEET_PASSES_MAX) {
        more = fleet_pass(&trial->fleet);
        rc = more < 0 ? more : repeat(trial);
        sweep->points++;
    }
    if (rc < 0) {
        trial_complain(trial, "repeating fails", rc);
    }
    trial_end(trial);
}

/* --- the program ------------------------------------------------------------------------------ */

static void learn_reference(struct sweep *sweep)
{
    struct trial *trial = &sweep->trial;
    trial_begin(sweep, trial, SWEEP_OVER_PERMILLE);
    int rc = live(trial);
    if (rc == 0) {
        rc = fleet_check(&trial->fleet, true);
    }
    if (rc == 0) {
        rc = fleet_model(&trial->fleet, sweep->reference);
    }
    if (rc < 0) {
        trial_complain(trial, "the undisturbed run fails", rc);
    }
    sweep->wrong += trial->fleet.wrong + trial->fleet.lost + trial->fleet.doubled;
    coordinator_stop(&trial->fleet.coordinator);
    disk_free(trial->disk);
}

static int report(const struct sweep *sweep, const char *name, const char *counted)
{
    bool deltas = sweep->downlink == DOWNLINK_DELTA;
    (void)printf(
        "{\"fault\":\"coordinator_%s%s\",\"%s\":%llu,\"runs\":%llu,\"replays\":%llu,"
        "\"patches\":%llu,\"stride\":%llu,\"lost\":%llu,\"doubled\":%llu,\"wrong\":%llu}\n",
        name, deltas ? "_delta" : "", counted, (unsigned long long)sweep->points,
        (unsigned long long)sweep->runs, (unsigned long long)sweep->replays,
        (unsigned long long)sweep->patches, (unsigned long long)sweep->stride,
        (unsigned long long)sweep->lost, (unsigned long long)sweep->doubled,
        (unsigned long long)sweep->wrong);
    bool swept = sweep->points > 0 && (sweep->patches > 0) == deltas;
    return findings(sweep) == 0 && swept ? EXIT_SUCCESS : EXIT_FAILURE;
}

struct kind {
    const char *name;
    const char *counted;
    void (*run)(struct sweep *sweep);
};

static const struct kind kinds[] = {
    {"crash", "crash_points", sweep_crash}, {"error", "io_errors", sweep_error},
    {"full", "full_disks", sweep_full},     {"alloc", "alloc_failures", sweep_alloc},
    {"clock", "clock_jumps", sweep_clock},  {"replay", "replay_points", sweep_replay},
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

static uint64_t number(int argc, char **argv, int index, uint64_t fallback)
{
    uint64_t value = argc > index ? strtoull(argv[index], NULL, 10) : 0;
    return value > 0 ? value : fallback;
}

int main(int argc, char **argv)
{
    const struct kind *kind = argc > 1 ? find_kind(argv[1]) : NULL;
    int downlink = argc > 4 ? downlink_from_name(argv[4]) : DOWNLINK_F32;
    struct sweep *sweep = calloc(1, sizeof *sweep);
    if (kind == NULL || sweep == NULL || downlink < 0) {
        (void)fprintf(stderr, "usage: fault_coordinator KIND [STRIDE [SEEDS [DOWNLINK]]], KIND as "
                              "at the top of sweep.c\n");
        free(sweep);
        return 2;
    }
    sweep->stride = number(argc, argv, 2, 1);
    sweep->seeds = number(argc, argv, 3, 4);
    sweep->downlink = (enum downlink)downlink;
    (void)snprintf(sweep->folder, sizeof sweep->folder, "/tmp/mycel-fault-XXXXXX");
    if (mkdtemp(sweep->folder) == NULL) {
        free(sweep);
        return 2;
    }
    (void)snprintf(sweep->database, sizeof sweep->database, "%s/%s", sweep->folder, STORE_FILE);
    alloc_install();
    learn_reference(sweep);
    kind->run(sweep);
    int status = report(sweep, kind->name, kind->counted);
    (void)unlink(sweep->database);
    (void)rmdir(sweep->folder);
    free(sweep);
    return status;
}
