/* Messages: repetitions, deferred answers, deadlines, refusals, and what is not a message at all. */
#include "server/net/net.h"

#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "tests/unit/server/net/coap_message.h"
#include "tests/unit/server/net/fixture.h"

struct stage {
    struct fixture f;
    struct client c;
};

static int open_stage(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    *state = s;
    fixture_init(&s->f);
    s->f.config.well_known = "</c>,</m>,</u>";
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

static void test_request_is_handed_over_whole(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply r;
    write_begin(&w, CON, NET_POST, 1, "12345678");
    write_option(&w, 3, "host.example", 12); /* Uri-Host: we are every host */
    write_uint(&w, 7, 5684);
    write_option(&w, 11, "c", 1);
    write_uint(&w, 12, PROTO_FORMAT_MESSAGE);
    write_uint(&w, 17, 42);
    write_option(&w, 258, "\x1a", 1); /* No-Response: elective, ignored */
    write_payload(&w, "payload", 7);
    ask(&s->c, &w, &r);
    assert_code(&r, 2, 5);
    assert_string_equal(r.token, "12345678");
    assert_int_equal(s->f.seen[0].method, NET_POST);
    assert_string_equal(s->f.seen[0].path, "/c");
    assert_int_equal(s->f.seen[0].payload_bytes, 7);
    assert_memory_equal(s->f.seen[0].payload, "payload", 7);
}

static void test_non_confirmable(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply first;
    struct reply second;
    write_begin(&w, NON, NET_GET, 9, "n");
    write_path(&w, "x");
    ask(&s->c, &w, &first);
    assert_int_equal(first.type, NON);
    assert_code(&first, 2, 5);
    ask(&s->c, &w, &second); /* the same message id: the same answer */
    assert_int_equal(second.mid, first.mid);
    assert_int_equal(s->f.requests, 1);
}

/* --- Repetitions ---------------------------------------------------------------------------------- */

static void test_duplicate_runs_handler_once(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply first;
    struct reply again;
    for (unsigned mid = 100; mid < 120; mid++) {
        write_begin(&w, CON, NET_POST, mid, "t");
        write_path(&w, "c");
        ask(&s->c, &w, &first);
        for (unsigned i = 0; i < 5; i++) {
            ask(&s->c, &w, &again);
            assert_int_equal(again.payload_bytes, first.payload_bytes);
            assert_memory_equal(again.payload, first.payload, first.payload_bytes);
        }
    }
    assert_int_equal(s->f.requests, 20);
    struct net_stats stats = fixture_stats(&s->f);
    assert_int_equal(stats.requests, 20);
    assert_int_equal(stats.duplicates, 100);
}

static void test_duplicate_of_pending_is_dropped(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply r;
    s->f.mode = ANSWER_LATER;
    write_begin(&w, CON, NET_POST, 7, "t");
    write_path(&w, "c");
    for (unsigned i = 0; i < 4; i++) {
        client_send(&s->c, w.bytes, w.count);
        assert_false(reply_wait(&s->c, &r, 20));
    }
    assert_int_equal(s->f.requests, 1);
    struct net_response response = NET_RESPONSE(NET_CODE(2, 4));
    response.max_age_s = 0;
    assert_int_equal(net_reply(s->f.net, s->f.seen[0].reply, &response), 0);
    assert_true(reply_wait(&s->c, &r, WAIT_MS));
    assert_code(&r, 2, 4);
    assert_int_equal(r.max_age, 0);
    ask(&s->c, &w, &r); /* now it is answered from the cache */
    assert_code(&r, 2, 4);
    assert_int_equal(s->f.requests, 1);
    assert_int_equal(fixture_stats(&s->f).drops[NET_DROP_DUPLICATE_PENDING], 3);
}

/* --- Deferred answers ----------------------------------------------------------------------------- */

static void test_deferred_answers_in_any_order(void **state)
{
    struct stage *s = *state;
    struct reply r;
    s->f.mode = ANSWER_LATER;
    for (unsigned i = 0; i < NET_PEER_PENDING_MAX; i++) {
        struct writer w;
        char token[2] = {(char)('a' + i), '\0'};
        write_begin(&w, CON, NET_GET, 40 + i, token);
        client_send(&s->c, w.bytes, w.count);
    }
    fixture_run(&s->f, 20);
    assert_int_equal(fixture_stats(&s->f).pending, NET_PEER_PENDING_MAX);
    for (unsigned i = NET_PEER_PENDING_MAX; i-- > 0;) {
        struct net_response response = NET_RESPONSE(NET_CODE(2, 5));
        response.payload = &i;
        response.payload_bytes = 1;
        net_reply_id id = s->f.seen[i].reply;
        assert_int_equal(net_reply(s->f.net, id, &response), 0);
        assert_true(net_reply(s->f.net, id, &response) < 0); /* once only */
        assert_true(reply_wait(&s->c, &r, WAIT_MS));
        assert_int_equal(r.mid, 40 + i);
        assert_int_equal(r.token[0], 'a' + (int)i);
        assert_int_equal(r.payload[0], i);
    }
    assert_int_equal(fixture_stats(&s->f).pending, 0);
}

static void test_too_many_pending_of_one_peer(void **state)
{
    struct stage *s = *state;
    struct reply r;
    struct writer w;
    s->f.mode = ANSWER_LATER;
    for (unsigned i = 0; i < NET_PEER_PENDING_MAX; i++) {
        write_begin(&w, CON, NET_GET, 40 + i, "");
        client_send(&s->c, w.bytes, w.count);
    }
    write_begin(&w, CON, NET_GET, 60, "z");
    ask(&s->c, &w, &r);
    assert_code(&r, 5, 3);
    assert_int_equal(r.max_age, 1);
    assert_int_equal(s->f.requests, NET_PEER_PENDING_MAX);
    assert_int_equal(fixture_stats(&s->f).drops[NET_DROP_BUSY], 1);
}

static void test_late_answer_becomes_503(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply r;
    s->f.mode = ANSWER_LATER;
    write_begin(&w, CON, NET_POST, 5, "t");
    write_path(&w, "c");
    uint64_t begin_ms = test_now_ms();
    ask(&s->c, &w, &r);
    uint64_t took_ms = test_now_ms() - begin_ms;
    assert_code(&r, 5, 3);
    assert_int_equal(r.max_age, 1);
    assert_in_range(took_ms, NET_REPLY_DEADLINE_MS - 20, NET_REPLY_DEADLINE_MS + 400);
    struct net_response response = NET_RESPONSE(NET_CODE(2, 4));
    assert_true(net_reply(s->f.net, s->f.seen[0].reply, &response) < 0);
    assert_false(reply_wait(&s->c, &r, QUIET_MS));
    struct net_stats stats = fixture_stats(&s->f);
    assert_int_equal(stats.pending, 0);
    assert_int_equal(stats.drops[NET_DROP_REPLY_LATE], 1);
}

static void test_answer_to_a_peer_that_is_gone(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct net_response response = NET_RESPONSE(NET_CODE(2, 4));
    s->f.mode = ANSWER_LATER;
    write_begin(&w, CON, NET_POST, 5, "t");
    client_send(&s->c, w.bytes, w.count);
    fixture_run(&s->f, 20);
    assert_int_equal(net_kick(s->f.net, "dev-0001"), 1);
    assert_true(net_reply(s->f.net, s->f.seen[0].reply, &response) < 0);
    assert_true(net_reply(s->f.net, 0, &response) < 0);
    assert_true(net_reply(s->f.net, UINT64_MAX, &response) < 0);
    assert_int_equal(fixture_stats(&s->f).pending, 0);
}

static void test_shell_ends_the_session_in_the_handler(void **state)
{
    struct stage *s = *state;
    struct writer w;
    s->f.mode = ANSWER_KICK;
    write_begin(&w, CON, NET_POST, 5, "t");
    client_send(&s->c, w.bytes, w.count);
    fixture_run(&s->f, 20);
    assert_int_equal(fixture_stats(&s->f).sessions, 0);
}

static void test_shell_closes_in_the_handler(void **state)
{
    struct stage *s = *state;
    struct writer w;
    s->f.mode = ANSWER_CLOSE;
    for (unsigned i = 0; i < 3; i++) { /* more are waiting in the socket's buffer */
        write_begin(&w, CON, NET_POST, 5 + i, "t");
        client_send(&s->c, w.bytes, w.count);
    }
    while (s->f.net != NULL) {
        (void)uv_run(&s->f.loop, UV_RUN_ONCE);
    }
    fixture_close(&s->f);
    assert_int_equal(s->f.requests, 1);
}

/* --- What the endpoint refuses by itself ---------------------------------------------------------- */

static void test_ping(void **state)
{
    struct stage *s = *state;
    static const uint8_t ping[] = {0x40, 0, 0x12, 0x34};
    struct reply r;
    client_send(&s->c, ping, sizeof ping);
    assert_true(reply_wait(&s->c, &r, WAIT_MS));
    assert_int_equal(r.type, RST);
    assert_int_equal(r.code, 0);
    assert_int_equal(r.mid, 0x1234);
}

static void test_options_that_refuse(void **state)
{
    static const struct {
        unsigned number;
        unsigned class;
        unsigned detail;
    } cases[] = {{1, 4, 2},  {5, 4, 2},   {9, 4, 2},     {15, 2, 5},    {19, 4, 2},
                 {21, 4, 2}, {31, 4, 2},  {35, 5, 5},    {39, 5, 5},    {2049, 4, 2},
                 {2, 2, 5},  {258, 2, 5}, {65000, 2, 5}, {65001, 4, 2}, {6, 2, 5}};
    struct stage *s = *state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct writer w;
        struct reply r;
        write_begin(&w, CON, NET_GET, 300 + i, "t");
        write_option(&w, cases[i].number, "v", cases[i].number == 5 ? 0 : 1);
        ask(&s->c, &w, &r);
        assert_int_equal(r.code, NET_CODE(cases[i].class, cases[i].detail));
    }
}

static void test_repeated_critical_option(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply r;
    write_begin(&w, CON, NET_GET, 1, "t");
    write_uint(&w, 23, 0);
    write_uint(&w, 23, 16);
    ask(&s->c, &w, &r);
    assert_code(&r, 4, 2);
    assert_int_equal(s->f.requests, 0);
}

static void test_unknown_methods(void **state)
{
    struct stage *s = *state;
    for (unsigned code = 5; code < 32; code++) {
        struct writer w;
        struct reply r;
        write_begin(&w, CON, code, code, "t");
        ask(&s->c, &w, &r);
        assert_code(&r, 4, 5);
    }
    assert_int_equal(s->f.requests, 0);
}

static void test_paths_that_cannot_be(void **state)
{
    struct stage *s = *state;
    char longest[200];
    memset(longest, 'p', sizeof longest);
    for (unsigned i = 0; i < 4; i++) {
        struct writer w;
        struct reply r;
        write_begin(&w, CON, NET_GET, i + 1, "t");
        switch (i) {
        case 0:
            write_path(&w, "a/b/c/d/e");
            break;
        case 1:
            write_option(&w, 11, longest, sizeof longest);
            break;
        case 2:
            write_option(&w, 11, "a\0b", 3);
            break;
        default:
            write_option(&w, 11, "a/b", 3);
        }
        ask(&s->c, &w, &r);
        assert_code(&r, 4, 4);
    }
    assert_int_equal(s->f.requests, 0);
}

static void test_post_in_blocks_is_too_large(void **state)
{
    struct stage *s = *state;
    struct writer w;
    struct reply r;
    write_begin(&w, CON, NET_POST, 1, "t");
    write_path(&w, "c");
    write_uint(&w, 27, 8 | 2);
    write_payload(&w, "0123456789012345678901234567890123456789012345678901234567890123", 64);
    ask(&s->c, &w, &r);
    assert_code(&r, 4, 13);
    assert_int_equal(r.size1, NET_PAYLOAD_BYTES_MAX);
}

static void test_well_known(void **state)
{
    struct stage *s = *state;
    struct reply r;
    ask_simple(&s->c, NET_GET, ".well-known/core", &r);
    assert_code(&r, 2, 5);
    assert_int_equal(r.content_format, 40);
    assert_int_equal(r.payload_bytes, 14);
    assert_memory_equal(r.payload, "</c>,</m>,</u>", 14);
    assert_int_equal(s->f.requests, 0);
}

/* Malformed confirmable messages earn a Reset, everything else that is malformed earns nothing. */
static void test_malformed_messages(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        bool reset;
    } cases[] = {
        {"\x40", 1, false},
        {"\x40\x01\x00", 3, false},
        {"\x00\x01\x00\x01", 4, false}, /* version 0 */
        {"\x80\x01\x00\x01", 4, false}, /* version 2 */
        {"\x49\x01\x00\x01"
         "123456789",
         13, true}, /* token of 9 */
        {"\x4F\x01\x00\x01"
         "123456789",
         13, true}, /* token length 15 */
        {"\x44\x01\x00\x01"
         "12",
         6, true},                         /* token cut */
        {"\x40\x01\x00\x01\xFF", 5, true}, /* marker without payload */
        {"\x40\x01\x00\x01\xB5"
         "ab",
         7, true}, /* option cut */
        {"\x40\x01\x00\x01\xF1"
         "a",
         6, true}, /* reserved delta */
        {"\x40\x01\x00\x01\xBF"
         "a",
         6, true},                             /* reserved length */
        {"\x40\x01\x00\x01\xBE\x01", 6, true}, /* extended length cut */
        {"\x41\x00\x00\x01"
         "a",
         5, true}, /* empty, but not */
        {"\x50\x01\x00\x01\xB5"
         "ab",
         7, false},                     /* NON: silence */
        {"\x50\x00\x00\x01", 4, false}, /* empty NON */
        {"\x60\x00\x00\x01", 4, false}, /* acknowledgement */
        {"\x70\x00\x00\x01", 4, false}, /* reset */
        {"\x60\x45\x00\x01", 4, false}, /* a response nobody asked for */
        {"\x40\x45\x00\x01", 4, true},  /* … that wants to be acknowledged */
        {"\x40\xE1\x00\x01", 4, true},  /* class 7 */
    };
    struct stage *s = *state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reply r;
        client_send(&s->c, (const uint8_t *)cases[i].bytes, cases[i].count);
        bool answered = reply_wait(&s->c, &r, cases[i].reset ? WAIT_MS : 15);
        assert_int_equal(answered, cases[i].reset);
        assert_true(!answered || (r.type == RST && r.mid == 1));
    }
    assert_int_equal(s->f.requests, 0);
}

/* Thousands of messages, random and mutated, inside a good session: the session survives. */
static void test_random_messages(void **state)
{
    struct stage *s = *state;
    struct writer good;
    struct reply r;
    write_begin(&good, CON, NET_PUT, 1, "tokentok");
    write_path(&good, "u/key");
    write_uint(&good, 12, PROTO_FORMAT_UPDATE);
    write_uint(&good, 27, 8 | 2);
    write_uint(&good, 60, 1000);
    write_payload(&good, "0123456789012345678901234567890123456789012345678901234567890123", 64);
    for (uint64_t i = 0; i < 20000; i++) {
        uint8_t bytes[400];
        size_t count = 1 + rng_below(21, 1, i, 200);
        for (size_t k = 0; k < count; k++) {
            bytes[k] = (uint8_t)rng_u32(21, 10 + i, k);
        }
        if (i % 3 != 0) {
            count = good.count;
            memcpy(bytes, good.bytes, count);
            for (unsigned k = 0; k <= i % 4; k++) {
                bytes[rng_below(22, i, k, (uint32_t)count)] ^=
                    (uint8_t)(1u << rng_below(23, i, k, 8));
            }
            count -= i % 7 == 0 ? rng_below(24, 1, i, (uint32_t)count) : 0;
        }
        if (count > 0) {
            client_send(&s->c, bytes, count);
        }
        if (i % 16 == 0) {
            uint8_t ignored[DATAGRAM_BYTES];
            (void)uv_run(&s->f.loop, UV_RUN_NOWAIT);
            while (client_receive_raw(&s->c, ignored, sizeof ignored, 0) > 0) {
            }
        }
    }
    fixture_run(&s->f, 30);
    uint8_t ignored[DATAGRAM_BYTES];
    while (client_receive(&s->c, ignored, sizeof ignored, 20) > 0) {
    }
    static const uint8_t ping[] = {0x40, 0, 0x12, 0x34};
    client_send(&s->c, ping, sizeof ping);
    assert_true(reply_wait(&s->c, &r, WAIT_MS));
    assert_int_equal(r.type, RST);
    assert_int_equal(r.mid, 0x1234);
    assert_true(fixture_stats(&s->f).drops[NET_DROP_MESSAGE_MALFORMED] > 1000);
}

int main(void)
{
#define STAGED(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        STAGED(test_request_is_handed_over_whole),
        STAGED(test_non_confirmable),
        STAGED(test_duplicate_runs_handler_once),
        STAGED(test_duplicate_of_pending_is_dropped),
        STAGED(test_deferred_answers_in_any_order),
        STAGED(test_too_many_pending_of_one_peer),
        STAGED(test_late_answer_becomes_503),
        STAGED(test_answer_to_a_peer_that_is_gone),
        STAGED(test_shell_ends_the_session_in_the_handler),
        STAGED(test_shell_closes_in_the_handler),
        STAGED(test_ping),
        STAGED(test_options_that_refuse),
        STAGED(test_repeated_critical_option),
        STAGED(test_unknown_methods),
        STAGED(test_paths_that_cannot_be),
        STAGED(test_post_in_blocks_is_too_large),
        STAGED(test_well_known),
        STAGED(test_malformed_messages),
        STAGED(test_random_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
