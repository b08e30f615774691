/* Picking quantities out of rounds. */
#include "sim/report/curve.h"

#include <math.h>
#include <stdlib.h>

#include <mycel/error.h>

double curve_round(const struct series *s, const struct series_round *r)
{
    (void)s;
    return (double)r->round;
}

double curve_time(const struct series *s, const struct series_round *r)
{
    (void)s;
    return r->virtual_s;
}

double curve_bytes(const struct series *s, const struct series_round *r)
{
    return ((double)r->cost.bytes_up + (double)r->cost.bytes_down) / (double)s->devices;
}

double curve_energy(const struct series *s, const struct series_round *r)
{
    return r->cost.energy_j / (double)s->devices;
}

double curve_accuracy(const struct series *s, const struct series_round *r)
{
    (void)s;
    return r->accuracy;
}

double curve_loss(const struct series *s, const struct series_round *r)
{
    (void)s;
    return r->loss;
}

const struct curve_axis curve_axes[CURVE_AXES] = {
    {curve_round, {SCALE_COUNT, "round"}, "rounds", "Accuracy over rounds"},
    {curve_time, {SCALE_SECONDS, "virtual time"}, "virtual_s", "Accuracy over virtual time"},
    {curve_bytes,
     {SCALE_BYTES, "radio bytes per device"},
     "bytes_per_device",
     "Accuracy over bytes on the radio"},
    {curve_energy,
     {SCALE_JOULES, "energy per device"},
     "energy_j_per_device",
     "Accuracy over energy"},
};

int curve_of(const struct series *s, curve_pick x, curve_pick y, const char *name,
             struct chart_line *line)
{
    struct chart_point *points = malloc((s->rounds_count + 1u) * sizeof *points);
    *line = (struct chart_line){.name = name};
    if (points == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    for (size_t i = 0; i < s->rounds_count; i++) {
        double value = y(s, &s->rounds[i]);
        if (isfinite(value)) {
            points[line->count++] = (struct chart_point){x(s, &s->rounds[i]), value, value, value};
        }
    }
    line->points = points;
    return MYCEL_OK;
}

void curve_free(struct chart_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((void *)(uintptr_t)lines[i].points);
        lines[i].points = NULL;
    }
}

size_t curve_levels(double best, double out[CURVE_LEVELS_MAX])
{
    static const double levels[] = {0.1,  0.2, 0.3,   0.4,  0.5,  0.6,  0.7,  0.75, 0.8,
                                    0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995};
    size_t reached = 0;
    while (reached < sizeof levels / sizeof levels[0] && levels[reached] <= best) {
        reached++;
    }
    size_t first = reached > CURVE_LEVELS_MAX ? reached - CURVE_LEVELS_MAX : 0;
    for (size_t i = first; i < reached; i++) {
        out[i - first] = levels[i];
    }
    return reached - first;
}
