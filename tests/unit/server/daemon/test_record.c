/*
 * The event log: every kind of event survives it to the bit, a session repeats, and whatever is done to
 * a log (cut, flipped, another event) is noticed and never taken for the same.
 */
#include "server/daemon/record.h"
#include "server/daemon/record_fields.h"
#include "server/daemon/replay.h"

#include "common/crc32.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH_BYTES 64
#define LOG_MAX 16384
#define DEVICES 3u

static const struct engine_config config = {.device_max = 8, .run_max = 2, .receipt_max = 16};

struct session {
    struct record *record;
    void *memory;
    struct engine *engine;
    uint64_t now_ms;
    struct engine_lease leases[DEVICES + 1];
    struct engine_actions actions;
};

static void temporary(char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "/tmp/mycel-record-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
}

/* --- a session -------------------------------------------------------------------------------- */

static void begin(struct session *s, const char *path)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(record_open(path, &s->record), 0);
    size_t bytes = engine_bytes(&config);
    s->memory = calloc(1, bytes);
    assert_non_null(s->memory);
    assert_int_equal(engine_init(s->memory, bytes, &config, &s->engine), 0);
    record_start(s->record, &config);
}

static void step(struct session *s, struct engine_event *event)
{
    event->now_ms = s->now_ms += 10;
    int rc = engine_step(s->engine, event, &s->actions);
    record_step(s->record, event, rc, &s->actions);
    assert_int_equal(record_status(s->record), 0);
}

/* An event whose unused bytes are all `junk`: they must not matter. */
static struct engine_event make(enum engine_event_type type, uint8_t junk)
{
    struct engine_event event;
    memset(&event, junk, sizeof event);
    event.type = type;
    event.tag = 7;
    return event;
}

static void create_run(struct session *s, uint8_t junk)
{
    struct engine_event event = make(ENGINE_EVENT_RUN, junk);
    event.u.run = (struct engine_event_run){.spec = {.run = 1,
                                                     .seed = 5,
                                                     .goal = DEVICES,
                                                     .minimum = DEVICES,
                                                     .over_permille = 1000,
                                                     .codecs = 1,
                                                     .model_bytes = 400}};
    step(s, &event);
    assert_true(s->actions.count > 0);
}

static void check_in(struct session *s, uint32_t device, uint8_t junk)
{
    struct engine_event event = make(ENGINE_EVENT_CHECKIN, junk);
    memset(&event.u.checkin.facts, 0, sizeof event.u.checkin.facts);
    event.u.checkin.device = device;
    event.u.checkin.facts.samples = 100;
    event.u.checkin.facts.codecs = 1;
    event.u.checkin.facts.model_bytes_max = 1000;
    event.u.checkin.facts.battery_percent = 255;
    event.u.checkin.facts.idle = true;
    step(s, &event);
    for (uint32_t i = 0; i < s->actions.count; i++) {
        if (s->actions.list[i].type == ENGINE_ACTION_REPLY_LEASE) {
            s->leases[device] = s->actions.list[i].u.lease.lease;
        }
    }
    assert_int_equal(s->leases[device].device, device);
}

static void send_update(struct session *s, uint32_t device, uint8_t junk)
{
    struct engine_event event = make(ENGINE_EVENT_UPDATE, junk);
    struct engine_event_update *update = &event.u.update;
    memset(update, 0, sizeof *update);
    update->device = device;
    memcpy(update->key, s->leases[device].key, PROTO_KEY_BYTES);
    update->digest[0] = (uint8_t)device;
    update->status = device == 2 ? MYCEL_E_NONFINITE : 0;
    update->report =
        (struct engine_report){.run = 1, .round = 1, .samples = 100, .loss_last = 0.5f};
    update->norm = 1.0f;
    step(s, &event);
}

static void write_session(const char *path, uint8_t junk)
{
    struct session s;
    begin(&s, path);
    struct engine_event restored = make(ENGINE_EVENT_RESTORED, junk);
    step(&s, &restored);
    create_run(&s, junk);
    for (uint32_t device = 1; device <= DEVICES; device++) {
        check_in(&s, device, junk);
    }
    for (uint32_t device = 1; device <= DEVICES; device++) {
        send_update(&s, device, junk);
    }
    struct engine_event refused = make(ENGINE_EVENT_RUN_RESUMED, junk);
    refused.u.run_id = 99;
    step(&s, &refused);
    record_close(s.record);
    free(s.memory);
}

static size_t load(const char *path, uint8_t *data)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t bytes = fread(data, 1, LOG_MAX, file);
    assert_true(bytes > 0 && bytes < LOG_MAX);
    fclose(file);
    return bytes;
}

static void save(const char *path, const uint8_t *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

/* --- tests ------------------------------------------------------------------------------------ */

/* Every byte of an event that is written is read back, for each kind: what is not part of the layout
 * is not part of the event. */
static void test_every_event_survives(void **state)
{
    (void)state;
    for (unsigned type = 0; type <= ENGINE_EVENT_TICK; type++) {
        struct engine_event in = {.type = (enum engine_event_type)type, .now_ms = 11, .tag = 12};
        struct engine_event out = {0};
        uint8_t first[RECORD_FIELDS_MAX], second[RECORD_FIELDS_MAX];
        struct fields f = {.data = first, .bytes = sizeof first};
        /* 1 is a value that every field may have, and sets each of them. */
        memset(&in.u, 1, sizeof in.u);
        if (type == ENGINE_EVENT_RUN) {
            memset(in.u.run.spec.device_class, 0, sizeof in.u.run.spec.device_class);
            memset(in.u.run.spec.tags, 0, sizeof in.u.run.spec.tags);
            memcpy(in.u.run.spec.tags[7], "site=north", 11);
            in.u.run.spec.weighting = ENGINE_WEIGHT_UNIFORM;
            in.u.run.progress.phase = ENGINE_PHASE_STOPPED;
        } else if (type == ENGINE_EVENT_CHECKIN) {
            memset(in.u.checkin.facts.tags, 0, sizeof in.u.checkin.facts.tags);
            memset(in.u.checkin.facts.device_class, 0, sizeof in.u.checkin.facts.device_class);
            memcpy(in.u.checkin.facts.device_class, "pump", 5);
        } else if (type == ENGINE_EVENT_RESTORE_ROUND) {
            in.u.round.state = ENGINE_ROUND_REPORT;
        }
        fields_event(&f, &in);
        assert_false(f.failed);
        size_t bytes = f.at;
        f = (struct fields){.data = first, .bytes = bytes, .reading = true};
        fields_event(&f, &out);
        assert_false(f.failed);
        assert_int_equal(f.at, bytes);
        f = (struct fields){.data = second, .bytes = sizeof second};
        fields_event(&f, &out);
        assert_int_equal(f.at, bytes);
        assert_memory_equal(first, second, bytes);
        assert_int_equal(out.type, type);
        assert_string_not_equal(fields_event_name(out.type), "?");
    }
}

static void test_a_session_repeats(void **state)
{
    (void)state;
    char path[PATH_BYTES], other[PATH_BYTES];
    uint8_t a[LOG_MAX], b[LOG_MAX];
    struct replay_report report;
    temporary(path);
    temporary(other);
    write_session(path, 0);
    write_session(other, 0xA5);
    assert_int_equal(replay_run(path, NULL, NULL, &report), 0);
    assert_int_equal(report.engines, 1);
    assert_int_equal(report.events, 9);
    assert_true(report.actions > 10);
    assert_false(report.cut);
    size_t bytes = load(path, a);
    assert_int_equal(load(other, b), bytes); /* no padding, no unused byte got in */
    assert_memory_equal(a, b, bytes);
    unlink(path);
    unlink(other);
}

/* Cut anywhere, a log repeats up to the cut, and the next writer goes on there. */
static void test_every_truncation(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    uint8_t data[LOG_MAX], again[LOG_MAX];
    struct replay_report report;
    struct record *record;
    temporary(path);
    write_session(path, 0);
    size_t bytes = load(path, data);
    for (size_t cut = 0; cut < bytes; cut++) {
        save(path, data, cut);
        int rc = replay_run(path, NULL, NULL, &report);
        assert_int_equal(rc, cut < 12 ? MYCEL_E_CORRUPT : 0);
        assert_true(report.events < 9);
        if (cut >= 12) {
            assert_int_equal(record_open(path, &record), 0);
            record_close(record);
            size_t kept = load(path, again);
            assert_true(kept <= cut);
            assert_memory_equal(again, data, kept);
            assert_int_equal(replay_run(path, NULL, NULL, &report), 0);
            assert_false(report.cut);
        }
    }
    unlink(path);
}

static void test_every_bit_flip_is_noticed(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    uint8_t data[LOG_MAX];
    struct replay_report report;
    temporary(path);
    write_session(path, 0);
    size_t bytes = load(path, data);
    for (size_t bit = 0; bit < bytes * 8; bit += 3) { /* 3 and 8 have no common divisor: all bits of
                                                        a byte have their turn */
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        save(path, data, bytes);
        int rc = replay_run(path, NULL, NULL, &report);
        /* A length that grew may point beyond the end: that is a cut. */
        assert_true(rc == MYCEL_E_CORRUPT || rc == MYCEL_E_VERSION || (rc == 0 && report.cut));
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    unlink(path);
}

/* Another event than the one that was answered, under a right checksum. */
static void test_another_history_differs(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    uint8_t data[LOG_MAX];
    struct replay_report report;
    temporary(path);
    write_session(path, 0);
    size_t bytes = load(path, data);
    size_t at = 12, payload = 0;
    for (unsigned record = 1; record < 8; record++) { /* the 8th: device 2's refused update */
        payload = data[at] | (size_t)data[at + 1] << 8;
        at += 5 + payload + 4;
    }
    payload = data[at] | (size_t)data[at + 1] << 8;
    size_t status = at + 5 + 1 + 8 + 8 + 4 + PROTO_KEY_BYTES + PROTO_SHA256_BYTES;
    assert_int_equal((int8_t)data[status], MYCEL_E_NONFINITE);
    memset(data + status, 0, 4); /* now it counts */
    uint32_t crc = crc32_add(0, data + at, 5 + payload);
    for (unsigned i = 0; i < 4; i++) {
        data[at + 5 + payload + i] = (uint8_t)(crc >> 8 * i);
    }
    save(path, data, bytes);
    assert_int_equal(replay_run(path, NULL, NULL, &report), MYCEL_E_DIGEST);
    assert_int_equal(report.record, 8);
    assert_int_equal(report.type, ENGINE_EVENT_UPDATE);
    unlink(path);
}

static void test_what_cannot_be_opened(void **state)
{
    (void)state;
    struct record *record;
    struct replay_report report;
    char path[PATH_BYTES];
    temporary(path);
    save(path, (const uint8_t *)"somebody's letter", 17);
    assert_int_equal(record_open(path, &record), MYCEL_E_CORRUPT);
    assert_null(record);
    assert_int_equal(replay_run(path, NULL, NULL, &report), MYCEL_E_CORRUPT);
    assert_int_equal(record_open("/nowhere/at/all", &record), MYCEL_E_IO);
    assert_int_equal(record_open("/dev/full", &record), MYCEL_E_DISK_FULL);
    assert_int_equal(replay_run("/nowhere/at/all", NULL, NULL, &report), MYCEL_E_NOT_FOUND);
    record_start(NULL, &config); /* no log is kept: nothing happens */
    record_close(NULL);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_event_survives),
        cmocka_unit_test(test_a_session_repeats),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_bit_flip_is_noticed),
        cmocka_unit_test(test_another_history_differs),
        cmocka_unit_test(test_what_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
