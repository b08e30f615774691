/*
 * A scenario: everything that decides what a simulation does, as flat keys with names, limits and
 * defaults. Read from an INI file (sections only group the keys for a reader), then changed by
 * `--set key=value`. Owns the text of it; what a key does is said in its help line and done elsewhere.
 */
#ifndef MYCEL_SIM_SCENARIO_SCENARIO_H
#define MYCEL_SIM_SCENARIO_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCENARIO_TEXT_BYTES 256u
#define SCENARIO_PROBLEM_BYTES 512u

struct scenario {
    char name[SCENARIO_TEXT_BYTES]; /* of the file, without folder and ending */
    char title[SCENARIO_TEXT_BYTES];
    uint64_t seed;

    /* data */
    char data[SCENARIO_TEXT_BYTES];
    char labels[SCENARIO_TEXT_BYTES];
    char test_data[SCENARIO_TEXT_BYTES];
    char test_labels[SCENARIO_TEXT_BYTES];
    char partition[SCENARIO_TEXT_BYTES];
    uint32_t least;
    char skew[SCENARIO_TEXT_BYTES];

    /* what is trained */
    char model[SCENARIO_TEXT_BYTES];
    uint32_t epochs;
    uint32_t batch;
    uint32_t steps_max;
    double rate;
    double momentum;
    double clip_norm;

    /* the run */
    char strategy[SCENARIO_TEXT_BYTES];
    char codec[SCENARIO_TEXT_BYTES];
    char downlink[SCENARIO_TEXT_BYTES];
    char mode[SCENARIO_TEXT_BYTES];
    uint32_t goal;
    uint32_t minimum;
    uint32_t concurrency;
    uint32_t staleness;
    double over;
    bool over_learn;
    double select_s, soft_s, hard_s, lease_s, pace_s, interval_s, window_max_s;
    uint32_t root_samples;
    uint32_t rounds;
    double target;
    uint32_t patience;
    uint32_t spacing;
    uint32_t cap;
    double fairness;
    double utility;
    uint32_t battery_min;
    uint32_t evaluate_every;

    /* the fleet */
    uint32_t devices;
    char classes[SCENARIO_TEXT_BYTES];
    uint32_t gateways;
    double start_s;
    char availability[SCENARIO_TEXT_BYTES];
    char trace[SCENARIO_TEXT_BYTES];
    char battery[SCENARIO_TEXT_BYTES];

    /* the network */
    char loss[SCENARIO_TEXT_BYTES];
    uint32_t hops;
    double backhaul_kbit;
    double backhaul_ms;
    double ack_s;
    double answer_s;
    char outages[SCENARIO_TEXT_BYTES];
    char radio[SCENARIO_TEXT_BYTES];
    uint32_t poll_ms;
    double duplicates;
    double delays;
    double delay_s;

    /* what goes wrong */
    double reboots;
    double vanish;
    double slow;
    double slow_factor;
    double lying;
    double skew_ppm;
    double crashes;
    char crash_at[SCENARIO_TEXT_BYTES];
    double down_s;
    double heal_s;
    char attack[SCENARIO_TEXT_BYTES];
    double attackers;

    /* the coordinator and the simulation */
    double disk_ms;
    double aggregate_ms;
    double evaluate_ms;
    double virtual_max_s;
    uint32_t threads;
};

enum scenario_type { SCENARIO_TEXT, SCENARIO_U32, SCENARIO_U64, SCENARIO_REAL, SCENARIO_BOOL };

struct scenario_key {
    const char *section;
    const char *name;
    enum scenario_type type;
    size_t offset;
    const char *initial; /* the default, as text */
    double min, max;     /* of numbers */
    const char *help;    /* one line, with the unit */
};

/* The table of keys, in the order of the sections. */
extern const struct scenario_key scenario_keys[];
size_t scenario_key_count(void);

/* All keys at their defaults. */
void scenario_init(struct scenario *scenario);

struct shipped_scenario; /* sim/scenario/shipped.h */

/* The shipped scenario of that name, or NULL. */
const struct shipped_scenario *scenario_shipped(const char *name);

/* Reads an INI file, or the shipped scenario of that name, over what is there. 0; NOT_FOUND, IO, INVALID: `problem` (SCENARIO_PROBLEM_BYTES)
 * names file, line, key and what would be right. */
int scenario_read(struct scenario *scenario, const char *path, char *problem);

/* Sets one key from text: "key", "value". INVALID with words. */
int scenario_set(struct scenario *scenario, const char *key, const char *value, char *problem);

/* The same from one text, "key=value". */
int scenario_assign(struct scenario *scenario, const char *text, char *problem);

/* Says in `problem` why a value cannot be, as "key = value: why" or with the column of the first wrong
 * character, from 1. Return INVALID. */
int scenario_refuse(char *problem, const char *key, const char *value, const char *why);
int scenario_refuse_at(char *problem, const char *key, const char *value, int column,
                       const char *why);

/* The value of a key as text, as scenario_set() would take it. */
void scenario_text(const struct scenario *scenario, const struct scenario_key *key, char *out,
                   size_t capacity);

#endif
