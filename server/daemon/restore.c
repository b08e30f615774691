/*
 * The engine is a function of the store: reads every row that the engine needs, in the order of
 * server/engine/event.h, into a new engine.
 */
#include "server/daemon/shell.h"

#include "server/daemon/chain.h"
#include "server/daemon/translate.h"

#include <stdlib.h>
#include <string.h>

struct reading {
    struct store *reader;
    struct restored *out;
    struct record *record;
    uint64_t now_ms;
    uint64_t wall_ms;
};

static int feed(struct reading *reading, struct engine_event *event)
{
    struct engine_actions actions; /* before RESTORED the engine asks for nothing */
    event->now_ms = reading->now_ms;
    int rc = engine_step(reading->out->engine, event, &actions);
    record_step(reading->record, event, rc, &actions);
    return rc;
}

int restore_run_event(struct store *reader, const struct store_run *run, struct engine_event *event,
                      struct store_version *newest)
{
    int rc = store_version_newest(reader, run->id, newest);
    if (rc < 0) {
        return rc;
    }
    memset(event, 0, sizeof *event);
    event->type = ENGINE_EVENT_RUN;
    translate_spec(run, &event->u.run.spec);
    translate_progress(run, newest, &event->u.run.progress);
    return MYCEL_OK;
}

static bool under_way(const struct store_run *run)
{
    return run->state == STORE_RUN_ACTIVE || run->state == STORE_RUN_PAUSED;
}

static int read_run(void *user, const struct store_run *run)
{
    struct reading *reading = user;
    if (!under_way(run)) {
        return MYCEL_OK;
    }
    struct engine_event event;
    struct store_version newest;
    int rc = restore_run_event(reading->reader, run, &event, &newest);
    if (rc == 0) {
        rc = feed(reading, &event);
    }
    if (rc == MYCEL_E_FULL) {
        return MYCEL_OK; /* more runs than fit at once: the newest wait, as when they were created */
    }
    if (rc < 0) {
        return rc;
    }
    struct run_entry *entry = run_table_put(&reading->out->runs, run);
    if (!entry) {
        return MYCEL_E_FULL;
    }
    run_entry_set_state(entry, newest.number,
                        newest.has_optimizer ? newest.optimizer_sha256 : NULL);
    return chain_load_newest(reading->reader, newest.number, entry);
}

static int read_device(void *user, const struct store_device *device)
{
    struct reading *reading = user;
    bool quarantined = device->quarantine_until_ms > reading->wall_ms;
    if (device->state == STORE_DEVICE_ACTIVE && device->strikes == 0 && !quarantined) {
        return MYCEL_OK;
    }
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_DEVICE};
    event.u.restore_device.device = device->id;
    event.u.restore_device.revoked = device->state == STORE_DEVICE_REVOKED;
    event.u.restore_device.strikes = device->strikes;
    event.u.restore_device.quarantine_ms =
        quarantined ? device->quarantine_until_ms - reading->wall_ms : 0;
    return feed(reading, &event);
}

static int read_round(struct reading *reading, const struct store_run *run)
{
    struct store_round round;
    if (run->round == 0) {
        return MYCEL_OK;
    }
    int rc = store_round_get(reading->reader, run->id, run->round, &round);
    if (rc < 0) {
        return rc;
    }
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_ROUND};
    translate_stored_round(&round, reading->wall_ms, &event.u.round);
    return feed(reading, &event);
}

static int read_share(void *user, const struct store_share *share)
{
    struct reading *reading = user;
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_SHARE};
    event.u.share.device = share->device;
    event.u.share.run = share->run;
    event.u.share.accepted = share->accepted;
    event.u.share.last_round = share->last_round;
    return feed(reading, &event);
}

static int read_lease(void *user, const struct store_lease *lease)
{
    struct reading *reading = user;
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_LEASE};
    translate_stored_lease(lease, reading->wall_ms, &event.u.lease);
    return feed(reading, &event);
}

static int read_update(void *user, const struct store_update *update)
{
    struct reading *reading = user;
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_UPDATE};
    int rc = translate_stored_update(update, &event.u.restore_update);
    return rc == 0 ? feed(reading, &event) : rc;
}

/* For each run under way, in the order of the engine's contract. */
static int each_run(struct reading *reading,
                    int (*read)(struct reading *reading, const struct store_run *run))
{
    int rc = MYCEL_OK;
    for (size_t i = 0; i < ENGINE_RUNS_MAX && rc == 0; i++) {
        const struct run_entry *entry = &reading->out->runs.entries[i];
        if (entry->used) {
            rc = read(reading, &entry->run);
        }
    }
    return rc;
}

/* Leases of rounds whose updates can still count. */
static int read_leases(struct reading *reading, const struct store_run *run)
{
    uint32_t stale = run->config.staleness_max;
    uint32_t from = run->round > stale ? run->round - stale : 1;
    return store_leases_undecided(reading->reader, run->id, from, read_lease, reading);
}

static int read_shares(struct reading *reading, const struct store_run *run)
{
    return store_shares(reading->reader, run->id, read_share, reading);
}

static int read_updates(struct reading *reading, const struct store_run *run)
{
    return store_updates_recent(reading->reader, run->id, run->round, ENGINE_RESTORE_UPDATES,
                                read_update, reading);
}

static int read_all(struct reading *reading)
{
    int rc = store_runs(reading->reader, read_run, reading);
    if (rc == 0) {
        rc = each_run(reading, read_round);
    }
    if (rc == 0) {
        rc = store_devices(reading->reader, read_device, reading);
    }
    if (rc == 0) {
        rc = each_run(reading, read_shares);
    }
    if (rc == 0) {
        rc = each_run(reading, read_leases);
    }
    if (rc == 0) {
        rc = each_run(reading, read_updates);
    }
    return rc;
}

#define HOLD_PERMILLE 900u  /* of a window: a device's clock may be a tenth too fast */
#define DEVICES_SPARE 4096u /* that may be enrolled before the next start */

static int make_engine(struct restored *out, struct record *record)
{
    size_t devices = roster_count(out->roster) + DEVICES_SPARE;
    const struct engine_config config = {
        .device_max = devices < ENGINE_DEVICES_MAX ? (uint32_t)devices : ENGINE_DEVICES_MAX,
        .run_max = ENGINE_RUNS_MAX,
        .hold_permille = HOLD_PERMILLE};
    size_t bytes = engine_bytes(&config);
    record_start(record, &config);
    out->memory = bytes ? calloc(1, bytes) : NULL;
    return out->memory ? engine_init(out->memory, bytes, &config, &out->engine) : MYCEL_E_NO_MEMORY;
}

int restore_build(struct store *reader, uint64_t now_ms, uint64_t wall_ms, struct record *record,
                  struct restored *out)
{
    memset(out, 0, sizeof *out);
    int rc = roster_load(reader, &out->roster);
    if (rc == 0) {
        rc = make_engine(out, record);
    }
    if (rc == 0) {
        rc = store_begin_read(reader);
    }
    if (rc == 0) {
        struct reading reading = {
            .reader = reader, .out = out, .record = record, .now_ms = now_ms, .wall_ms = wall_ms};
        rc = read_all(&reading);
        store_rollback(reader);
    }
    if (rc < 0) {
        restore_drop(out);
    }
    return rc;
}

void restore_drop(struct restored *restored)
{
    run_table_clear(&restored->runs);
    roster_free(restored->roster);
    free(restored->memory);
    memset(restored, 0, sizeof *restored);
}

void restore_adopt(struct shell *shell, struct restored *restored)
{
    run_table_clear(&shell->runs);
    struct roster *before = access_set_roster(shell, restored->roster);
    if (before != restored->roster) {
        roster_free(before);
    }
    free(shell->engine_memory);
    shell->runs = restored->runs;
    shell->engine_memory = restored->memory;
    shell->engine = restored->engine;
    shell->durable = 0;
    shell->rebuilding = false;
    memset(restored, 0, sizeof *restored);
    struct engine_event event = {.type = ENGINE_EVENT_RESTORED};
    shell_step(shell, &event);
}
