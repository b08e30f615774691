/*
 * The whole trainer in sixty lines: an XOR-like task learned in an arena of a few hundred bytes. The
 * same file runs on Linux and on a Cortex-M4; see docs/TRAINER.md.
 */
#include <mycel/nn.h>

#include <stdio.h>

#define ARENA_BYTES 4096

static uint8_t arena[ARENA_BYTES];
static struct mycel_model model; /* these two outlive the trainer */
static struct mycel_nn_plan plan;

/* Four corners of a square; neighbours differ in class. */
static const float corners[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
static const uint8_t classes[4] = {0, 1, 1, 0};

int main(void)
{
    struct mycel_model_error error;
    struct mycel_nn *nn;
    float params[64], out[2];

    if (mycel_model_parse(&model, "2 > dense 8 tanh > dense 2 softmax", &error) < 0) {
        printf("column %d: %s\n", error.column, error.text);
        return 1;
    }

    /* What it takes is known before anything runs. */
    const struct mycel_nn_config config = {.batch = 4, .learning_rate = 0.5f, .shuffle = true};
    if (mycel_nn_plan(&plan, &model, &config) < 0 || plan.arena_bytes > sizeof arena ||
        model.param_count > sizeof params / sizeof params[0]) {
        return 1;
    }
    printf("%lu parameters, %lu bytes of arena\n", (unsigned long)model.param_count,
           (unsigned long)plan.arena_bytes);
    if (mycel_nn_init(&nn, &plan, arena, sizeof arena) < 0) {
        return 1;
    }
    mycel_model_init_params(&model, 3, params);
    mycel_nn_write(nn, MYCEL_NN_PARAMS, 0, model.param_count, params);

    /* Train in small pieces, as a device with other duties would. */
    const struct mycel_nn_data data = {.count = 4, .inputs = corners, .labels = classes};
    const struct mycel_nn_budget budget = {.epochs = 500, .steps_max = 50};
    mycel_nn_start(nn, 1, 0);
    while (mycel_nn_train(nn, &data, &budget) == MYCEL_NN_MORE) {
    }

    unsigned correct = 0;
    for (uint32_t i = 0; i < 4; i++) {
        mycel_nn_predict(nn, &data, i, 1, out);
        correct += (out[1] > out[0]) == classes[i];
    }
    printf("%u of 4 correct\n", correct);
    return correct == 4 ? 0 : 1;
}
