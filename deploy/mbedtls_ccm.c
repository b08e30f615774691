/*
 * CCM (RFC 3610, NIST SP 800-38C) of the mbedTLS that Mycel links, on x86-64: with AES instructions the
 * counter mode of one block runs beside the CBC-MAC of another, which is 4 times as fast as mbedTLS's two
 * calls per block through its cipher layer. Every record of a device goes through here. It implements
 * mbedtls/ccm.h under MBEDTLS_CCM_ALT and must never do more; processors without AES instructions get
 * the same in C. AES only: no other cipher of 128 bit is compiled in.
 *
 * Which one is chosen by the dynamic linker before the program starts: there is no state in here.
 */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <mbedtls/ccm.h>

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>

#define BLOCK 16u
#define AD_BYTES_LIMIT 0xFF00u /* above, RFC 3610 encodes the length in another way */

enum ccm_state {
    CCM_STARTED = 1,
    CCM_LENGTHS = 2,
    CCM_AD_STARTED = 4,
    CCM_AD_DONE = 8,
    CCM_FAILED = 16
};

/* What both versions of the inner loop do to `count` whole blocks: out = in xor E(counter), counter + 1, and
 * the plain text goes into the MAC. `in` may be `out`. The counter cannot overflow: the length of
 * the text fits it. Both are found by the test that compares them. */
void mycel_ccm_blocks_c(mbedtls_ccm_context *ccm, const unsigned char *in, unsigned char *out,
                        size_t count);
void mycel_ccm_blocks_x86(mbedtls_ccm_context *ccm, const unsigned char *in, unsigned char *out,
                          size_t count);
int mycel_ccm_x86_is_supported(void);

static int is_encryption(const mbedtls_ccm_context *ccm)
{
    return ccm->mode == MBEDTLS_CCM_ENCRYPT || ccm->mode == MBEDTLS_CCM_STAR_ENCRYPT;
}

static void add_to_mac(mbedtls_ccm_context *ccm, size_t at, const unsigned char *bytes,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ccm->mac[at + i] ^= bytes[i];
    }
}

static void encrypt_block(mbedtls_ccm_context *ccm, const unsigned char in[BLOCK],
                          unsigned char out[BLOCK]) __attribute__((ifunc("choose_block")));

static void count_up(mbedtls_ccm_context *ccm)
{
    for (unsigned i = 0; i < ccm->counter_bytes && ++ccm->counter[15 - i] == 0; i++) {
    }
}

/* Part of a block, beginning at byte `at` of it. */
static void crypt_part(mbedtls_ccm_context *ccm, size_t at, const unsigned char *in,
                       unsigned char *out, size_t count)
{
    unsigned char stream[BLOCK];
    unsigned char plain[BLOCK]; /* `out` may be memory that others write to: it is never read */
    encrypt_block(ccm, ccm->counter, stream);
    for (size_t i = 0; i < count; i++) {
        unsigned char crossed = in[i] ^ stream[at + i];
        plain[i] = is_encryption(ccm) ? in[i] : crossed;
        out[i] = crossed;
    }
    add_to_mac(ccm, at, plain, count);
    mbedtls_platform_zeroize(stream, sizeof stream);
    mbedtls_platform_zeroize(plain, sizeof plain);
}

/* --- C ------------------------------------------------------------------------------------------- */

/* Cannot fail: the context was made by setkey. */
static void encrypt_block_c(mbedtls_ccm_context *ccm, const unsigned char in[BLOCK],
                            unsigned char out[BLOCK])
{
    (void)mbedtls_aes_crypt_ecb(&ccm->aes, MBEDTLS_AES_ENCRYPT, in, out);
}

void mycel_ccm_blocks_c(mbedtls_ccm_context *ccm, const unsigned char *in, unsigned char *out,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        crypt_part(ccm, 0, in + BLOCK * i, out + BLOCK * i, BLOCK);
        encrypt_block(ccm, ccm->mac, ccm->mac);
        count_up(ccm);
    }
}

/* --- AES instructions (Intel SDM, AESENC, AESENCLAST) --------------------------------------------- */

struct keys {
    __m128i round[15];
    int rounds;
};

static const __m128i *schedule_of(const mbedtls_ccm_context *ccm)
{
    return (const __m128i *)(const void *)(ccm->aes.buf + ccm->aes.rk_offset);
}

__attribute__((target("aes,sse4.1"))) static void encrypt_block_x86(mbedtls_ccm_context *ccm,
                                                                    const unsigned char in[BLOCK],
                                                                    unsigned char out[BLOCK])
{
    const __m128i *key = schedule_of(ccm);
    __m128i x = _mm_xor_si128(_mm_loadu_si128((const __m128i *)in), _mm_loadu_si128(key));
    for (int i = 1; i < ccm->aes.nr; i++) {
        x = _mm_aesenc_si128(x, _mm_loadu_si128(key + i));
    }
    x = _mm_aesenclast_si128(x, _mm_loadu_si128(key + ccm->aes.nr));
    _mm_storeu_si128((__m128i *)out, x);
}

/* Two independent blocks: the latency of one hides behind the other's. */
__attribute__((target("aes,sse4.1"))) static inline void encrypt_two(const struct keys *keys,
                                                                     __m128i *a, __m128i *b)
{
    __m128i x = _mm_xor_si128(*a, keys->round[0]);
    __m128i y = _mm_xor_si128(*b, keys->round[0]);
    for (int i = 1; i < keys->rounds; i++) {
        x = _mm_aesenc_si128(x, keys->round[i]);
        y = _mm_aesenc_si128(y, keys->round[i]);
    }
    *a = _mm_aesenclast_si128(x, keys->round[keys->rounds]);
    *b = _mm_aesenclast_si128(y, keys->round[keys->rounds]);
}

/* The counter block that stands for `low`, the last 8 bytes as a number. */
__attribute__((target("aes,sse4.1"))) static inline __m128i counter_block(__m128i high,
                                                                          uint64_t low)
{
    return _mm_insert_epi64(high, (long long)__builtin_bswap64(low), 1);
}

__attribute__((target("aes,sse4.1"))) void mycel_ccm_blocks_x86(mbedtls_ccm_context *ccm,
                                                                const unsigned char *in,
                                                                unsigned char *out, size_t count)
{
    struct keys keys = {.rounds = ccm->aes.nr};
    for (int i = 0; i <= keys.rounds; i++) {
        keys.round[i] = _mm_loadu_si128(schedule_of(ccm) + i);
    }
    const int encrypts = is_encryption(ccm);
    const __m128i high = _mm_loadu_si128((const __m128i *)ccm->counter);
    uint64_t low = __builtin_bswap64((uint64_t)_mm_extract_epi64(high, 1));
    __m128i mac = _mm_loadu_si128((const __m128i *)ccm->mac);
    __m128i stream = high;
    __m128i spare = high;
    encrypt_two(&keys, &stream, &spare);
    for (size_t i = 0; i < count; i++) { /* the MAC of this block beside the stream of the next */
        __m128i text = _mm_loadu_si128((const __m128i *)(in + BLOCK * i));
        __m128i crossed = _mm_xor_si128(text, stream);
        _mm_storeu_si128((__m128i *)(out + BLOCK * i), crossed);
        mac = _mm_xor_si128(mac, encrypts ? text : crossed);
        stream = counter_block(high, ++low);
        encrypt_two(&keys, &mac, &stream);
    }
    _mm_storeu_si128((__m128i *)ccm->mac, mac);
    _mm_storeu_si128((__m128i *)ccm->counter, counter_block(high, low));
    mbedtls_platform_zeroize(&keys, sizeof keys);
}

/* --- Choice -------------------------------------------------------------------------------------- */

int mycel_ccm_x86_is_supported(void)
{
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_AES) != 0 && (c & bit_SSE4_1) != 0;
}

typedef void blocks_function(mbedtls_ccm_context *ccm, const unsigned char *in, unsigned char *out,
                             size_t count);

typedef void block_function(mbedtls_ccm_context *ccm, const unsigned char in[BLOCK],
                            unsigned char out[BLOCK]);

/* These run while the program is being linked: they may call nothing outside this file. */
static blocks_function *choose(void)
{
    return mycel_ccm_x86_is_supported() ? mycel_ccm_blocks_x86 : mycel_ccm_blocks_c;
}

static block_function *choose_block(void)
{
    return mycel_ccm_x86_is_supported() ? encrypt_block_x86 : encrypt_block_c;
}

static void crypt_blocks(mbedtls_ccm_context *ccm, const unsigned char *in, unsigned char *out,
                         size_t count) __attribute__((ifunc("choose")));

/* --- Keys ---------------------------------------------------------------------------------------- */

void mbedtls_ccm_init(mbedtls_ccm_context *ccm)
{
    memset(ccm, 0, sizeof *ccm);
    mbedtls_aes_init(&ccm->aes);
}

int mbedtls_ccm_setkey(mbedtls_ccm_context *ccm, mbedtls_cipher_id_t cipher,
                       const unsigned char *key, unsigned int keybits)
{
    return cipher == MBEDTLS_CIPHER_ID_AES ? mbedtls_aes_setkey_enc(&ccm->aes, key, keybits)
                                           : MBEDTLS_ERR_CCM_BAD_INPUT;
}

void mbedtls_ccm_free(mbedtls_ccm_context *ccm)
{
    if (ccm != NULL) {
        mbedtls_aes_free(&ccm->aes);
        mbedtls_platform_zeroize(ccm, sizeof *ccm);
    }
}

/* --- In pieces ----------------------------------------------------------------------------------- */

static int fail(mbedtls_ccm_context *ccm)
{
    ccm->state |= CCM_FAILED;
    return MBEDTLS_ERR_CCM_BAD_INPUT;
}

/* B_0 of RFC 3610 §2.2, once nonce and lengths are both known. */
static int begin_mac(mbedtls_ccm_context *ccm)
{
    if ((ccm->state & CCM_STARTED) == 0 || (ccm->state & CCM_LENGTHS) == 0) {
        return 0;
    }
    if (ccm->tag_bytes == 0) {
        int star = ccm->mode == MBEDTLS_CCM_STAR_ENCRYPT || ccm->mode == MBEDTLS_CCM_STAR_DECRYPT;
        ccm->text_bytes = 0; /* not needed: nothing is authenticated */
        return star ? 0 : fail(ccm);
    }
    unsigned q = ccm->counter_bytes;
    memcpy(ccm->mac + 1, ccm->counter + 1, 15 - q);
    ccm->mac[0] =
        (unsigned char)((ccm->ad_bytes > 0) << 6 | ((ccm->tag_bytes - 2) / 2) << 3 | (q - 1));
    size_t left = ccm->text_bytes;
    for (unsigned i = 0; i < q; i++, left >>= 8) {
        ccm->mac[15 - i] = (unsigned char)left;
    }
    if (left > 0) {
        return fail(ccm);
    }
    encrypt_block(ccm, ccm->mac, ccm->mac);
    return 0;
}

int mbedtls_ccm_starts(mbedtls_ccm_context *ccm, int mode, const unsigned char *iv, size_t iv_len)
{
    if (iv_len < 7 || iv_len > 13) {
        return MBEDTLS_ERR_CCM_BAD_INPUT;
    }
    ccm->mode = mode;
    ccm->counter_bytes = 15u - (unsigned)iv_len;
    memset(ccm->counter, 0, sizeof ccm->counter);
    ccm->counter[0] = (unsigned char)(ccm->counter_bytes - 1);
    memcpy(ccm->counter + 1, iv, iv_len);
    ccm->counter[15] = 1;
    ccm->state |= CCM_STARTED;
    return begin_mac(ccm);
}

int mbedtls_ccm_set_lengths(mbedtls_ccm_context *ccm, size_t total_ad_len, size_t plaintext_len,
                            size_t tag_len)
{
    if (tag_len == 2 || tag_len > BLOCK || tag_len % 2 != 0 || total_ad_len >= AD_BYTES_LIMIT) {
        return MBEDTLS_ERR_CCM_BAD_INPUT;
    }
    ccm->text_bytes = plaintext_len;
    ccm->ad_bytes = total_ad_len;
    ccm->tag_bytes = tag_len;
    ccm->processed = 0;
    ccm->state |= CCM_LENGTHS;
    return begin_mac(ccm);
}

int mbedtls_ccm_update_ad(mbedtls_ccm_context *ccm, const unsigned char *ad, size_t ad_len)
{
    if ((ccm->state & CCM_FAILED) != 0) {
        return MBEDTLS_ERR_CCM_BAD_INPUT;
    }
    if (ad_len == 0) {
        return 0;
    }
    if ((ccm->state & CCM_AD_DONE) != 0 || ad_len > ccm->ad_bytes - ccm->processed) {
        return MBEDTLS_ERR_CCM_BAD_INPUT;
    }
    if ((ccm->state & CCM_AD_STARTED) == 0) { /* its length stands before it, in two bytes */
        const unsigned char length[2] = {(unsigned char)(ccm->ad_bytes >> 8),
                                         (unsigned char)ccm->ad_bytes};
        add_to_mac(ccm, 0, length, sizeof length);
        ccm->state |= CCM_AD_STARTED;
    }
    for (size_t done = 0; done < ad_len;) {
        size_t at = (ccm->processed + 2) % BLOCK;
        size_t count = BLOCK - at < ad_len - done ? BLOCK - at : ad_len - done;
        add_to_mac(ccm, at, ad + done, count);
        done += count;
        ccm->processed += count;
        if (at + count == BLOCK || ccm->processed == ccm->ad_bytes) {
            encrypt_block(ccm, ccm->mac, ccm->mac);
        }
    }
    if (ccm->processed == ccm->ad_bytes) {
        ccm->state |= CCM_AD_DONE;
        ccm->processed = 0;
    }
    return 0;
}

/* Up to the end of the block that was begun, or of the last one. */
static size_t update_part(mbedtls_ccm_context *ccm, const unsigned char *in, unsigned char *out,
                          size_t bytes)
{
    size_t at = ccm->processed % BLOCK;
    size_t count = BLOCK - at < bytes ? BLOCK - at : bytes;
    crypt_part(ccm, at, in, out, count);
    ccm->processed += count;
    if (at + count == BLOCK || ccm->processed == ccm->text_bytes) {
        encrypt_block(ccm, ccm->mac, ccm->mac);
        count_up(ccm);
    }
    return count;
}

int mbedtls_ccm_update(mbedtls_ccm_context *ccm, const unsigned char *input, size_t input_len,
                       unsigned char *output, size_t output_size, size_t *output_len)
{
    if ((ccm->state & CCM_FAILED) != 0 || output_size < input_len ||
        (ccm->tag_bytes != 0 && input_len > ccm->text_bytes - ccm->processed)) {
        return MBEDTLS_ERR_CCM_BAD_INPUT;
    }
    *output_len = input_len;
    size_t done = 0;
    if (ccm->processed % BLOCK != 0 && input_len > 0) {
        done = update_part(ccm, input, output, input_len);
    }
    size_t blocks = (input_len - done) / BLOCK;
    if (blocks > 0) {
        crypt_blocks(ccm, input + done, output + done, blocks);
        ccm->processed += blocks * BLOCK;
        done += blocks * BLOCK;
    }
    if (done < input_len) {
        (void)update_part(ccm, input + done, output + done, input_len - done);
    }
    return 0;
}

int mbedtls_ccm_finish(mbedtls_ccm_context *ccm, unsigned char *tag, size_t tag_len)
{
    const unsigned ready = CCM_STARTED | CCM_LENGTHS;
    if ((ccm->state & CCM_FAILED) != 0 || (ccm->state & ready) != ready ||
        (ccm->ad_bytes > 0 && (ccm->state & CCM_AD_DONE) == 0) ||
        (ccm->text_bytes > 0 && ccm->processed != ccm->text_bytes) || tag_len != ccm->tag_bytes) {
        return MBEDTLS_ERR_CCM_BAD_INPUT;
    }
    unsigned char stream[BLOCK];
    memset(ccm->counter + BLOCK - ccm->counter_bytes, 0, ccm->counter_bytes);
    encrypt_block(ccm, ccm->counter, stream);
    add_to_mac(ccm, 0, stream, BLOCK);
    if (tag != NULL) {
        memcpy(tag, ccm->mac, tag_len);
    }
    mbedtls_platform_zeroize(stream, sizeof stream);
    memset(ccm->mac, 0, sizeof ccm->mac);
    memset(ccm->counter, 0, sizeof ccm->counter);
    ccm->state = 0;
    return 0;
}

/* --- In one go ----------------------------------------------------------------------------------- */

static int auth_crypt(mbedtls_ccm_context *ccm, int mode, size_t length, const unsigned char *iv,
                      size_t iv_len, const unsigned char *ad, size_t ad_len,
                      const unsigned char *input, unsigned char *output, unsigned char *tag,
                      size_t tag_len)
{
    size_t written;
    ccm->state = 0; /* whatever was left unfinished before */
    int error = mbedtls_ccm_starts(ccm, mode, iv, iv_len);
    if (error == 0) {
        error = mbedtls_ccm_set_lengths(ccm, ad_len, length, tag_len);
    }
    if (error == 0) {
        error = mbedtls_ccm_update_ad(ccm, ad, ad_len);
    }
    if (error == 0) {
        error = mbedtls_ccm_update(ccm, input, length, output, length, &written);
    }
    return error == 0 ? mbedtls_ccm_finish(ccm, tag, tag_len) : error;
}

int mbedtls_ccm_star_encrypt_and_tag(mbedtls_ccm_context *ccm, size_t length,
                                     const unsigned char *iv, size_t iv_len,
                                     const unsigned char *ad, size_t ad_len,
                                     const unsigned char *input, unsigned char *output,
                                     unsigned char *tag, size_t tag_len)
{
    return auth_crypt(ccm, MBEDTLS_CCM_STAR_ENCRYPT, length, iv, iv_len, ad, ad_len, input, output,
                      tag, tag_len);
}

int mbedtls_ccm_encrypt_and_tag(mbedtls_ccm_context *ccm, size_t length, const unsigned char *iv,
                                size_t iv_len, const unsigned char *ad, size_t ad_len,
                                const unsigned char *input, unsigned char *output,
                                unsigned char *tag, size_t tag_len)
{
    return auth_crypt(ccm, MBEDTLS_CCM_ENCRYPT, length, iv, iv_len, ad, ad_len, input, output, tag,
                      tag_len);
}

/* Plain text that is not authentic is not given out. */
static int auth_decrypt(mbedtls_ccm_context *ccm, int mode, size_t length, const unsigned char *iv,
                        size_t iv_len, const unsigned char *ad, size_t ad_len,
                        const unsigned char *input, unsigned char *output, const unsigned char *tag,
                        size_t tag_len)
{
    unsigned char found[BLOCK];
    int error =
        auth_crypt(ccm, mode, length, iv, iv_len, ad, ad_len, input, output, found, tag_len);
    if (error == 0 && mbedtls_ct_memcmp(tag, found, tag_len) != 0) {
        mbedtls_platform_zeroize(output, length);
        error = MBEDTLS_ERR_CCM_AUTH_FAILED;
    }
    mbedtls_platform_zeroize(found, sizeof found);
    return error;
}

int mbedtls_ccm_star_auth_decrypt(mbedtls_ccm_context *ccm, size_t length, const unsigned char *iv,
                                  size_t iv_len, const unsigned char *ad, size_t ad_len,
                                  const unsigned char *input, unsigned char *output,
                                  const unsigned char *tag, size_t tag_len)
{
    return auth_decrypt(ccm, MBEDTLS_CCM_STAR_DECRYPT, length, iv, iv_len, ad, ad_len, input,
                        output, tag, tag_len);
}

int mbedtls_ccm_auth_decrypt(mbedtls_ccm_context *ccm, size_t length, const unsigned char *iv,
                             size_t iv_len, const unsigned char *ad, size_t ad_len,
                             const unsigned char *input, unsigned char *output,
                             const unsigned char *tag, size_t tag_len)
{
    return auth_decrypt(ccm, MBEDTLS_CCM_DECRYPT, length, iv, iv_len, ad, ad_len, input, output,
                        tag, tag_len);
}
