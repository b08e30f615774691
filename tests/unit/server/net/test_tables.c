/* The table of peers, the table of waiting requests, addresses, and block arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mycel/error.h>

#include "common/rng.h"
#include "server/net/block.h"
#include "server/net/peer.h"
#include "server/net/pending.h"

#define PEERS 50u

static const uint8_t no_random[4] = {1, 2, 3, 4};

static struct address address_of(unsigned n)
{
    char text[32];
    struct address a;
    (void)snprintf(text, sizeof text, "10.0.%u.%u", n / 250, n % 250 + 1);
    assert_true(address_parse(&a, text, (uint16_t)(1000 + n % 7)));
    return a;
}

static struct peer *new_peer(struct peer_table *t, unsigned address, const char *identity,
                             uint64_t now_ms)
{
    struct address a = address_of(address);
    struct peer *peer = peer_table_new(t, no_random);
    assert_non_null(peer);
    peer_table_add(t, peer, &a, now_ms);
    if (identity != NULL) {
        (void)snprintf(peer->identity, sizeof peer->identity, "%s", identity);
        peer_table_establish(t, peer, now_ms);
    }
    return peer;
}

static void test_peer_look_ups(void **state)
{
    (void)state;
    struct peer_table t;
    struct address a = address_of(3);
    assert_int_equal(peer_table_init(&t, PEERS, 5, 99), 0);
    struct peer *first = new_peer(&t, 3, "dev-a", 2);
    assert_ptr_equal(peer_table_by_address(&t, &a, true), first);
    struct peer *second = new_peer(&t, 3, "dev-b", 3);
    struct peer *unfinished = new_peer(&t, 3, NULL, 1);
    assert_int_equal(first->cid[0], 5);
    assert_ptr_equal(peer_table_by_address(&t, &a, false), unfinished);
    assert_ptr_equal(peer_table_by_address(&t, &a, true), second); /* shadows the first */
    assert_ptr_equal(peer_table_by_identity(&t, "dev-a"), first);
    assert_null(peer_table_by_identity(&t, "dev-c"));
    peer_table_confirm(&t, second, 4);
    assert_ptr_equal(peer_table_by_address(&t, &a, true), second); /* has no connection id */
    second->uses_cid = true;
    peer_table_confirm(&t, second, 4);
    assert_null(peer_table_by_address(&t, &a, true));
    assert_ptr_equal(peer_table_by_cid(&t, second->cid), second);
    uint8_t cid[PEER_CID_BYTES];
    for (unsigned i = 0; i < PEER_CID_BYTES * 8; i++) { /* every bit counts */
        memcpy(cid, second->cid, sizeof cid);
        cid[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_ptr_not_equal(peer_table_by_cid(&t, cid), second);
    }
    peer_table_remove(&t, unfinished);
    assert_null(peer_table_by_address(&t, &a, false));
    peer_table_remove(&t, first);
    peer_table_remove(&t, second);
    peer_table_deinit(&t);
}

/* An id outlives neither its peer nor the slot's next tenant. */
static void test_peer_generations(void **state)
{
    (void)state;
    struct peer_table t;
    assert_int_equal(peer_table_init(&t, 1, 0, 99), 0);
    assert_null(peer_table_by_id(&t, 0));
    struct peer *first = new_peer(&t, 1, "dev", 0);
    peer_id id = first->id;
    assert_ptr_equal(peer_table_by_id(&t, id), first);
    assert_null(peer_table_new(&t, no_random)); /* full */
    peer_table_remove(&t, first);
    assert_null(peer_table_by_id(&t, id));
    struct peer *second = new_peer(&t, 1, "dev", 0);
    assert_true(second->id != id);
    assert_null(peer_table_by_id(&t, id));
    assert_ptr_equal(peer_table_by_id(&t, second->id), second);
    peer_table_remove(&t, second);
    struct peer *never_added = peer_table_new(&t, no_random);
    assert_null(peer_table_by_cid(&t, never_added->cid)); /* the listener is not to be found */
    peer_table_remove(&t, never_added);
    peer_table_deinit(&t);
}

/* One random step of a peer's life; keeps to the diagram in peer.h. */
static void live_on(struct peer_table *t, struct peer *peer, uint64_t i, bool *gone)
{
    *gone = rng_below(1, 2, i, 4) == 0;
    if (*gone) {
        peer->session = NULL;
        peer_table_remove(t, peer);
        return;
    }
    switch ((enum peer_state)peer->state) {
    case PEER_HANDSHAKE:
        (void)snprintf(peer->identity, sizeof peer->identity, "dev-%u", peer->address.ip[3]);
        peer_table_establish(t, peer, i);
        break;
    case PEER_LIVE:
        if (i % 2 == 0) {
            peer_table_park(t, peer, calloc(1, 32), 32);
            break;
        }
        peer_table_confirm(t, peer, i);
        break;
    case PEER_SILENT:
        peer_table_confirm(t, peer, i);
        break;
    case PEER_PARKED:
        peer_table_unpark(t, peer, NULL);
        assert_ptr_equal(t->queue[PEER_LIVE].oldest, peer);
        peer_table_confirm(t, peer, i);
        break;
    case PEER_STATES:
        break;
    }
}

static void check_queues(const struct peer_table *t)
{
    for (unsigned state = 0; state < PEER_STATES; state++) {
        const struct peer_queue *queue = &t->queue[state];
        uint32_t count = 0;
        uint64_t before = 0;
        const struct peer *previous = NULL;
        for (const struct peer *p = queue->oldest; p != NULL; p = p->newer) {
            assert_int_equal(p->state, state);
            assert_ptr_equal(p->older, previous);
            assert_true(state == PEER_PARKED || p->active_ms >= before);
            before = p->active_ms;
            previous = p;
            count++;
        }
        assert_ptr_equal(queue->newest, previous);
        assert_int_equal(count, queue->count);
    }
}

/* Random life against a list: queues keep their order, counts are right, nothing is lost. */
static void test_peer_life(void **state)
{
    (void)state;
    struct peer_table t;
    struct peer *alive[PEERS] = {NULL};
    uint32_t total = 0;
    assert_int_equal(peer_table_init(&t, PEERS, 0, 7), 0);
    assert_null(peer_table_least(&t));
    for (uint64_t i = 0; i < 20000; i++) {
        unsigned k = rng_below(1, 1, i, PEERS);
        bool gone = false;
        if (alive[k] == NULL) {
            alive[k] = new_peer(&t, k, NULL, i);
            total++;
        } else {
            live_on(&t, alive[k], i, &gone);
        }
        if (gone) {
            alive[k] = NULL;
            total--;
        }
        check_queues(&t);
        assert_int_equal(peer_table_established(&t) + t.queue[PEER_HANDSHAKE].count, total);
    }
    for (unsigned k = 0; k < PEERS; k++) {
        struct address a = address_of(k);
        if (alive[k] != NULL) {
            struct peer *found = peer_table_by_address(&t, &a, peer_is_established(alive[k]));
            assert_ptr_equal(found, alive[k]);
            assert_ptr_equal(peer_table_by_id(&t, alive[k]->id), alive[k]);
            peer_table_remove(&t, alive[k]);
        }
    }
    assert_int_equal(peer_table_established(&t), 0);
    peer_table_deinit(&t);
}

static void test_pending(void **state)
{
    (void)state;
    struct pending_table t;
    struct exchange exchange = {.peer = 1};
    net_reply_id *id = calloc(NET_PENDING_MAX, sizeof *id);
    assert_int_equal(pending_table_init(&t), 0);
    assert_null(pending_oldest(&t, PENDING_WAITING, 100, 0));
    for (unsigned i = 0; i < NET_PENDING_MAX; i++) {
        exchange.mid = (uint16_t)i;
        struct pending *p = pending_add(&t, &exchange, i);
        assert_non_null(p);
        id[i] = pending_id(&t, p);
        assert_true(id[i] != 0);
    }
    assert_null(pending_add(&t, &exchange, 0));
    for (unsigned i = 0; i < NET_PENDING_MAX; i += 2) { /* every second is answered */
        struct pending *p = pending_find(&t, id[i]);
        assert_int_equal(p->exchange.mid, (uint16_t)i);
        pending_remove(&t, p);
        assert_null(pending_find(&t, id[i]));
    }
    struct pending *oldest = pending_oldest(&t, PENDING_WAITING, 1501, 1500);
    assert_int_equal(oldest->exchange.mid, 1);
    pending_expire(&t, oldest, 1501);
    assert_null(pending_oldest(&t, PENDING_WAITING, 1501, 1500));
    assert_ptr_equal(pending_find(&t, id[1]), oldest);
    assert_null(pending_oldest(&t, PENDING_EXPIRED, 1501 + 99, 100));
    assert_ptr_equal(pending_oldest(&t, PENDING_EXPIRED, 1501 + 100, 100), oldest);
    pending_remove(&t, oldest);
    struct pending *again = pending_add(&t, &exchange, 9);
    for (unsigned i = 0; i < NET_PENDING_MAX; i++) {
        assert_true(pending_id(&t, again) != id[i]);
    }
    assert_int_equal(t.waiting.count, NET_PENDING_MAX / 2);
    pending_table_deinit(&t);
    free(id);
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "localhost", "1.2.3", "1.2.3.4.5", "::g", "1.2.3.4:5", "fe80::1%no-such-interface"};
    struct address a;
    struct address b;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(address_parse(&a, bad[i], 1));
    }
    assert_true(address_parse(&a, "192.0.2.7", 5684));
    assert_int_equal(address_header_bytes(&a), 28);
    assert_true(address_parse(&b, "2001:db8::1", 5684));
    assert_int_equal(address_header_bytes(&b), 48);
    assert_false(address_equal(&a, &b));
    for (int i = 0; i < 2; i++) {
        union address_raw raw;
        struct address back;
        const struct address *from = i == 0 ? &a : &b;
        assert_true(address_to_raw(from, &raw) <= sizeof raw);
        assert_true(address_from_raw(&back, &raw, 0));
        assert_true(address_equal(&back, from));
    }
    assert_true(address_parse(&b, "fe80::1%lo", 1));
    assert_true(b.scope != 0);
    union address_raw other = {.any.sa_family = AF_UNIX};
    assert_false(address_from_raw(&b, &other, 0));
    b = a;
    b.port++;
    assert_false(address_equal(&a, &b));
    assert_true(address_hash(&a, 1) != address_hash(&b, 1));
    assert_true(address_hash(&a, 1) != address_hash(&a, 2));
}

static void count_release(void *user, void *data)
{
    (void)data;
    ++*(unsigned *)user;
}

static void test_blobs_and_blocks(void **state)
{
    (void)state;
    static uint8_t data[100];
    static const uint8_t etag[NET_ETAG_BYTES] = {7};
    unsigned released = 0;
    struct block block;
    const uint8_t *bytes;
    uint32_t count;
    for (uint32_t value = 0; value < 1u << 24; value += 37) {
        if (block_decode(&block, value)) {
            assert_int_equal(block_encode(&block), value);
        } else {
            assert_int_equal(value & 7, 7);
        }
    }
    struct net_blob *blob = net_blob_new(data, sizeof data, etag, count_release, &released);
    block = (struct block){.number = 1, .szx = 2};
    assert_true(block_slice(&block, blob, &bytes, &count));
    assert_ptr_equal(bytes, data + 64);
    assert_int_equal(count, 36);
    assert_false(block.more);
    block = (struct block){.number = 0, .szx = 2};
    assert_true(block_slice(&block, blob, &bytes, &count));
    assert_true(block.more && count == 64);
    block.number = 2;
    assert_false(block_slice(&block, blob, &bytes, &count));
    assert_ptr_equal(net_blob_ref(blob), blob);
    net_blob_unref(blob);
    assert_int_equal(released, 0);
    net_blob_unref(blob);
    assert_int_equal(released, 1);
    net_blob_unref(NULL);
    blob = net_blob_new(data, 0, etag, NULL, NULL); /* empty: one empty block, no second */
    block = (struct block){.number = 0, .szx = 6};
    assert_true(block_slice(&block, blob, &bytes, &count));
    assert_true(!block.more && count == 0);
    block.number = 1;
    assert_false(block_slice(&block, blob, &bytes, &count));
    net_blob_unref(blob);
}

static void test_drop_texts(void **state)
{
    (void)state;
    for (int i = 0; i < NET_DROP_COUNT; i++) {
        assert_true(strlen(net_drop_text((enum net_drop)i)) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_look_ups), cmocka_unit_test(test_peer_generations),
        cmocka_unit_test(test_peer_life),     cmocka_unit_test(test_pending),
        cmocka_unit_test(test_addresses),     cmocka_unit_test(test_blobs_and_blocks),
        cmocka_unit_test(test_drop_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
