/* What the port keeps in files and reads from them: store, key, idle policy, address, progress lines. */
#include "client/port/linux/endpoint_name.h"
#include "client/port/linux/file_store.h"
#include "client/port/linux/host_platform.h"
#include "client/port/linux/key_file.h"
#include "client/port/linux/progress.h"

#include <fcntl.h>
#include <mycel/error.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka needs those above
#include <cmocka.h>

static char folder[64];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mycel-test-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command); // NOLINT
}

static const char *in_folder(const char *name)
{
    static char path[4][160];
    static unsigned next;
    char *p = path[next++ % 4u];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(in_folder(name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(in_folder(name), mode), 0);
}

/* ---- store */

static void test_store_areas(void **state)
{
    (void)state;
    struct file_store s;
    const struct mycel_store *t = &file_store_table;
    char data[32];
    assert_int_equal(file_store_open(&s, in_folder("state")), 0);
    assert_int_equal(t->read(&s, MYCEL_AREA_BODY, 0, data, sizeof data), 0);
    assert_int_equal(t->read(&s, MYCEL_AREA_JOURNAL, 0, data, sizeof data), 0);
    assert_int_equal(t->write(&s, MYCEL_AREA_BODY, 5, "world", 5), 0);
    assert_int_equal(t->write(&s, MYCEL_AREA_BODY, 0, "hello", 5), 0);
    assert_int_equal(t->write(&s, MYCEL_AREA_MODEL, 0, "model", 5), 0);
    assert_int_equal(t->sync(&s, MYCEL_AREA_BODY), 0);
    assert_int_equal(t->read(&s, MYCEL_AREA_BODY, 0, data, sizeof data), 10);
    assert_memory_equal(data, "helloworld", 10);
    assert_int_equal(t->read(&s, MYCEL_AREA_BODY, 8, data, 1), 1);
    assert_int_equal(data[0], 'l');
    assert_int_equal(t->read(&s, MYCEL_AREA_BODY, 11, data, 1), 0);
    assert_int_equal(t->erase(&s, MYCEL_AREA_BODY), 0);
    assert_int_equal(t->read(&s, MYCEL_AREA_BODY, 0, data, sizeof data), 0);
    assert_int_equal(t->read(&s, MYCEL_AREA_MODEL, 0, data, sizeof data), 5);
    assert_true(t->areas & MYCEL_STORE_RESIDUAL);
    assert_int_equal(t->write(&s, MYCEL_AREA_RESIDUAL_A, 0, "first", 5), 0);
    assert_int_equal(t->write(&s, MYCEL_AREA_RESIDUAL_B, 0, "second", 6), 0);
    assert_int_equal(t->erase(&s, MYCEL_AREA_RESIDUAL_A), 0);
    assert_int_equal(t->sync(&s, MYCEL_AREA_RESIDUAL_B), 0);
    file_store_close(&s);
    assert_int_equal(file_store_open(&s, in_folder("state")), 0);
    assert_int_equal(t->read(&s, MYCEL_AREA_RESIDUAL_A, 0, data, sizeof data), 0);
    assert_int_equal(t->read(&s, MYCEL_AREA_RESIDUAL_B, 0, data, sizeof data), 6);
    assert_memory_equal(data, "second", 6);
    file_store_close(&s);
}

static void test_store_journal(void **state)
{
    (void)state;
    struct file_store s;
    const struct mycel_store *t = &file_store_table;
    char data[MYCEL_JOURNAL_BYTES_MAX];
    assert_int_equal(file_store_open(&s, in_folder("state")), 0);
    assert_int_equal(t->save(&s, "a longer record", 15), 0);
    assert_int_equal(t->save(&s, "short", 5), 0);
    file_store_close(&s);
    /* What a crash between writing and renaming leaves is ignored and overwritten. */
    write_file("state/journal.new", "half of a reco", 0600);
    assert_int_equal(file_store_open(&s, in_folder("state")), 0);
    assert_int_equal(t->read(&s, MYCEL_AREA_JOURNAL, 0, data, sizeof data), 5);
    assert_memory_equal(data, "short", 5);
    assert_int_equal(t->save(&s, "third", 5), 0);
    assert_int_equal(t->read(&s, MYCEL_AREA_JOURNAL, 0, data, sizeof data), 5);
    assert_memory_equal(data, "third", 5);
    struct stat status;
    assert_int_equal(stat(in_folder("state"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(stat(in_folder("state/journal"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    file_store_close(&s);
}

static void test_store_refuses(void **state)
{
    (void)state;
    struct file_store first;
    struct file_store second;
    assert_int_equal(file_store_open(&first, in_folder("state")), 0);
    assert_int_equal(file_store_open(&second, in_folder("state")), MYCEL_E_BUSY);
    file_store_close(&first);
    assert_int_equal(file_store_open(&second, in_folder("state")), 0);
    file_store_close(&second);
    assert_int_equal(file_store_open(&first, in_folder("no/such/parent")), MYCEL_E_NOT_FOUND);
    assert_int_equal(chmod(in_folder("state"), 0755), 0);
    assert_int_equal(file_store_open(&first, in_folder("state")), MYCEL_E_PERMISSION);
    write_file("plain", "", 0600);
    assert_int_equal(file_store_open(&first, in_folder("plain")), MYCEL_E_NOT_FOUND);
    file_store_close(&first); /* twice is harmless */
}

/* ---- key */

static void test_key_file(void **state)
{
    (void)state;
    struct key_file file;
    write_file("key", "000102030405060708090a0B0c0D0e0f\n", 0600);
    assert_int_equal(key_file_read(in_folder("key"), &file), 0);
    assert_int_equal(file.key_bytes, 16);
    for (uint8_t i = 0; i < 16; i++) {
        assert_int_equal(file.key[i], i);
    }
    write_file("key", "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f", 0400);
    assert_int_equal(key_file_read(in_folder("key"), &file), 0);
    assert_int_equal(file.key_bytes, 32);
    assert_string_equal(file.identity, "");
}

/* What is written is read again, replaces what was there, and is nobody else's to read. */
static void test_key_file_written(void **state)
{
    (void)state;
    struct key_file file = {.key_bytes = PROTO_PSK_BYTES, .identity = "pump-17"}, again;
    for (uint8_t i = 0; i < PROTO_PSK_BYTES; i++) {
        file.key[i] = (uint8_t)(0xF0 + i);
    }
    write_file("key", "000102030405060708090a0b0c0d0e0f\n", 0644);
    write_file("key.new", "left by a crash", 0644);
    assert_int_equal(key_file_write(in_folder("key"), &file), 0);
    assert_int_equal(key_file_read(in_folder("key"), &again), 0);
    assert_memory_equal(&again, &file, sizeof file);
    struct stat status;
    assert_int_equal(stat(in_folder("key"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(stat(in_folder("key.new"), &status), -1);
    assert_int_equal(key_file_write(in_folder("none/key"), &file), MYCEL_E_NOT_FOUND);
    memset(file.identity, 'x', PROTO_IDENTITY_BYTES_MAX); /* the longest name and key */
    file.key_bytes = PROTO_PSK_BYTES_MAX;
    assert_int_equal(key_file_write(in_folder("key"), &file), 0);
    assert_int_equal(key_file_read(in_folder("key"), &again), 0);
    assert_memory_equal(&again, &file, sizeof file);
}

static void test_key_file_refuses(void **state)
{
    (void)state;
    struct key_file file;
    static const char *const texts[] = {
        "",
        "\n",
        "0001",
        "000102030405060708090a0b0c0d0e",
        "000102030405060708090a0b0c0d0e0",
        "000102030405060708090a0b0c0d0e0g",
        "000102030405060708090a0b0c0d0e0f\n\n",
        "000102030405060708090a0b0c0d0e0f\na b\n",
        "000102030405060708090a0b0c0d0e0f\na\nb\n",
        "000102030405060708090a0b0c0d0e0f\n"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
        "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f00"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_file("key", texts[i], 0600);
        assert_int_equal(key_file_read(in_folder("key"), &file), MYCEL_E_MALFORMED);
    }
    static const mode_t modes[] = {0640, 0604, 0644, 0610};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        write_file("key", "000102030405060708090a0b0c0d0e0f\n", modes[i]);
        assert_int_equal(key_file_read(in_folder("key"), &file), MYCEL_E_PERMISSION);
    }
    assert_int_equal(key_file_read(in_folder("none"), &file), MYCEL_E_NOT_FOUND);
    assert_int_equal(key_file_read(folder, &file), MYCEL_E_PERMISSION);
}

/* ---- idle policy */

static struct mycel_conditions look(const struct host_policy *policy, bool training)
{
    static char load[160];
    static char power[160];
    struct host_platform p;
    struct mycel_conditions conditions;
    snprintf(load, sizeof load, "%s", in_folder("loadavg"));
    snprintf(power, sizeof power, "%s", in_folder("power"));
    host_platform_init(&p, policy);
    p.loadavg_path = load;
    p.power_path = power;
    host_platform_table.conditions(&p, training, &conditions);
    return conditions;
}

static void test_load_policy(void **state)
{
    (void)state;
    struct host_policy any = {.load_max = 0.0f};
    struct host_policy below_one = {.load_max = 1.0f};
    assert_true(look(&below_one, false).idle); /* no such file: nothing to go by */
    write_file("loadavg", "0.99 3.00 3.00 1/200 4711\n", 0600);
    assert_true(look(&below_one, false).idle);
    write_file("loadavg", "1.00 0.00 0.00 1/200 4711\n", 0600);
    assert_false(look(&below_one, false).idle);
    assert_true(look(&any, false).idle);
    write_file("loadavg", "1.90 0.00 0.00 1/200 4711\n", 0600);
    assert_true(look(&below_one, true).idle); /* one of them is the training itself */
    write_file("loadavg", "2.10 0.00 0.00 1/200 4711\n", 0600);
    assert_false(look(&below_one, true).idle);
}

static void make_supply(const char *name, const char *file, const char *text)
{
    char path[96];
    snprintf(path, sizeof path, "power/%s", name);
    (void)mkdir(in_folder("power"), 0700);
    (void)mkdir(in_folder(path), 0700);
    snprintf(path, sizeof path, "power/%s/%s", name, file);
    write_file(path, text, 0600);
}

static void test_power_policy(void **state)
{
    (void)state;
    struct host_policy mains_only = {.on_battery = false};
    struct host_policy above_half = {.on_battery = true, .battery_min_percent = 50};
    assert_int_equal(look(&mains_only, false).battery_percent, 255); /* a machine without battery */
    assert_true(look(&mains_only, false).idle);

    make_supply("BAT0", "type", "Battery\n");
    make_supply("BAT0", "status", "Discharging\n");
    make_supply("BAT0", "capacity", "60\n");
    make_supply("AC", "type", "Mains\n");
    make_supply("AC", "online", "0\n");
    assert_int_equal(look(&mains_only, false).battery_percent, 60);
    assert_false(look(&mains_only, false).idle);
    assert_true(look(&above_half, false).idle);
    make_supply("BAT0", "capacity", "49\n");
    assert_false(look(&above_half, false).idle);
    make_supply("AC", "online", "1\n");
    assert_int_equal(look(&mains_only, false).battery_percent, 255);
    assert_true(look(&mains_only, false).idle);
    make_supply("AC", "online", "0\n");
    make_supply("BAT0", "status", "Charging\n");
    assert_true(look(&mains_only, false).idle);
}

static void test_clock_and_chance(void **state)
{
    (void)state;
    uint64_t first = host_now_ms();
    usleep(20000);
    assert_in_range(host_now_ms() - first, 19, 2000);
    uint64_t a = host_platform_table.random(NULL);
    assert_int_not_equal(a, host_platform_table.random(NULL));
}

/* ---- address */

static uint16_t port_of(const char *text)
{
    struct endpoint_name name;
    assert_int_equal(endpoint_name_resolve(text, 5684, &name), 0);
    return ntohs(name.address.ss_family == AF_INET6
                     ? ((struct sockaddr_in6 *)(void *)&name.address)->sin6_port
                     : ((struct sockaddr_in *)(void *)&name.address)->sin_port);
}

static void test_addresses(void **state)
{
    (void)state;
    struct endpoint_name name;
    assert_int_equal(port_of("127.0.0.1"), 5684);
    assert_int_equal(port_of("127.0.0.1:1"), 1);
    assert_int_equal(port_of("localhost:65535"), 65535);
    assert_int_equal(port_of("::1"), 5684);
    assert_int_equal(port_of("[::1]"), 5684);
    assert_int_equal(port_of("[::1]:77"), 77);
    static const char *const bad[] = {
        "",       ":5",   "127.0.0.1:",      "127.0.0.1:0",  "[::1",
        "[::1]x", "[]:5", "127.0.0.1:65536", "127.0.0.1:5x", "127.0.0.1:-5"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(endpoint_name_resolve(bad[i], 5684, &name), MYCEL_E_INVALID);
    }
}

/* ---- lines */

static void expect_line(bool json, const struct mycel_event *event, const char *expected)
{
    char text[512] = "";
    struct progress p = {.out = fmemopen(text, sizeof text, "w"), .device = "pump", .json = json};
    progress_event(&p, event);
    fclose(p.out);
    assert_string_equal(text, expected);
}

static void test_lines(void **state)
{
    (void)state;
    struct mycel_event trained = {.kind = MYCEL_EVENT_TRAINED,
                                  .run = 1,
                                  .round = 2,
                                  .steps = 300,
                                  .wait_ms = 1500,
                                  .loss_first = 0.75f,
                                  .loss_last = 0.5f,
                                  .text = ""};
    expect_line(true, &trained,
                "{\"event\":\"trained\",\"device\":\"pump\",\"run\":1,\"round\":2,\"steps\":300,"
                "\"train_ms\":1500,\"loss_first\":0.75,\"loss_last\":0.5}\n");
    expect_line(false, &trained, "pump: trained 300 steps in 1.50 s, loss 0.7500 -> 0.5000\n");
    struct mycel_event problem = {.kind = MYCEL_EVENT_PROBLEM,
                                  .code = MYCEL_E_MALFORMED,
                                  .column = 9,
                                  .wait_ms = 2000,
                                  .text = "a \"word\" \x1b[2J"};
    expect_line(true, &problem,
                "{\"event\":\"problem\",\"device\":\"pump\",\"wait_ms\":2000,\"code\":-20,"
                "\"reason\":\"MALFORMED\",\"column\":9,\"text\":\"a \\\"word\\\" [2J\"}\n");
    struct mycel_event receipt = {.kind = MYCEL_EVENT_RECEIPT, .run = 1, .round = 2, .text = ""};
    expect_line(true, &receipt,
                "{\"event\":\"receipt\",\"device\":\"pump\",\"run\":1,\"round\":2,\"code\":0,"
                "\"reason\":\"OK\"}\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_store_areas),
        TEST(test_store_journal),
        TEST(test_store_refuses),
        TEST(test_key_file),
        TEST(test_key_file_written),
        TEST(test_key_file_refuses),
        TEST(test_load_policy),
        TEST(test_power_policy),
        cmocka_unit_test(test_clock_and_chance),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
