/* The table of the demo's tasks, and how each finds or makes its data. */
#include "server/cli/demo/task.h"

#include <stdio.h>
#include <string.h>

#include <mycel/error.h>

#include "common/assert.h"
#include "data/mnist.h"
#include "server/cli/demo/digits.h"
#include "server/cli/demo/streetlight.h"
#include "server/cli/demo/unpack.h"
#include "server/cli/say.h"

#define DIGITS_TRAIN 6000u
#define DIGITS_HELD_OUT 1000u

const char *const task_names[] = {"fashion", "conv", "digits", "streetlight", NULL};

static const char *const fashion_classes[] = {"T-shirt", "trousers", "pullover", "dress", "coat",
                                              "sandal",  "shirt",    "sneaker",  "bag",   "boot"};
static const char *const digits_classes[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

/* ---- Fashion-MNIST ------------------------------------------------------------------------ */

/* The file itself, or its plain copy in the demo's folder. */
static int find_plain(const char *from, enum mnist_file file, const char *folder,
                      char out[PATH_MAX])
{
    char found[PATH_MAX];
    int result = mnist_find(from, file, found);
    if (result <= 0) {
        memcpy(out, found, PATH_MAX);
        return result;
    }
    snprintf(out, PATH_MAX, "%s/%s", folder, mnist_names[file]);
    return unpack(found, out);
}

static int prepare_fashion(const char *folder, const char *data, uint64_t seed,
                           struct task_files *files)
{
    const char *from = data ? data : MNIST_FASHION_FOLDER;
    char *const out[MNIST_FILES] = {[MNIST_TRAIN_IMAGES] = files->train,
                                    [MNIST_TRAIN_LABELS] = files->train_labels,
                                    [MNIST_TEST_IMAGES] = files->held_out,
                                    [MNIST_TEST_LABELS] = files->held_out_labels};
    int result = MYCEL_OK;
    (void)seed;
    for (unsigned i = 0; result == MYCEL_OK && i < MNIST_FILES; i++) {
        result = find_plain(from, (enum mnist_file)i, folder, out[i]);
        if (result == MYCEL_E_NOT_FOUND && data != NULL) {
            say_error("%s does not hold %s or %s.gz", from, mnist_names[i], mnist_names[i]);
        }
    }
    return result;
}

/* ---- built-in digits ---------------------------------------------------------------------- */

static int prepare_digits(const char *folder, const char *data, uint64_t seed,
                          struct task_files *files)
{
    (void)data;
    snprintf(files->train, PATH_MAX, "%s/train-images", folder);
    snprintf(files->train_labels, PATH_MAX, "%s/train-labels", folder);
    snprintf(files->held_out, PATH_MAX, "%s/held-out-images", folder);
    snprintf(files->held_out_labels, PATH_MAX, "%s/held-out-labels", folder);
    int result = digits_write(files->train, files->train_labels, seed, 1, DIGITS_TRAIN);
    return result < 0
               ? result
               : digits_write(files->held_out, files->held_out_labels, seed, 2, DIGITS_HELD_OUT);
}

/* ---- street crossing ---------------------------------------------------------------------- */

static int prepare_streetlight(const char *folder, const char *data, uint64_t seed,
                               struct task_files *files)
{
    (void)data;
    (void)seed;
    snprintf(files->train, PATH_MAX, "%s/crossing.csv", folder);
    snprintf(files->held_out, PATH_MAX, "%s/crossing.csv", folder);
    return streetlight_write(files->train);
}

static const struct task tasks[] = {
    [TASK_FASHION] = {.name = "fashion",
                      .title = "Fashion-MNIST: 60,000 pictures of clothes",
                      .model = "28x28x1 > dense 32 relu > dense 10 softmax",
                      .rounds = 20,
                      .devices = 10,
                      .batch = 20,
                      .learning_rate = 0.1f,
                      .target_iid = 0.85,
                      .target_dirichlet = 0.83,
                      .classes = fashion_classes,
                      .prepare = prepare_fashion},
    [TASK_CONV] = {.name = "conv",
                   .title =
                       "Fashion-MNIST by a convolutional model, ten of a hundred devices a round",
                   .model = "28x28x1 > conv 8 3x3 same relu > maxpool 2 > conv 16 3x3 same relu > "
                            "maxpool 2 > dense 10 softmax",
                   .rounds = 20,
                   .devices = 100,
                   .cohort = 10,
                   .batch = 20,
                   .learning_rate = 0.1f,
                   .target_iid = 0.83,
                   .target_dirichlet = 0.78,
                   .classes = fashion_classes,
                   .prepare = prepare_fashion},
    [TASK_DIGITS] = {.name = "digits",
                     .title = "built-in digits: 6,000 drawn pictures",
                     .model = "14x14x1 > dense 32 relu > dense 10 softmax",
                     .rounds = 20,
                     .devices = 10,
                     .batch = 10,
                     .learning_rate = 0.2f,
                     .target_iid = 0.90,
                     .target_dirichlet = 0.85,
                     .classes = digits_classes,
                     .prepare = prepare_digits},
    [TASK_STREETLIGHT] = {.name = "streetlight",
                          .title = "three-light street crossing: six situations, walk or stay",
                          .model = STREETLIGHT_MODEL,
                          .initial = streetlight_initial,
                          .rounds = STREETLIGHT_PASSES,
                          .devices = 1,
                          .batch = 1,
                          .learning_rate = STREETLIGHT_RATE,
                          .target_iid = 1.0,
                          .target_dirichlet = 1.0,
                          .in_order = true,
                          .prepare = prepare_streetlight},
};

const struct task *task_get(unsigned index)
{
    MYCEL_ASSERT(index < sizeof tasks / sizeof tasks[0]);
    return &tasks[index];
}
