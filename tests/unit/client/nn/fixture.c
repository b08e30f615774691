#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "common/rng.h"

enum { CANARY_BYTES = 256, CANARY = 0xA5 };

static uint8_t *canary_after(const struct fixture *f)
{
    return (uint8_t *)f->arena + CANARY_BYTES + f->plan.arena_bytes;
}

void fixture_open(struct fixture *f, const char *description, const struct mycel_nn_config *config,
                  uint64_t seed)
{
    struct mycel_model_error error = {0};
    if (mycel_model_parse(&f->model, description, &error) != 0) {
        fail_msg("%s: column %d: %s", description, error.column, error.text);
    }
    assert_int_equal(mycel_nn_plan(&f->plan, &f->model, config), 0);
    size_t bytes = (f->plan.arena_bytes + 2 * CANARY_BYTES + 63u) / 64u * 64u;
    f->arena = aligned_alloc(64, bytes);
    assert_non_null(f->arena);
    memset(f->arena, CANARY, bytes);
    assert_int_equal(
        mycel_nn_init(&f->nn, &f->plan, (uint8_t *)f->arena + CANARY_BYTES, f->plan.arena_bytes),
        0);
    f->count = f->model.param_count;
    f->params = calloc(f->count, sizeof(float));
    mycel_model_init_params(&f->model, seed, f->params);
    fixture_write(f, f->params);
}

void fixture_close(struct fixture *f)
{
    const uint8_t *before = f->arena;
    for (size_t i = 0; i < CANARY_BYTES; i++) {
        assert_int_equal(before[i], CANARY);
        assert_int_equal(canary_after(f)[i], CANARY);
    }
    free(f->arena);
    free(f->params);
}

void fixture_write(struct fixture *f, const float *params)
{
    assert_int_equal(mycel_nn_write(f->nn, MYCEL_NN_PARAMS, 0, f->count, params), 0);
}

void fixture_read(struct fixture *f, enum mycel_nn_array array, float *values)
{
    assert_int_equal(mycel_nn_read(f->nn, array, 0, f->count, values), 0);
}

float fixture_step(struct fixture *f, const struct mycel_nn_data *data, uint64_t seed)
{
    fixture_write(f, f->params);
    mycel_nn_start(f->nn, seed, 0.0f);
    struct mycel_nn_budget budget = {.epochs = 1000, .steps_max = 1};
    assert_int_equal(mycel_nn_train(f->nn, data, &budget), MYCEL_NN_MORE);
    struct mycel_nn_status status;
    mycel_nn_status(f->nn, &status);
    return status.loss;
}

void samples_open(struct samples *s, const struct mycel_model *model, uint32_t count, uint64_t seed)
{
    uint32_t inputs = mycel_model_inputs(model);
    uint32_t outputs = mycel_model_outputs(model);
    s->inputs = calloc((size_t)count * inputs, sizeof(float));
    s->targets = calloc((size_t)count * outputs, sizeof(float));
    s->labels = calloc(count, 1);
    for (uint32_t i = 0; i < count * inputs; i++) {
        s->inputs[i] = rng_f32(seed, 1, i) * 2.0f - 1.0f;
    }
    for (uint32_t i = 0; i < count * outputs; i++) {
        s->targets[i] = rng_f32(seed, 2, i);
    }
    for (uint32_t i = 0; i < count; i++) {
        s->labels[i] = (uint8_t)rng_below(seed, 3, i, outputs < 255 ? outputs : 255);
    }
    bool classes = model->loss == MYCEL_LOSS_CROSSENTROPY;
    s->data = (struct mycel_nn_data){
        .count = count,
        .inputs = s->inputs,
        .labels = classes ? s->labels : NULL,
        .targets = classes ? NULL : s->targets,
    };
}

void samples_close(struct samples *s)
{
    free(s->inputs);
    free(s->targets);
    free(s->labels);
}

float largest_difference(const float *a, const float *b, uint32_t count)
{
    float worst = 0.0f;
    for (uint32_t i = 0; i < count; i++) {
        float size = a[i] < 0 ? -a[i] : a[i];
        float e = a[i] - b[i];
        e = (e < 0 ? -e : e) / (size > 1.0f ? size : 1.0f);
        worst = e > worst || e != e ? e : worst;
    }
    return worst;
}

uint64_t hash_of(const void *bytes, size_t count)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++) {
        h = (h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    }
    return h;
}
