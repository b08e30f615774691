/* The daemon's small containers: tickets, held actions, blobs, receipts, runs, and its log lines. */
#include "server/daemon/blob_cache.h"
#include "server/daemon/held.h"
#include "server/daemon/log.h"
#include "server/daemon/receipt_cache.h"
#include "server/daemon/run_table.h"
#include "server/daemon/ticket.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_tickets_are_never_mistaken(void **state)
{
    (void)state;
    struct ticket_table table;
    uint64_t first, second;
    assert_int_equal(ticket_table_init(&table), 0);
    assert_null(ticket_get(&table, TICKET_NONE));
    struct ticket *ticket = ticket_take(&table, &first);
    assert_ptr_equal(ticket_get(&table, first), ticket);
    ticket_drop(&table, first);
    assert_null(ticket_get(&table, first));
    ticket_drop(&table, first);                             /* twice is harmless */
    assert_ptr_equal(ticket_take(&table, &second), ticket); /* the same place … */
    assert_true(second != first);                           /* … under another name */
    assert_null(ticket_get(&table, first));
    assert_null(ticket_get(&table, UINT64_MAX));
    ticket_table_deinit(&table);
}

static void test_tickets_run_out(void **state)
{
    (void)state;
    struct ticket_table table;
    uint64_t tag, last = 0;
    assert_int_equal(ticket_table_init(&table), 0);
    for (unsigned i = 0; i < TICKETS_MAX; i++) {
        assert_non_null(ticket_take(&table, &last));
    }
    assert_null(ticket_take(&table, &tag));
    ticket_drop(&table, last);
    assert_non_null(ticket_take(&table, &tag));
    ticket_table_deinit(&table);
}

static void test_ticket_bodies(void **state)
{
    (void)state;
    struct ticket_table table;
    uint64_t tag, other;
    size_t bytes;
    const uint8_t key[PROTO_KEY_BYTES] = {1, 2, 3};
    assert_int_equal(ticket_table_init(&table), 0);
    ticket_take(&table, &other);
    struct ticket *ticket = ticket_take(&table, &tag);
    ticket->device = 7;
    memcpy(ticket->key, key, sizeof key);
    assert_false(ticket_has_body(&table, 7, key));
    ticket_set_body(&table, ticket, malloc(10), 10);
    assert_true(ticket_has_body(&table, 7, key));
    assert_false(ticket_has_body(&table, 8, key));
    uint8_t *body = ticket_move_body(&table, ticket, &bytes);
    assert_non_null(body);
    assert_int_equal(bytes, 10);
    assert_false(ticket_has_body(&table, 7, key));
    ticket_set_body(&table, ticket, body, bytes); /* freed with the table: ASan would tell */
    ticket_table_deinit(&table);
}

static void push(struct held_queue *queue, uint64_t tag, uint64_t after)
{
    const struct engine_action action = {.tag = tag, .after = after};
    assert_int_equal(held_push(queue, &action), 0);
}

static uint64_t pop(struct held_queue *queue, uint64_t durable)
{
    struct held_action *held = held_pop(queue, durable);
    uint64_t tag = held ? held->action.tag : 0;
    free(held);
    return tag;
}

static void test_held_actions_wait_for_their_batch(void **state)
{
    (void)state;
    struct held_queue queue;
    held_init(&queue);
    assert_int_equal(pop(&queue, UINT64_MAX), 0);
    push(&queue, 1, 5);
    push(&queue, 2, 4);
    push(&queue, 3, 5);
    assert_int_equal(pop(&queue, 3), 0);
    assert_int_equal(pop(&queue, 4), 2);
    assert_int_equal(pop(&queue, 4), 0);
    push(&queue, 4, 5);
    assert_int_equal(pop(&queue, 5), 1);
    assert_int_equal(pop(&queue, 5), 3);
    assert_int_equal(pop(&queue, 5), 4);
    push(&queue, 5, 9);
    held_clear(&queue);
    assert_int_equal(pop(&queue, UINT64_MAX), 0);
}

static const struct blob_cache_entry *put_blob(struct blob_cache *cache, uint8_t name)
{
    uint8_t sha256[PROTO_SHA256_BYTES] = {name};
    uint8_t *data = malloc(4);
    memset(data, name, 4);
    return blob_cache_put(cache, sha256, data, 4);
}

static const struct blob_cache_entry *find_blob(struct blob_cache *cache, uint8_t name)
{
    const uint8_t sha256[PROTO_SHA256_BYTES] = {name};
    return blob_cache_find(cache, sha256);
}

static void test_blob_cache_keeps_what_is_used(void **state)
{
    (void)state;
    struct blob_cache cache = {0};
    for (uint8_t name = 1; name <= BLOB_CACHE_ENTRIES; name++) {
        assert_non_null(put_blob(&cache, name));
    }
    assert_non_null(find_blob(&cache, 1)); /* now the most recently used */
    assert_non_null(put_blob(&cache, 100));
    assert_non_null(find_blob(&cache, 1));
    assert_null(find_blob(&cache, 2));
    const struct blob_cache_entry *entry = put_blob(&cache, 1); /* known: content stays */
    assert_ptr_equal(entry, find_blob(&cache, 1));
    assert_int_equal(((const uint8_t *)entry->data)[3], 1);
    blob_cache_clear(&cache);
    assert_null(find_blob(&cache, 1));
}

static void test_blob_cache_shares_ends(void **state)
{
    (void)state;
    struct blob_cache cache = {0};
    const uint8_t name[PROTO_SHA256_BYTES] = {200};
    const struct blob_cache_entry *end = blob_cache_put_end(&cache, name, put_blob(&cache, 7), 3);
    assert_int_equal(end->bytes, 1);
    for (uint8_t other = 1; other < BLOB_CACHE_ENTRIES; other++) {
        assert_non_null(find_blob(&cache, 200));
        assert_non_null(put_blob(&cache, (uint8_t)(100 + other)));
    }
    assert_null(find_blob(&cache, 7)); /* the whole has gone, its end still reads its memory */
    end = find_blob(&cache, 200);
    assert_int_equal(*(const uint8_t *)end->data, 7);
    blob_cache_clear(&cache);
}

static void test_blob_cache_keeps_to_its_bytes(void **state)
{
    (void)state;
    static uint8_t content[1];
    struct blob_cache cache = {0};
    struct blob_views views;
    uint8_t name[PROTO_SHA256_BYTES] = {0};
    blob_cache_view(&cache, &views);
    assert_int_equal(views.count, 0);
    for (name[0] = 1; name[0] <= 3; name[0]++) { /* sizes are believed, so nothing is read */
        struct blob_cache_entry *entry =
            (struct blob_cache_entry *)(uintptr_t)put_blob(&cache, name[0]);
        cache.owned += BLOB_CACHE_BYTES_MAX / 2u;
        entry->owned += BLOB_CACHE_BYTES_MAX / 2u;
    }
    assert_non_null(put_blob(&cache, 4));
    assert_null(find_blob(&cache, 1));
    assert_null(find_blob(&cache, 2));
    assert_non_null(find_blob(&cache, 3));
    assert_non_null(find_blob(&cache, 4));
    blob_cache_view(&cache, &views);
    assert_int_equal(views.count, 2);
    blob_cache_clear(&cache);
    name[0] = 3;
    const struct blob_cache_entry *seen = blob_views_find(&views, name);
    memcpy(content, seen->data, 1);
    assert_int_equal(content[0], 3); /* lives as long as the view */
    name[0] = 1;
    assert_null(blob_views_find(&views, name));
    blob_views_drop(&views);
}

static void test_receipt_cache(void **state)
{
    (void)state;
    static struct receipt_cache cache;
    const uint8_t key[PROTO_KEY_BYTES] = {9};
    assert_null(receipt_cache_find(&cache, 1, key, 0));
    receipt_cache_put(&cache, 1, key, "abc", 3, 1000);
    const struct receipt_entry *entry = receipt_cache_find(&cache, 1, key, 1001);
    assert_non_null(entry);
    assert_memory_equal(entry->receipt, "abc", 3);
    assert_null(receipt_cache_find(&cache, 2, key, 1001)); /* another device's question */
    assert_null(receipt_cache_find(&cache, 1, key, 1000 + RECEIPT_CACHE_MS));
    for (unsigned i = 0; i < RECEIPT_CACHE_ENTRIES; i++) {
        const uint8_t other[PROTO_KEY_BYTES] = {10, (uint8_t)i};
        receipt_cache_put(&cache, 1, other, NULL, 0, 1002);
    }
    assert_null(receipt_cache_find(&cache, 1, key, 1003));
}

static void test_run_table(void **state)
{
    (void)state;
    static struct run_table table;
    struct store_run run = {.state = STORE_RUN_ACTIVE};
    for (run.id = 1; run.id <= ENGINE_RUNS_MAX; run.id++) {
        assert_non_null(run_table_put(&table, &run));
    }
    assert_null(run_table_put(&table, &run));
    run_table_find(&table, 3)->run.state = STORE_RUN_FINISHED;
    struct run_entry *entry = run_table_put(&table, &run); /* an ended one gives way */
    assert_non_null(entry);
    assert_null(run_table_find(&table, 3));

    struct run_sum sum = {.round = 4, .attempt = 2, .model = malloc(8), .model_bytes = 8}, out;
    run_entry_set_sum(entry, &sum);
    assert_false(run_entry_take_sum(entry, 4, 1, &out));
    assert_false(run_entry_take_sum(entry, 5, 2, &out));
    assert_true(run_entry_take_sum(entry, 4, 2, &out));
    assert_false(run_entry_take_sum(entry, 4, 2, &out));
    run_entry_set_sum(entry, &out); /* freed with the table */
    run_table_clear(&table);
}

static void log_line(enum log_format format, const char *text, char *line, size_t capacity)
{
    FILE *stream = tmpfile();
    const struct log log = {stream, LOG_INFO, format};
    LOG(&log, LOG_DEBUG, "unseen", log_uint("n", 1));
    LOG(&log, LOG_WARN, "seen", log_uint("n", UINT64_MAX), log_int("i", -5), log_real("x", 0.5),
        log_text("text", text));
    rewind(stream);
    assert_non_null(fgets(line, (int)capacity, stream));
    assert_int_equal(fgetc(stream), EOF); /* one line, whatever the text held */
    fclose(stream);
}

static void test_log_lines_stay_whole(void **state)
{
    (void)state;
    char line[LOG_LINE_MAX + 2];
    char hostile[4096];
    memset(hostile, '"', sizeof hostile - 1);
    hostile[sizeof hostile - 1] = '\0';
    const char *const texts[] = {"plain", "two words", "new\nline", "quote\" back\\slash",
                                 "",      "\x01\xff",  hostile};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        log_line(LOG_JSON, texts[i], line, sizeof line);
        json_error_t error;
        json_t *json = json_loads(line, JSON_DECODE_INT_AS_REAL, &error);
        if (!json) {
            fail_msg("case %zu: %s in %s", i, error.text, line);
        }
        assert_string_equal(json_string_value(json_object_get(json, "event")), "seen");
        assert_string_equal(json_string_value(json_object_get(json, "level")), "warn");
        if (i < 5) {
            assert_string_equal(json_string_value(json_object_get(json, "text")), texts[i]);
        }
        json_decref(json);
        log_line(LOG_TEXT, texts[i], line, sizeof line);
        assert_non_null(strstr(line, " seen n=18446744073709551615 i=-5 x=0.5"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tickets_are_never_mistaken),
        cmocka_unit_test(test_tickets_run_out),
        cmocka_unit_test(test_ticket_bodies),
        cmocka_unit_test(test_held_actions_wait_for_their_batch),
        cmocka_unit_test(test_blob_cache_keeps_what_is_used),
        cmocka_unit_test(test_blob_cache_shares_ends),
        cmocka_unit_test(test_blob_cache_keeps_to_its_bytes),
        cmocka_unit_test(test_receipt_cache),
        cmocka_unit_test(test_run_table),
        cmocka_unit_test(test_log_lines_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
