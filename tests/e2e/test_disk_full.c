/*
 * The coordinator's disk runs full and is freed again, on a small file system of its own: devices are
 * answered 5.03 and keep what they have, nothing that was acknowledged is lost, nobody is counted
 * twice, and the same process goes on. Skipped (77) where nothing may be mounted.
 */
#include "harness.h"
#include "probe.h"

#include "common/base64url.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DEVICES 3
#define SKIPPED 77

static struct world world;
static char disk[HARNESS_PATH_BYTES]; /* where the file system is mounted, "" when it is not */

static int mount_disk(void)
{
    return mount("tmpfs", disk, "tmpfs", 0, "size=24m,mode=0700");
}

static int close_world(void **state)
{
    (void)state;
    for (unsigned i = 0; i < world.devices; i++) {
        process_kill(&world.device[i]);
    }
    process_kill(&world.server);
    if (disk[0] != '\0') {
        (void)umount2(disk, MNT_DETACH);
    }
    world_close(&world);
    return 0;
}

static void open_world(unsigned devices)
{
    world_prepare(&world, devices);
    snprintf(disk, sizeof disk, "%.200s/disk", world.folder);
    assert_int_equal(mkdir(disk, 0700), 0);
    assert_int_equal(mount_disk(), 0);
    snprintf(world.state, sizeof world.state, "%.200s/state", disk);
    world_enroll(&world);
}

static void ballast_path(char path[HARNESS_PATH_BYTES])
{
    snprintf(path, HARNESS_PATH_BYTES, "%.200s/ballast", disk);
}

/* To the last byte. */
static void fill(void)
{
    static const char page[4096];
    char path[HARNESS_PATH_BYTES];
    ballast_path(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    while (write(fd, page, sizeof page) > 0) {
    }
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

static void release(void)
{
    char path[HARNESS_PATH_BYTES];
    ballast_path(path);
    assert_int_equal(unlink(path), 0);
}

static unsigned rounds_committed(void)
{
    json_t *run = MYCEL_JSON(&world, "run", "show", "r"); /* reading goes on */
    size_t i;
    json_t *round;
    unsigned n = 0;
    json_array_foreach(json_object_get(run, "rounds"), i, round)
    {
        n += json_is_integer(json_object_get(round, "version"));
    }
    json_decref(run);
    return n;
}

/* --- one device, by hand -------------------------------------------------------------------------- */

#define SZX 2u
#define BLOCK_BYTES (16u << SZX)

static struct probe_answer put_block(struct probe *probe, const mycel_Lease *lease,
                                     const uint8_t *body, size_t bytes, uint32_t number)
{
    char key[PROTO_KEY_TEXT + 1];
    size_t offset = (size_t)number * BLOCK_BYTES;
    bool more = bytes - offset > BLOCK_BYTES;
    base64url_encode(lease->update_key, PROTO_KEY_BYTES, key);
    const struct mycel_request request = {.method = MYCEL_PUT,
                                          .path = {PROTO_PATH_UPDATE, key},
                                          .content_format = PROTO_FORMAT_UPDATE,
                                          .block = {MYCEL_BLOCK_1, number, SZX, more},
                                          .size1 = (uint32_t)bytes,
                                          .payload = body + offset,
                                          .payload_bytes = more ? BLOCK_BYTES : bytes - offset};
    return probe_ask(probe, &request, PROBE_WAIT_MS);
}

/* All but the last block; returns its number. */
static uint32_t put_most(struct probe *probe, const mycel_Lease *lease, const uint8_t *body,
                         size_t bytes)
{
    uint32_t number = 0;
    for (; bytes - (size_t)number * BLOCK_BYTES > BLOCK_BYTES; number++) {
        assert_int_equal(put_block(probe, lease, body, bytes, number).code, 231);
    }
    assert_true(number > 0);
    return number;
}

/* No receipt while it cannot be kept; the very same update counts, once, when it can, and only its last
 * block has to come again for that. */
static void test_no_receipt_without_a_disk(void **state)
{
    (void)state;
    uint8_t body[PROTO_BLOCK_BYTES_MAX];
    struct probe probe;
    open_world(1);
    run_create(&world, 1, 1, 1, "120s");
    server_start(&world, NULL);
    probe_open(&probe, &world, 0);
    mycel_Lease lease = probe_lease(&probe, 60);
    size_t bytes = probe_body(&lease, 60, 0.001f, body, sizeof body);
    uint32_t last = put_most(&probe, &lease, body, bytes);
    fill();
    struct probe_answer answer = {0};
    for (int i = 0; i < 20; i++) {
        answer = put_block(&probe, &lease, body, bytes, last);
        assert_int_equal(answer.code, 503);
        pause_ms(100);
    }
    assert_true(process_expect(&world.server, "\"store_refused\"", HARNESS_WAIT_MS));
    assert_true(process_expect(&world.server, "\"still_read_only\"", HARNESS_WAIT_MS));
    assert_int_equal(rounds_committed(), 0);
    release();
    assert_true(process_expect(&world.server, "\"rebuilt\"", HARNESS_WAIT_MS));
    for (int i = 0; i < 200 && answer.code != 204; i++) {
        pause_ms(100);
        answer = put_block(&probe, &lease, body, bytes, last);
    }
    mycel_Receipt receipt = probe_receipt(&answer);
    assert_int_equal(receipt.status, 0);
    answer = put_block(&probe, &lease, body, bytes, last); /* and again */
    assert_int_equal(probe_receipt(&answer).status, 0);
    json_t *run = run_wait(&world, 1);
    check_counted_once(run);
    json_decref(run);
    probe_close(&probe);
    assert_int_equal(MYCEL(&world, "check"), 0);
    assert_int_equal(server_stop(&world), 0);
}

/* --- a fleet --------------------------------------------------------------------------------------- */

/* Twice full, at any moment of a round; every round that is committed has everybody, once. */
static void test_run_goes_on(void **state)
{
    (void)state;
    open_world(DEVICES);
    run_create(&world, 12, DEVICES, DEVICES, "120s");
    server_start(&world, NULL);
    for (unsigned i = 0; i < DEVICES; i++) {
        device_start(&world, i, NULL);
    }
    for (unsigned times = 1; times <= 2; times++) {
        json_decref(run_wait(&world, 3 * times));
        fill();
        assert_true(process_expect(&world.server, "\"store_refused\"", HARNESS_WAIT_MS));
        assert_true(process_expect(&world.server, "\"still_read_only\"", HARNESS_WAIT_MS));
        unsigned before = rounds_committed();
        pause_ms(1500);
        assert_int_equal(rounds_committed(), before);
        release();
        assert_true(process_expect(&world.server, "\"rebuilt\"", HARNESS_WAIT_MS));
    }
    json_t *run = run_wait(&world, 12);
    size_t i;
    json_t *round;
    check_counted_once(run);
    json_array_foreach(json_object_get(run, "rounds"), i, round)
    {
        assert_int_equal(json_array_size(json_object_get(round, "accepted")), DEVICES);
        assert_int_equal(json_array_size(json_object_get(round, "rejected")), 0);
    }
    json_decref(run);
    assert_int_equal(MYCEL(&world, "check"), 0);
    assert_int_equal(server_stop(&world), 0);
}

/* Killed in the middle of it, and started again when there is room. */
static void test_killed_while_full(void **state)
{
    (void)state;
    open_world(DEVICES);
    run_create(&world, 6, DEVICES, DEVICES, "120s");
    server_start(&world, NULL);
    for (unsigned i = 0; i < DEVICES; i++) {
        device_start(&world, i, NULL);
    }
    json_decref(run_wait(&world, 2));
    fill();
    assert_true(process_expect(&world.server, "\"store_refused\"", HARNESS_WAIT_MS));
    server_kill(&world);
    for (unsigned i = 0; i < DEVICES; i++) {
        device_kill(&world, i);
    }
    char words[512]; /* before there is room: it works, or says what is missing */
    int code = mycel(&world, words, sizeof words, (const char *const[]){"check", NULL});
    assert_true(code == 0 || (code == 1 && strstr(words, "is full") != NULL));
    release();
    assert_int_equal(MYCEL(&world, "check"), 0);
    server_start(&world, NULL);
    for (unsigned i = 0; i < DEVICES; i++) {
        device_start(&world, i, NULL);
    }
    json_t *run = run_wait(&world, 6);
    check_counted_once(run);
    json_decref(run);
    assert_int_equal(server_stop(&world), 0);
}

static bool may_mount(void)
{
    snprintf(disk, sizeof disk, "/tmp/mycel-mount-XXXXXX");
    bool ok = mkdtemp(disk) && mount_disk() == 0;
    if (!ok) {
        print_message("cannot mount a tmpfs (%s): skipped\n", strerror(errno));
    } else {
        (void)umount2(disk, MNT_DETACH);
    }
    (void)rmdir(disk);
    disk[0] = '\0';
    return ok;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_no_receipt_without_a_disk, close_world),
        cmocka_unit_test_teardown(test_run_goes_on, close_world),
        cmocka_unit_test_teardown(test_killed_while_full, close_world),
    };
    return may_mount() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
