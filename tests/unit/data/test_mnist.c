/* Where the files of a set are found: plain before gzipped, and neither. */
#include "data/mnist.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka needs those above
#include <cmocka.h>

static void touch(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

static void test_plain_before_gzipped(void **state)
{
    char folder[] = "/tmp/mycel-mnist-XXXXXX";
    char plain[PATH_MAX];
    char packed[PATH_MAX];
    char found[PATH_MAX];
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(plain, sizeof plain, "%s/t10k-labels-idx1-ubyte", folder);
    (void)snprintf(packed, sizeof packed, "%s/t10k-labels-idx1-ubyte.gz", folder);

    assert_int_equal(mnist_find(folder, MNIST_TEST_LABELS, found), MYCEL_E_NOT_FOUND);
    assert_string_equal(found, packed);
    touch(packed);
    assert_int_equal(mnist_find(folder, MNIST_TEST_LABELS, found), 1);
    assert_string_equal(found, packed);
    touch(plain);
    assert_int_equal(mnist_find(folder, MNIST_TEST_LABELS, found), 0);
    assert_string_equal(found, plain);
    assert_int_equal(mnist_find(folder, MNIST_TEST_IMAGES, found), MYCEL_E_NOT_FOUND);

    assert_int_equal(unlink(plain), 0);
    assert_int_equal(unlink(packed), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_a_long_folder(void **state)
{
    char folder[PATH_MAX];
    char found[PATH_MAX];
    (void)state;
    memset(folder, 'a', sizeof folder - 1u);
    folder[sizeof folder - 1u] = '\0';
    assert_int_equal(mnist_find(folder, MNIST_TRAIN_IMAGES, found), MYCEL_E_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_before_gzipped),
        cmocka_unit_test(test_a_long_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
