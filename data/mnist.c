/* See mnist.h. */
#include "data/mnist.h"

#include <mycel/error.h>
#include <stdio.h>
#include <unistd.h>

const char *const mnist_names[MNIST_FILES] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                              "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

int mnist_find(const char *folder, enum mnist_file file, char path[PATH_MAX])
{
    static const char *const endings[] = {"", ".gz"};
    for (int i = 0; i < 2; i++) {
        if (snprintf(path, PATH_MAX, "%s/%s%s", folder, mnist_names[file], endings[i]) >=
            PATH_MAX) {
            return MYCEL_E_TOO_LARGE;
        }
        if (access(path, R_OK) == 0) {
            return i;
        }
    }
    return MYCEL_E_NOT_FOUND;
}
