/*
 * The ring of samples: what stays when it is full, feedback, storage that ends at any byte, and a
 * model that learns from a person's corrections.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <mycel/ring.h>

#include "common/rng.h"
#include "fixture.h"

enum { SLOTS = 16, INPUTS = 6, INPUT_BYTES = INPUTS * 4, CLASSES = 3 };

/* Storage that dies after a number of written bytes. */
struct flash {
    uint8_t bytes[SLOTS * 64];
    int64_t left; /* < 0: lives on */
};

static int flash_read(void *ctx, uint32_t offset, void *bytes, uint32_t count)
{
    struct flash *flash = ctx;
    memcpy(bytes, flash->bytes + offset, count);
    return 0;
}

static int flash_write(void *ctx, uint32_t offset, const void *bytes, uint32_t count)
{
    struct flash *flash = ctx;
    const uint8_t *from = bytes;
    for (uint32_t i = 0; i < count; i++) {
        if (flash->left == 0) {
            return MYCEL_E_IO;
        }
        flash->left -= flash->left > 0;
        flash->bytes[offset + i] = from[i];
    }
    return 0;
}

struct rig {
    struct mycel_ring ring;
    struct mycel_ring_slot slots[SLOTS];
    struct flash flash;
    struct mycel_ring_store store;
    struct mycel_ring_config config;
    uint32_t memory[SLOTS * 16];
};

static int rig_open(struct rig *rig, bool in_flash)
{
    rig->store = (struct mycel_ring_store){flash_read, flash_write, &rig->flash};
    rig->config = (struct mycel_ring_config){
        .slots = SLOTS, .input_bytes = INPUT_BYTES, .classes = CLASSES, .slot = rig->slots};
    if (in_flash) {
        rig->config.store = &rig->store;
    } else {
        rig->config.memory = rig->memory;
    }
    return mycel_ring_open(&rig->ring, &rig->config);
}

static void input_of(uint32_t number, uint16_t label, float *input)
{
    for (uint32_t k = 0; k < INPUTS; k++) {
        input[k] = rng_f32(1, number, k) + (k % CLASSES == label ? 2.0f : 0.0f);
    }
}

static int add(struct rig *rig, uint32_t number, uint16_t label)
{
    float input[INPUTS];
    input_of(number, label, input);
    return mycel_ring_add(&rig->ring, input, label, MYCEL_RING_UNKNOWN);
}

/* One rare class among a flood of another keeps its samples; the flood keeps its newest. */
static void rare_classes_stay(void **state)
{
    (void)state;
    static struct rig rig;
    memset(&rig, 0, sizeof rig);
    assert_int_equal(rig_open(&rig, false), 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(add(&rig, i, 2) > 0);
    }
    for (uint32_t i = 0; i < 200; i++) {
        assert_true(add(&rig, 10 + i, (uint16_t)(i % 20 == 0)) > 0);
    }
    assert_int_equal(mycel_ring_count(&rig.ring, 2), 3);
    assert_true(mycel_ring_count(&rig.ring, 1) >= 6);
    assert_int_equal(mycel_ring_count(&rig.ring, MYCEL_RING_UNKNOWN), SLOTS);
    uint32_t newest = 0;
    for (uint32_t i = 0; i < SLOTS; i++) {
        newest = rig.slots[i].sequence > newest ? rig.slots[i].sequence : newest;
    }
    assert_int_equal(newest, 203);
    /* From now on each class that grows pushes out its own oldest. */
    for (uint32_t i = 0; i < 60; i++) {
        add(&rig, 300 + i, (uint16_t)(i % CLASSES));
    }
    for (uint16_t c = 0; c < CLASSES; c++) {
        uint32_t count = mycel_ring_count(&rig.ring, c);
        assert_in_range(count, SLOTS / CLASSES, SLOTS / CLASSES + 1);
    }
}

static void feedback_makes_labels(void **state)
{
    (void)state;
    static struct rig rig;
    memset(&rig, 0, sizeof rig);
    rig.flash.left = -1;
    float input[INPUTS] = {0};
    assert_int_equal(rig_open(&rig, true), 0);
    int right = mycel_ring_add(&rig.ring, input, MYCEL_RING_UNKNOWN, 1);
    int wrong = mycel_ring_add(&rig.ring, input, MYCEL_RING_UNKNOWN, 1);
    assert_int_equal(mycel_ring_count(&rig.ring, MYCEL_RING_UNKNOWN), 0);
    assert_int_equal(mycel_ring_feedback(&rig.ring, right, MYCEL_RING_RIGHT, 0), 0);
    assert_int_equal(mycel_ring_feedback(&rig.ring, wrong, MYCEL_RING_WRONG, 2), 0);
    assert_int_equal(mycel_ring_count(&rig.ring, 1), 1);
    assert_int_equal(mycel_ring_count(&rig.ring, 2), 1);
    int unknown = mycel_ring_add(&rig.ring, input, MYCEL_RING_UNKNOWN, MYCEL_RING_UNKNOWN);
    assert_int_equal(mycel_ring_feedback(&rig.ring, unknown, MYCEL_RING_RIGHT, 0), MYCEL_E_INVALID);
    assert_int_equal(mycel_ring_feedback(&rig.ring, unknown, MYCEL_RING_WRONG, MYCEL_RING_UNKNOWN),
                     0);
    assert_int_equal(mycel_ring_feedback(&rig.ring, unknown, MYCEL_RING_WRONG, 1),
                     MYCEL_E_NOT_FOUND);
    assert_int_equal(mycel_ring_feedback(&rig.ring, 0, MYCEL_RING_WRONG, 1), MYCEL_E_NOT_FOUND);
    /* Unlabelled guesses never push out labelled samples. */
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(mycel_ring_add(&rig.ring, input, MYCEL_RING_UNKNOWN, 0) > 0);
    }
    assert_int_equal(mycel_ring_count(&rig.ring, MYCEL_RING_UNKNOWN), 2);
    assert_int_equal(mycel_ring_add(&rig.ring, input, CLASSES, 0), MYCEL_E_INVALID);
}

/* Power is lost after every possible number of bytes: what opens is whole samples, none of them
 * invented, and at most the one under way is lost. */
static void storage_survives_power_loss(void **state)
{
    (void)state;
    static struct rig rig;
    for (int64_t limit = 0; limit < 3 * 56 * 18; limit += 7) {
        memset(&rig, 0, sizeof rig);
        rig.flash.left = -1;
        assert_int_equal(rig_open(&rig, true), 0);
        rig.flash.left = limit;
        uint32_t added = 0;
        while (added < 30 && add(&rig, added, (uint16_t)(added % CLASSES)) > 0) {
            added++;
        }
        rig.flash.left = -1;
        int found = rig_open(&rig, true);
        assert_true(found >= (int)(added < SLOTS ? added : SLOTS - 1));
        struct mycel_nn_data data;
        mycel_ring_data(&rig.ring, &data);
        assert_int_equal(data.count, found);
        for (uint32_t i = 0; i < data.count; i++) {
            float stage[INPUTS];
            float expected[INPUTS];
            struct mycel_nn_sample sample;
            assert_int_equal(data.fetch(data.ctx, i, stage, &sample), 0);
            uint32_t slot = 0;
            for (uint32_t seen = 0; slot < SLOTS; slot++) {
                if (rig.slots[slot].sequence != 0 && seen++ == i) {
                    break;
                }
            }
            input_of(rig.slots[slot].sequence - 1, (uint16_t)sample.label, expected);
            assert_memory_equal(stage, expected, sizeof expected);
        }
        assert_true(add(&rig, 40, 1) > 0);
    }
}

static void scaling_is_unit_variance(void **state)
{
    (void)state;
    static struct rig rig;
    memset(&rig, 0, sizeof rig);
    float scale[INPUTS];
    float shift[INPUTS];
    assert_int_equal(rig_open(&rig, false), 0);
    assert_int_equal(mycel_ring_scaling(&rig.ring, MYCEL_NN_F32, NULL, scale, shift),
                     MYCEL_E_STATE);
    for (uint32_t i = 0; i < 12; i++) {
        float input[INPUTS] = {(float)i, 5.0f, 100.0f + (float)(i % 2), 0, 0, -3.0f * (float)i};
        assert_true(mycel_ring_add(&rig.ring, input, 0, MYCEL_RING_UNKNOWN) > 0);
    }
    assert_int_equal(mycel_ring_scaling(&rig.ring, MYCEL_NN_F32, NULL, scale, shift), 0);
    for (uint32_t k = 0; k < INPUTS; k += 5) {
        float sum = 0;
        float square = 0;
        for (uint32_t i = 0; i < 12; i++) {
            float raw = k == 0 ? (float)i : -3.0f * (float)i;
            float x = raw * scale[k] + shift[k];
            sum += x;
            square += x * x;
        }
        assert_true(fabsf(sum) < 1e-4f && fabsf(square - 12.0f) < 1e-3f);
    }
    assert_true(scale[1] == 1.0f && shift[1] == -5.0f);
    assert_true(fabsf(scale[2] - 2.0f) < 1e-4f);
}

/* A device that starts wrong is told better, trains on its ring, and is right afterwards. */
static void a_model_learns_from_corrections(void **state)
{
    (void)state;
    static struct rig rig;
    memset(&rig, 0, sizeof rig);
    struct mycel_nn_config config = {
        .batch = 4, .shuffle = true, .stage = true, .learning_rate = 0.2f};
    struct fixture f;
    rig.flash.left = -1;
    assert_int_equal(rig_open(&rig, true), 0);
    fixture_open(&f, "6 > dense 3 softmax", &config, 8);
    for (uint32_t i = 0; i < 12; i++) {
        float input[INPUTS];
        float p[CLASSES];
        uint16_t truth = (uint16_t)(i % CLASSES);
        input_of(i, truth, input);
        struct mycel_nn_data one = {.count = 1, .inputs = input};
        assert_int_equal(mycel_nn_predict(f.nn, &one, 0, 1, p), 0);
        uint16_t guess = p[1] > p[0] ? 1 : 0;
        guess = p[2] > p[guess] ? 2 : guess;
        int ticket = mycel_ring_add(&rig.ring, input, MYCEL_RING_UNKNOWN, guess);
        assert_int_equal(mycel_ring_feedback(&rig.ring, ticket,
                                             guess == truth ? MYCEL_RING_RIGHT : MYCEL_RING_WRONG,
                                             truth),
                         0);
    }
    struct mycel_nn_data data;
    struct mycel_nn_score score;
    struct mycel_nn_budget budget = {.epochs = 60};
    mycel_ring_data(&rig.ring, &data);
    assert_int_equal(data.count, 12);
    assert_int_equal(mycel_nn_train(f.nn, &data, &budget), 0);
    assert_int_equal(mycel_nn_evaluate(f.nn, &data, 0, 12, &score), 0);
    assert_int_equal(score.correct, 12);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rare_classes_stay),
        cmocka_unit_test(feedback_makes_labels),
        cmocka_unit_test(storage_survives_power_loss),
        cmocka_unit_test(scaling_is_unit_variance),
        cmocka_unit_test(a_model_learns_from_corrections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
