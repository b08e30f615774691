/* What the checks are tried on. See scenario.h. */
#include "sim/check/scenario.h"

#include "common/rng.h"
#include "sim/world/chance.h"

#include <math.h>
#include <mycel/error.h>
#include <string.h>

#define STREAM 0x53434E41u /* "SCNA" */
#define DAY_S 86400.0

struct dice {
    uint64_t seed;
    uint64_t thrown;
};

static uint32_t below(struct dice *dice, uint32_t bound)
{
    return (uint32_t)chance_below(rng_u64(dice->seed, STREAM, dice->thrown++), bound);
}

/* low … high, both included. */
static uint32_t between(struct dice *dice, uint32_t low, uint32_t high)
{
    return low + below(dice, high - low + 1u);
}

static bool percent(struct dice *dice, uint32_t chance)
{
    return below(dice, 100) < chance;
}

/* A number with three decimals, so that its text means the same. */
static double real(struct dice *dice, double low, double high)
{
    return (double)between(dice, (uint32_t)(low * 1000.0), (uint32_t)(high * 1000.0)) / 1000.0;
}

static void set_text(char *field, const char *value)
{
    (void)snprintf(field, SCENARIO_TEXT_BYTES, "%s", value);
}

#define PICK(dice, list) (list)[below((dice), (uint32_t)(sizeof(list) / sizeof((list)[0])))]

void check_scenario_calm(struct scenario *s)
{
    scenario_init(s);
    set_text(s->name, "check");
    set_text(s->data, "blobs:240,4,3");
    set_text(s->model, "16 > dense 3 softmax");
    s->least = 2;
    s->devices = 3;
    s->goal = 1;
    s->rounds = 1;
    s->soft_s = 30;
    s->pace_s = 1;
    s->window_max_s = 60;
    s->heal_s = 1;
    s->virtual_max_s = 2 * DAY_S;
}

/* ---- the parts ---------------------------------------------------------------------------- */

/* A radio's kind with the seconds that a round over it needs when all is well. */
struct fleet_kind {
    const char *classes;
    uint32_t round_s;
};

static uint32_t draw_fleet(struct scenario *s, struct dice *dice)
{
    static const struct fleet_kind kinds[] = {
        {"ideal", 10},
        {"ideal", 10},
        {"raspberry-pi", 15},
        {"jetson-nano", 15},
        {"nrf52840", 120},
        {"nrf52840:0.8,mesh-gateway:0.2", 120},
        {"esp32", 60},
        {"lte-m", 120},
        {"ideal:0.5,lte-m:0.5", 120},
        {"coral,esp32,ideal", 60},
    };
    const struct fleet_kind *kind = &PICK(dice, kinds);
    s->devices = percent(dice, 50) ? between(dice, 3, 10) : between(dice, 3, 40);
    s->gateways = between(dice, 1, 4);
    s->start_s = percent(dice, 50) ? 0 : real(dice, 0, 20);
    set_text(s->classes, kind->classes);
    if (percent(dice, 15)) {
        set_text(s->availability, "diurnal:night=0.9,day=0.5,dwell=1m");
    }
    return kind->round_s;
}

static void draw_training(struct scenario *s, struct dice *dice)
{
    static const char *const models[] = {
        "16 > dense 3 softmax", "16 > dense 4 relu > dense 3 softmax",
        "16 > dense 8 relu > dense 3 softmax", "16 > dense 24 relu > dense 3 softmax"};
    static const char *const partitions[] = {"iid",      "iid",      "dirichlet:0.5",
                                             "labels:2", "shards:2", "quantity:0.5"};
    set_text(s->model, PICK(dice, models));
    set_text(s->partition, PICK(dice, partitions));
    s->batch = between(dice, 1, 16);
    s->epochs = between(dice, 1, 2);
    s->clip_norm = percent(dice, 20) ? real(dice, 0.1, 5) : 0;
}

static void draw_clock(struct scenario *s, struct dice *dice, uint32_t round_s)
{
    double unit = (double)round_s;
    s->soft_s = real(dice, unit, 3 * unit);
    s->hard_s = percent(dice, 50) ? 0 : real(dice, s->soft_s, 3 * s->soft_s);
    s->lease_s = percent(dice, 60) ? 0 : real(dice, unit, 2 * unit);
    s->select_s = percent(dice, 60) ? 0 : real(dice, unit / 4, s->soft_s);
    s->pace_s = real(dice, 0.5, 20);
    s->window_max_s = real(dice, 30, 300);
}

static void draw_run(struct scenario *s, struct dice *dice, uint32_t round_s)
{
    static const char *const strategies[] = {
        "fedavg",    "fedavg",      "fedavg",
        "fedavgm",   "fedadam",     "fedprox",
        "fednova",   "median",      "rfa",
        "fedyogi",   "krum",        "multikrum",
        "trimmed",   "centredclip", "qfedavg",
        "scaffold",  "fltrust",     "clip adaptive > fedadam lr=0.01",
        "fedadagrad"};
    static const char *const codecs[] = {"f32",   "f32",    "f32",  "f16",     "int8",    "int4",
                                         "eden2", "drive1", "sign", "ternary", "topk,f32"};
    static const char *const modes[] = {"sync", "semi", "async"};
    uint32_t most = s->devices / 2u < 8u ? s->devices / 2u : 8u;
    set_text(s->strategy, PICK(dice, strategies));
    set_text(s->codec, PICK(dice, codecs));
    set_text(s->mode, PICK(dice, modes));
    s->goal = between(dice, 1, most);
    s->minimum = percent(dice, 50) ? 0 : between(dice, 1, s->goal);
    s->concurrency = strcmp(s->mode, "async") == 0 ? between(dice, s->goal, s->devices) : 0;
    s->staleness = strcmp(s->mode, "sync") == 0 || percent(dice, 50) ? 0 : between(dice, 1, 6);
    s->over = percent(dice, 50) ? 0 : real(dice, 1, 3);
    s->over_learn = percent(dice, 30);
    s->rounds = between(dice, 2, 6);
    s->fairness = percent(dice, 20) ? real(dice, 0, 1) : 0;
    s->utility = percent(dice, 20) ? real(dice, 0, 1) : 0;
    s->spacing = percent(dice, 15) && s->devices >= 4u * s->goal ? 1 : 0;
    s->evaluate_every = between(dice, 1, 3);
    draw_clock(s, dice, round_s);
}

static void draw_network(struct scenario *s, struct dice *dice)
{
    if (percent(dice, 60)) {
        /* Bad times are a tenth to two thirds of all; up to half of the frames are lost. */
        (void)snprintf(s->loss, SCENARIO_TEXT_BYTES, "ge:p=%.3f,r=%.3f,good=%.3f,bad=%.3f",
                       real(dice, 0.01, 0.1), real(dice, 0.05, 0.3), real(dice, 0, 0.1),
                       real(dice, 0.3, 1));
    }
    s->hops = percent(dice, 70) ? 1 : between(dice, 2, 4);
    s->duplicates = percent(dice, 40) ? real(dice, 0, 0.3) : 0;
    s->delays = percent(dice, 40) ? real(dice, 0, 0.5) : 0;
    s->delay_s = s->delays > 0 || s->duplicates > 0 ? real(dice, 0.01, 20) : s->delay_s;
    s->backhaul_ms = percent(dice, 30) ? real(dice, 1, 400) : 0; /* leases allow for no more */
    if (percent(dice, 30)) {
        uint32_t from = below(dice, 200);
        (void)snprintf(s->outages, SCENARIO_TEXT_BYTES, "%u:%u-%u", below(dice, s->gateways), from,
                       from + between(dice, 1, 600));
    } else if (percent(dice, 10)) {
        set_text(s->outages, "random:rate=40,mean=2m,group=2");
    }
}

/* Numbers spread evenly over their lengths: early moments are as likely as late ones. */
static uint32_t any_length(struct dice *dice, uint32_t bits_max)
{
    uint32_t bits = between(dice, 1, bits_max);
    return 1u + below(dice, 1u << bits);
}

static void draw_crashes(struct scenario *s, struct dice *dice)
{
    size_t used = 0;
    uint32_t count = percent(dice, 50) ? 0 : between(dice, 1, 6);
    for (uint32_t i = 0; i < count; i++) {
        bool commit = percent(dice, 40);
        int n =
            snprintf(s->crash_at + used, SCENARIO_TEXT_BYTES - used, "%s%s%u", i > 0 ? "," : "",
                     commit ? "commit:" : "", commit ? any_length(dice, 7) : any_length(dice, 12));
        used += (size_t)n;
    }
    s->crashes = percent(dice, 15) ? (double)between(dice, 100, 5000) : 0;
    s->down_s = percent(dice, 50) ? 0 : real(dice, 0.01, percent(dice, 20) ? 300 : 10);
}

static void draw_faults(struct scenario *s, struct dice *dice)
{
    draw_crashes(s, dice);
    s->reboots = percent(dice, 40) ? (double)between(dice, 10, 1000) : 0;
    s->vanish = percent(dice, 20) ? real(dice, 0, 0.3) : 0;
    s->slow = percent(dice, 20) ? real(dice, 0, 0.5) : 0;
    s->slow_factor = s->slow > 0 ? (double)between(dice, 2, 1000) : s->slow_factor;
    s->lying = percent(dice, 20) ? real(dice, 0, 0.5) : 0;
    s->skew_ppm = percent(dice, 30) ? (double)between(dice, 1, 50000) : 0;
}

/* A minority; those that send nonsense are found out and quarantined, and then missing. */
static void draw_attackers(struct scenario *s, struct dice *dice)
{
    static const char *const attacks[] = {"nan",    "nan",         "sign", "scale:100",
                                          "replay", "freerider:1", "alie"};
    uint32_t needed = (s->spacing > 0 ? 4u : 1u) * s->goal;
    uint32_t most = s->devices > needed ? s->devices - needed : 0;
    if (most == 0 || !percent(dice, 25)) {
        return;
    }
    most = most < s->devices / 3u ? most : s->devices / 3u;
    set_text(s->attack, PICK(dice, attacks));
    s->attackers = most > 0 ? floor(1000.0 * between(dice, 1, most) / s->devices) / 1000.0 : 0;
}

static void draw_coordinator(struct scenario *s, struct dice *dice)
{
    static const double disks[] = {0, 2, 2, 50, 500, 5000};
    static const double works[] = {0, 20, 20, 1000, 10000};
    s->disk_ms = PICK(dice, disks);
    s->aggregate_ms = PICK(dice, works);
    s->evaluate_ms = PICK(dice, works);
}

/* Deadlines that hardly anybody can keep: nothing is promised but safety. */
static void draw_hurry(struct scenario *s, struct dice *dice)
{
    s->soft_s = real(dice, 0.05, 5);
    s->hard_s = real(dice, s->soft_s, 8);
    s->lease_s = real(dice, 0.05, 5);
    s->select_s = 0;
    s->window_max_s = real(dice, 1, 20);
    s->pace_s = real(dice, 0.1, 2);
    s->heal_s = 0;
    s->virtual_max_s = real(dice, 30, 400);
}

void check_scenario_draw(struct scenario *s, uint64_t seed)
{
    struct dice dice = {.seed = seed};
    check_scenario_calm(s);
    s->seed = seed;
    uint32_t round_s = draw_fleet(s, &dice);
    draw_training(s, &dice);
    draw_run(s, &dice, round_s);
    draw_network(s, &dice);
    draw_faults(s, &dice);
    draw_attackers(s, &dice);
    draw_coordinator(s, &dice);
    s->heal_s = real(&dice, 1, 3.0 * round_s * s->rounds);
    /* Whoever vanished is back within a day; a round in which too few are idle is tried again. */
    s->virtual_max_s = s->heal_s + 3 * DAY_S;
    if (percent(&dice, 15)) {
        draw_hurry(s, &dice);
    }
    if (percent(&dice, 40) && strstr(s->strategy, "scaffold") == NULL) {
        set_text(s->downlink, "delta");
    }
}

bool check_scenario_is_sound(const struct scenario *s)
{
    uint32_t attackers = (uint32_t)(s->attackers * s->devices + 0.5);
    uint32_t honest = s->devices - (attackers < s->devices ? attackers : s->devices);
    return s->minimum <= s->goal && honest >= (s->spacing > 0 ? 4u : 1u) * s->goal &&
           (s->hard_s <= 0 || s->hard_s >= s->soft_s);
}

/* ---- its text ----------------------------------------------------------------------------- */

int check_scenario_write(const struct scenario *s, FILE *out)
{
    const char *section = "";
    struct scenario standard;
    scenario_init(&standard);
    for (size_t i = 0; i < scenario_key_count(); i++) {
        const struct scenario_key *key = &scenario_keys[i];
        char text[SCENARIO_TEXT_BYTES];
        char usual[SCENARIO_TEXT_BYTES];
        scenario_text(s, key, text, sizeof text);
        scenario_text(&standard, key, usual, sizeof usual);
        if (strcmp(text, usual) == 0) {
            continue;
        }
        if (strcmp(section, key->section) != 0) {
            (void)fprintf(out, "%s[%s]\n", section[0] != '\0' ? "\n" : "", key->section);
            section = key->section;
        }
        (void)fprintf(out, "%s = %s\n", key->name, text);
    }
    return ferror(out) != 0 ? MYCEL_E_IO : MYCEL_OK;
}
