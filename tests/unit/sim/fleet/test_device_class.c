/* Operations of a model by hand, and the Cortex-M4F's measured instruction counts. */
#include "sim/fleet/device_class.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SMALL_CNN                                                                                  \
    "28x28x1 > conv 8 3x3 stride 2 pad 1 relu > conv 16 3x3 stride 2 pad 1 relu > dense 10 "       \
    "softmax"

static uint64_t flops(const char *text, uint64_t samples, uint32_t batch)
{
    static struct mycel_model model;
    struct mycel_model_error error;
    assert_int_equal(mycel_model_parse(&model, text, &error), 0);
    return device_model_flops(&model, samples, batch);
}

static void operations_are_counted_by_layer(void **state)
{
    (void)state;
    /* 64 x 32 forward and weights; 32 x 10 forward, weights and inputs; two operations each. */
    uint64_t dense = 2 * (2 * 2048 + 3 * 320);
    uint64_t params = 64 * 32 + 32 + 32 * 10 + 10;
    assert_int_equal(flops("64 > dense 32 relu > dense 10 softmax", 32, 32),
                     32 * dense + 4 * params);
    assert_int_equal(flops("64 > dense 32 relu > dense 10 softmax", 33, 32),
                     33 * dense + 2 * 4 * params);
    /* A frozen first layer has no backward pass, and nothing goes on to it. */
    assert_int_equal(flops("64 > dense 32 relu frozen > dense 10 softmax", 1, 1),
                     2 * (2048 + 2 * 320) + 4 * 330);
    /* 14 x 14 x 9 x 8, then 7 x 7 x 9 x 8 x 16, then 784 x 10. */
    assert_int_equal(flops(SMALL_CNN, 1, 1),
                     2 * (2 * 14112 + 3 * 56448 + 3 * 7840) + 4 * (80 + 1168 + 7850));
    /* Pooling reads its inputs, normalisation takes eight a value; three passes. */
    assert_int_equal(flops("4x4x2 > conv 2 1x1 > maxpool 2 > groupnorm 2 > dense 3", 1, 1),
                     2 * 2 * 64 + 3 * 32 + 3 * 8 * 8 + 2 * 3 * 24 + 4 * (6 + 4 + 27));
}

static void the_m4_takes_what_was_measured(void **state)
{
    (void)state;
    /* docs/TRAINER.md, instructions a sample under QEMU; 1.4 cycles each at 64 MHz. */
    static const struct {
        const char *model;
        uint32_t batch;
        double instructions;
    } cases[] = {
        {"64 > dense 32 relu > dense 10 softmax", 32, 13200},
        {"64 > dense 32 relu > dense 10 softmax", 1, 24100},
        {SMALL_CNN, 1, 700000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t samples = 32;
        uint64_t us = device_train_us(device_class_of(DEVICE_NRF52840),
                                      flops(cases[i].model, samples, cases[i].batch));
        double want_us = cases[i].instructions * 1.4 / 64 * (double)samples;
        assert_true((double)us > 0.85 * want_us && (double)us < 1.15 * want_us);
    }
}

static void time_and_energy_are_rounded_up(void **state)
{
    (void)state;
    const struct device_class *ideal = device_class_of(DEVICE_IDEAL);
    const struct device_class *nrf = device_class_of(DEVICE_NRF52840);
    assert_int_equal(device_train_us(ideal, 1000), 1);
    assert_int_equal(device_train_us(ideal, 1001), 2);
    assert_int_equal(device_train_nj(ideal, 1000000), 0);
    assert_int_equal(device_train_us(nrf, 34000000), 1000000);
    assert_int_equal(device_train_nj(nrf, 34000000), 9588000); /* 9.6 mW for a second */
    assert_int_equal(device_train_nj(nrf, 1), 1);
    assert_int_equal(device_train_us(nrf, 0), 0);
    /* A year of work does not overflow. */
    uint64_t year = 365 * 86400ull;
    const struct device_class *pi = device_class_of(DEVICE_RASPBERRY_PI);
    assert_int_equal(device_train_us(pi, year * 3000000000u), year * 1000000u);
    assert_int_equal(device_train_nj(pi, year * 3000000000u), year * 3000000u * 367u);
}

static void rows_are_found_by_name(void **state)
{
    (void)state;
    for (int kind = 0; kind < DEVICE_KINDS; kind++) {
        const struct device_class *class = device_class_of((enum device_kind)kind);
        assert_ptr_equal(device_class_find(class->name), class);
        assert_true(class->flops_per_s > 0 && class->model_bytes_max >= 128 * 1024);
        /* Only what has a battery sleeps. */
        assert_true(!class->sleepy || class->battery_mj > 0);
    }
    assert_null(device_class_find("abacus"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_counted_by_layer),
        cmocka_unit_test(the_m4_takes_what_was_measured),
        cmocka_unit_test(time_and_energy_are_rounded_up),
        cmocka_unit_test(rows_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
