/*
 * When gateways are down: windows that a scenario names, and a random process that hits groups of
 * gateways together (one mast, one provider, one power line). It owns no history: asked about any
 * time, in any order, it gives the same answer.
 *
 * The random process: a group's time is cut into cells so short that an outage starts in one of four
 * at most; in each cell one starts with the probability that gives the rate asked for, anywhere
 * in it, and lasts an exponential time, cut off at OUTAGE_MEANS_MAX means.
 */
#ifndef MYCEL_SIM_NETWORK_OUTAGE_H
#define MYCEL_SIM_NETWORK_OUTAGE_H

#include "sim/scenario/option.h"

#include <stdbool.h>
#include <stdint.h>

#define OUTAGE_WINDOWS_MAX 64
#define OUTAGE_MEANS_MAX 8
#define OUTAGE_CELLS_MAX 256 /* that may reach into one moment */
#define OUTAGE_ALL_GATEWAYS UINT32_MAX

struct outage_window {
    uint32_t gateway; /* or OUTAGE_ALL_GATEWAYS */
    uint32_t from_s;
    uint32_t to_s; /* up again */
};

struct outage {
    uint64_t seed; /* the run's: the caller sets it after parsing */
    uint32_t window_count;
    struct outage_window window[OUTAGE_WINDOWS_MAX];
    uint32_t start_share; /* of 2^32: an outage starts in a cell; 0: no random ones */
    uint64_t cell_us;
    uint64_t mean_us;
    uint32_t group; /* gateways that fail together: g / group; at least 1 */
};

/*
 * Reads outages:
 *   "none"
 *   "3:3600-7200,*:10h-18h"                 gateway 3 in its second hour, all gateways for eight hours
 *   "random:rate=0.5,mean=1h,group=10"      outages a day for each group of 10 neighbours (1), an
 *                                           hour long on average, at most 190h / max(rate, 1)
 * 0; MYCEL_E_MALFORMED; seed is left 0.
 */
int outage_parse(const char *text, struct outage *outage, struct option_error *error);

/* Whether the gateway is down at now_us. *until_us: that holds until then at least (UINT64_MAX: for
 * ever); while it is down, usually until it is up. */
bool outage_at(const struct outage *outage, uint32_t gateway, uint64_t now_us, uint64_t *until_us);

#endif
