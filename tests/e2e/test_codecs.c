/*
 * Updates in several encodings in one run: each device gets the one that suits it, the coordinator adds
 * them up, and a device that leaves something out of an update keeps it for the next one.
 */
#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define DEVICES 2
#define ROUNDS 4
#define PARAMS 108 /* of the world's model: 8 > dense 8 relu > dense 4 softmax */

static struct world world;

static void start(const char *codecs)
{
    const char *all[] = {"run",
                         "create",
                         "--name",
                         "r",
                         "--model",
                         world.model,
                         "--rounds",
                         "4",
                         "--goal",
                         "2",
                         "--min",
                         "2",
                         "--over-selection",
                         "1",
                         "--pace",
                         "200ms",
                         "--batch",
                         "10",
                         "--seed",
                         "7",
                         codecs ? "--codecs" : NULL,
                         codecs,
                         NULL};
    assert_int_equal(mycel(&world, NULL, 0, all), 0);
    server_start(&world, NULL);
    device_start(&world, 0, NULL);
    device_start_with(&world, 1, NULL, (const char *const[]){"--narrow-link", NULL});
}

/* One update in each encoding in every round. */
static void expect_rounds(const char *first, const char *second)
{
    json_t *run = run_wait(&world, ROUNDS);
    json_t *round;
    size_t i;
    check_counted_once(run);
    json_array_foreach(json_object_get(run, "rounds"), i, round)
    {
        json_t *codecs = json_object_get(round, "codecs");
        assert_int_equal(json_object_size(codecs), 2);
        assert_int_equal(json_integer_value(json_object_get(codecs, first)), 1);
        assert_int_equal(json_integer_value(json_object_get(codecs, second)), 1);
        json_t *metrics = json_object_get(round, "metrics");
        assert_true(json_number_value(json_object_get(metrics, "accuracy")) >= 0);
    }
    json_decref(run);
}

static void test_default_is_int8_and_drive1(void **state)
{
    (void)state;
    world_open(&world, DEVICES);
    start(NULL);
    expect_rounds("int8", "drive1");
}

static long bytes_of(const char *name)
{
    char path[HARNESS_PATH_BYTES + 32];
    struct stat info;
    snprintf(path, sizeof path, "%s/d1/%s", world.folder, name);
    assert_int_equal(stat(path, &info), 0);
    return (long)info.st_size;
}

static void test_error_feedback_beside_floats(void **state)
{
    (void)state;
    world_open(&world, DEVICES);
    start("f32,topk");
    expect_rounds("f32", "topk");
    assert_int_equal(bytes_of("residual.a"), PARAMS * 4);
    assert_int_equal(bytes_of("residual.b"), PARAMS * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_default_is_int8_and_drive1, world_teardown),
        cmocka_unit_test_teardown(test_error_feedback_beside_floats, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
