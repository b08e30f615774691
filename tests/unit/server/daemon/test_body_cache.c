/* Bodies kept for their round: each is given out once, none twice, and the memory is bounded. */
#include "server/daemon/body_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"

#define BODIES 500u

static void make_key(uint32_t index, uint8_t key[PROTO_KEY_BYTES])
{
    for (uint32_t i = 0; i < PROTO_KEY_BYTES; i++) {
        key[i] = (uint8_t)rng_u32(index, 1, i);
    }
}

/* A body of `bytes` bytes that begins with its index. */
static void put(struct body_cache *cache, uint32_t index, uint32_t run, uint32_t round,
                size_t bytes)
{
    struct body_cache_entry entry = {
        .run = run, .round = round, .body = malloc(bytes), .bytes = bytes};
    make_key(index, entry.key);
    memcpy(entry.body, &index, sizeof index);
    body_cache_put(cache, &entry);
}

/* Whether the set gives out this body, and the right one. */
static int takes(struct body_set *set, uint32_t index)
{
    uint8_t key[PROTO_KEY_BYTES];
    uint32_t found;
    size_t bytes = 0;
    make_key(index, key);
    uint8_t *body = body_set_take(set, key, &bytes);
    if (body == NULL) {
        return 0;
    }
    memcpy(&found, body, sizeof found);
    assert_int_equal(found, index);
    assert_true(bytes >= sizeof found);
    free(body);
    return 1;
}

static void test_rounds(void **state)
{
    (void)state;
    struct body_cache cache = {0};
    struct body_set set;
    for (uint32_t i = 0; i < BODIES; i++) {
        put(&cache, i, 1 + i % 2, 3 + i % 3, 64);
    }
    body_cache_take(&cache, 1, 4, &set);
    for (uint32_t i = 0; i < BODIES; i++) {
        int belongs = i % 2 == 0 && i % 3 == 1;
        assert_int_equal(takes(&set, i), belongs);
        assert_false(takes(&set, i));
    }
    body_set_free(&set);
    body_cache_take(&cache, 1, 3, &set); /* went with the later round */
    assert_int_equal(set.count, 0);
    body_set_free(&set);
    body_cache_take(&cache, 2, 3, &set); /* another run's did not */
    assert_int_equal(set.count, (BODIES + 2) / 6);
    body_set_free(&set);
    body_cache_take(&cache, 1, 5, &set);
    assert_true(set.count > 0);
    body_set_free(&set);
    body_cache_clear(&cache);
    assert_int_equal(cache.bytes, 0);
    assert_null(cache.first);
    assert_null(cache.last);
}

static void test_memory(void **state)
{
    (void)state;
    struct body_cache cache = {0};
    struct body_set set;
    size_t bytes = BODY_CACHE_BYTES_MAX / 4;
    for (uint32_t i = 0; i < 6; i++) {
        put(&cache, i, 1, 1, bytes);
        assert_true(cache.bytes <= BODY_CACHE_BYTES_MAX);
    }
    put(&cache, 6, 1, 1, BODY_CACHE_BYTES_MAX + 1u);
    body_cache_take(&cache, 1, 1, &set);
    assert_int_equal(set.count, 4);
    assert_int_equal(cache.bytes, 0);
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(takes(&set, i), i >= 2 && i < 6); /* the oldest gave way */
    }
    body_set_free(&set);
    put(&cache, 7, 1, 2, 64); /* an empty cache can be filled again */
    body_cache_take(&cache, 1, 2, &set);
    assert_int_equal(set.count, 1);
    body_set_free(&set); /* what nobody took is freed */
    body_cache_clear(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rounds),
                                       cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
