/*
 * What a simulation printed, line by line, as plain structs: the one way from JSON lines into the
 * report, the CSV file and the comparisons. It owns the bounds of every list and text and refuses
 * what does not fit them with the line's number; it must never draw, round or interpret a figure.
 */
#ifndef MYCEL_SIM_REPORT_SERIES_H
#define MYCEL_SIM_REPORT_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define REPORT_PROBLEM_BYTES 256u

#define SERIES_LINE_BYTES_MAX (1u << 20)
#define SERIES_ROUNDS_MAX 200000u
#define SERIES_SETTINGS_MAX 256u
#define SERIES_BINS_MAX 4096u
#define SERIES_GATEWAYS_MAX 65536u
#define SERIES_DEVICE_CLASSES_MAX 64u
#define SERIES_CLASSES_MAX 256u
#define SERIES_NAME_BYTES 64u
#define SERIES_TEXT_BYTES 512u
#define SERIES_DIGEST_BYTES 65u

/* What had been spent since the start; bytes are those on the radio, all headers included. */
struct series_cost {
    uint64_t bytes_up;
    uint64_t bytes_down;
    double energy_j;
    uint64_t trained;       /* updates that were really trained */
    uint64_t protocol_only; /* devices that were asked, and simulated without training */
    uint64_t discarded;     /* trained, and not counted so far: may shrink */
};

struct series_round {
    uint64_t round; /* from 1, strictly increasing */
    uint64_t version;
    double virtual_s;
    double accuracy; /* 0 … 1, NaN: not measured in this round; so is loss */
    double loss;
    uint64_t selected;
    uint64_t accepted;
    uint64_t rejected;
    uint64_t expired;
    uint64_t late;
    struct series_cost cost;
};

struct series_setting {
    char key[SERIES_NAME_BYTES];
    char value[SERIES_TEXT_BYTES];
};

struct series_gateway {
    uint64_t id;
    char link[SERIES_NAME_BYTES];
    uint64_t devices;
    double airtime_s;
    uint64_t busy_permille;
    double outage_s;
    uint64_t datagrams;
    uint64_t lost;
};

struct series_device_class {
    char name[SERIES_NAME_BYTES];
    uint64_t devices;
    double energy_j;
    double energy_compute_j;
    double energy_radio_j;
    uint64_t trained;
    uint64_t protocol_only;
    uint64_t discarded;
};

/* One run. All texts are UTF-8 without control characters. Release with series_free(). */
struct series {
    char scenario[SERIES_NAME_BYTES];
    char title[SERIES_TEXT_BYTES];
    char commit[SERIES_NAME_BYTES];
    char model[SERIES_TEXT_BYTES];
    char strategy[SERIES_TEXT_BYTES];
    char codec[SERIES_TEXT_BYTES];
    uint64_t seed;
    uint64_t devices; /* at least 1 */
    uint64_t gateways;
    uint64_t params;
    struct series_setting *settings;
    size_t settings_count;

    struct series_round *rounds;
    size_t rounds_count;
    size_t rounds_room;
    double class_accuracy[SERIES_CLASSES_MAX]; /* as last measured */
    size_t classes_count;                      /* 0: never */
    uint64_t class_accuracy_round;

    uint64_t *participation; /* [n]: devices counted n times; the last bin: that often or more */
    size_t participation_count;
    struct series_gateway *gateway;
    size_t gateway_count;
    size_t gateway_room;
    struct series_device_class *device_class;
    size_t device_class_count;

    bool finished; /* the run printed its last line; without it `end` is the newest round's */
    struct series_round end;
    uint64_t end_rounds;
    double wall_s;                          /* NaN: unknown */
    char model_sha256[SERIES_DIGEST_BYTES]; /* "": unknown */
};

/* Reads the runs of a stream one after the other. Caller's memory; the stream stays the caller's. */
struct series_reader {
    FILE *in;
    char *line;     /* SERIES_LINE_BYTES_MAX + 1 bytes */
    size_t number;  /* of the line read last, from 1 */
    void *upcoming; /* a start event that ended the run before it */
};

/* 0, or MYCEL_E_NO_MEMORY. */
int series_reader_init(struct series_reader *reader, FILE *in);
void series_reader_deinit(struct series_reader *reader);

/* Fills `out` with the next run and returns 1; 0 at the end of the stream. A run ends with its "done"
 * event, with the next run's start, or with the stream (then it is not `finished`). Events of unknown
 * kinds are skipped. Blocks on the stream.
 * Errors, with "line N: reason" in problem and nothing to free: MYCEL_E_MALFORMED (not JSON, cut off
 * in mid-line, a field missing, of a wrong type or out of range), MYCEL_E_TOO_LARGE (a limit above),
 * MYCEL_E_IO, MYCEL_E_NO_MEMORY. */
int series_next(struct series_reader *reader, struct series *out,
                char problem[REPORT_PROBLEM_BYTES]);

/* Reads a stream that holds exactly one run. 0, or an error as above; MYCEL_E_NOT_FOUND without any
 * run, MYCEL_E_TOO_LARGE at the line where a second one starts. */
int series_read(FILE *in, struct series *out, char problem[REPORT_PROBLEM_BYTES]);

/* Releases what the struct holds and clears it. */
void series_free(struct series *s);

/* The newest round in which accuracy was measured, and the one in which it was highest (the first of
 * equals); NULL if it never was. Valid until series_free(). */
const struct series_round *series_newest_accuracy(const struct series *s);
const struct series_round *series_best_accuracy(const struct series *s);

/* The first round whose accuracy reaches `accuracy`, or NULL. */
const struct series_round *series_reaches(const struct series *s, double accuracy);

/* Accuracy at the end: as the last line says, else the newest that was measured, else NaN. */
double series_final_accuracy(const struct series *s);

#endif
