/*
 * The endpoint against libcoap's client, which shares no code with ours above the TLS library: the
 * same stack that devices use, once asking for blocks itself and once leaving them to libcoap.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <coap3/coap.h>

#include "common/rng.h"
#include "tests/unit/server/net/fixture.h"

#define BLOB_BYTES 30001u
#define BLOCK_BYTES 1024u
#define BLOCKS ((BLOB_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES)
#define WINDOW 4u

struct stage {
    struct fixture f;
    coap_context_t *context;
    coap_session_t *session;
    uint8_t data[BLOB_BYTES];
    uint8_t got[BLOB_BYTES];
    size_t got_bytes;
    unsigned answers;
    coap_pdu_code_t code; /* of the latest answer */
};

static coap_response_t on_response(coap_session_t *session, const coap_pdu_t *sent,
                                   const coap_pdu_t *received, const coap_mid_t mid)
{
    struct stage *s = coap_get_app_data(coap_session_get_context(session));
    const uint8_t *data = NULL;
    size_t bytes = 0;
    size_t offset = 0;
    size_t total = 0;
    coap_block_t block;
    (void)sent;
    (void)mid;
    s->code = coap_pdu_get_code(received);
    s->answers++;
    if (coap_get_data_large(received, &bytes, &data, &offset, &total) != 0) {
        if (coap_get_block(received, COAP_OPTION_BLOCK2, &block) != 0) {
            offset = (size_t)block.num << (block.szx + 4);
        }
        assert_true(offset + bytes <= BLOB_BYTES);
        memcpy(s->got + offset, data, bytes);
        s->got_bytes += bytes;
    }
    return COAP_RESPONSE_OK;
}

static void release_nothing(coap_session_t *session, void *data)
{
    (void)session;
    (void)data;
}

static void pump(struct stage *s, unsigned answers, unsigned ms)
{
    uint64_t end_ms = test_now_ms() + ms;
    while (s->answers < answers && test_now_ms() < end_ms) {
        (void)uv_run(&s->f.loop, UV_RUN_NOWAIT);
        (void)coap_io_process(s->context, 1);
    }
}

static void open_session(struct stage *s, const char *identity, const uint8_t key[16],
                         uint32_t block_mode)
{
    coap_address_t to;
    coap_address_init(&to);
    to.addr.sin.sin_family = AF_INET;
    to.addr.sin.sin_port = htons(net_port(s->f.net));
    to.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.size = sizeof to.addr.sin;
    coap_dtls_cpsk_t psk = {.version = COAP_DTLS_CPSK_SETUP_VERSION, .use_cid = 1};
    psk.psk_info.identity.s = (const uint8_t *)identity;
    psk.psk_info.identity.length = strlen(identity);
    psk.psk_info.key.s = key;
    psk.psk_info.key.length = 16;
    s->context = coap_new_context(NULL);
    assert_non_null(s->context);
    coap_set_app_data(s->context, s);
    coap_context_set_block_mode(s->context, block_mode);
    coap_register_response_handler(s->context, on_response);
    s->session = coap_new_client_session_psk2(s->context, NULL, &to, COAP_PROTO_DTLS, &psk);
    assert_non_null(s->session);
}

static void close_session(struct stage *s)
{
    coap_session_release(s->session);
    coap_free_context(s->context);
    fixture_run(&s->f, 10);
}

static int open_stage(void **state)
{
    static const uint8_t etag[8] = {8, 7, 6, 5, 4, 3, 2, 1};
    struct stage *s = calloc(1, sizeof *s);
    *state = s;
    for (size_t i = 0; i < BLOB_BYTES; i++) {
        s->data[i] = (uint8_t)rng_u32(5, 1, i);
    }
    coap_startup();
    fixture_init(&s->f);
    fixture_open(&s->f);
    s->f.blob = net_blob_new(s->data, BLOB_BYTES, etag, NULL, NULL);
    return 0;
}

static int close_stage(void **state)
{
    struct stage *s = *state;
    fixture_deinit(&s->f);
    coap_cleanup();
    free(s);
    return 0;
}

static void open_device(struct stage *s, unsigned device, uint32_t block_mode)
{
    char identity[16];
    uint8_t key[16];
    device_name(device, identity);
    device_key(device, key);
    open_session(s, identity, key, block_mode);
}

static coap_pdu_t *new_request(struct stage *s, coap_pdu_code_t code, const char *first,
                               const char *second)
{
    uint8_t token[8];
    size_t token_bytes = 0;
    coap_pdu_t *pdu = coap_new_pdu(COAP_MESSAGE_CON, code, s->session);
    assert_non_null(pdu);
    coap_session_new_token(s->session, &token_bytes, token);
    assert_int_equal(coap_add_token(pdu, token_bytes, token), 1);
    (void)coap_add_option(pdu, COAP_OPTION_URI_PATH, strlen(first), (const uint8_t *)first);
    (void)coap_add_option(pdu, COAP_OPTION_URI_PATH, strlen(second), (const uint8_t *)second);
    return pdu;
}

static void add_uint(coap_pdu_t *pdu, coap_option_num_t number, unsigned value)
{
    uint8_t bytes[4];
    (void)coap_add_option(pdu, number, coap_encode_var_safe(bytes, sizeof bytes, value), bytes);
}

static void test_small_requests(void **state)
{
    struct stage *s = *state;
    open_device(s, 1, 0);
    for (unsigned i = 0; i < 20; i++) {
        s->got_bytes = 0;
        assert_int_not_equal(coap_send(s->session, new_request(s, COAP_REQUEST_CODE_GET, "a", "b")),
                             COAP_INVALID_MID);
        pump(s, i + 1, WAIT_MS);
        assert_int_equal(s->answers, i + 1);
        assert_int_equal(s->code, COAP_RESPONSE_CODE_CONTENT);
    }
    assert_int_equal(s->f.requests, 20);
    assert_string_equal(s->f.seen[0].identity, "dev-0001");
    assert_int_equal(fixture_stats(&s->f).handshakes, 1);
    close_session(s);
    assert_int_equal(fixture_stats(&s->f).sessions, 0); /* close_notify arrived */
}

static void test_wrong_key_is_never_answered(void **state)
{
    struct stage *s = *state;
    static const uint8_t wrong[16] = {1};
    open_session(s, "dev-0001", wrong, 0);
    (void)coap_send(s->session, new_request(s, COAP_REQUEST_CODE_GET, "a", "b"));
    pump(s, 1, 500);
    assert_int_equal(s->answers, 0);
    assert_int_equal(s->f.requests, 0);
    close_session(s);
}

/* Independent windowed block requests, as the Linux client sends them. */
static void test_windowed_download(void **state)
{
    struct stage *s = *state;
    s->f.mode = ANSWER_BLOB;
    open_device(s, 2, 0);
    coap_session_set_nstart(s->session, WINDOW);
    for (unsigned n = 0; n < BLOCKS; n++) {
        coap_pdu_t *pdu = new_request(s, COAP_REQUEST_CODE_GET, "m", "hash");
        add_uint(pdu, COAP_OPTION_BLOCK2, (BLOCKS - 1 - n) << 4 | 6);
        assert_int_not_equal(coap_send(s->session, pdu), COAP_INVALID_MID);
        pump(s, n + 1 >= WINDOW ? n + 2 - WINDOW : 0, WAIT_MS);
    }
    pump(s, BLOCKS, WAIT_MS);
    assert_int_equal(s->answers, BLOCKS);
    assert_int_equal(s->got_bytes, BLOB_BYTES);
    assert_memory_equal(s->got, s->data, BLOB_BYTES);
    close_session(s);
}

static void test_windowed_upload(void **state)
{
    struct stage *s = *state;
    open_device(s, 3, 0);
    coap_session_set_nstart(s->session, WINDOW);
    for (unsigned n = 0; n < BLOCKS; n++) {
        bool last = n + 1 == BLOCKS;
        size_t offset = (size_t)n * BLOCK_BYTES;
        coap_pdu_t *pdu = new_request(s, COAP_REQUEST_CODE_PUT, "u", "key");
        add_uint(pdu, COAP_OPTION_BLOCK1, n << 4 | (last ? 0 : 8) | 6);
        add_uint(pdu, COAP_OPTION_SIZE1, BLOB_BYTES);
        assert_int_equal(
            coap_add_data(pdu, last ? BLOB_BYTES - offset : BLOCK_BYTES, s->data + offset), 1);
        if (last) {
            pump(s, BLOCKS - 1, WAIT_MS);
        }
        assert_int_not_equal(coap_send(s->session, pdu), COAP_INVALID_MID);
        pump(s, n + 1 >= WINDOW ? n + 2 - WINDOW : 0, WAIT_MS);
    }
    pump(s, BLOCKS, WAIT_MS);
    assert_int_equal(s->answers, BLOCKS);
    assert_int_equal(s->code, COAP_RESPONSE_CODE_CONTENT);
    assert_int_equal(s->f.requests, 1);
    assert_int_equal(s->f.seen[0].body_bytes, BLOB_BYTES);
    assert_memory_equal(s->f.seen[0].body, s->data, BLOB_BYTES);
    close_session(s);
}

/* libcoap's own block-wise transfer, both ways. */
static void test_libcoap_does_the_blocks(void **state)
{
    struct stage *s = *state;
    s->f.mode = ANSWER_BLOB;
    open_device(s, 4, COAP_BLOCK_USE_LIBCOAP);
    (void)coap_send(s->session, new_request(s, COAP_REQUEST_CODE_GET, "m", "hash"));
    pump(s, BLOCKS, WAIT_MS);
    assert_int_equal(s->got_bytes, BLOB_BYTES);
    assert_memory_equal(s->got, s->data, BLOB_BYTES);

    s->f.mode = ANSWER_ECHO;
    s->answers = 0;
    coap_pdu_t *pdu = new_request(s, COAP_REQUEST_CODE_PUT, "u", "key");
    assert_int_equal(
        coap_add_data_large_request(s->session, pdu, BLOB_BYTES, s->data, release_nothing, NULL),
        1);
    unsigned before = s->f.requests;
    (void)coap_send(s->session, pdu);
    pump(s, 1, WAIT_MS);
    assert_int_equal(s->code, COAP_RESPONSE_CODE_CONTENT);
    assert_int_equal(s->f.requests, before + 1);
    assert_int_equal(s->f.seen[before].body_bytes, BLOB_BYTES);
    assert_memory_equal(s->f.seen[before].body, s->data, BLOB_BYTES);
    close_session(s);
}

int main(void)
{
#define STAGED(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        STAGED(test_small_requests),          STAGED(test_wrong_key_is_never_answered),
        STAGED(test_windowed_download),       STAGED(test_windowed_upload),
        STAGED(test_libcoap_does_the_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
