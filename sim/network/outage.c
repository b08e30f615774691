/*
 * Windows and cells answer the same two questions: is it down now, and when might that change.
 */
#include "sim/network/outage.h"

#include "common/rng.h"

#include <mycel/error.h>

#include <string.h>

#define RNG_STREAM_OUTAGE ((uint64_t)0x6F757467u << 32) /* "outg", a group in the low half */

#define US_PER_S 1000000u
#define US_PER_DAY (86400ull * US_PER_S)
#define STARTS_PER_CELL 0.25
#define CELL_US_MAX (6ull * 3600u * US_PER_S)

/* Cells looked at for the next outage, and outages that are joined when one begins in another. */
#define LOOK_AHEAD_MAX 64u
#define CHAIN_MAX 64u

static int parse_random(struct option_list *list, struct outage *outage, struct option_error *error)
{
    static const double rates[2] = {0.000001, 1000};
    static const double means[2] = {1, 2592000};
    static const double groups[2] = {1, 1000000};
    double rate = 0;
    double mean_s = 0;
    double group = 1;
    if (option_number(list, "rate", rates, &rate, error) < 0 ||
        option_seconds(list, "mean", means, &mean_s, error) < 0 ||
        option_number(list, "group", groups, &group, error) < 0) {
        return MYCEL_E_MALFORMED;
    }
    if (rate <= 0 || mean_s <= 0) {
        return option_fail(error, list->text, list->text, "random needs rate and mean");
    }
    double cell_us = STARTS_PER_CELL * (double)US_PER_DAY / rate;
    cell_us = cell_us > (double)CELL_US_MAX ? (double)CELL_US_MAX : cell_us;
    if (mean_s * US_PER_S * OUTAGE_MEANS_MAX / cell_us > OUTAGE_CELLS_MAX - 2) {
        return option_fail(error, list->text, list->text, "rate times mean is too large");
    }
    outage->cell_us = (uint64_t)cell_us;
    outage->mean_us = (uint64_t)(mean_s * US_PER_S);
    outage->start_share = option_share(rate * (double)outage->cell_us / (double)US_PER_DAY);
    outage->group = (uint32_t)group;
    return option_done(list, error);
}

/* One window of a list, from *at on, which moves behind it. */
static int parse_window(const char *text, const char **at, struct outage_window *window,
                        struct option_error *error)
{
    double gateway = OUTAGE_ALL_GATEWAYS;
    double from_s;
    double to_s;
    const char *p = *at;
    uint32_t read = *p == '*' ? 1 : (uint32_t)strspn(p, "0123456789");
    if (*p != '*' && option_scan(p, read, false, &gateway) == 0) {
        return option_fail(error, text, p, "expected a gateway's number or *");
    }
    p += read;
    if (*p != ':') {
        return option_fail(error, text, p, "expected a colon behind the gateway");
    }
    p++;
    read = option_scan(p, (uint32_t)strcspn(p, "-,"), true, &from_s);
    if (read == 0 || p[read] != '-') {
        return option_fail(error, text, p + read, "expected from-to in seconds");
    }
    p += read + 1;
    read = option_scan(p, (uint32_t)strcspn(p, "-,"), true, &to_s);
    if (read == 0 || (p[read] != ',' && p[read] != '\0')) {
        return option_fail(error, text, p + read, "expected from-to in seconds");
    }
    if (from_s < 0 || to_s <= from_s || to_s >= UINT32_MAX || gateway > OUTAGE_ALL_GATEWAYS) {
        return option_fail(error, text, p, "a window must end after it starts");
    }
    *window = (struct outage_window){(uint32_t)gateway, (uint32_t)from_s, (uint32_t)to_s};
    *at = p + read;
    return 0;
}

static int parse_windows(const char *text, struct outage *outage, struct option_error *error)
{
    const char *at = text;
    while (true) {
        if (outage->window_count == OUTAGE_WINDOWS_MAX) {
            return option_fail(error, text, at, "too many windows");
        }
        int rc = parse_window(text, &at, &outage->window[outage->window_count], error);
        if (rc != 0) {
            return rc;
        }
        outage->window_count++;
        if (*at == '\0') {
            return 0;
        }
        at++; /* the comma */
    }
}

int outage_parse(const char *text, struct outage *outage, struct option_error *error)
{
    *outage = (struct outage){.group = 1};
    if (strcmp(text, "none") == 0) {
        return 0;
    }
    if (strncmp(text, "random", 6) != 0) {
        return parse_windows(text, outage, error);
    }
    struct option_list list;
    int rc = option_parse(text, &list, error);
    if (rc != 0) {
        return rc;
    }
    if (!option_is(&list, "random")) {
        return option_fail(error, text, text, "unknown outages: none, random or windows");
    }
    return parse_random(&list, outage, error);
}

/* An exponential duration with mean 1 from a uniform draw, in 2^16ths: -ln(u), with log2's fraction by
 * a parabola (within 0.009), on integers, so that every machine agrees. */
static uint64_t exponential_q16(uint64_t draw)
{
    uint64_t u = draw | 1u;
    uint32_t zeros = (uint32_t)__builtin_clzll(u);
    uint64_t x = (u << zeros << 1) >> 48; /* the fraction behind the leading one, 16 bits */
    uint64_t log2_fraction = x + (x * (65536u - x) >> 16) * 22544u / 65536u;
    uint64_t minus_log2 = ((uint64_t)(zeros + 1) << 16) - log2_fraction;
    return minus_log2 * 45426u >> 16; /* ln 2 */
}

/* The outage that starts in a cell of a group: false if none does. */
static bool cell_outage(const struct outage *outage, uint32_t group, uint64_t cell,
                        uint64_t *from_us, uint64_t *to_us)
{
    uint64_t stream = RNG_STREAM_OUTAGE | group;
    if (rng_u32(outage->seed, stream, 3 * cell) >= outage->start_share) {
        return false;
    }
    uint64_t place = rng_u64(outage->seed, stream, 3 * cell + 1);
    uint64_t length_q16 = exponential_q16(rng_u64(outage->seed, stream, 3 * cell + 2));
    uint64_t cap_q16 = (uint64_t)OUTAGE_MEANS_MAX << 16;
    length_q16 = length_q16 < cap_q16 ? length_q16 : cap_q16;
    *from_us = cell * outage->cell_us + place % outage->cell_us;
    *to_us = *from_us + (outage->mean_us * length_q16 >> 16);
    return true;
}

/* What is known of a moment: the end of what covers it, and the next start behind it. */
struct moment {
    uint64_t down_until_us; /* 0: up */
    uint64_t next_start_us;
};

static void add_outage(struct moment *moment, uint64_t now_us, uint64_t from_us, uint64_t to_us)
{
    if (from_us <= now_us && now_us < to_us && to_us > moment->down_until_us) {
        moment->down_until_us = to_us;
    }
    if (from_us > now_us && from_us < moment->next_start_us) {
        moment->next_start_us = from_us;
    }
}

static void add_windows(const struct outage *outage, uint32_t gateway, uint64_t now_us,
                        struct moment *moment)
{
    for (uint32_t i = 0; i < outage->window_count; i++) {
        const struct outage_window *window = &outage->window[i];
        if (window->gateway == gateway || window->gateway == OUTAGE_ALL_GATEWAYS) {
            add_outage(moment, now_us, (uint64_t)window->from_s * US_PER_S,
                       (uint64_t)window->to_s * US_PER_S);
        }
    }
}

static void add_cells(const struct outage *outage, uint32_t gateway, uint64_t now_us,
                      struct moment *moment)
{
    uint32_t group = gateway / outage->group;
    uint64_t here = now_us / outage->cell_us;
    uint64_t back = outage->mean_us * OUTAGE_MEANS_MAX / outage->cell_us + 1;
    uint64_t first = here > back ? here - back : 0;
    uint64_t last = here + LOOK_AHEAD_MAX;
    for (uint64_t cell = first; cell <= last; cell++) {
        uint64_t from_us;
        uint64_t to_us;
        if (cell_outage(outage, group, cell, &from_us, &to_us)) {
            add_outage(moment, now_us, from_us, to_us);
            if (cell > here) {
                return; /* it is the next, unless one was found nearer */
            }
        }
    }
    uint64_t known_us = (last + 1) * outage->cell_us;
    if (known_us < moment->next_start_us) {
        moment->next_start_us = known_us; /* nothing before: ask again then */
    }
}

static struct moment moment_at(const struct outage *outage, uint32_t gateway, uint64_t now_us)
{
    struct moment moment = {0, UINT64_MAX};
    add_windows(outage, gateway, now_us, &moment);
    if (outage->start_share > 0) {
        add_cells(outage, gateway, now_us, &moment);
    }
    return moment;
}

bool outage_at(const struct outage *outage, uint32_t gateway, uint64_t now_us, uint64_t *until_us)
{
    struct moment moment = moment_at(outage, gateway, now_us);
    *until_us = moment.down_until_us > 0 ? moment.down_until_us : moment.next_start_us;
    if (moment.down_until_us == 0) {
        return false;
    }
    for (uint32_t i = 0; i < CHAIN_MAX; i++) {
        moment = moment_at(outage, gateway, *until_us);
        if (moment.down_until_us == 0) {
            break;
        }
        *until_us = moment.down_until_us;
    }
    return true;
}
