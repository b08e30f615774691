/*
 * The four files of MNIST and of the sets that were made in its image (Fashion-MNIST), as they lie in a
 * folder: plain, or gzipped as they are distributed. It knows names, not bytes.
 */
#ifndef MYCEL_DATA_MNIST_H
#define MYCEL_DATA_MNIST_H

#include <limits.h>

/* Where Debian's dataset-fashion-mnist puts them. */
#define MNIST_FASHION_FOLDER "/usr/share/datasets/fashion-mnist"

enum mnist_file {
    MNIST_TRAIN_IMAGES,
    MNIST_TRAIN_LABELS,
    MNIST_TEST_IMAGES,
    MNIST_TEST_LABELS,
    MNIST_FILES
};

extern const char *const mnist_names[MNIST_FILES];

/* The path of one of them. 0: it is plain; 1: it is gzipped, and its name ends in .gz; NOT_FOUND: neither
 * can be read, `path` is that of the gzipped one for a message; TOO_LARGE: the path is. */
int mnist_find(const char *folder, enum mnist_file file, char path[PATH_MAX]);

#endif
