/*
 * Every layer's gradient against central differences of the loss, and plain SGD's short cut
 * against the gradient that is written down. All through the public interface.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "fixture.h"

enum { SAMPLES = 5, CHECKED_MAX = 60 };

/* Shapes chosen for what breaks: odd sizes, channels that are no multiple of four or of a vector,
 * even kernels, strides that leave a rest, padding on one side only, one pixel, one channel. */
static const char *const models[] = {
    "7 > dense 5 tanh > dense 3 softmax",
    "33 > dense 19 sigmoid > dense 13 tanh > dense 4 softmax",
    "40 > dense 37 relu > dense 10 softmax",
    "6 > dense 4 leaky 0.2 > dense 3",
    "6 > dense 4 nobias tanh > dense 3 tanh > huber 0.3",
    "6 > dense 9 relu6 > dense 2 sigmoid",
    "5 > dense 1 sigmoid",
    "6 > dense 3 tanh > dense 6 > mse",
    "5x6x1 > conv 3 3x3 tanh > dense 3 softmax",
    "5x6x3 > conv 5 3x3 same tanh > conv 6 3x3 same tanh > dense 3 softmax",
    "9x7x2 > conv 5 3x3 stride 2 same tanh > conv 7 3x3 stride 2 same tanh > dense 3 softmax",
    "8x9x2 > conv 4 2x2 stride 2 tanh > conv 6 2x3 same tanh > dense 3 softmax",
    "11x10x1 > conv 4 5x3 stride 3x2 pad 2x1 tanh > conv 9 2x2 stride 1x3 tanh > dense 3 softmax",
    "7x7x1 > conv 3 3x3 same tanh > conv 4 1x1 stride 3 tanh > dense 2 softmax",
    "12x12x1 > conv 4 3x3 same tanh > conv 5 7x7 stride 5 pad 3 tanh > dense 2 softmax",
    "5x5x3 > pointwise 6 tanh > pointwise 3 tanh > dense 2 softmax",
    "17x3 > conv1d 5 5 stride 2 same tanh > conv1d 4 4 tanh > dense 3 softmax",
    "17x3 > depthwise 5 stride 2 same tanh > depthwise 3 tanh > dense 3 softmax",
    "6x7x3 > depthwise 3x3 same tanh > pointwise 5 tanh > depthwise 3x2 stride 2 > dense 3 softmax",
    "6x6x2 > conv 5 3x3 same tanh > maxpool 2 > conv 4 2x2 tanh > dense 3 softmax",
    "7x7x2 > conv 5 3x3 same tanh > maxpool 3 stride 2 tanh > dense 3 softmax",
    "6x7x2 > conv 5 3x3 same tanh > avgpool 2x3 stride 1x2 > dense 3 softmax",
    "6x7x2 > maxpool 2 > conv 5 3x3 same tanh > globalpool > dense 3 softmax",
    "6x7x2 > avgpool 2 > conv 5 3x3 same tanh > maxpool global > dense 3 softmax",
    "13x4 > conv1d 5 3 tanh > maxpool 2 > dense 3 softmax",
    "5x5x2 > conv 6 3x3 same > groupnorm 3 tanh > conv 4 3x3 same > groupnorm 1 > dense 3 softmax",
    "12 > dense 10 > groupnorm 5 tanh > dense 3 softmax",
    "6 > groupnorm 2 > dense 3 softmax",
    "5x5x2 > conv 5 3x3 same > batchnorm tanh > conv 4 3x3 > batchnorm > dense 3 softmax",
    "6 > dense 5 tanh @a > dense 5 tanh > add @a tanh > dense 3 softmax",
    "6 > dense 5 tanh @a > dense 5 > add @a tanh @b > dense 5 > add @b > dense 3 softmax",
    "5x5x2 > conv 6 3x3 same tanh @a > conv 6 3x3 same tanh > conv 6 3x3 same > add @a tanh > "
    "dense 3 softmax",
    "5x5x2 > conv 6 3x3 same tanh @a > depthwise 3x3 same > add @a > groupnorm 2 tanh @b > "
    "pointwise 6 tanh > add @b > globalpool > dense 3 softmax",
    "6x6x2 > conv 6 3x3 same tanh @a > maxpool 2 > conv 6 3x3 same @b > conv 6 3x3 same > add @b "
    "> dense 3 softmax",
    "8 > dense 12 relu > dropout 0.4 > dense 3 softmax",
    "8 > dense 12 tanh > dropout 0.4 > dense 3 softmax",
    "8 > dense 12 leaky > dropout 0.3 > dropout 0.2 > dense 6 tanh > dropout 0.5 > dense 3 softmax",
    "8 > dropout 0.3 > dense 6 tanh > dense 3 softmax",
    "4x4x3 > conv 5 3x3 same tanh > pointwise 3 > mse",
    "6 > dense 6 tanh frozen > dense 5 tanh > dense 4 frozen > dense 3 softmax",
};

static float loss_at(struct fixture *f, const struct samples *s, uint32_t k, float value)
{
    float old = f->params[k];
    f->params[k] = value;
    float loss = fixture_step(f, &s->data, 11);
    f->params[k] = old;
    return loss;
}

/* Parameters move off the tidy start, so that zero biases and unit norms can't hide an error. */
static void roughen(struct fixture *f)
{
    for (uint32_t l = 0; l < f->model.layer_count; l++) {
        struct mycel_tensor t;
        for (uint32_t i = 0; mycel_model_tensor(&f->model, l, i, &t) == 0; i++) {
            for (uint32_t k = 0; k < t.count; k++) {
                f->params[t.offset + k] += 0.3f * rng_f32(5, l * 4 + i, k) - 0.1f;
            }
        }
    }
}

static bool is_frozen(const struct fixture *f, uint32_t k)
{
    for (uint32_t l = 0; l < f->model.layer_count; l++) {
        struct mycel_tensor t;
        for (uint32_t i = 0; mycel_model_tensor(&f->model, l, i, &t) == 0; i++) {
            if (k >= t.offset && k < t.offset + t.count) {
                return f->model.layer[l].frozen || t.role > MYCEL_TENSOR_BIAS;
            }
        }
    }
    return true;
}

/* Central differences at a few distances: a kink (ReLU, a maximum) may spoil one of them. */
static bool agrees(struct fixture *f, const struct samples *s, uint32_t k, float gradient)
{
    static const float distances[] = {1e-2f, 3e-3f, 3e-2f, 1e-3f, 3e-4f};
    float w = f->params[k];
    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        float h = distances[i];
        double slope = ((double)loss_at(f, s, k, w + h) - (double)loss_at(f, s, k, w - h)) /
                       ((double)(w + h) - (double)(w - h));
        if (fabs(slope - (double)gradient) < 4e-4 + 4e-3 * fabs((double)gradient)) {
            return true;
        }
    }
    return false;
}

static void check_model(const char *description, uint8_t kernels)
{
    struct fixture f;
    struct samples s;
    struct mycel_nn_config config = {
        .batch = SAMPLES, .kernels = kernels, .clip_norm = 1e30f, .learning_rate = 1e-3f};
    fixture_open(&f, description, &config, 3);
    samples_open(&s, &f.model, 2 * SAMPLES, 9);
    roughen(&f);
    float *gradient = calloc(f.count, sizeof(float));
    fixture_step(&f, &s.data, 11);
    fixture_read(&f, MYCEL_NN_GRADIENT, gradient);
    uint32_t stride = f.count / CHECKED_MAX + 1;
    for (uint32_t k = 0; k < f.count; k += stride) {
        if (is_frozen(&f, k)) {
            assert_true(gradient[k] == 0.0f);
        } else if (!agrees(&f, &s, k, gradient[k])) {
            fail_msg("%s: parameter %u: gradient %g disagrees with central differences",
                     description, k, (double)gradient[k]);
        }
    }
    free(gradient);
    samples_close(&s);
    fixture_close(&f);
}

static void central_differences_agree(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof models / sizeof models[0]; m++) {
        check_model(models[m], MYCEL_NN_KERNELS_AUTO);
        check_model(models[m], MYCEL_NN_KERNELS_SCALAR);
    }
}

/* The step that adds straight into the weights is the gradient's, whatever the batch size. */
static void short_cut_is_the_gradient(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof models / sizeof models[0]; m++) {
        for (uint32_t batch = 1; batch <= SAMPLES; batch += SAMPLES - 1) {
            struct fixture direct;
            struct fixture whole;
            struct samples s;
            struct mycel_nn_config config = {.batch = batch, .learning_rate = 0.5f};
            fixture_open(&direct, models[m], &config, 3);
            config.clip_norm = 1e30f;
            fixture_open(&whole, models[m], &config, 3);
            samples_open(&s, &direct.model, 2 * SAMPLES, 9);
            roughen(&direct);
            memcpy(whole.params, direct.params, direct.count * sizeof(float));
            fixture_step(&direct, &s.data, 11);
            fixture_step(&whole, &s.data, 11);
            fixture_read(&direct, MYCEL_NN_PARAMS, direct.params);
            fixture_read(&whole, MYCEL_NN_PARAMS, whole.params);
            float worst = largest_difference(whole.params, direct.params, direct.count);
            if (!(worst < 3e-6f)) {
                fail_msg("%s, batch %u: differs by %g", models[m], batch, (double)worst);
            }
            samples_close(&s);
            fixture_close(&direct);
            fixture_close(&whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(central_differences_agree),
        cmocka_unit_test(short_cut_is_the_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
