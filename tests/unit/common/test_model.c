/* The model description: grammar, columns of errors, canonical text, tensors, first values. */
#include <mycel/error.h>
#include <mycel/model.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct mycel_model model;

static void parse(const char *text)
{
    struct mycel_model_error error = {0};
    int rc = mycel_model_parse(&model, text, &error);
    if (rc != 0) {
        fail_msg("%s: %d at column %d: %s", text, rc, error.column, error.text);
    }
}

static void models_have_their_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t params;
        uint32_t outputs;
    } cases[] = {
        {"28x28x1 > dense 32 relu > dense 10 softmax", 25450, 10},
        {"28x28x1 > conv 8 3x3 same relu > maxpool 2 > conv 16 3x3 same relu > maxpool 2 > "
         "dense 10 softmax",
         9098, 10},
        {"3 > dense 1 nobias > mse", 3, 1},
        {"128x9 > conv1d 8 5 stride 2 same leaky 0.2 > maxpool 2 > flatten > dropout 0.25 > "
         "dense 4 tanh > huber 0.5",
         368 + 4 * 8 * 32 + 4, 4},
        {"32x32x3 > conv 16 3x3 same > batchnorm relu6 @a > depthwise 3x3 same > groupnorm 4 > "
         "pointwise 16 > add @a relu > globalpool > dense 10",
         448 + 64 + 160 + 32 + 272 + 170, 10},
        {"9>dense 4>relu>dense 2 sigmoid", 50, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parse(cases[i].text);
        assert_int_equal(model.param_count, cases[i].params);
        assert_int_equal(mycel_model_outputs(&model), cases[i].outputs);
    }
}

static void errors_point_at_the_column(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        int column;
    } cases[] = {
        {"", MYCEL_E_MALFORMED, 1},
        {"3x", MYCEL_E_MALFORMED, 1},
        {"3x4x5x6 > dense 2", MYCEL_E_MALFORMED, 1},
        {"70000 > dense 2", MYCEL_E_TOO_LARGE, 1},
        {"0 > dense 2", MYCEL_E_MALFORMED, 1},
        {"99999999999999999999 > dense 2", MYCEL_E_TOO_LARGE, 1},
        {"9", MYCEL_E_MALFORMED, 2},
        {"9 >", MYCEL_E_MALFORMED, 4},
        {"9 dense 3", MYCEL_E_MALFORMED, 3},
        {"9 > dens 3", MYCEL_E_MALFORMED, 5},
        {"9 > dense", MYCEL_E_MALFORMED, 10},
        {"9 > dense 0", MYCEL_E_MALFORMED, 11},
        {"9 > dense 3 relu relu", MYCEL_E_MALFORMED, 18},
        {"9 > dense 3 same", MYCEL_E_MALFORMED, 13},
        {"9 > relu", MYCEL_E_MALFORMED, 5},
        {"9 > conv 3 3", MYCEL_E_SHAPE, 5},
        {"9x9x1 > conv1d 3 3", MYCEL_E_SHAPE, 9},
        {"9x2 > conv 3 3", MYCEL_E_SHAPE, 7},
        {"9x9x1 > dense 3 > conv 3 3", MYCEL_E_SHAPE, 19},
        {"5x5x1 > conv 3 7x7", MYCEL_E_SHAPE, 9},
        {"5x5x1 > conv 3 300", MYCEL_E_TOO_LARGE, 16},
        {"5x5x6 > groupnorm 4", MYCEL_E_SHAPE, 9},
        {"9 > dropout 1.5 > dense 2", MYCEL_E_MALFORMED, 13},
        {"9 > dense 3 > dropout 0.5", MYCEL_E_UNSUPPORTED, 26},
        {"9 > dense 3 > add @a", MYCEL_E_MALFORMED, 19},
        {"9 > dense 3 @a > dense 3 @a", MYCEL_E_MALFORMED, 26},
        {"9 > dense 3 @a > dense 4 > add @a", MYCEL_E_SHAPE, 28},
        {"9 > dense 3 @a > add @a", MYCEL_E_SHAPE, 18},
        {"9 > dense 3 @1", MYCEL_E_MALFORMED, 13},
        {"9 > dense 3 softmax > dense 3", MYCEL_E_UNSUPPORTED, 30},
        {"9 > dense 3 softmax > mse", MYCEL_E_UNSUPPORTED, 26},
        {"9 > dense 3 relu > crossentropy", MYCEL_E_UNSUPPORTED, 32},
        {"9 > dense 3 > mse > dense 2", MYCEL_E_MALFORMED, 19},
        {"65535 > dense 65535", MYCEL_E_TOO_LARGE, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mycel_model_error error = {0};
        int rc = mycel_model_parse(&model, cases[i].text, &error);
        if (rc != cases[i].code || error.column != cases[i].column || error.text == NULL) {
            fail_msg("\"%s\": %d at %d instead of %d at %d (%s)", cases[i].text, rc, error.column,
                     cases[i].code, cases[i].column, error.text);
        }
        assert_true(mycel_model_parse(&model, cases[i].text, NULL) == rc);
    }
}

/* Every prefix and every changed byte of a long description ends in a result, not in a crash. */
static void any_bytes_are_survived(void **state)
{
    (void)state;
    static const char text[] =
        "32x32x3 > conv 16 3x3 stride 2x1 pad 1 leaky 0.25 frozen @ab > depthwise 3x2 > groupnorm "
        "4 "
        "> dropout 0.5 > maxpool 2 stride 1 > avgpool global > dense 7 nobias sigmoid > huber 2.5";
    char copy[sizeof text];
    for (size_t cut = 0; cut < sizeof text; cut++) {
        memcpy(copy, text, sizeof text);
        copy[cut] = '\0';
        (void)mycel_model_parse(&model, copy, NULL);
        for (int byte = 1; byte < 256; byte += 7) {
            memcpy(copy, text, sizeof text);
            copy[cut] = (char)byte;
            copy[sizeof text - 1] = '\0';
            struct mycel_model_error error = {0};
            int rc = mycel_model_parse(&model, copy, &error);
            assert_true(rc <= 0);
            assert_true(rc == 0 || (error.column >= 1 && error.column <= (int)sizeof text));
        }
    }
    char *large = malloc(MYCEL_MODEL_TEXT_MAX + 1);
    memset(large, '1', MYCEL_MODEL_TEXT_MAX);
    large[MYCEL_MODEL_TEXT_MAX] = '\0';
    assert_int_equal(mycel_model_parse(&model, large, NULL), MYCEL_E_TOO_LARGE);
    free(large);
}

static void canonical_text_comes_back(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"28x28x1>conv 8 3 same relu>maxpool 2>dense 10>crossentropy",
         "28x28x1 > conv 8 3x3 same relu > maxpool 2x2 > dense 10 softmax"},
        {"9 > flatten > dense 4 > relu > dense 1 > bce", "9 > dense 4 relu > dense 1 sigmoid"},
        {"16x4 > conv1d 6 1 > leaky > conv1d 6 3 stride 2 pad 2 > depthwise 3 same",
         "16x4 > pointwise 6 leaky 0.01 > conv1d 6 3 stride 2 pad 2 > depthwise 3 same > mse"},
        {"8x8x4 > pointwise 4 @one > conv 4 3 same @two > conv 4 3 same > add @one > conv 4 3 same "
         "> add @two > huber",
         "8x8x4 > pointwise 4 @a > conv 4 3x3 same @b > conv 4 3x3 same > add @a > conv 4 3x3 same "
         "> add @b > huber 1"},
        {"6 > dropout 0.125 > dense 3 nobias frozen > mse",
         "6 > dropout 0.125 > dense 3 nobias frozen > mse"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char first[MYCEL_MODEL_TEXT_MAX];
        char second[MYCEL_MODEL_TEXT_MAX];
        parse(texts[i][0]);
        int length = mycel_model_format(&model, first, sizeof first);
        assert_string_equal(first, texts[i][1]);
        assert_int_equal(length, strlen(first));
        struct mycel_model again;
        assert_int_equal(mycel_model_parse(&again, first, NULL), 0);
        mycel_model_format(&again, second, sizeof second);
        assert_string_equal(first, second);
        assert_int_equal(mycel_model_format(&model, second, 5), MYCEL_E_NO_MEMORY);
        assert_int_equal(strlen(second), 4);
    }
}

static void tensors_cover_the_parameters(void **state)
{
    (void)state;
    parse("8x8x3 > conv 5 3x2 > batchnorm > depthwise 2x2 nobias > groupnorm 5 > dense 4 > mse");
    uint32_t next = 0;
    for (uint32_t l = 0; l < model.layer_count; l++) {
        struct mycel_tensor t;
        for (uint32_t i = 0; mycel_model_tensor(&model, l, i, &t) == 0; i++) {
            assert_int_equal(t.offset, next);
            assert_int_equal(t.count, t.dim[0] * t.dim[1] * t.dim[2] * t.dim[3]);
            next += t.count;
        }
    }
    assert_int_equal(next, model.param_count);
    struct mycel_tensor t;
    assert_int_equal(mycel_model_tensor(&model, 0, 0, &t), 0);
    assert_int_equal(t.dim[0], 5);
    assert_int_equal(t.dim[1], 3);
    assert_int_equal(t.dim[2], 3);
    assert_int_equal(t.dim[3], 2);
}

static void first_values_are_the_seeds(void **state)
{
    (void)state;
    parse("8x8x3 > conv 6 3x3 relu > batchnorm > dense 4 > mse");
    float *whole = malloc(model.param_count * sizeof(float));
    float *parts = malloc(model.param_count * sizeof(float));
    mycel_model_init_params(&model, 5, whole);
    for (uint32_t at = 0; at < model.param_count; at += 37) {
        uint32_t count = model.param_count - at < 37 ? model.param_count - at : 37;
        mycel_model_init_range(&model, 5, at, count, parts + at);
    }
    assert_memory_equal(whole, parts, model.param_count * sizeof(float));
    mycel_model_init_params(&model, 6, parts);
    assert_memory_not_equal(whole, parts, model.param_count * sizeof(float));
    /* He: within sqrt(6 / 27) before a rectifier; biases 0; batchnorm 1 0 0 1. */
    float most = 0.0f;
    for (uint32_t i = 0; i < 162; i++) {
        most = whole[i] > most ? whole[i] : most;
    }
    assert_true(most > 0.44f && most < 0.4715f);
    assert_true(whole[162] == 0.0f && whole[168] == 1.0f && whole[174] == 0.0f);
    assert_true(whole[180] == 0.0f && whole[186] == 1.0f);
    free(whole);
    free(parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_have_their_parameters),
        cmocka_unit_test(errors_point_at_the_column),
        cmocka_unit_test(any_bytes_are_survived),
        cmocka_unit_test(canonical_text_comes_back),
        cmocka_unit_test(tensors_cover_the_parameters),
        cmocka_unit_test(first_values_are_the_seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
