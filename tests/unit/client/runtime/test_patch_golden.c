/* The golden patch of proto/vectors/downlink on a device: a lease as in proto/vectors/lease_key.hex, and a
 * model that is the stored one to the bit. */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define HOUR 3600000u
#define PARAMS 1100u

static uint32_t read_hex(const char *name, uint8_t *data, uint32_t room)
{
    char path[512];
    snprintf(path, sizeof path, "%s/proto/vectors/downlink/%s.hex", MYCEL_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    uint32_t bytes = 0;
    unsigned byte;
    assert_non_null(file);
    while (bytes < room && fscanf(file, "%2x", &byte) == 1) {
        data[bytes++] = (uint8_t)byte;
    }
    fclose(file);
    return bytes;
}

static void test_the_stored_patch_is_the_stored_model(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(PARAMS, CODEC_INT8);
    struct fake_coordinator *k = &w->coordinator;
    static uint8_t values[4u * PARAMS];
    assert_int_equal(read_hex("patch.values", values, sizeof values), sizeof values);
    uint32_t bytes = read_hex("patch.frames", k->patch, sizeof k->patch);
    memcpy(k->model, values, sizeof values);
    sha256(values, sizeof values, k->lease.model_sha256);
    sha256(k->patch, bytes, k->lease.patch_sha256.bytes);
    k->lease.base_version = 2;
    k->lease.delta = true;
    k->lease.patch_sha256.size = 32;
    k->lease.patch_bytes = bytes;
    k->lease.patch_key = true;
    assert_true(fake_run_round(w, HOUR));
    assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 0);
    assert_int_equal(k->blob_bytes, bytes); /* the model itself was not asked for */
    for (uint32_t i = 0; i < PARAMS; i++) {
        float trained;
        memcpy(&trained, values + 4u * i, sizeof trained);
        assert_true(w->trainer.weights[i] == trained + ((float)(i % 7u) - 3.0f) / 64.0f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_stored_patch_is_the_stored_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
