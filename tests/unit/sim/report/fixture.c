#include "tests/unit/sim/report/fixture.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/assert.h"

#define DEVICES 100u
#define CLASSES 10u
#define ROUND_S 93.5

struct fixture fixture_plain(void)
{
    return (struct fixture){.rounds = 100,
                            .gateways = 1,
                            .seed = 1,
                            .title = "Clothes on a hundred devices",
                            .strategy = "fedavg",
                            .codec = "f32",
                            .best = 0.86,
                            .bytes = 102400};
}

/* −1 … 1, the same for the same numbers. */
static double wobble(uint64_t seed, unsigned a, unsigned b)
{
    uint64_t x = seed * 0x9E3779B97F4A7C15u + a * 0xBF58476D1CE4E5B9u + b * 0x94D049BB133111EBu;
    x ^= x >> 31;
    x *= 0xD6E8FEB86659FD93u;
    x ^= x >> 32;
    return (double)(x % 20001u) / 10000.0 - 1.0;
}

double fixture_accuracy(const struct fixture *f, unsigned number)
{
    double rise = 1.0 - 0.55 * exp(-(double)number / 14.0);
    double noise = 0.012 * wobble(f->seed, number, 0) * exp(-(double)number / 60.0);
    return round(1e4 * (f->best * rise + noise)) / 1e4; /* four decimals are written */
}

static unsigned expired_in(const struct fixture *f, unsigned round)
{
    double x = wobble(f->seed, round, 1);
    return x > 0.55 ? 3u : x > 0.0 ? 1u : 0u;
}

static void write_start(FILE *out, const struct fixture *f)
{
    (void)fprintf(out,
                  "{\"event\":\"start\",\"scenario\":\"fashion\",\"title\":\"%s\",\"seed\":%" PRIu64
                  ",\"commit\":\"d20ad01\",\"devices\":%u,\"gateways\":%u,"
                  "\"model\":\"784-32-10\",\"params\":25450,\"strategy\":\"%s\",\"codec\":\"%s\","
                  "\"settings\":{\"seed\":%" PRIu64 ",\"strategy\":\"%s\",\"codec\":\"%s\","
                  "\"devices\":%u,\"rounds\":%u,\"goal\":10,\"over-select\":1.3,\"batch\":20,"
                  "\"epochs\":1,\"learning-rate\":0.1,\"partition\":\"dirichlet:0.5\","
                  "\"link\":\"thread\",\"deadline\":\"90s\",\"outages\":false}}\n",
                  f->title, f->seed, DEVICES, f->gateways, f->strategy, f->codec, f->seed,
                  f->strategy, f->codec, DEVICES, f->rounds);
}

static void write_quality(FILE *out, const struct fixture *f, unsigned round)
{
    if (f->no_accuracy) {
        (void)fprintf(out, "\"accuracy\":null,\"loss\":null,");
        return;
    }
    double accuracy = fixture_accuracy(f, round);
    (void)fprintf(out, "\"accuracy\":%.4f,\"loss\":%.4f,\"class_accuracy\":[", accuracy,
                  2.2 * (1.0 - accuracy) + 0.1);
    for (unsigned i = 0; i < CLASSES; i++) {
        double value = accuracy + 0.16 * wobble(7, i, 3) - (i == 6 ? 0.2 : 0.0);
        (void)fprintf(out, "%s%.4f", i > 0 ? "," : "", fmin(0.99, fmax(0.0, value)));
    }
    (void)fprintf(out, "],");
}

static void write_cost(FILE *out, const struct fixture *f, unsigned round, unsigned discarded)
{
    (void)fprintf(out,
                  "\"bytes_up\":%" PRIu64 ",\"bytes_down\":%" PRIu64 ",\"energy_j\":%.3f,"
                  "\"trained\":%u,\"protocol_only\":%u,\"discarded\":%u}\n",
                  (uint64_t)round * 10u * f->bytes, (uint64_t)round * 13u * 106000u, 41.25 * round,
                  13u * round, 87u * round, discarded);
}

static unsigned write_rounds(FILE *out, const struct fixture *f)
{
    unsigned discarded = 0;
    for (unsigned round = 1; round <= f->rounds; round++) {
        unsigned expired = expired_in(f, round);
        unsigned rejected = round % 17u == 0;
        unsigned late =
            expired >= 3u ? 0u : 3u - expired - (rejected > 3u - expired ? 0u : rejected);
        discarded += late + rejected;
        (void)fprintf(out, "{\"event\":\"round\",\"round\":%u,\"version\":%u,\"virtual_s\":%.3f,",
                      round, round, ROUND_S * round);
        write_quality(out, f, round);
        (void)fprintf(out,
                      "\"selected\":13,\"accepted\":10,\"rejected\":%u,\"expired\":%u,"
                      "\"late\":%u,",
                      rejected, expired, late);
        write_cost(out, f, round, discarded);
    }
    return discarded;
}

static void write_fleet(FILE *out, const struct fixture *f)
{
    (void)fprintf(out, "{\"event\":\"participation\",\"counts\":[");
    for (unsigned i = 0; i < 20; i++) {
        double x = ((double)i - 10.0) / 3.0;
        (void)fprintf(out, "%s%.0f", i > 0 ? "," : "", 13.0 * exp(-x * x / 2.0));
    }
    (void)fprintf(out, "]}\n");
    for (unsigned i = 0; i < f->gateways; i++) {
        unsigned busy = (unsigned)(300.0 + 290.0 * wobble(3, i, 5));
        (void)fprintf(out,
                      "{\"event\":\"gateway\",\"id\":%u,\"link\":\"thread\",\"devices\":%u,"
                      "\"airtime_s\":%.1f,\"busy_permille\":%u,\"outage_s\":%u,"
                      "\"datagrams\":%u,\"lost\":%u}\n",
                      i, DEVICES / f->gateways, 9.35 * busy, busy, i % 11u == 5u ? 1800u : 0u,
                      1000u * busy, 11u * busy);
    }
    (void)fprintf(out, "{\"event\":\"class\",\"name\":\"nrf52840\",\"devices\":70,"
                       "\"energy_j\":3100,\"energy_compute_j\":1240.5,\"energy_radio_j\":1859.5,"
                       "\"trained\":910,\"protocol_only\":6090,\"discarded\":70}\n"
                       "{\"event\":\"class\",\"name\":\"esp32\",\"devices\":30,"
                       "\"energy_j\":1025,\"energy_compute_j\":700,\"energy_radio_j\":325,"
                       "\"trained\":390,\"protocol_only\":2610,\"discarded\":30}\n");
}

void fixture_write(FILE *out, const struct fixture *f)
{
    write_start(out, f);
    unsigned discarded = write_rounds(out, f);
    if (f->cut_off) {
        return;
    }
    write_fleet(out, f);
    (void)fprintf(out, "{\"event\":\"done\",\"rounds\":%u,\"virtual_s\":%.3f,\"wall_s\":4.5,",
                  f->rounds, ROUND_S * f->rounds + 1.0);
    if (!f->no_accuracy) {
        (void)fprintf(out, "\"accuracy\":%.4f,", fixture_accuracy(f, f->rounds));
    }
    (void)fprintf(out, "\"model_sha256\":\"%064d\",", 42);
    write_cost(out, f, f->rounds, discarded);
}

FILE *fixture_open(const struct fixture *f)
{
    FILE *stream = tmpfile();
    MYCEL_ASSERT(stream != NULL);
    fixture_write(stream, f);
    rewind(stream);
    return stream;
}

FILE *fixture_text(const char *text)
{
    FILE *stream = tmpfile();
    MYCEL_ASSERT(stream != NULL && fputs(text, stream) >= 0);
    rewind(stream);
    return stream;
}

char *fixture_take(FILE *stream)
{
    MYCEL_ASSERT(fseek(stream, 0, SEEK_END) == 0);
    long size = ftell(stream);
    MYCEL_ASSERT(size >= 0);
    rewind(stream);
    char *text = calloc((size_t)size + 1u, 1);
    MYCEL_ASSERT(text != NULL && fread(text, 1, (size_t)size, stream) == (size_t)size);
    (void)fclose(stream);
    return text;
}
