/* The library's CCM (deploy/mbedtls_ccm.c on x86-64, else mbedTLS's own) against NIST's examples and a
 * second, block-by-block computation; its two inner loops one against the other. */
#include "common/rng.h"

#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <mbedtls/aes.h>
#include <mbedtls/ccm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_BYTES_MAX 1100u
#define AD_BYTES_MAX 64u
#define CASES 3000u

static void fill(void *out, size_t bytes, uint64_t *seed)
{
    uint8_t *at = out;
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)rng_mix64(++*seed);
    }
}

static void set_key(mbedtls_ccm_context *ccm, const uint8_t *key, unsigned bits)
{
    mbedtls_ccm_init(ccm);
    assert_int_equal(mbedtls_ccm_setkey(ccm, MBEDTLS_CIPHER_ID_AES, key, bits), 0);
}

/* One message and everything that belongs to it. */
struct sample {
    uint8_t key[32], nonce[13], ad[AD_BYTES_MAX], text[TEXT_BYTES_MAX];
    unsigned key_bits;
    size_t nonce_bytes, ad_bytes, text_bytes, tag_bytes;
};

/* RFC 3610 §2, one block after the other. */
static void reference(const struct sample *s, uint8_t *out, uint8_t tag[16])
{
    mbedtls_aes_context aes;
    uint8_t mac[16] = {0}, counter[16] = {0}, stream[16];
    size_t q = 15 - s->nonce_bytes, at = 2;
    mbedtls_aes_init(&aes);
    assert_int_equal(mbedtls_aes_setkey_enc(&aes, s->key, s->key_bits), 0);
#define ENCRYPT(in, to)                                                                            \
    assert_int_equal(mbedtls_aes_crypt_ecb(&aes, MBEDTLS_AES_ENCRYPT, in, to), 0)
    mac[0] = (uint8_t)((s->ad_bytes > 0) * 64 + (s->tag_bytes - 2) / 2 * 8 + q - 1);
    memcpy(mac + 1, s->nonce, s->nonce_bytes);
    mac[14] |= (uint8_t)(s->text_bytes >> 8); /* q is at least 2 */
    mac[15] |= (uint8_t)s->text_bytes;
    ENCRYPT(mac, mac);
    if (s->ad_bytes > 0) {
        mac[0] ^= (uint8_t)(s->ad_bytes >> 8);
        mac[1] ^= (uint8_t)s->ad_bytes;
    }
    for (size_t i = 0; i < s->ad_bytes; i++) {
        mac[at++] ^= s->ad[i];
        if (at == 16 || i + 1 == s->ad_bytes) {
            ENCRYPT(mac, mac);
            at = 0;
        }
    }
    counter[0] = (uint8_t)(q - 1);
    memcpy(counter + 1, s->nonce, s->nonce_bytes);
    for (size_t i = 0; i < s->text_bytes; i++) {
        if (i % 16 == 0) {
            counter[14] = (uint8_t)((i / 16 + 1) >> 8);
            counter[15] = (uint8_t)(i / 16 + 1);
            ENCRYPT(counter, stream);
        }
        out[i] = s->text[i] ^ stream[i % 16];
        mac[i % 16] ^= s->text[i];
        if (i % 16 == 15 || i + 1 == s->text_bytes) {
            ENCRYPT(mac, mac);
        }
    }
    counter[14] = counter[15] = 0;
    ENCRYPT(counter, stream);
    for (size_t i = 0; i < 16; i++) {
        tag[i] = mac[i] ^ stream[i];
    }
#undef ENCRYPT
    mbedtls_aes_free(&aes);
}

static void draw(struct sample *s, uint64_t *seed)
{
    fill(s, sizeof *s, seed);
    s->key_bits = 128u + 64u * (unsigned)(rng_mix64(++*seed) % 3);
    s->nonce_bytes = 7 + rng_mix64(++*seed) % 7;
    s->ad_bytes = rng_mix64(++*seed) % (AD_BYTES_MAX + 1);
    s->text_bytes = rng_mix64(++*seed) % (TEXT_BYTES_MAX + 1);
    s->tag_bytes = 4 + 2 * (rng_mix64(++*seed) % 7);
}

/* Examples 1 to 3 of NIST SP 800-38C, appendix C. */
static void test_examples(void **state)
{
    (void)state;
    static const struct {
        size_t nonce, ad, text, tag;
        uint8_t out[32];
    } examples[] = {
        {7, 8, 4, 4, {0x71, 0x62, 0x01, 0x5b, 0x4d, 0xac, 0x25, 0x5d}},
        {8, 16, 16, 6, {0xd2, 0xa1, 0xf0, 0xe0, 0x51, 0xea, 0x5f, 0x62, 0x08, 0x1a, 0x77,
                        0x92, 0x07, 0x3d, 0x59, 0x3d, 0x1f, 0xc6, 0x4f, 0xbf, 0xac, 0xcd}},
        {12, 20, 24, 8, {0xe3, 0xb2, 0x01, 0xa9, 0xf5, 0xb7, 0x1a, 0x7a, 0x9b, 0x1c, 0xea,
                         0xec, 0xcd, 0x97, 0xe7, 0x0b, 0x61, 0x76, 0xaa, 0xd9, 0xa4, 0x42,
                         0x8a, 0xa5, 0x48, 0x43, 0x92, 0xfb, 0xc1, 0xb0, 0x99, 0x51}}};
    uint8_t numbers[0x50], out[32];
    mbedtls_ccm_context ccm;
    for (unsigned i = 0; i < sizeof numbers; i++) {
        numbers[i] = (uint8_t)i;
    }
    set_key(&ccm, numbers + 0x40, 128);
    for (unsigned i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        size_t text = examples[i].text;
        assert_int_equal(mbedtls_ccm_encrypt_and_tag(&ccm, text, numbers + 0x10, examples[i].nonce,
                                                     numbers, examples[i].ad, numbers + 0x20, out,
                                                     out + text, examples[i].tag),
                         0);
        assert_memory_equal(out, examples[i].out, text + examples[i].tag);
    }
    mbedtls_ccm_free(&ccm);
}

/* Any lengths, in one go and in place; and back, but not after a bit has changed. */
static void test_reference(void **state)
{
    (void)state;
    static const uint8_t nothing[TEXT_BYTES_MAX];
    uint64_t seed = 1;
    for (unsigned i = 0; i < CASES; i++) {
        struct sample s;
        uint8_t expected[TEXT_BYTES_MAX], expected_tag[16], out[TEXT_BYTES_MAX], tag[16];
        mbedtls_ccm_context ccm;
        draw(&s, &seed);
        reference(&s, expected, expected_tag);
        set_key(&ccm, s.key, s.key_bits);
        memcpy(out, s.text, s.text_bytes);
        assert_int_equal(mbedtls_ccm_encrypt_and_tag(&ccm, s.text_bytes, s.nonce, s.nonce_bytes,
                                                     s.ad, s.ad_bytes, out, out, tag, s.tag_bytes),
                         0);
        assert_memory_equal(out, expected, s.text_bytes);
        assert_memory_equal(tag, expected_tag, s.tag_bytes);
        assert_int_equal(mbedtls_ccm_auth_decrypt(&ccm, s.text_bytes, s.nonce, s.nonce_bytes, s.ad,
                                                  s.ad_bytes, out, out, tag, s.tag_bytes),
                         0);
        assert_memory_equal(out, s.text, s.text_bytes);
        uint8_t *changed = i % 2 == 0 || s.text_bytes == 0 ? tag : expected;
        changed[rng_mix64(++seed) % (changed == tag ? s.tag_bytes : s.text_bytes)] ^= 4;
        assert_int_equal(mbedtls_ccm_auth_decrypt(&ccm, s.text_bytes, s.nonce, s.nonce_bytes, s.ad,
                                                  s.ad_bytes, expected, out, tag, s.tag_bytes),
                         MBEDTLS_ERR_CCM_AUTH_FAILED);
        assert_memory_equal(out, nothing, s.text_bytes);
        mbedtls_ccm_free(&ccm);
    }
}

/* The same message in pieces of any size, both ways. */
static void test_pieces(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (unsigned i = 0; i < CASES; i++) {
        struct sample s;
        uint8_t expected[TEXT_BYTES_MAX], expected_tag[16], out[TEXT_BYTES_MAX], tag[16];
        bool decrypts = i % 2 == 1;
        mbedtls_ccm_context ccm;
        draw(&s, &seed);
        reference(&s, expected, expected_tag);
        const uint8_t *in = decrypts ? expected : s.text;
        set_key(&ccm, s.key, s.key_bits);
        assert_int_equal(mbedtls_ccm_starts(&ccm,
                                            decrypts ? MBEDTLS_CCM_DECRYPT : MBEDTLS_CCM_ENCRYPT,
                                            s.nonce, s.nonce_bytes),
                         0);
        assert_int_equal(mbedtls_ccm_set_lengths(&ccm, s.ad_bytes, s.text_bytes, s.tag_bytes), 0);
        for (size_t at = 0, count; at < s.ad_bytes; at += count) {
            count = 1 + rng_mix64(++seed) % (s.ad_bytes - at);
            assert_int_equal(mbedtls_ccm_update_ad(&ccm, s.ad + at, count), 0);
        }
        for (size_t at = 0, count, written; at < s.text_bytes; at += count) {
            count = 1 + rng_mix64(++seed) % (s.text_bytes - at);
            assert_int_equal(mbedtls_ccm_update(&ccm, in + at, count, out + at, count, &written),
                             0);
            assert_int_equal(written, count);
        }
        assert_int_equal(mbedtls_ccm_finish(&ccm, tag, s.tag_bytes), 0);
        assert_memory_equal(out, decrypts ? s.text : expected, s.text_bytes);
        assert_memory_equal(tag, expected_tag, s.tag_bytes);
        mbedtls_ccm_free(&ccm);
    }
}

/* What does not fit what was announced is refused. */
static void test_refusals(void **state)
{
    (void)state;
    const int refused = MBEDTLS_ERR_CCM_BAD_INPUT;
    static const uint8_t zeros[64];
    uint8_t out[64], tag[16];
    size_t written;
    mbedtls_ccm_context ccm;
    set_key(&ccm, zeros, 128);
    assert_int_equal(mbedtls_ccm_starts(&ccm, MBEDTLS_CCM_ENCRYPT, zeros, 6), refused);
    assert_int_equal(mbedtls_ccm_starts(&ccm, MBEDTLS_CCM_ENCRYPT, zeros, 14), refused);
    assert_int_equal(mbedtls_ccm_set_lengths(&ccm, 0, 20, 3), refused);
    assert_int_equal(mbedtls_ccm_set_lengths(&ccm, 0, 20, 18), refused);
    assert_int_equal(mbedtls_ccm_set_lengths(&ccm, 0xFF00, 20, 8), refused);
    assert_int_equal(mbedtls_ccm_encrypt_and_tag(&ccm, 20, zeros, 13, zeros, 8, zeros, out, tag, 0),
                     refused);
    mbedtls_ccm_free(&ccm);
    set_key(&ccm, zeros, 128);
    assert_int_equal(mbedtls_ccm_starts(&ccm, MBEDTLS_CCM_ENCRYPT, zeros, 12), 0);
    assert_int_equal(mbedtls_ccm_set_lengths(&ccm, 8, 20, 8), 0);
    assert_int_equal(mbedtls_ccm_update_ad(&ccm, zeros, 9), refused);
    assert_int_equal(mbedtls_ccm_update_ad(&ccm, zeros, 8), 0);
    assert_int_equal(mbedtls_ccm_update(&ccm, zeros, 21, out, sizeof out, &written), refused);
    assert_int_equal(mbedtls_ccm_update(&ccm, zeros, 16, out, 15, &written), refused);
    assert_int_equal(mbedtls_ccm_update(&ccm, zeros, 16, out, 16, &written), 0);
    assert_int_equal(mbedtls_ccm_finish(&ccm, tag, 8), refused); /* 4 bytes are missing */
    assert_int_equal(mbedtls_ccm_update(&ccm, zeros, 4, out, 4, &written), 0);
    assert_int_equal(mbedtls_ccm_finish(&ccm, tag, 6), refused);
    assert_int_equal(mbedtls_ccm_finish(&ccm, tag, 8), 0);
    mbedtls_ccm_free(&ccm);
    assert_int_equal(mbedtls_ccm_setkey(&ccm, MBEDTLS_CIPHER_ID_CAMELLIA, zeros, 128), refused);
    mbedtls_ccm_free(&ccm);
}

#if defined(__x86_64__)

void mycel_ccm_blocks_c(mbedtls_ccm_context *ccm, const unsigned char *in, unsigned char *out,
                        size_t count);
void mycel_ccm_blocks_x86(mbedtls_ccm_context *ccm, const unsigned char *in, unsigned char *out,
                          size_t count);
int mycel_ccm_x86_is_supported(void);

/* Both loops leave the same output, MAC and counter, from any state. */
static void test_same(void **state)
{
    (void)state;
    uint64_t seed = 3;
    if (!mycel_ccm_x86_is_supported()) {
        skip();
    }
    for (unsigned i = 0; i < CASES; i++) {
        uint8_t key[32], in[160], out_c[128], out_x86[128];
        size_t blocks = i % 9;
        mbedtls_ccm_context c, x86;
        fill(key, sizeof key, &seed);
        fill(in, sizeof in, &seed);
        set_key(&c, key, 128u + 64u * (i % 3));
        fill(c.mac, sizeof c.mac, &seed);
        fill(c.counter, sizeof c.counter, &seed);
        memset(c.counter + 8, 0, 2);
        c.counter_bytes = 8;
        c.mode = i % 2 == 0 ? MBEDTLS_CCM_ENCRYPT : MBEDTLS_CCM_DECRYPT;
        x86 = c;
        mycel_ccm_blocks_c(&c, in + i % 16, out_c, blocks);
        mycel_ccm_blocks_x86(&x86, in + i % 16, out_x86, blocks);
        assert_memory_equal(out_c, out_x86, 16 * blocks);
        assert_memory_equal(c.mac, x86.mac, sizeof c.mac);
        assert_memory_equal(c.counter, x86.counter, sizeof c.counter);
        mbedtls_ccm_free(&c);
        mbedtls_ccm_free(&x86);
    }
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_refusals),
#if defined(__x86_64__)
        cmocka_unit_test(test_same),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
