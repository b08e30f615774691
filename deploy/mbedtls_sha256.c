/*
 * The SHA-256 compression function of the mbedTLS that Mycel links, on x86-64: with the SHA extensions
 * where the processor has them (4 to 6 times as fast as C), else in C. deploy/build_libraries.sh puts
 * it into the library's archive, so every user gains: handshakes, restored sessions, bodies. mbedTLS
 * 3.6 has such code for Arm only. It must never do anything but FIPS 180-4 §6.2.2 on one block.
 *
 * Which one is chosen by the dynamic linker before the program starts: there is no state in here.
 */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <mbedtls/sha256.h>

#include <cpuid.h>
#include <immintrin.h>

#include <mbedtls/platform_util.h>

/* FIPS 180-4 §4.2.2. */
static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* Both are found by the test that compares them. */
int mycel_sha256_block_c(mbedtls_sha256_context *context, const unsigned char block[64]);
int mycel_sha256_block_x86(mbedtls_sha256_context *context, const unsigned char block[64]);
int mycel_sha256_x86_is_supported(void);

/* --- C ------------------------------------------------------------------------------------------- */

static inline uint32_t rotate(uint32_t x, unsigned bits)
{
    return x >> bits | x << (32 - bits);
}

static inline uint32_t read_be32(const unsigned char *bytes)
{
    uint32_t word;
    __builtin_memcpy(&word, bytes, sizeof word);
    return __builtin_bswap32(word);
}

/* Word i + 16 of the schedule takes the place of word i. */
static inline uint32_t schedule(uint32_t w[16], unsigned i)
{
    uint32_t early = w[(i + 1) % 16];
    uint32_t late = w[(i + 14) % 16];
    w[i % 16] += (rotate(early, 7) ^ rotate(early, 18) ^ early >> 3) + w[(i + 9) % 16] +
                 (rotate(late, 17) ^ rotate(late, 19) ^ late >> 10);
    return w[i % 16];
}

/* One round; the caller renames the variables instead of moving them. */
#define ROUND(a, b, c, d, e, f, g, h, word, i)                                                     \
    do {                                                                                           \
        (h) += (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((g) ^ ((e) & ((f) ^ (g)))) +      \
               constants[i] + (word);                                                              \
        (d) += (h);                                                                                \
        (h) +=                                                                                     \
            (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + (((a) & (b)) | ((c) & ((a) | (b))));  \
    } while (0)

#define ROUNDS_8(s, w, i, word)                                                                    \
    do {                                                                                           \
        ROUND(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], word(w, (i) + 0), (i) + 0);          \
        ROUND(s[7], s[0], s[1], s[2], s[3], s[4], s[5], s[6], word(w, (i) + 1), (i) + 1);          \
        ROUND(s[6], s[7], s[0], s[1], s[2], s[3], s[4], s[5], word(w, (i) + 2), (i) + 2);          \
        ROUND(s[5], s[6], s[7], s[0], s[1], s[2], s[3], s[4], word(w, (i) + 3), (i) + 3);          \
        ROUND(s[4], s[5], s[6], s[7], s[0], s[1], s[2], s[3], word(w, (i) + 4), (i) + 4);          \
        ROUND(s[3], s[4], s[5], s[6], s[7], s[0], s[1], s[2], word(w, (i) + 5), (i) + 5);          \
        ROUND(s[2], s[3], s[4], s[5], s[6], s[7], s[0], s[1], word(w, (i) + 6), (i) + 6);          \
        ROUND(s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[0], word(w, (i) + 7), (i) + 7);          \
    } while (0)

#define WORD_OF_BLOCK(w, i) ((w)[i])

int mycel_sha256_block_c(mbedtls_sha256_context *context, const unsigned char block[64])
{
    uint32_t w[16];
    uint32_t s[8];
    for (unsigned i = 0; i < 16; i++) {
        w[i] = read_be32(block + 4 * i);
    }
    __builtin_memcpy(s, context->state, sizeof s);
    for (unsigned i = 0; i < 16; i += 8) {
        ROUNDS_8(s, w, i, WORD_OF_BLOCK);
    }
    for (unsigned i = 16; i < 64; i += 8) {
        ROUNDS_8(s, w, i, schedule);
    }
    for (unsigned i = 0; i < 8; i++) {
        context->state[i] += s[i];
    }
    mbedtls_platform_zeroize(w, sizeof w); /* a block of an HMAC begins with its key */
    mbedtls_platform_zeroize(s, sizeof s);
    return 0;
}

/* --- SHA extensions (Intel SDM, SHA256RNDS2, SHA256MSG1, SHA256MSG2) ------------------------------ */

/* Four rounds with the schedule's words 4 * group … 4 * group + 3. */
#define FOUR_ROUNDS(words, group)                                                                  \
    do {                                                                                           \
        __m128i sum =                                                                              \
            _mm_add_epi32(words, _mm_load_si128((const __m128i *)&constants[4 * (group)]));        \
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);                                             \
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));                    \
    } while (0)

/* The four words that follow a, b, c, d take the place of a. */
#define FOUR_WORDS(a, b, c, d)                                                                     \
    a = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8(d, c, 4)), d)

__attribute__((target("sha,sse4.1"))) int mycel_sha256_block_x86(mbedtls_sha256_context *context,
                                                                 const unsigned char block[64])
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i *in = (const __m128i *)block;
    __m128i *state = (__m128i *)context->state;
    __m128i w0 = _mm_shuffle_epi8(_mm_loadu_si128(in), swap);
    __m128i w1 = _mm_shuffle_epi8(_mm_loadu_si128(in + 1), swap);
    __m128i w2 = _mm_shuffle_epi8(_mm_loadu_si128(in + 2), swap);
    __m128i w3 = _mm_shuffle_epi8(_mm_loadu_si128(in + 3), swap);
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(state), 0xB1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(state + 1), 0x1B);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
    __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
    const __m128i abef_before = abef;
    const __m128i cdgh_before = cdgh;
    for (unsigned group = 0; group < 12; group += 4) {
        FOUR_ROUNDS(w0, group);
        FOUR_WORDS(w0, w1, w2, w3);
        FOUR_ROUNDS(w1, group + 1);
        FOUR_WORDS(w1, w2, w3, w0);
        FOUR_ROUNDS(w2, group + 2);
        FOUR_WORDS(w2, w3, w0, w1);
        FOUR_ROUNDS(w3, group + 3);
        FOUR_WORDS(w3, w0, w1, w2);
    }
    FOUR_ROUNDS(w0, 12);
    FOUR_ROUNDS(w1, 13);
    FOUR_ROUNDS(w2, 14);
    FOUR_ROUNDS(w3, 15);
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
    __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
    __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128(state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128(state + 1, _mm_alignr_epi8(dchg, feba, 8));
    return 0;
}

/* --- Choice -------------------------------------------------------------------------------------- */

int mycel_sha256_x86_is_supported(void)
{
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_SSSE3) == 0 || (c & bit_SSE4_1) == 0) {
        return 0;
    }
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}

typedef int block_function(mbedtls_sha256_context *context, const unsigned char block[64]);

/* Runs while the program is being linked: it may call nothing outside this file. */
static block_function *choose(void)
{
    return mycel_sha256_x86_is_supported() ? mycel_sha256_block_x86 : mycel_sha256_block_c;
}

int mbedtls_internal_sha256_process(mbedtls_sha256_context *context, const unsigned char block[64])
    __attribute__((ifunc("choose")));
