/*
 * fault_update [STRIDE]
 *
 * Updates of 1 to 4 KB in every codec, damaged in every way, through verify_update and the engine's decision:
 * each bit flipped, each truncation, bytes appended, and a list of lies (NaN, infinities, huge values, sample
 * counts of 0, negative, 2⁶³, other shapes). Prints one JSON object. STRIDE 7 flips every seventh bit.
 *
 * A flip may hit data that is as good as any other (a digit of a finite value, a loss, a duration): then it
 * is counted as "harmless", after it was decoded and checked here once more: same run, round, base, codec,
 * shape and weight, each value finite and below CODEC_VALUE_LIMIT, norm within ten times the median. Anything
 * counted that breaks one of these is "accepted_hostile". A truncation, or a lie, may never count.
 */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sweep {
    struct bench bench;
    uint64_t stride;
    uint64_t flips, truncations, lies;
    uint64_t harmless;
    uint64_t accepted_hostile;
    uint64_t wrong;
};

static void complain(const struct sweep *sweep, const char *what, size_t at, const char *why)
{
    (void)fprintf(stderr, "%s: %s %zu: %s\n", codec_name(sweep->bench.codec), what, at, why);
}

/* In memory of exactly its size, so that a sanitizer sees every read beyond it. */
static enum bench_verdict judge(struct sweep *sweep, const uint8_t *body, size_t bytes,
                                const char *what, size_t at, bool may_count)
{
    const char *why = NULL;
    uint8_t *exact = malloc(bytes > 0 ? bytes : 1);
    if (exact == NULL) {
        sweep->wrong++;
        return BENCH_BROKEN;
    }
    memcpy(exact, body, bytes);
    enum bench_verdict verdict = bench_judge(&sweep->bench, exact, bytes, &why);
    free(exact);
    if (verdict == BENCH_HOSTILE || (verdict == BENCH_COUNTED && !may_count)) {
        sweep->accepted_hostile++;
        complain(sweep, what, at, why != NULL ? why : "counted");
    } else if (verdict == BENCH_BROKEN) {
        sweep->wrong++;
        complain(sweep, what, at, why);
    }
    return verdict;
}

static void flip_bits(struct sweep *sweep)
{
    struct bench *bench = &sweep->bench;
    for (size_t bit = 0; bit < bench->bytes * 8; bit += sweep->stride) {
        bench->body[bit / 8] ^= (uint8_t)(1u << bit % 8);
        sweep->harmless +=
            judge(sweep, bench->body, bench->bytes, "bit", bit, true) == BENCH_COUNTED;
        bench->body[bit / 8] ^= (uint8_t)(1u << bit % 8);
        sweep->flips++;
    }
}

static void truncate_everywhere(struct sweep *sweep)
{
    const struct bench *bench = &sweep->bench;
    uint8_t longer[BENCH_BODY_MAX + 8] = {0};
    for (size_t bytes = 0; bytes < bench->bytes; bytes++) {
        (void)judge(sweep, bench->body, bytes, "cut to", bytes, false);
        sweep->truncations++;
    }
    memcpy(longer, bench->body, bench->bytes);
    for (size_t more = 1; more <= 8; more++) {
        (void)judge(sweep, longer, bench->bytes + more, "appended", more, false);
        sweep->lies++;
    }
}

static void lie(struct sweep *sweep, const mycel_UpdateReport *report, const float *delta,
                const char *what, size_t at)
{
    uint8_t body[BENCH_BODY_MAX];
    size_t frame_at;
    size_t bytes = bench_body(&sweep->bench, report, delta, body, &frame_at);
    (void)judge(sweep, body, bytes, what, at, false);
    sweep->lies++;
}

/* Said in the report and in the frame, so that the two agree. */
static void lie_about_numbers(struct sweep *sweep)
{
    static const uint32_t samples[] = {0, PROTO_SAMPLES_MAX + 1, 1u << 31, UINT32_MAX};
    static const float losses[] = {NAN, INFINITY, -INFINITY};
    static float delta[BENCH_PARAMS_MAX];
    delta[0] = 0.5f;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        mycel_UpdateReport report = bench_report(&sweep->bench);
        report.samples = samples[i];
        lie(sweep, &report, delta, "samples", samples[i]);
    }
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        mycel_UpdateReport report = bench_report(&sweep->bench);
        report.loss_last = losses[i];
        lie(sweep, &report, delta, "loss", i);
    }
    for (uint32_t field = 0; field < 3; field++) {
        mycel_UpdateReport report = bench_report(&sweep->bench);
        report.run += field == 0;
        report.round += field == 1;
        report.base_version += field == 2;
        lie(sweep, &report, delta, "run, round or base", field);
    }
    for (size_t i = 0; i < sweep->bench.params; i++) {
        delta[i] = i % 2 ? 20.0f : -20.0f; /* finite, below the limit, far beyond the median */
    }
    mycel_UpdateReport report = bench_report(&sweep->bench);
    lie(sweep, &report, delta, "norm", 0);
}

/* 2^63 samples, as a varint that no encoder of ours would write: field 4 stands once more at the end, and
 * the last one counts. */
static void lie_in_raw_bytes(struct sweep *sweep)
{
    static const uint8_t huge[] = {0x20, 0x80, 0x80, 0x80, 0x80, 0x80,
                                   0x80, 0x80, 0x80, 0x80, 0x01};
    const struct bench *bench = &sweep->bench;
    uint8_t body[BENCH_BODY_MAX + sizeof huge];
    size_t head = bench->frame_at;
    size_t report_bytes = head - 2 + sizeof huge;
    memcpy(body, bench->body, head);
    memcpy(body + head, huge, sizeof huge);
    memcpy(body + head + sizeof huge, bench->body + head, bench->bytes - head);
    body[0] = (uint8_t)report_bytes;
    body[1] = (uint8_t)(report_bytes >> 8);
    (void)judge(sweep, body, bench->bytes + sizeof huge, "samples 2^63", 0, false);
    sweep->lies++;
}

/* Values that no encoder writes, put in the place of each of the first parameters. */
static void lie_about_values(struct sweep *sweep)
{
    static const uint32_t poison[] = {0x7FC00000u /* NaN */,
                                      0xFFFFFFFFu,
                                      0x7F800000u /* inf */,
                                      0xFF800000u,
                                      0x7E967699u /* 1e38 */,
                                      0xFE967699u,
                                      0x43800000u /* 256 */};
    struct bench *bench = &sweep->bench;
    for (uint32_t param = 0; bench->codec == CODEC_F32 && param < bench->params; param++) {
        uint8_t *at = bench->body + bench->frame_at + CODEC_HEADER_BYTES + 4 * (size_t)param;
        uint8_t good[4];
        memcpy(good, at, 4);
        for (size_t i = 0; i < sizeof poison / sizeof poison[0]; i++) {
            for (unsigned byte = 0; byte < 4; byte++) {
                at[byte] = (uint8_t)(poison[i] >> 8 * byte);
            }
            (void)judge(sweep, bench->body, bench->bytes, "poison in", param, false);
            sweep->lies++;
        }
        memcpy(at, good, 4);
    }
}

static void sweep_codec(struct sweep *sweep, enum codec_id codec)
{
    const char *why = NULL;
    struct bench *bench = &sweep->bench;
    if (bench_open(bench, codec) < 0 || bench->bytes < BENCH_BODY_MIN ||
        bench_judge(bench, bench->body, bench->bytes, &why) != BENCH_COUNTED) {
        complain(sweep, "the honest update does not count", bench->bytes, why != NULL ? why : "");
        sweep->wrong++; /* what follows would test nothing */
    } else {
        flip_bits(sweep);
        truncate_everywhere(sweep);
        lie_about_numbers(sweep);
        lie_in_raw_bytes(sweep);
        lie_about_values(sweep);
    }
    bench_close(bench);
}

int main(int argc, char **argv)
{
    static struct sweep sweep;
    uint64_t stride = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    sweep.stride = stride > 0 ? stride : 1;
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        sweep_codec(&sweep, (enum codec_id)codec);
    }
    (void)printf("{\"fault\":\"update\",\"bit_flips\":%llu,\"truncations\":%llu,\"lies\":%llu,"
                 "\"harmless\":%llu,\"stride\":%llu,\"accepted_hostile\":%llu,\"wrong\":%llu}\n",
                 (unsigned long long)sweep.flips, (unsigned long long)sweep.truncations,
                 (unsigned long long)sweep.lies, (unsigned long long)sweep.harmless,
                 (unsigned long long)sweep.stride, (unsigned long long)sweep.accepted_hostile,
                 (unsigned long long)sweep.wrong);
    return sweep.accepted_hostile + sweep.wrong == 0 && sweep.flips > 0 ? EXIT_SUCCESS
                                                                        : EXIT_FAILURE;
}
