/* Flash that outlives sleep: the areas themselves, and devices that go on from their residuals. */
#include "sim/coordinator/ledger.h"
#include "sim/device/keep.h"
#include "sim/run.h"
#include "sim/world/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define A MYCEL_AREA_RESIDUAL_A
#define B MYCEL_AREA_CONTROL_B

static void areas_are_each_device_s_own(void **state)
{
    (void)state;
    struct keeps keeps = {.devices = 3};
    char text[16] = "";
    assert_null(keep_find(&keeps, 1));
    assert_int_equal(keep_read(&keeps, 1, A, 0, text, sizeof text), 0);
    assert_int_equal(keep_write(&keeps, 1, A, 0, "residual", 8), 0);
    assert_int_equal(keep_write(&keeps, 1, B, 0, "control", 7), 0);
    assert_int_equal(keep_write(&keeps, 2, A, 0, "another", 7), 0);
    assert_null(keep_find(&keeps, 0));
    assert_int_equal(keep_read(&keeps, 1, A, 3, text, sizeof text), 5);
    assert_memory_equal(text, "idual", 5);
    assert_int_equal(keep_read(&keeps, 1, B, 0, text, 4), 4);
    assert_memory_equal(text, "cont", 4);
    assert_int_equal(keep_read(&keeps, 1, A, 8, text, 1), 0);
    keep_erase(&keeps, 1, A);
    assert_int_equal(keep_read(&keeps, 1, A, 0, text, 1), 0);
    keep_drop(&keeps, 1);
    assert_int_equal(keep_read(&keeps, 1, B, 0, text, 1), 0);
    assert_int_equal(keep_read(&keeps, 2, A, 0, text, sizeof text), 7);
    keeps_free(&keeps);
    assert_int_equal(keeps.bytes, 0);
}

static void memory_is_counted(void **state)
{
    (void)state;
    struct keeps keeps = {.devices = 2};
    static const char block[6000];
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(keep_write(&keeps, 0, A, i * 6000u, block, sizeof block), 0);
    }
    assert_in_range(keeps.bytes, 24000, 48000);
    keep_erase(&keeps, 0, A);
    assert_int_equal(keeps.bytes, 0);
    keeps_free(&keeps);
}

/* ---- in a run ----------------------------------------------------------------------------- */

struct seen {
    uint32_t counted; /* devices that were counted at least once */
    uint32_t keeping; /* … that keep something */
    uint32_t whole;   /* … of the model's size */
};

static void look(void *user, const struct world *world, const struct run_figures *figures)
{
    struct seen *seen = user;
    (void)figures;
    for (uint32_t i = 0; i < world->fleet.count; i++) {
        const struct keep *keep = keep_find(&world->keeps, i);
        seen->counted += world_shares(world)[i].accepted > 0;
        seen->keeping += keep != NULL;
        const struct keep_area *pair = keep != NULL ? keep->areas : NULL;
        uint32_t bytes = world->model.param_count * (uint32_t)sizeof(float);
        seen->whole += pair != NULL && (pair[0].bytes == bytes || pair[1].bytes == bytes);
    }
}

static struct seen run_with_codec(const char *codec)
{
    struct scenario scenario;
    char problem[SCENARIO_PROBLEM_BYTES];
    struct seen seen = {0};
    const struct run_observer observer = {.user = &seen, .ended = look};
    static const char *const settings[] = {"data=blobs:400,6,4", "model=6x6x1 > dense 4 softmax",
                                           "devices=20",         "goal=5",
                                           "pace_s=2",           "rounds=6"};
    scenario_init(&scenario);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        assert_int_equal(scenario_assign(&scenario, settings[i], problem), 0);
    }
    assert_int_equal(scenario_set(&scenario, "codec", codec, problem), 0);
    assert_int_equal(sim_run(&scenario, &observer, problem), 0);
    return seen;
}

static void devices_keep_their_residuals(void **state)
{
    (void)state;
    static const char *const codecs[] = {"sign", "ternary", "topk"};
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        struct seen seen = run_with_codec(codecs[i]);
        assert_in_range(seen.counted, 5, 20);
        assert_in_range(seen.keeping, seen.counted, 20); /* one may have come too late */
        assert_in_range(seen.whole, seen.counted, 20);
    }
}

static void devices_without_residuals_keep_nothing(void **state)
{
    (void)state;
    struct seen seen = run_with_codec("f32");
    assert_in_range(seen.counted, 5, 20);
    assert_int_equal(seen.keeping, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas_are_each_device_s_own),
        cmocka_unit_test(memory_is_counted),
        cmocka_unit_test(devices_keep_their_residuals),
        cmocka_unit_test(devices_without_residuals_keep_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
