/* Writes the plan of one of the measured cases as C, as `mycel model plan --c` does, for images that
 * neither parse nor plan: plan_source <description> <batch>. Runs on the host. */
#include "server/cli/model_source.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    static struct mycel_model model;
    static struct mycel_nn_plan plan;
    if (argc != 3) {
        return 2;
    }
    const struct mycel_nn_config config = {.kernels = MYCEL_NN_KERNELS_SCALAR,
                                           .batch = (uint32_t)strtoul(argv[2], NULL, 10),
                                           .learning_rate = 0.01f};
    if (mycel_model_parse(&model, argv[1], NULL) < 0 || mycel_nn_plan(&plan, &model, &config) < 0) {
        return 1;
    }
    return model_source_write(stdout, &plan, argv[1]) < 0;
}
