/* Partial bodies without a network: a model of plain flags against the bit arithmetic. */
#include "server/net/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mycel/error.h>

#include "common/rng.h"

#define SIZE_MAX_TESTED 9000u

static const struct body_limits limits = {
    .device_bytes = 200000, .total_bytes = 500000, .expiry_ms = 1000};

static struct body_key key_of(const char *identity, const char *path)
{
    return (struct body_key){.identity = identity, .path = path, .path_bytes = strlen(path) + 1};
}

static struct body *add(struct body_table *t, const char *identity, const char *path, uint64_t size,
                        uint64_t now_ms)
{
    struct body_key key = key_of(identity, path);
    struct body *body = NULL;
    unsigned evicted = 0;
    assert_int_equal(body_table_add(t, &key, size, now_ms, &body, &evicted), 0);
    assert_ptr_equal(body_table_find(t, &key), body);
    return body;
}

/* Whether the model misses anything of block `n`. */
static bool model_misses(const bool *present, uint64_t size, uint32_t block, uint32_t n)
{
    for (uint64_t i = (uint64_t)n * block; i < size && i < (uint64_t)(n + 1) * block; i++) {
        if (!present[i]) {
            return true;
        }
    }
    return false;
}

static void check_missing(struct body *body, const bool *present, uint32_t block)
{
    uint32_t got[BODY_MISSING_MAX];
    unsigned count = body_missing(body, block, got);
    unsigned expected = 0;
    for (uint32_t n = 0; (uint64_t)n * block < body->size && expected < BODY_MISSING_MAX; n++) {
        if (model_misses(present, body->size, block, n)) {
            assert_true(expected < count);
            assert_int_equal(got[expected], n);
            expected++;
        }
    }
    assert_int_equal(count, expected);
}

/* Random blocks of random sizes until the body is complete; after each the model agrees. */
static void test_against_model(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct body_table t;
        uint8_t data[SIZE_MAX_TESTED];
        bool present[SIZE_MAX_TESTED] = {false};
        uint64_t size = rng_below(seed, 1, 0, SIZE_MAX_TESTED);
        for (size_t i = 0; i < size; i++) {
            data[i] = (uint8_t)rng_u32(seed, 2, i);
        }
        assert_int_equal(body_table_init(&t, &limits, seed), 0);
        struct body *body = add(&t, "dev", "path", size, 0);
        for (uint64_t step = 0; !body_is_complete(body); step++) {
            assert_true(step < 100000);
            uint32_t block = 16u << rng_below(seed, 3, step, 7);
            uint64_t n = rng_below(seed, 4, step, (uint32_t)((size + block - 1) / block));
            uint64_t offset = n * block;
            uint32_t count = (uint32_t)(size - offset < block ? size - offset : block);
            body_store(&t, body, offset, data + offset, count, step);
            memset(present + offset, 1, count);
            check_missing(body, present, 16u << rng_below(seed, 5, step, 7));
        }
        uint8_t *bytes = body_take(&t, body);
        assert_non_null(bytes);
        assert_memory_equal(bytes, data, size);
        free(bytes);
        assert_int_equal(t.partial, 0);
        assert_int_equal(t.reserved_bytes, 0);
        body_table_remove(&t, body);
        body_table_deinit(&t);
    }
}

/* The first bytes that come are the ones that stay: a repeated block changes nothing. */
static void test_repeated_block_is_not_written(void **state)
{
    (void)state;
    struct body_table t;
    uint8_t one[64];
    uint8_t two[64];
    memset(one, 1, sizeof one);
    memset(two, 2, sizeof two);
    assert_int_equal(body_table_init(&t, &limits, 1), 0);
    struct body *body = add(&t, "dev", "path", 64, 0);
    body_store(&t, body, 0, one, 64, 0);
    body_store(&t, body, 0, two, 64, 0);
    uint8_t *bytes = body_take(&t, body);
    assert_memory_equal(bytes, one, 64);
    free(bytes);
    body_table_deinit(&t);
}

static void test_device_budget(void **state)
{
    (void)state;
    struct body_table t;
    struct body *body = NULL;
    unsigned evicted = 9;
    struct body_key key = key_of("dev", "huge");
    assert_int_equal(body_table_init(&t, &limits, 1), 0);
    assert_int_equal(body_table_add(&t, &key, 200000, 0, &body, &evicted), MYCEL_E_TOO_LARGE);
    assert_null(body);
    assert_int_equal(body_table_add(&t, &key, UINT64_MAX / 4, 0, &body, &evicted),
                     MYCEL_E_TOO_LARGE);
    (void)add(&t, "dev", "a", 90000, 1);
    (void)add(&t, "dev", "b", 90000, 2);
    (void)add(&t, "other", "a", 90000, 3);
    struct body *a = body_table_find(&t, &(struct body_key){"dev", "a", 2});
    body_store(&t, a, 0, (const uint8_t *)"0123456789abcdef", 16, 4); /* b is the idle one now */
    key = key_of("dev", "c");
    assert_int_equal(body_table_add(&t, &key, 90000, 5, &body, &evicted), 0);
    assert_int_equal(evicted, 1);
    assert_non_null(body_table_find(&t, &(struct body_key){"dev", "a", 2}));
    assert_null(body_table_find(&t, &(struct body_key){"dev", "b", 2}));
    assert_non_null(body_table_find(&t, &(struct body_key){"other", "a", 2}));
    body_table_forget(&t, "dev");
    assert_int_equal(t.partial, 1);
    body_table_deinit(&t);
}

/* Even empty bodies cost something, so nobody can reserve without end. */
static void test_total_budget(void **state)
{
    (void)state;
    struct body_table t;
    unsigned added = 0;
    int error = 0;
    assert_int_equal(body_table_init(&t, &limits, 1), 0);
    for (unsigned i = 0; error == 0 && i < 100000; i++) {
        char identity[16];
        struct body *body;
        unsigned evicted;
        (void)snprintf(identity, sizeof identity, "dev-%u", i);
        struct body_key key = key_of(identity, "x");
        error = body_table_add(&t, &key, 0, i, &body, &evicted);
        added += error == 0;
    }
    assert_int_equal(error, MYCEL_E_BUSY);
    assert_true(added > 100 && added <= 500000 / sizeof(struct body));
    assert_true(t.reserved_bytes <= limits.total_bytes);
    assert_int_equal(body_table_expire(&t, 999), 0);
    assert_int_equal(body_table_expire(&t, 1009), 10); /* those of 0 … 9 ms */
    assert_int_equal(body_table_expire(&t, UINT64_C(1) << 40), added - 10);
    assert_int_equal(t.reserved_bytes, 0);
    body_table_deinit(&t);
}

/* A body that was handed over neither expires nor is forgotten nor counts. */
static void test_handed_over(void **state)
{
    (void)state;
    struct body_table t;
    assert_int_equal(body_table_init(&t, &limits, 1), 0);
    struct body *body = add(&t, "dev", "a", 0, 0);
    assert_true(body_is_complete(body));
    free(body_take(&t, body));
    body_table_forget(&t, "dev");
    assert_int_equal(body_table_expire(&t, 1 << 30), 0);
    struct body_key key = key_of("dev", "a");
    assert_ptr_equal(body_table_find(&t, &key), body);
    body_table_remove(&t, body);
    assert_null(body_table_find(&t, &key));
    body_table_deinit(&t);
}

/* Its bytes come back and are counted again; without room for them it is forgotten. */
static void test_given_back(void **state)
{
    (void)state;
    static const uint8_t block[64] = {1};
    struct body_table t;
    assert_int_equal(body_table_init(&t, &limits, 1), 0);
    struct body *body = add(&t, "dev", "path", 64, 0);
    uint64_t reserved = t.reserved_bytes;
    body_store(&t, body, 0, block, 64, 0);
    uint8_t *bytes = body_take(&t, body);
    assert_int_equal(t.reserved_bytes, 0);
    body_return(&t, body, bytes, 7);
    assert_int_equal(t.reserved_bytes, reserved);
    assert_int_equal(t.partial, 1);
    assert_true(body_is_complete(body));
    bytes = body_take(&t, body);
    assert_memory_equal(bytes, block, 64);
    t.limits.total_bytes = 0;
    body_return(&t, body, bytes, 8);
    assert_null(body_table_find(&t, &(struct body_key){"dev", "path", 5}));
    assert_int_equal(t.reserved_bytes, 0);
    assert_int_equal(t.partial, 0);
    body_table_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model), cmocka_unit_test(test_repeated_block_is_not_written),
        cmocka_unit_test(test_device_budget), cmocka_unit_test(test_total_budget),
        cmocka_unit_test(test_handed_over),   cmocka_unit_test(test_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
