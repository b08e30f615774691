/* The trainer's binding: shapes are checked before anything runs, the result does not depend on how the
 * work is cut, and what comes out is what the arithmetic says. */
#include "client/port/linux/nn_trainer.h"
#include "client/port/linux/training_data.h"

#include <mycel/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka needs those above
#include <cmocka.h>

/* The three lights of a street crossing: the oldest example of the field. */
static float lights[] = {1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1};
static uint32_t walk[] = {0, 1, 0, 1, 1, 0};
static float walk_targets[] = {0, 1, 0, 1, 1, 0};

static struct dataset crossing(void)
{
    return (struct dataset){.type = DATASET_F32,
                            .samples = 6,
                            .features = 3,
                            .height = 1,
                            .width = 3,
                            .classes = 2,
                            .inputs = lights,
                            .labels = walk};
}

static int prepare(struct nn_trainer *t, const char *model, uint32_t params)
{
    struct mycel_plan plan = {.model = model,
                              .params = params,
                              .epochs = 40,
                              .batch = 1,
                              .learning_rate = 0.1f,
                              .seed = 0};
    uint32_t column = 0;
    int rc = nn_trainer_table.prepare(t, &plan, &column);
    return column != 0 ? -(int)column * 1000 + rc : rc;
}

static void train(struct nn_trainer *t, uint32_t steps, float out[3])
{
    static const float start[3] = {0.5f, 0.48f, -0.7f};
    assert_int_equal(prepare(t, "3 > dense 1 nobias", 3), 0);
    assert_int_equal(nn_trainer_table.load(t, 0, start, 2), 0);
    assert_int_equal(nn_trainer_table.load(t, 2, start + 2, 1), 0);
    int rc;
    unsigned calls = 0;
    while ((rc = nn_trainer_table.step(t, steps)) == 1) {
        assert_true(++calls <= 240);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(nn_trainer_table.weights(t, 0, out, 3), 0);
}

static void test_street_crossing(void **state)
{
    (void)state;
    struct dataset data = crossing();
    struct nn_trainer t;
    nn_trainer_init(&t, &data);
    assert_int_equal(nn_trainer_table.samples(&t), 6);
    float w[3];
    train(&t, 1000, w);
    /* The last pass predicts 1.01511275 for all three lights and −0.00262562 for the last sample; after
     * it the weights have moved by a tenth of that error at most. */
    float last = w[0] + w[2];
    assert_true(last > -0.003f && last < -0.002f);
    struct mycel_train_result result;
    nn_trainer_table.result(&t, &result);
    assert_int_equal(result.samples, 6);
    assert_int_equal(result.steps, 240);
    /* Σ e² of the first pass is 2.6561231104, of the fortieth 0.00053373677; a loss is e²/2. */
    assert_true(result.loss_first > 0.22134f && result.loss_first < 0.22135f);
    assert_true(result.loss_last > 4.44e-5f && result.loss_last < 4.46e-5f);
    nn_trainer_table.release(&t);
}

static void test_cutting_does_not_matter(void **state)
{
    (void)state;
    struct dataset data = crossing();
    struct nn_trainer t;
    nn_trainer_init(&t, &data);
    float whole[3];
    train(&t, 1000, whole);
    for (uint32_t steps = 1; steps < 10; steps++) {
        float cut[3];
        train(&t, steps, cut);
        assert_memory_equal(cut, whole, sizeof cut);
    }
    nn_trainer_table.release(&t);
    nn_trainer_table.release(&t); /* twice is harmless */
}

static void test_targets_as_labels(void **state)
{
    (void)state;
    struct dataset with_targets = crossing();
    with_targets.labels = NULL;
    with_targets.targets = walk_targets;
    with_targets.classes = 0;
    struct dataset with_labels = crossing();
    struct nn_trainer a;
    struct nn_trainer b;
    float wa[3];
    float wb[3];
    nn_trainer_init(&a, &with_targets);
    nn_trainer_init(&b, &with_labels);
    train(&a, 7, wa);
    train(&b, 7, wb);
    assert_memory_equal(wa, wb, sizeof wa);
    assert_int_equal(prepare(&a, "3 > dense 2 softmax", 8), MYCEL_E_SHAPE); /* no labels there */
    nn_trainer_table.release(&a);
    nn_trainer_table.release(&b);
}

static void test_refusals(void **state)
{
    (void)state;
    struct dataset data = crossing();
    struct nn_trainer t;
    nn_trainer_init(&t, &data);
    assert_int_equal(prepare(&t, "3 > dense 2 softmax", 8), 0);
    assert_int_equal(prepare(&t, "3 > dense 2 softmax", 9), MYCEL_E_SHAPE);
    assert_int_equal(prepare(&t, "4 > dense 2 softmax", 10), MYCEL_E_SHAPE);
    assert_int_equal(prepare(&t, "3 > dense 1 softmax", 4), MYCEL_E_SHAPE); /* two classes */
    assert_int_equal(prepare(&t, "3 > dense 2", 8), MYCEL_E_SHAPE);
    assert_int_equal(prepare(&t, "3 > danse 2 softmax", 8), -5 * 1000 + MYCEL_E_MALFORMED);
    assert_null(t.nn);
    assert_null(t.arena);
}

static void test_steps_max(void **state)
{
    (void)state;
    struct dataset data = crossing();
    struct nn_trainer t;
    nn_trainer_init(&t, &data);
    struct mycel_plan plan = {.model = "3 > dense 2 softmax",
                              .params = 8,
                              .epochs = 10,
                              .batch = 4,
                              .steps_max = 7,
                              .learning_rate = 0.1f,
                              .seed = 3};
    uint32_t column;
    assert_int_equal(nn_trainer_table.prepare(&t, &plan, &column), 0);
    while (nn_trainer_table.step(&t, 2) == 1) {
    }
    struct mycel_train_result result;
    nn_trainer_table.result(&t, &result);
    assert_int_equal(result.steps, 7);
    nn_trainer_table.release(&t);
}

/* ---- slices */

static void test_slices(void **state)
{
    (void)state;
    char path[] = "/tmp/mycel-csv-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    assert_non_null(f);
    fputs("value,label\n", f);
    for (int i = 0; i < 100; i++) {
        fprintf(f, "%d,%d\n", i, i % 3);
    }
    fclose(f);
    static const char *const partitions[] = {"iid", "dirichlet:0.5", "shards:2", "labels:2",
                                             "quantity:2"};
    for (size_t p = 0; p < sizeof partitions / sizeof partitions[0]; p++) {
        unsigned seen[100] = {0};
        for (uint32_t slice = 0; slice < 4; slice++) {
            struct client_options options = {.data = path,
                                             .slice = slice,
                                             .slices = 4,
                                             .partition = partitions[p],
                                             .partition_seed = 9};
            struct dataset set;
            char problem[DATASET_PROBLEM_BYTES];
            assert_int_equal(training_data_load(&options, &set, problem), 0);
            assert_true(set.samples >= 10);
            for (uint32_t i = 0; i < set.samples; i++) {
                int value = (int)((float *)set.inputs)[i];
                assert_int_equal(set.labels[i], value % 3);
                seen[value]++;
            }
            dataset_free(&set);
        }
        for (int i = 0; i < 100; i++) {
            assert_int_equal(seen[i], 1);
        }
    }
    unlink(path);
}

/* Each device of a natural partition has the rows of one id. */
static void test_natural_slices(void **state)
{
    (void)state;
    char path[] = "/tmp/mycel-csv-XXXXXX";
    char problem[DATASET_PROBLEM_BYTES];
    FILE *f = fdopen(mkstemp(path), "w");
    assert_non_null(f);
    fputs("lamp,value,label\nnorth,1,0\nsouth,2,1\nnorth,3,1\nwest,4,0\n", f);
    fclose(f);
    static const uint32_t samples[] = {2, 1, 1};
    static const float first[] = {1, 2, 4};
    struct client_options options = {.data = path, .slices = 3, .partition = "column:lamp"};
    struct dataset set;
    for (options.slice = 0; options.slice < 3; options.slice++) {
        assert_int_equal(training_data_load(&options, &set, problem), 0);
        assert_int_equal(set.samples, samples[options.slice]);
        assert_int_equal(set.features, 1);
        assert_true(((float *)set.inputs)[0] == first[options.slice]);
        dataset_free(&set);
    }
    options.slice = 3;
    options.slices = 4;
    assert_int_equal(training_data_load(&options, &set, problem), MYCEL_E_FULL);
    assert_non_null(strstr(problem, "column lamp names 3 parts"));
    options.partition = "column:street";
    assert_int_equal(training_data_load(&options, &set, problem), MYCEL_E_NOT_FOUND);
    unlink(path);
}

static void test_data_problems(void **state)
{
    (void)state;
    struct dataset set;
    char problem[DATASET_PROBLEM_BYTES] = "";
    struct client_options options = {.data = "/nonexistent.csv", .slices = 1};
    assert_int_equal(training_data_load(&options, &set, problem), MYCEL_E_NOT_FOUND);
    assert_non_null(strstr(problem, "nonexistent"));
    char path[] = "/tmp/mycel-csv-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    fputs("1,2,0\n1,x,0\n", f);
    fclose(f);
    options.data = path;
    assert_int_equal(training_data_load(&options, &set, problem), MYCEL_E_MALFORMED);
    assert_non_null(strstr(problem, "2")); /* the line */
    f = fopen(path, "w");
    fputs("1,2,0.5\n2,1,-0.5\n", f); /* targets, not labels */
    fclose(f);
    assert_int_equal(training_data_load(&options, &set, problem), 0);
    assert_non_null(set.targets);
    assert_true(set.targets[1] == -0.5f);
    dataset_free(&set);
    options.slice = 5;
    options.slices = 2;
    assert_int_equal(training_data_load(&options, &set, problem), MYCEL_E_INVALID);
    options.slice = 0;
    options.partition = "by-hand";
    assert_int_equal(training_data_load(&options, &set, problem), MYCEL_E_INVALID);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_street_crossing),   cmocka_unit_test(test_cutting_does_not_matter),
        cmocka_unit_test(test_targets_as_labels), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_steps_max),         cmocka_unit_test(test_slices),
        cmocka_unit_test(test_natural_slices),    cmocka_unit_test(test_data_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
