/* The Gilbert-Elliott chain: shares, bursts and gaps over a million frames; its texts. */
#include "sim/network/loss.h"

#include "common/rng.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FRAMES 1000000

static struct loss_model parse(const char *text)
{
    struct loss_model model;
    struct option_error error = {0};
    if (loss_parse(text, &model, &error) != 0) {
        fail_msg("%s: column %d: %s", text, error.column, error.text);
    }
    return model;
}

/* Frames lost of a million that are spacing_us apart, and how many runs of losses they make. */
static uint32_t lose(const struct loss_model *model, uint64_t spacing_us, uint32_t *runs)
{
    uint16_t state = 0;
    uint32_t lost = 0;
    bool before = false;
    *runs = 0;
    for (uint64_t i = 0; i < FRAMES; i++) {
        bool now = loss_frame(model, &state, i * spacing_us, rng_u64(7, spacing_us, i));
        lost += now;
        *runs += now && !before;
        before = now;
    }
    return lost;
}

static void assert_near(uint32_t got, double want, double tolerance)
{
    if (got < want - tolerance || got > want + tolerance) {
        fail_msg("%u, not %g within %g", got, want, tolerance);
    }
}

static void a_million_frames_lose_their_share(void **state)
{
    (void)state;
    struct loss_model model = parse("ge:p=0.01,r=0.2,good=0.01,bad=0.8");
    /* Bad 1/21 of the time: (20 x 0.01 + 0.8) / 21. */
    double want = 1e6 / 21;
    assert_near(loss_mean_ppm(&model), want, 1);
    /* Frames within a step, one a step, and with gaps of minutes between them. */
    static const uint64_t spacings_us[] = {1000, 5000, 10000, 333333, 60000000, 3600000000};
    for (size_t i = 0; i < sizeof spacings_us / sizeof spacings_us[0]; i++) {
        uint32_t runs;
        assert_near(lose(&model, spacings_us[i], &runs), want, i == 0 ? 3000 : 1500);
    }
}

static void losses_come_in_bursts_of_the_right_length(void **state)
{
    (void)state;
    uint32_t runs;
    struct loss_model model = parse("ge:p=0.02,r=0.2,step=10");
    uint32_t lost = lose(&model, 10000, &runs);
    assert_near(lost, 1e6 * 0.02 / 0.22, 1500);
    assert_near(1000 * (uint64_t)lost / runs, 5000, 100); /* 1/r frames */
    lost = lose(&model, 60000000, &runs); /* a minute apart nothing is left of a burst */
    assert_near(1000 * (uint64_t)lost / runs, 1000 / (1 - 0.02 / 0.22), 20);
    model = parse("p:rate=0.25");
    lost = lose(&model, 10000, &runs);
    assert_near(lost, 250000, 1500);
    assert_near(1000 * (uint64_t)lost / runs, 1333, 15);
}

static void certainties_are_certain(void **state)
{
    (void)state;
    uint32_t runs;
    struct loss_model none = parse("none");
    struct loss_model all = parse("p:rate=1");
    struct loss_model stuck = parse("ge:p=0,r=0");
    assert_int_equal(lose(&none, 100, &runs), 0);
    assert_int_equal(lose(&all, 100, &runs), FRAMES);
    assert_int_equal(lose(&stuck, 100, &runs), 0);
    assert_int_equal(loss_mean_ppm(&none), 0);
    assert_int_equal(loss_mean_ppm(&all), 1000000);
}

static void mistakes_have_a_column(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int column;
    } cases[] = {
        {"", 1},
        {"gilbert", 1},
        {"ge", 1},
        {"ge:p=0.01", 1},
        {"ge:p=0.6,r=0.5", 1},
        {"ge:p=0.01,r=0.2,god=0", 17},
        {"ge:p=0.01,r=2", 13},
        {"ge:p=0.01,r=0.2x", 16},
        {"ge:p=0.01,,r=0.2", 11},
        {"ge:p=0.01,r", 12},
        {"ge:p=,r=0.2", 6},
        {"ge:p=0.1,p=0.1", 10},
        {"ge:p=nan,r=0.2", 6},
        {"p", 1},
        {"p:rate=-0.1", 8},
        {"none:rate=1", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loss_model model;
        struct option_error error = {0};
        assert_int_equal(loss_parse(cases[i].text, &model, &error), MYCEL_E_MALFORMED);
        if (error.column != cases[i].column) {
            fail_msg("%s: column %d: %s", cases[i].text, error.column, error.text);
        }
        assert_non_null(error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_frames_lose_their_share),
        cmocka_unit_test(losses_come_in_bursts_of_the_right_length),
        cmocka_unit_test(certainties_are_certain),
        cmocka_unit_test(mistakes_have_a_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
