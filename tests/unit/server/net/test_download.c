/* Downloads in blocks: any order, any size, conditional, repeated, behind the end. */
#include "server/net/net.h"

#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "tests/unit/server/net/coap_message.h"
#include "tests/unit/server/net/fixture.h"

#define BLOB_BYTES 10007u
#define BLOCKS_MAX 700u

struct stage {
    struct fixture f;
    struct client c;
    uint8_t data[BLOB_BYTES];
    unsigned released;
};

static void on_release(void *user, void *data)
{
    struct stage *s = user;
    assert_ptr_equal(data, s->data);
    s->released++;
}

static int open_stage(void **state)
{
    static const uint8_t etag[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct stage *s = calloc(1, sizeof *s);
    *state = s;
    for (size_t i = 0; i < BLOB_BYTES; i++) {
        s->data[i] = (uint8_t)rng_u32(3, 1, i);
    }
    fixture_init(&s->f);
    fixture_open(&s->f);
    s->f.blob = net_blob_new(s->data, BLOB_BYTES, etag, on_release, s);
    s->f.mode = ANSWER_BLOB;
    client_init(&s->c, &s->f, 1, true);
    client_connect(&s->c);
    return 0;
}

static int close_stage(void **state)
{
    struct stage *s = *state;
    client_deinit(&s->c);
    fixture_deinit(&s->f);
    assert_int_equal(s->released, 1);
    free(s);
    return 0;
}

/* A permutation of 0 … n - 1 (Fisher, Yates). */
static void shuffle(unsigned *order, unsigned n, uint64_t seed)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned j = rng_below(seed, 1, i, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
}

static void get_block(struct stage *s, unsigned number, unsigned szx, struct reply *r)
{
    struct writer w;
    write_begin(&w, CON, NET_GET, ++s->c.mid, "m");
    write_path(&w, "m/hash");
    write_uint(&w, 23, number << 4 | szx);
    ask(&s->c, &w, r);
}

static void test_download_any_order_any_size(void **state)
{
    struct stage *s = *state;
    for (unsigned szx = 0; szx <= 6; szx++) {
        unsigned size = 16u << szx;
        unsigned blocks = (BLOB_BYTES + size - 1) / size;
        unsigned order[BLOCKS_MAX];
        uint8_t got[BLOB_BYTES];
        struct reply r;
        assert_true(blocks <= BLOCKS_MAX);
        shuffle(order, blocks, szx);
        memset(got, 0, sizeof got);
        for (unsigned i = 0; i < blocks; i++) {
            unsigned n = order[i];
            get_block(s, n, szx, &r);
            assert_code(&r, 2, 5);
            bool more = n + 1 < blocks;
            assert_int_equal(r.block2, (int64_t)(n << 4 | (more ? 8u : 0u) | szx));
            assert_int_equal(r.payload_bytes, more ? size : BLOB_BYTES - n * size);
            assert_int_equal(r.etag_bytes, 8);
            assert_int_equal(r.etag[0], 1);
            assert_int_equal(r.size2, n == 0 ? (int64_t)BLOB_BYTES : -1);
            memcpy(got + (size_t)n * size, r.payload, r.payload_bytes);
        }
        assert_memory_equal(got, s->data, BLOB_BYTES);
        get_block(s, blocks, szx, &r); /* behind the end */
        assert_code(&r, 4, 0);
    }
}

static void test_download_without_block_option(void **state)
{
    struct stage *s = *state;
    struct reply r;
    ask_simple(&s->c, NET_GET, "m/hash", &r);
    assert_code(&r, 2, 5);
    assert_int_equal(r.block2, 8 | 6);
    assert_int_equal(r.payload_bytes, 1024);
    get_block(s, 0, 7, &r); /* reserved size */
    assert_code(&r, 4, 0);
    get_block(s, 0xFFFFF, 6, &r);
    assert_code(&r, 4, 0);
}

static void test_conditional_download(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply r;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t etag[8] = {1, 2, 3, 4, 5, 6, 7, (uint8_t)(8 + i)};
        write_begin(&w, CON, NET_GET, ++s->c.mid, "m");
        write_option(&w, 4, etag, sizeof etag);
        write_path(&w, "m/hash");
        ask(&s->c, &w, &r);
        assert_int_equal(r.code, i == 0 ? NET_CODE(2, 3) : NET_CODE(2, 5));
        assert_int_equal(r.payload_bytes, i == 0 ? 0 : 1024);
        assert_int_equal(r.etag_bytes, 8);
    }
}

/* A repeated request for a block gets the block again, although replies that large are not kept. */
static void test_repeated_download_request(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply r;
    write_begin(&w, CON, NET_GET, ++s->c.mid, "m");
    write_path(&w, "m/hash");
    write_uint(&w, 23, 2 << 4 | 6);
    for (unsigned i = 0; i < 3; i++) {
        ask(&s->c, &w, &r);
        assert_code(&r, 2, 5);
        assert_memory_equal(r.payload, s->data + 2048, 1024);
    }
}

/* What is for all is asked for once a second (by each worker), and under its own path only. */
static void test_download_for_all(void **state)
{
    struct stage *s = *state;
    struct client other;
    struct reply r;
    s->f.for_all = true;
    for (unsigned i = 0; i < 9; i++) {
        get_block(s, i, 6, &r);
        assert_code(&r, 2, 5);
        assert_int_equal(r.payload_bytes, 1024);
        assert_memory_equal(r.payload, s->data + i * 1024, 1024);
    }
    assert_int_equal(s->f.requests, 1);
    client_init(&other, &s->f, 2, true);
    client_connect(&other);
    ask_simple(&other, NET_GET, "m/hash", &r);
    assert_int_equal(r.size2, BLOB_BYTES);
    assert_true(s->f.requests <= s->f.config.workers);
    s->f.requests = 0;
    ask_simple(&other, NET_GET, "m/hashes", &r);
    ask_simple(&other, NET_POST, "m/hash", &r);
    assert_int_equal(s->f.requests, 2);
    s->f.for_all = false;
    fixture_run(&s->f, 1200);
    get_block(s, 1, 6, &r);
    get_block(s, 2, 6, &r);
    assert_int_equal(s->f.requests, 4);
    client_deinit(&other);
}

int main(void)
{
#define STAGED(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        STAGED(test_download_any_order_any_size),
        STAGED(test_download_without_block_option),
        STAGED(test_conditional_download),
        STAGED(test_repeated_download_request),
        cmocka_unit_test_setup_teardown(test_download_for_all, open_stage, close_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
