/*
 * fault_store SWEEP [STRIDE [SEEDS]]
 *
 * Runs the script of script.h once for every operation at which something can go wrong, and prints what it
 * found as one JSON object: how many points, under a name of the sweep's own ("crash_points", "io_errors",
 * "full_disks", "alloc_failures"), and "lost", "doubled" and "wrong". STRIDE 1 tries every operation (the
 * default), 7 every seventh.
 *
 *   crash  power cut at operation N: all unsynced writes lost, all kept, or SEEDS random choices with
 *          torn and reordered sectors, half of these with a second cut during recovery
 *   error  operation N fails, alone or with all later ones, reads included; then the disk heals and the
 *          same open store goes on
 *   full   the same with a disk that is full
 *   alloc  the N-th allocation of SQLite, or of the store, fails, alone or with all later ones
 *
 * Each run must end with every acknowledged update there once, and with content equal to that of an
 * undisturbed run, also after a last power cut. Exit code 0 only if it is so.
 */
#include "alloc.h"
#include "disk.h"
#include "script.h"
#include "vfs.h"

#include "common/rng.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTEMPTS_MAX 10
#define POINTS_MAX 1000000u

struct sweep {
    char folder[64];
    char database[DISK_NAME_BYTES];
    uint64_t stride;
    uint64_t seeds;
    uint8_t reference[32];
    uint64_t points;
    uint64_t runs;
    uint64_t lost;
    uint64_t doubled;
    uint64_t wrong;
};

struct trial {
    struct sweep *sweep;
    struct disk *disk;
    struct script script;
};

static void begin(struct sweep *sweep, struct trial *trial)
{
    /* The same random numbers in every run, so that operation N is the same one. */
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, NULL);
    *trial = (struct trial){.sweep = sweep, .disk = disk_new()};
    trial->script.folder = sweep->folder;
    trial->script.vfs = VFS_NAME;
    disk_prepare(trial->disk, sweep->database);
    vfs_install(trial->disk);
}

static void complain(struct trial *trial, const char *what, int code)
{
    const struct store *store = trial->script.store;
    (void)fprintf(stderr, "%s: %s (%s)\n", what, mycel_error_name(code),
                  store != NULL ? store_problem(store) : "not open");
    trial->sweep->wrong++;
}

/* First what is there, before anything is sent again; then the script is brought to its end. */
static void inspect(struct trial *trial)
{
    uint8_t digest[32];
    int code = script_open(&trial->script);
    if (code == MYCEL_OK) {
        code = script_check(&trial->script);
    }
    if (code == MYCEL_OK) {
        code = script_run(&trial->script);
    }
    if (code == MYCEL_OK) {
        code = script_check(&trial->script);
    }
    if (code == MYCEL_OK) {
        code = script_digest(&trial->script, digest);
    }
    if (code != MYCEL_OK) {
        complain(trial, "does not go on", code);
    } else if (memcmp(digest, trial->sweep->reference, sizeof digest) != 0) {
        complain(trial, "another result than undisturbed", code);
    }
}

/* The end of every trial: the content is right, and is still there after a last power cut. */
static void end(struct trial *trial)
{
    inspect(trial);
    script_stop(&trial->script);
    disk_reboot(trial->disk, DISK_LOSE_ALL, 0);
    inspect(trial);
    script_stop(&trial->script);
    trial->sweep->runs++;
    trial->sweep->lost += trial->script.lost;
    trial->sweep->doubled += trial->script.doubled;
    trial->sweep->wrong += trial->script.wrong;
    disk_free(trial->disk);
}

/* Says once which point it was that something was found at. */
static void point_out(const struct sweep *sweep, const char *kind, uint64_t at, uint64_t variant,
                      uint64_t before)
{
    uint64_t after = sweep->lost + sweep->doubled + sweep->wrong;
    if (after != before) {
        (void)fprintf(stderr, "^ %s at operation %llu, variant %llu\n", kind,
                      (unsigned long long)at, (unsigned long long)variant);
    }
}

static uint64_t findings(const struct sweep *sweep)
{
    return sweep->lost + sweep->doubled + sweep->wrong;
}

/* --- power cuts ------------------------------------------------------------------------------- */

/* Variants 0 and 1 lose or keep everything; each other one draws. */
static bool cut_power(struct sweep *sweep, uint64_t at, uint64_t variant)
{
    static const enum disk_fate fixed[] = {DISK_LOSE_ALL, DISK_KEEP_ALL};
    struct trial trial;
    uint64_t seed = at * 1000u + variant;
    enum disk_fate fate = variant < 2 ? fixed[variant] : DISK_LOSE_SOME;
    begin(sweep, &trial);
    disk_arm(trial.disk, DISK_POWER_CUT, at, false);
    (void)script_run(&trial.script);
    script_stop(&trial.script);
    bool struck = disk_struck(trial.disk);
    disk_reboot(trial.disk, fate, seed);
    if (variant % 2 == 1 && variant > 2) {
        disk_arm(trial.disk, DISK_POWER_CUT, 1 + rng_below(seed, 9, 0, 30), false);
        (void)script_run(&trial.script);
        script_stop(&trial.script);
        disk_reboot(trial.disk, DISK_LOSE_SOME, seed + 1);
    }
    end(&trial);
    return struck;
}

static void sweep_crash(struct sweep *sweep)
{
    bool struck = true;
    for (uint64_t at = 1; struck && at < POINTS_MAX; at += sweep->stride) {
        for (uint64_t variant = 0; variant < 2 + sweep->seeds; variant++) {
            uint64_t before = findings(sweep);
            struck = cut_power(sweep, at, variant);
            point_out(sweep, "power cut", at, variant, before);
        }
        sweep->points += struck;
    }
}

/* --- errors ----------------------------------------------------------------------------------- */

struct failure {
    enum disk_fault fault; /* HEALTHY: allocations */
    bool sticky;
};

static void heal(struct trial *trial, const struct failure *failure)
{
    if (failure->fault != DISK_HEALTHY) {
        disk_heal(trial->disk);
    } else {
        alloc_heal();
    }
}

/* What a caller may be told: the fault by its name, or a state that is its direct consequence. */
static bool expected(const struct failure *failure, int code)
{
    switch (failure->fault) {
    case DISK_FULL:
        return code == MYCEL_E_DISK_FULL || code == MYCEL_E_IO;
    case DISK_HEALTHY:
        return code == MYCEL_E_NO_MEMORY;
    default:
        return code == MYCEL_E_IO;
    }
}

/* The same connection goes on after each failure, as the daemon's does. */
static void persist(struct trial *trial, const struct failure *failure)
{
    int code = MYCEL_E_AGAIN;
    for (int attempt = 0; attempt < ATTEMPTS_MAX && code != MYCEL_OK; attempt++) {
        code = script_run(&trial->script);
        if (code != MYCEL_OK && !expected(failure, code)) {
            complain(trial, "unexpected error", code);
        }
        if (code != MYCEL_OK) {
            heal(trial, failure);
            int probe = trial->script.store != NULL ? store_probe(trial->script.store) : 0;
            if (probe != MYCEL_OK) {
                complain(trial, "healed, but the probe fails", probe);
            }
        }
    }
    if (code != MYCEL_OK) {
        complain(trial, "never succeeds", code);
    }
}

static bool fail_once(struct sweep *sweep, uint64_t at, const struct failure *failure)
{
    struct trial trial;
    begin(sweep, &trial);
    if (failure->fault != DISK_HEALTHY) {
        disk_arm(trial.disk, failure->fault, at, failure->sticky);
    } else {
        alloc_arm(at, failure->sticky);
    }
    persist(&trial, failure);
    bool struck = failure->fault != DISK_HEALTHY ? disk_struck(trial.disk) : alloc_struck();
    heal(&trial, failure);
    end(&trial);
    return struck;
}

static void sweep_failures(struct sweep *sweep, enum disk_fault fault, const char *kind)
{
    for (int sticky = 0; sticky < 2; sticky++) {
        const struct failure failure = {.fault = fault, .sticky = sticky != 0};
        bool struck = true;
        for (uint64_t at = 1; struck && at < POINTS_MAX; at += sweep->stride) {
            uint64_t before = findings(sweep);
            struck = fail_once(sweep, at, &failure);
            point_out(sweep, kind, at, (uint64_t)sticky, before);
            sweep->points += struck;
        }
    }
}

/* --- the program ------------------------------------------------------------------------------ */

static void learn_reference(struct sweep *sweep)
{
    struct trial trial;
    begin(sweep, &trial);
    int code = script_run(&trial.script);
    if (code == MYCEL_OK) {
        code = script_digest(&trial.script, sweep->reference);
    }
    if (code != MYCEL_OK) {
        complain(&trial, "the undisturbed run fails", code);
    }
    script_stop(&trial.script);
    disk_free(trial.disk);
}

static int report(const struct sweep *sweep, const char *name, const char *counted)
{
    (void)printf("{\"fault\":\"store_%s\",\"%s\":%llu,\"runs\":%llu,\"stride\":%llu,\"lost\":%llu,"
                 "\"doubled\":%llu,\"wrong\":%llu}\n",
                 name, counted, (unsigned long long)sweep->points, (unsigned long long)sweep->runs,
                 (unsigned long long)sweep->stride, (unsigned long long)sweep->lost,
                 (unsigned long long)sweep->doubled, (unsigned long long)sweep->wrong);
    return findings(sweep) == 0 && sweep->points > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct sweep *sweep, const char *name)
{
    learn_reference(sweep);
    if (strcmp(name, "crash") == 0) {
        sweep_crash(sweep);
        return report(sweep, name, "crash_points");
    }
    if (strcmp(name, "error") == 0) {
        sweep_failures(sweep, DISK_ERROR, name);
        return report(sweep, name, "io_errors");
    }
    if (strcmp(name, "full") == 0) {
        sweep_failures(sweep, DISK_FULL, name);
        return report(sweep, name, "full_disks");
    }
    sweep_failures(sweep, DISK_HEALTHY, name);
    return report(sweep, name, "alloc_failures");
}

static uint64_t number(int argc, char **argv, int index, uint64_t fallback)
{
    uint64_t value = argc > index ? strtoull(argv[index], NULL, 10) : 0;
    return value > 0 ? value : fallback;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"crash", "error", "full", "alloc"};
    struct sweep sweep = {.stride = number(argc, argv, 2, 1), .seeds = number(argc, argv, 3, 4)};
    bool known = false;
    for (size_t i = 0; argc > 1 && i < sizeof names / sizeof names[0]; i++) {
        known = known || strcmp(argv[1], names[i]) == 0;
    }
    (void)snprintf(sweep.folder, sizeof sweep.folder, "/tmp/mycel-fault-XXXXXX");
    if (!known || mkdtemp(sweep.folder) == NULL) {
        (void)fprintf(stderr, "usage: fault_store crash|error|full|alloc [STRIDE [SEEDS]]\n");
        return 2;
    }
    (void)snprintf(sweep.database, sizeof sweep.database, "%s/%s", sweep.folder, STORE_FILE);
    alloc_install();
    int status = run(&sweep, argv[1]);
    (void)unlink(sweep.database);
    (void)rmdir(sweep.folder);
    return status;
}
