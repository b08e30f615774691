/* Half precision: every half there and back, and rounding against the definition for floats around every
 * border between two halves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/codec/half.h"

/* A half's value by its definition. */
static double value_of(uint16_t half)
{
    int exponent = half >> 10 & 31, mantissa = half & 1023;
    double magnitude = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return half & 0x8000 ? -magnitude : magnitude;
}

static void every_half_there_and_back(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 0x10000u; half++) {
        if ((half & HALF_INFINITY) == HALF_INFINITY) {
            assert_false(float_is_finite(half_to_float((uint16_t)half)));
            continue;
        }
        float x = half_to_float((uint16_t)half);
        assert_true((double)x == value_of((uint16_t)half));
        assert_int_equal(half_from_float(x), half);
        if (half < 0x8000u) {
            assert_int_equal(half_from_float_up(x), half);
        }
    }
}

static void borders_round_to_nearest_even_or_up(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 0x7bffu; half++) {
        float low = half_to_float((uint16_t)half), high = half_to_float((uint16_t)(half + 1u));
        float middle = (float)(((double)low + (double)high) / 2); /* exact */
        float above = nextafterf(middle, high), below = nextafterf(middle, low);
        assert_int_equal(half_from_float(middle), half + (half & 1u));
        assert_int_equal(half_from_float(above), half + 1u);
        assert_int_equal(half_from_float(below), half);
        assert_int_equal(half_from_float(-middle), 0x8000u | (half + (half & 1u)));
        assert_int_equal(half_from_float_up(middle), half + 1u);
        assert_int_equal(half_from_float_up(nextafterf(low, high)), half + 1u);
        assert_int_equal(half_from_float_up(nextafterf(high, low)), half + 1u);
    }
}

static void extremes(void **state)
{
    (void)state;
    assert_int_equal(half_from_float(HALF_MAX), 0x7bff);
    assert_int_equal(half_from_float(65519.0f), 0x7bff);
    assert_int_equal(half_from_float(65536.0f), 0x7bff); /* saturates */
    assert_int_equal(half_from_float(-3e38f), 0xfbff);
    assert_int_equal(half_from_float_up(HALF_MAX), 0x7bff);
    assert_int_equal(half_from_float_up(nextafterf(HALF_MAX, 1e6f)), HALF_INFINITY);
    assert_int_equal(half_from_float_up(3e38f), HALF_INFINITY);
    assert_int_equal(half_from_float(1e-45f), 0);
    assert_int_equal(half_from_float(-1e-45f), 0x8000);
    assert_int_equal(half_from_float_up(1e-45f), 1);
    assert_int_equal(half_from_float_up(0), 0);
    assert_int_equal(half_from_float(0x1p-25f), 0); /* half of the smallest: to even */
    assert_int_equal(half_from_float(0x1.000002p-25f), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_there_and_back),
        cmocka_unit_test(borders_round_to_nearest_even_or_up),
        cmocka_unit_test(extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
