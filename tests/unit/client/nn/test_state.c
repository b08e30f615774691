/*
 * What goes in and out of a context: parameters and deltas in chunks, checkpoints, int8 layers.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static const char net[] =
    "6x6x3 > conv 5 3x3 same relu > batchnorm > maxpool 2 > depthwise 2x2 > groupnorm 5 > "
    "dense 7 relu frozen > dense 4 softmax";

static void train_steps(struct fixture *f, const struct mycel_nn_data *data, uint32_t steps)
{
    struct mycel_nn_budget budget = {.epochs = 1000, .steps_max = steps};
    assert_int_equal(mycel_nn_train(f->nn, data, &budget), MYCEL_NN_MORE);
}

/* Parameters come back as written, whatever the chunks and wherever the bytes lie. */
static void parameters_move_in_chunks(void **state)
{
    (void)state;
    static const uint32_t chunks[] = {1, 3, 7, 64, 10000};
    struct mycel_nn_config config = {.batch = 2};
    struct fixture f;
    fixture_open(&f, net, &config, 1);
    uint8_t *bytes = malloc(f.count * 4 + 1);
    float *back = malloc(f.count * 4);
    for (uint32_t i = 0; i < f.count; i++) {
        f.params[i] = (float)i * 0.125f - 7.0f;
    }
    for (size_t c = 0; c < sizeof chunks / sizeof chunks[0]; c++) {
        memcpy(bytes + 1, f.params, f.count * 4); /* an odd address, little-endian host */
        for (uint32_t i = 0; i < f.count; i++) {
            back[i] = 0.0f;
        }
        fixture_write(&f, back);
        for (uint32_t at = 0; at < f.count; at += chunks[c]) {
            uint32_t count = f.count - at < chunks[c] ? f.count - at : chunks[c];
            assert_int_equal(
                mycel_nn_write(f.nn, MYCEL_NN_PARAMS, at, count, bytes + 1 + 4 * (size_t)at), 0);
        }
        for (uint32_t at = 0; at < f.count; at += chunks[c]) {
            uint32_t count = f.count - at < chunks[c] ? f.count - at : chunks[c];
            assert_int_equal(mycel_nn_read(f.nn, MYCEL_NN_PARAMS, at, count, back + at), 0);
        }
        assert_memory_equal(back, f.params, f.count * 4);
    }
    assert_int_equal(mycel_nn_write(f.nn, MYCEL_NN_PARAMS, f.count, 1, bytes), MYCEL_E_INVALID);
    assert_int_equal(mycel_nn_read(f.nn, MYCEL_NN_PARAMS, 2, UINT32_MAX, bytes), MYCEL_E_INVALID);
    assert_int_equal(mycel_nn_write(f.nn, MYCEL_NN_BASE, 0, 1, bytes), MYCEL_E_NOT_FOUND);
    assert_int_equal(mycel_nn_read(f.nn, MYCEL_NN_GRADIENT, 0, 1, bytes), MYCEL_E_NOT_FOUND);
    free(bytes);
    free(back);
    fixture_close(&f);
}

static int read_base(void *ctx, uint32_t offset, uint32_t count, float *params)
{
    memcpy(params, (const float *)ctx + offset, count * sizeof(float));
    return 0;
}

static bool is_fixed(const struct fixture *f, uint32_t k)
{
    for (uint32_t l = 0; l < f->model.layer_count; l++) {
        const struct mycel_layer *layer = &f->model.layer[l];
        uint32_t at = k - layer->param_offset;
        if (k >= layer->param_offset && at < layer->param_count) {
            bool statistics = layer->kind == MYCEL_LAYER_BATCHNORM && at >= layer->param_count / 2;
            return layer->frozen || statistics;
        }
    }
    return true;
}

static void deltas_are_differences(void **state)
{
    (void)state;
    struct mycel_nn_config config = {.batch = 2, .learning_rate = 0.1f};
    struct fixture f;
    struct samples s;
    fixture_open(&f, net, &config, 1);
    samples_open(&s, &f.model, 8, 2);
    train_steps(&f, &s.data, 3);
    float *now = malloc(f.count * 4);
    float *delta = malloc(f.count * 4);
    struct mycel_nn_base array = {.params = f.params};
    struct mycel_nn_base reader = {.read = read_base, .ctx = f.params};
    fixture_read(&f, MYCEL_NN_PARAMS, now);
    for (uint32_t at = 0; at < f.count; at += 13) {
        uint32_t count = f.count - at < 13 ? f.count - at : 13;
        const struct mycel_nn_base *base = at % 2 ? &array : &reader;
        assert_int_equal(mycel_nn_delta(f.nn, base, at, count, delta + at), 0);
    }
    uint32_t moved = 0;
    for (uint32_t i = 0; i < f.count; i++) {
        assert_true(delta[i] == now[i] - f.params[i]);
        assert_true(!is_fixed(&f, i) || delta[i] == 0.0f);
        moved += delta[i] != 0.0f;
    }
    assert_true(moved > f.count / 3);
    assert_int_equal(mycel_nn_delta(f.nn, NULL, 0, 1, delta), MYCEL_E_NOT_FOUND);
    free(now);
    free(delta);
    samples_close(&s);
    fixture_close(&f);
}

struct tape {
    uint8_t bytes[1 << 16];
    size_t length;
    size_t at;
};

static int tape_write(void *ctx, const void *bytes, size_t count)
{
    struct tape *t = ctx;
    assert_true(t->length + count <= sizeof t->bytes);
    memcpy(t->bytes + t->length, bytes, count);
    t->length += count;
    return 0;
}

static int tape_read(void *ctx, void *bytes, size_t count)
{
    struct tape *t = ctx;
    if (t->at + count > t->length) {
        return MYCEL_E_IO;
    }
    memcpy(bytes, t->bytes + t->at, count);
    t->at += count;
    return 0;
}

/* Saved in the middle of an epoch and taken up by another context: the same bits at the end. */
static void checkpoints_change_nothing(void **state)
{
    (void)state;
    static struct tape tape;
    for (uint8_t optimizer = 0; optimizer <= MYCEL_NN_ADAMW; optimizer++) {
        struct mycel_nn_config config = {.batch = 3,
                                         .micro_batch = optimizer % 2 ? 2 : 0,
                                         .shuffle = true,
                                         .optimizer = optimizer,
                                         .learning_rate = 0.01f,
                                         .prox = 0.1f,
                                         .scaffold = true};
        struct fixture whole;
        struct fixture resumed;
        struct samples s;
        struct mycel_nn_status a;
        struct mycel_nn_status b;
        fixture_open(&whole, net, &config, 1);
        fixture_open(&resumed, net, &config, 99);
        samples_open(&s, &whole.model, 10, 2);
        assert_int_equal(mycel_nn_write(whole.nn, MYCEL_NN_BASE, 0, whole.count, whole.params), 0);
        assert_int_equal(
            mycel_nn_write(whole.nn, MYCEL_NN_CORRECTION, 0, whole.count, resumed.params), 0);
        mycel_nn_start(whole.nn, 1234567890123u, 0.02f);
        train_steps(&whole, &s.data, 6);
        tape.length = 0;
        tape.at = 0;
        assert_int_equal(mycel_nn_save(whole.nn, tape_write, &tape), 0);
        assert_int_equal(mycel_nn_restore(resumed.nn, tape_read, &tape), 0);
        train_steps(&whole, &s.data, 7);
        train_steps(&resumed, &s.data, 7);
        fixture_read(&whole, MYCEL_NN_PARAMS, whole.params);
        fixture_read(&resumed, MYCEL_NN_PARAMS, resumed.params);
        assert_memory_equal(whole.params, resumed.params, whole.count * 4);
        mycel_nn_status(whole.nn, &a);
        mycel_nn_status(resumed.nn, &b);
        assert_memory_equal(&a, &b, sizeof a);
        samples_close(&s);
        fixture_close(&whole);
        fixture_close(&resumed);
    }
}

static void bad_checkpoints_are_refused(void **state)
{
    (void)state;
    static struct tape tape;
    struct mycel_nn_config config = {.batch = 2};
    struct fixture f;
    struct fixture other;
    fixture_open(&f, "5 > dense 4 relu > dense 3 softmax", &config, 1);
    fixture_open(&other, "5 > dense 4 tanh > dense 3 softmax", &config, 1);
    tape.length = 0;
    assert_int_equal(mycel_nn_save(f.nn, tape_write, &tape), 0);
    tape.at = 0;
    assert_int_equal(mycel_nn_restore(other.nn, tape_read, &tape), MYCEL_E_SHAPE);
    for (size_t i = 0; i < tape.length; i += 5) {
        tape.bytes[i] ^= 0x10;
        tape.at = 0;
        assert_true(mycel_nn_restore(f.nn, tape_read, &tape) < 0);
        tape.bytes[i] ^= 0x10;
    }
    for (size_t cut = 0; cut < tape.length; cut += 11) {
        size_t length = tape.length;
        tape.length = cut;
        tape.at = 0;
        assert_int_equal(mycel_nn_restore(f.nn, tape_read, &tape), MYCEL_E_IO);
        tape.length = length;
    }
    tape.at = 0;
    assert_int_equal(mycel_nn_restore(f.nn, tape_read, &tape), 0);
    fixture_close(&f);
    fixture_close(&other);
}

static const char backbone[] =
    "12x12x3 > conv 8 3x3 same relu frozen > conv 12 3x3 stride 2 same relu frozen > maxpool 2 > "
    "dense 24 relu frozen > dense 5 softmax";

/* Rounded weights predict nearly what floats do, in a quarter of the memory. */
static void int8_predicts_alike(void **state)
{
    (void)state;
    struct mycel_nn_config config = {.batch = 8, .use = MYCEL_NN_INFER};
    struct fixture floats;
    struct fixture rounded;
    struct samples s;
    float a[40 * 5];
    float b[40 * 5];
    fixture_open(&floats, backbone, &config, 1);
    config.int8 = MYCEL_NN_INT8_ALL;
    fixture_open(&rounded, backbone, &config, 1);
    samples_open(&s, &floats.model, 40, 2);
    assert_int_equal(mycel_nn_predict(floats.nn, &s.data, 0, 40, a), 0);
    assert_int_equal(mycel_nn_predict(rounded.nn, &s.data, 0, 40, b), 0);
    assert_true(largest_difference(a, b, 40 * 5) < 0.03f);
    assert_true(largest_difference(a, b, 40 * 5) > 0.0f);
    assert_true(rounded.plan.bytes.params * 10 < floats.plan.bytes.params * 4);
    fixture_read(&rounded, MYCEL_NN_PARAMS, rounded.params);
    assert_true(largest_difference(floats.params, rounded.params, floats.count) < 0.005f);
    fixture_write(&rounded, rounded.params); /* rounding what is rounded changes nothing */
    assert_int_equal(mycel_nn_predict(rounded.nn, &s.data, 0, 40, a), 0);
    assert_true(largest_difference(a, b, 40 * 5) < 1e-5f);
    samples_close(&s);
    fixture_close(&floats);
    fixture_close(&rounded);
}

/* A float tail learns on an int8 backbone; the backbone stays. */
static void int8_backbone_under_a_float_tail(void **state)
{
    (void)state;
    struct mycel_nn_config config = {
        .batch = 5, .int8 = MYCEL_NN_INT8_FROZEN, .learning_rate = 0.1f};
    struct mycel_nn_score before;
    struct mycel_nn_score after;
    struct fixture f;
    struct samples s;
    fixture_open(&f, backbone, &config, 1);
    samples_open(&s, &f.model, 20, 2);
    assert_true(f.plan.layer[0].int8 && f.plan.layer[3].int8 && !f.plan.layer[4].int8);
    float *start = malloc(f.count * 4);
    fixture_read(&f, MYCEL_NN_PARAMS, start);
    assert_int_equal(mycel_nn_evaluate(f.nn, &s.data, 0, 20, &before), 0);
    struct mycel_nn_budget budget = {.epochs = 60};
    assert_int_equal(mycel_nn_train(f.nn, &s.data, &budget), 0);
    assert_int_equal(mycel_nn_evaluate(f.nn, &s.data, 0, 20, &after), 0);
    assert_true(after.loss < 0.7f * before.loss);
    fixture_read(&f, MYCEL_NN_PARAMS, f.params);
    uint32_t tail = f.model.layer[4].param_offset;
    assert_memory_equal(start, f.params, tail * 4);
    assert_memory_not_equal(start + tail, f.params + tail, (f.count - tail) * 4);
    free(start);
    samples_close(&s);
    fixture_close(&f);
}

/* int8 weights come in any chunks, but an output's weights in order. */
static void int8_takes_chunks_in_order(void **state)
{
    (void)state;
    struct mycel_nn_config config = {.batch = 1, .use = MYCEL_NN_INFER, .int8 = MYCEL_NN_INT8_ALL};
    struct fixture f;
    fixture_open(&f, backbone, &config, 1);
    float *whole = malloc(f.count * 4);
    float *pieces = malloc(f.count * 4);
    fixture_read(&f, MYCEL_NN_PARAMS, whole);
    for (uint32_t at = 0; at < f.count; at += 29) {
        uint32_t count = f.count - at < 29 ? f.count - at : 29;
        assert_int_equal(mycel_nn_write(f.nn, MYCEL_NN_PARAMS, at, count, f.params + at), 0);
    }
    fixture_read(&f, MYCEL_NN_PARAMS, pieces);
    assert_memory_equal(whole, pieces, f.count * 4);
    assert_int_equal(mycel_nn_write(f.nn, MYCEL_NN_PARAMS, 5, 1, f.params), MYCEL_E_STATE);
    free(whole);
    free(pieces);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_move_in_chunks),
        cmocka_unit_test(deltas_are_differences),
        cmocka_unit_test(checkpoints_change_nothing),
        cmocka_unit_test(bad_checkpoints_are_refused),
        cmocka_unit_test(int8_predicts_alike),
        cmocka_unit_test(int8_backbone_under_a_float_tail),
        cmocka_unit_test(int8_takes_chunks_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
