/* A pool's records: distinct, in place for as long as the pool lives, and the last one put back is the first
 * that is taken again. */
#include "sim/world/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka needs those above
#include <cmocka.h>

#define RECORDS (POOL_CHUNK * 2u + 1u)

struct record {
    uint64_t mark;
    uint32_t owner;
};

static struct record *record_at(const struct pool *pool, uint32_t id)
{
    return pool_at(pool, id);
}

static void test_records_stay_where_they_are(void **state)
{
    struct pool pool;
    struct record *first = NULL;
    (void)state;
    pool_init(&pool, sizeof(struct record));
    assert_int_equal(pool_count(&pool), 0);
    for (uint32_t i = 0; i < RECORDS; i++) {
        assert_int_equal(pool_take(&pool), i);
        first = first != NULL ? first : record_at(&pool, i);
        assert_int_equal(record_at(&pool, i)->mark, 0);
        record_at(&pool, i)->mark = i + 1u;
    }
    assert_int_equal(pool_count(&pool), POOL_CHUNK * 3u);
    assert_ptr_equal(record_at(&pool, 0), first);
    for (uint32_t i = 0; i < RECORDS; i++) {
        assert_int_equal(record_at(&pool, i)->mark, i + 1u);
    }
    pool_free(&pool);
    assert_int_equal(pool_count(&pool), 0);
}

static void test_the_last_put_back_is_taken_first(void **state)
{
    struct pool pool;
    (void)state;
    pool_init(&pool, sizeof(struct record));
    for (uint32_t i = 0; i < 5u; i++) {
        (void)pool_take(&pool);
    }
    record_at(&pool, 3)->owner = 7;
    pool_put(&pool, 1);
    pool_put(&pool, 3);
    assert_int_equal(pool_take(&pool), 3);
    assert_int_equal(record_at(&pool, 3)->owner, 7); /* nobody clears it */
    assert_int_equal(pool_take(&pool), 1);
    assert_int_equal(pool_take(&pool), 5);
    pool_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_stay_where_they_are),
        cmocka_unit_test(test_the_last_put_back_is_taken_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
