/* Uploads in blocks: any order, any size, twice, with gaps, too large, interrupted, refused. */
#include "server/net/net.h"

#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "proto/mycel.pb.h"
#include "tests/unit/server/net/coap_message.h"
#include "tests/unit/server/net/fixture.h"
#include <pb_decode.h>

#define BODY_BYTES 5001u
#define BLOCKS_MAX 320u

struct stage {
    struct fixture f;
    struct client c;
    uint8_t data[BODY_BYTES];
};

static int open_stage(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    *state = s;
    for (size_t i = 0; i < BODY_BYTES; i++) {
        s->data[i] = (uint8_t)rng_u32(3, 1, i);
    }
    fixture_init(&s->f);
    s->f.config.body_bytes_max = 100000;
    s->f.config.body_expiry_ms = 500;
    s->f.config.body_bytes_total = 400000;
    fixture_open(&s->f);
    client_init(&s->c, &s->f, 1, true);
    client_connect(&s->c);
    return 0;
}

static int close_stage(void **state)
{
    struct stage *s = *state;
    client_deinit(&s->c);
    fixture_deinit(&s->f);
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

static void put_block(struct stage *s, const char *path, unsigned number, unsigned szx,
                      size_t total, bool size1, struct reply *r)
{
    struct writer w;
    size_t size = (size_t)16 << szx;
    size_t offset = number * size;
    size_t count = total - offset < size ? total - offset : size;
    bool more = offset + count < total;
    write_begin(&w, CON, NET_PUT, ++s->c.mid, "u");
    write_path(&w, path);
    write_uint(&w, 27, number << 4 | (more ? 8u : 0u) | szx);
    if (size1) {
        write_uint(&w, 60, (uint32_t)total);
    }
    write_payload(&w, s->data + offset, count);
    ask(&s->c, &w, r);
}

static void assert_body(struct stage *s, unsigned request, size_t bytes)
{
    assert_int_equal(s->f.requests, request + 1);
    assert_int_equal(s->f.seen[request].method, NET_PUT);
    assert_non_null(s->f.seen[request].body);
    assert_int_equal(s->f.seen[request].body_bytes, bytes);
    assert_memory_equal(s->f.seen[request].body, s->data, bytes);
}

static void read_status(const struct reply *r, mycel_UploadStatus *status)
{
    *status = (mycel_UploadStatus)mycel_UploadStatus_init_zero;
    pb_istream_t in = pb_istream_from_buffer(r->payload, r->payload_bytes);
    assert_true(pb_decode(&in, mycel_UploadStatus_fields, status));
}

/* All block sizes; all but the last block in any order, each twice; the last one last. */
static void test_upload_any_order_any_size(void **state)
{
    struct stage *s = *state;
    for (unsigned szx = 0; szx <= 6; szx++) {
        unsigned size = 16u << szx;
        unsigned blocks = (BODY_BYTES + size - 1) / size;
        unsigned order[BLOCKS_MAX];
        struct reply r;
        shuffle(order, blocks - 1, 100 + szx);
        for (unsigned i = 0; i < 2 * (blocks - 1); i++) {
            unsigned n = order[i / 2];
            put_block(s, "u/key", n, szx, BODY_BYTES, true, &r);
            assert_code(&r, 2, 31);
            assert_int_equal(r.block1, (int64_t)(n << 4 | 8u | szx));
        }
        put_block(s, "u/key", blocks - 1, szx, BODY_BYTES, true, &r);
        assert_code(&r, 2, 5);
        assert_int_equal(r.block1, (int64_t)((blocks - 1) << 4 | szx));
        assert_body(s, szx, BODY_BYTES);
        assert_int_equal(s->f.admits, szx + 1);
        assert_int_equal(s->f.admitted_bytes, BODY_BYTES);
    }
    struct net_stats stats = fixture_stats(&s->f);
    assert_int_equal(stats.bodies, 7);
    assert_int_equal(stats.bodies_partial, 0);
    assert_int_equal(stats.bodies_partial_bytes, 0);
}

/* The block size may change on the way (a lossy mesh falls back to 64 bytes). */
static void test_upload_changes_block_size(void **state)
{
    struct stage *s = *state;
    struct reply r;
    put_block(s, "u/key", 0, 6, BODY_BYTES, true, &r);
    put_block(s, "u/key", 1, 6, BODY_BYTES, true, &r);
    unsigned last = (BODY_BYTES - 1) / 64;
    for (unsigned n = 2048 / 64; n < last; n++) {
        put_block(s, "u/key", n, 2, BODY_BYTES, false, &r); /* Size1 is known by now */
        assert_code(&r, 2, 31);
    }
    put_block(s, "u/key", last, 2, BODY_BYTES, false, &r);
    assert_code(&r, 2, 5);
    assert_body(s, 0, BODY_BYTES);
}

static void test_upload_with_gaps(void **state)
{
    struct stage *s = *state;
    struct reply r;
    mycel_UploadStatus status;
    put_block(s, "u/key", 1, 6, BODY_BYTES, true, &r);
    put_block(s, "u/key", 4, 6, BODY_BYTES, true, &r); /* the last, too early */
    assert_code(&r, 4, 8);
    assert_int_equal(r.content_format, PROTO_FORMAT_MESSAGE);
    read_status(&r, &status);
    assert_int_equal(status.size, BODY_BYTES);
    assert_int_equal(status.block_bytes, 1024);
    assert_int_equal(status.missing_count, 3);
    assert_int_equal(status.missing[0], 0);
    assert_int_equal(status.missing[1], 2);
    assert_int_equal(status.missing[2], 3);
    assert_int_equal(s->f.requests, 0);

    uint8_t bytes[PROTO_MESSAGE_BYTES_MAX];
    struct net_request request = {
        .identity = "dev-0001", .segment = {"u", "key"}, .segments = 2, .method = NET_GET};
    int count = net_body_status(s->f.net, &request, bytes, sizeof bytes);
    assert_int_equal(count, r.payload_bytes);
    assert_memory_equal(bytes, r.payload, count);
    request.identity = "dev-0002"; /* another device's body is not this one's */
    assert_int_equal(net_body_status(s->f.net, &request, bytes, sizeof bytes), 0);

    for (unsigned i = 0; i < 3; i++) {
        put_block(s, "u/key", status.missing[i], 6, BODY_BYTES, true, &r);
        assert_code(&r, 2, 31);
    }
    put_block(s, "u/key", 4, 6, BODY_BYTES, true, &r);
    assert_code(&r, 2, 5);
    assert_body(s, 0, BODY_BYTES);
}

/* A partial body outlives the session: the device reboots, connects anew and goes on. */
static void test_upload_survives_reboot_of_the_device(void **state)
{
    struct stage *s = *state;
    struct reply r;
    put_block(s, "u/key", 0, 6, BODY_BYTES, true, &r);
    put_block(s, "u/key", 1, 6, BODY_BYTES, true, &r);
    client_reboot(&s->c);
    client_connect(&s->c);
    for (unsigned n = 2; n < 5; n++) {
        put_block(s, "u/key", n, 6, BODY_BYTES, true, &r);
    }
    assert_code(&r, 2, 5);
    assert_body(s, 0, BODY_BYTES);
    assert_int_equal(s->f.admits, 1);
}

static void test_upload_in_one_message(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply r;
    for (unsigned i = 0; i < 3; i++) {
        size_t count = i == 0 ? 0 : i == 1 ? 1 : 1024;
        write_begin(&w, CON, NET_PUT, ++s->c.mid, "u");
        write_path(&w, "u/small");
        write_payload(&w, s->data, count);
        ask(&s->c, &w, &r);
        assert_code(&r, 2, 5);
        assert_int_equal(r.block1, -1);
        assert_body(s, i, count);
    }
    write_begin(&w, CON, NET_PUT, ++s->c.mid, "u");
    write_path(&w, "u/small");
    write_payload(&w, s->data, 1025);
    ask(&s->c, &w, &r);
    assert_code(&r, 4, 13); /* use blocks */
    assert_int_equal(r.size1, 1024);
}

/* 4.13 with the limit, before the shell is asked and before a byte is stored. */
static void test_upload_too_large(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply r;
    static const uint32_t sizes[] = {100001, 1u << 30, UINT32_MAX};
    for (unsigned i = 0; i < 3; i++) {
        write_begin(&w, CON, NET_PUT, ++s->c.mid, "u");
        write_path(&w, "u/key");
        write_uint(&w, 27, 8 | 6);
        write_uint(&w, 60, sizes[i]);
        write_payload(&w, s->data, 1024);
        ask(&s->c, &w, &r);
        assert_code(&r, 4, 13);
        assert_int_equal(r.size1, 100000);
    }
    write_begin(&w, CON, NET_PUT, ++s->c.mid, "u"); /* a last block far out says how large it is */
    write_path(&w, "u/key");
    write_uint(&w, 27, 0xFFFFFu << 4 | 6);
    write_payload(&w, s->data, 1024);
    ask(&s->c, &w, &r);
    assert_code(&r, 4, 13);
    assert_int_equal(s->f.admits, 0);
    assert_int_equal(fixture_stats(&s->f).bodies_partial, 0);
}

static void test_upload_refused_by_the_shell(void **state)
{
    struct stage *s = *state;
    struct reply r;
    s->f.refuse_code = NET_CODE(4, 3);
    put_block(s, "u/key", 0, 6, BODY_BYTES, true, &r);
    assert_code(&r, 4, 3);
    assert_int_equal(fixture_stats(&s->f).bodies_partial_bytes, 0);
    s->f.refuse_code = NET_CODE(2, 4); /* a receipt from long ago */
    put_block(s, "u/key", 3, 6, BODY_BYTES, true, &r);
    assert_code(&r, 2, 4);
    assert_memory_equal(r.payload, "receipt", 7);
    assert_int_equal(s->f.requests, 0);
}

static void test_blocks_that_contradict(void **state)
{
    static const struct {
        uint32_t block1;
        int64_t size1;
        size_t payload;
    } cases[] = {
        {0 << 4 | 8 | 6, -1, 1024},   /* no Size1 on the first block that comes */
        {0 << 4 | 8 | 6, 5000, 1000}, /* short, and more to come */
        {0 << 4 | 8 | 2, 5000, 1024}, /* longer than its block */
        {4 << 4 | 8 | 6, 5000, 1024}, /* more to come behind the end */
        {0 << 4 | 8 | 6, 1024, 1024}, /* more to come, but complete */
        {1 << 4 | 6, 9999, 100},      /* the last block is not where Size1 says */
        {2 << 4 | 6, -1, 0},          /* an empty last block */
        {0 << 4 | 8 | 7, 5000, 1024}, /* reserved size */
    };
    struct stage *s = *state;
    struct reply r;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct writer w;
        write_begin(&w, CON, NET_PUT, ++s->c.mid, "u");
        write_path(&w, "u/key");
        write_uint(&w, 27, cases[i].block1);
        if (cases[i].size1 >= 0) {
            write_uint(&w, 60, (uint32_t)cases[i].size1);
        }
        write_payload(&w, s->data, cases[i].payload);
        ask(&s->c, &w, &r);
        assert_code(&r, 4, 0);
    }
    assert_int_equal(s->f.admits, 0);
    put_block(s, "u/key", 0, 6, 5000, true, &r);
    assert_code(&r, 2, 31);
    put_block(s, "u/key", 1, 6, 6000, true, &r); /* another size than before */
    assert_code(&r, 4, 0);
    assert_int_equal(fixture_stats(&s->f).bodies_partial, 1);
}

/* While the shell works on a body it is not assembled a second time. */
static void test_blocks_after_hand_over(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply r;
    mycel_UploadStatus status;
    s->f.mode = ANSWER_LATER;
    put_block(s, "u/key", 0, 6, 2000, true, &r);
    write_begin(&w, CON, NET_PUT, ++s->c.mid, "u");
    write_path(&w, "u/key");
    write_uint(&w, 27, 1 << 4 | 6);
    write_payload(&w, s->data + 1024, 976);
    client_send(&s->c, w.bytes, w.count);
    fixture_run(&s->f, 20);
    assert_body(s, 0, 2000);
    put_block(s, "u/key", 0, 6, 2000, true, &r);
    assert_code(&r, 2, 31);
    put_block(s, "u/key", 1, 6, 2000, true, &r);
    assert_code(&r, 5, 3);
    uint8_t bytes[PROTO_MESSAGE_BYTES_MAX];
    struct net_request request = {
        .identity = "dev-0001", .segment = {"u", "key"}, .segments = 2, .method = NET_GET};
    r.payload_bytes = (size_t)net_body_status(s->f.net, &request, bytes, sizeof bytes);
    memcpy(r.payload, bytes, r.payload_bytes);
    read_status(&r, &status);
    assert_int_equal(status.size, 2000);
    assert_int_equal(status.missing_count, 0);
    assert_true(reply_wait(&s->c, &r, WAIT_MS)); /* the deadline passes */
    assert_code(&r, 5, 3);
    put_block(s, "u/key", 1, 6, 2000, true, &r);
    assert_code(&r, 5, 3);
    assert_int_equal(s->f.requests, 1);
    assert_int_equal(s->f.admits, 1);
    struct net_response receipt = NET_RESPONSE(NET_CODE(2, 4));
    assert_true(net_reply(s->f.net, s->f.seen[0].reply, &receipt) < 0); /* too late for the wire */
    s->f.refuse_code = NET_CODE(2, 4); /* but the shell has the receipt now */
    put_block(s, "u/key", 1, 6, 2000, true, &r);
    assert_code(&r, 2, 4);
    assert_int_equal(s->f.requests, 1);
}

/* The shell could not look at it: the device sends its last block again, and no other. */
static void test_body_given_back(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply r;
    struct net_response busy = NET_RESPONSE(NET_CODE(5, 3));
    s->f.mode = ANSWER_LATER;
    put_block(s, "u/key", 0, 6, 2000, true, &r);
    write_begin(&w, CON, NET_PUT, ++s->c.mid, "u");
    write_path(&w, "u/key");
    write_uint(&w, 27, 1 << 4 | 6);
    write_payload(&w, s->data + 1024, 976);
    client_send(&s->c, w.bytes, w.count);
    fixture_run(&s->f, 20);
    assert_body(s, 0, 2000);
    assert_int_equal(fixture_stats(&s->f).bodies_partial, 0);
    busy.body = s->f.seen[0].body;
    s->f.seen[0].body = NULL;
    assert_int_equal(net_reply(s->f.net, s->f.seen[0].reply, &busy), 0);
    assert_true(reply_wait(&s->c, &r, WAIT_MS));
    assert_code(&r, 5, 3);
    assert_int_equal(fixture_stats(&s->f).bodies_partial, 1);
    busy.body = malloc(16); /* nobody waits any more: it is freed */
    assert_true(net_reply(s->f.net, s->f.seen[0].reply, &busy) < 0 || s->f.config.workers > 1);
    s->f.mode = ANSWER_ECHO;
    put_block(s, "u/key", 1, 6, 2000, true, &r);
    assert_code(&r, 2, 5);
    assert_body(s, 1, 2000);
    assert_int_equal(s->f.admits, 1);
    struct net_stats stats = fixture_stats(&s->f);
    assert_int_equal(stats.bodies_partial, 0);
    assert_int_equal(stats.bodies_partial_bytes, 0);
}

static void test_partial_uploads_expire(void **state)
{
    struct stage *s = *state;
    struct reply r;
    put_block(s, "u/key", 0, 6, BODY_BYTES, true, &r);
    assert_int_equal(fixture_stats(&s->f).bodies_partial, 1);
    assert_true(fixture_stats(&s->f).bodies_partial_bytes >= BODY_BYTES);
    fixture_run(&s->f, 800);
    struct net_stats stats = fixture_stats(&s->f);
    assert_int_equal(stats.bodies_partial, 0);
    assert_int_equal(stats.bodies_partial_bytes, 0);
    assert_int_equal(stats.drops[NET_DROP_BODY_EXPIRED], 1);
}

/* A device evicts only itself; when all is used up others are told to wait. */
static void test_upload_budgets(void **state)
{
    struct stage *s = *state;
    struct client other[4];
    struct reply r;
    for (unsigned i = 0; i < 3; i++) {
        char path[8] = {'u', '/', (char)('a' + i), '\0'};
        put_block(s, path, 0, 6, 20000, true, &r);
        assert_code(&r, 2, 31);
    }
    assert_int_equal(fixture_stats(&s->f).bodies_partial, NET_BODIES_PER_DEVICE_MAX);
    assert_int_equal(fixture_stats(&s->f).drops[NET_DROP_BODY_EVICTED], 1);
    for (unsigned i = 0; i < 4; i++) {
        struct writer w;
        client_init(&other[i], &s->f, 10 + i, true);
        client_connect(&other[i]);
        write_begin(&w, CON, NET_PUT, 1, "u");
        write_path(&w, "u/x");
        write_uint(&w, 27, 8 | 6);
        write_uint(&w, 60, 100000);
        write_payload(&w, s->data, 1024);
        ask(&other[i], &w, &r);
        assert_int_equal(r.code, i < 3 ? NET_CODE(2, 31) : NET_CODE(5, 3));
    }
    assert_true(r.max_age > 1);
    assert_int_equal(fixture_stats(&s->f).drops[NET_DROP_BODY_BUDGET], 1);
    assert_int_equal(net_kick(s->f.net, "dev-0010"), 1); /* and its body with it */
    assert_int_equal(fixture_stats(&s->f).bodies_partial, 4);
    for (unsigned i = 0; i < 4; i++) {
        client_deinit(&other[i]);
    }
}

int main(void)
{
#define STAGED(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        STAGED(test_upload_any_order_any_size),
        STAGED(test_upload_changes_block_size),
        STAGED(test_upload_with_gaps),
        STAGED(test_upload_survives_reboot_of_the_device),
        STAGED(test_upload_in_one_message),
        STAGED(test_upload_too_large),
        STAGED(test_upload_refused_by_the_shell),
        STAGED(test_blocks_that_contradict),
        STAGED(test_blocks_after_hand_over),
        STAGED(test_body_given_back),
        STAGED(test_partial_uploads_expire),
        STAGED(test_upload_budgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
