/* Figures and axes as people read them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sim/report/curve.h"
#include "sim/report/scale.h"

static void test_figures(void **state)
{
    (void)state;
    assert_string_equal(figure_count(0).text, "0");
    assert_string_equal(figure_count(1234567).text, "1,234,567");
    assert_string_equal(figure_count(UINT64_MAX).text, "18,446,744,073,709,551,615");
    assert_string_equal(figure_bytes(0).text, "0 B");
    assert_string_equal(figure_bytes(999).text, "999 B");
    assert_string_equal(figure_bytes(999.6).text, "1.00 kB");
    assert_string_equal(figure_bytes(12345678).text, "12.3 MB");
    assert_string_equal(figure_bytes(1e21).text, "1000000 PB");
    assert_string_equal(figure_joules(0.000412).text, "412 µJ");
    assert_string_equal(figure_joules(0.412).text, "412 mJ");
    assert_string_equal(figure_joules(41.25).text, "41.2 J");
    assert_string_equal(figure_joules(4125).text, "4.12 kJ");
    assert_string_equal(figure_percent(0.8109).text, "81.1 %");
    assert_string_equal(figure_percent((double)NAN).text, "–");
    assert_string_equal(figure_real(0.41149, 3).text, "0.411");
    assert_string_equal(figure_points(-0.0123).text, "−1.23");
    assert_string_equal(figure_signed(figure_bytes, 0).text, "±0");
    assert_string_equal(figure_label("münchen", 5).text, "m…");
    assert_string_equal(figure_label("rome", 5).text, "rome");
    assert_true(isnan(figure_share(1, 0)));
}

static void test_durations(void **state)
{
    (void)state;
    assert_string_equal(figure_duration(0).text, "0 s");
    assert_string_equal(figure_duration(0.25).text, "250 ms");
    assert_string_equal(figure_duration(99.94).text, "99.9 s");
    assert_string_equal(figure_duration(99.96).text, "1 min 40 s");
    assert_string_equal(figure_duration(119.6).text, "2 min 0 s");
    assert_string_equal(figure_duration(3599.6).text, "1 h 0 min");
    assert_string_equal(figure_duration(86369).text, "23 h 59 min");
    assert_string_equal(figure_duration(86399).text, "1 d 0 h");
    assert_string_equal(figure_duration(604800).text, "7 d 0 h");
}

static void test_axes(void **state)
{
    (void)state;
    double ticks[SCALE_TICKS_MAX];
    struct scale s = scale_fit(SCALE_FRACTION, 0.42, 0.859, 5, 1);
    assert_true(fabs(s.lo - 0.4) < 1e-9 && fabs(s.hi - 0.9) < 1e-9);
    assert_int_equal(scale_ticks(&s, ticks), 6);
    assert_string_equal(scale_label(&s, ticks[1]).text, "50");
    assert_string_equal(s.name, "%");
    s = scale_fit(SCALE_SECONDS, 0, 604800, 5, 1);
    assert_string_equal(s.name, "days");
    assert_true(s.hi >= 604800);
    s = scale_fit(SCALE_BYTES, 0, 2.4e6, 5, 1);
    assert_string_equal(scale_label(&s, s.hi).text, "2.5");
    assert_true(fabs(scale_place(&s, 1.25e6) - 0.5) < 1e-9);
}

/* Whatever the data, an axis has an extent and a bounded number of ticks inside it. */
static void test_axes_never_fail(void **state)
{
    (void)state;
    static const double values[] = {0, 1e-300, 1e-6, 0.1, 1, 7, 1234.5, 1e9, 1e17, 1e300, -1, -1e6};
    const size_t count = sizeof values / sizeof values[0];
    for (size_t i = 0; i < count * count * 6u * 2u; i++) {
        enum scale_kind kind = (enum scale_kind)(i / 2u % 6u);
        struct scale s =
            scale_fit(kind, values[i / 12u % count], values[i / 12u / count], 5, (int)(i % 2u));
        double ticks[SCALE_TICKS_MAX];
        size_t number = scale_ticks(&s, ticks);
        assert_true(s.hi > s.lo && s.step > 0.0 && isfinite(s.lo) && isfinite(s.hi));
        for (size_t k = 0; k < number; k++) {
            assert_true(strlen(scale_label(&s, ticks[k]).text) < FIGURE_BYTES);
        }
    }
}

static void test_levels(void **state)
{
    (void)state;
    double levels[CURVE_LEVELS_MAX];
    assert_int_equal(curve_levels(0.05, levels), 0);
    assert_int_equal(curve_levels(0.25, levels), 2);
    assert_int_equal(curve_levels(0.859, levels), CURVE_LEVELS_MAX);
    assert_true(levels[CURVE_LEVELS_MAX - 1u] == 0.85);
    assert_int_equal(curve_levels(1.0, levels), CURVE_LEVELS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures), cmocka_unit_test(test_durations),
        cmocka_unit_test(test_axes),    cmocka_unit_test(test_axes_never_fail),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
