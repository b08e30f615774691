/* Axes: the unit is chosen by the largest value, the step is 1, 2, 2.5 or 5 times a power of ten of
 * that unit. */
#include "sim/report/scale.h"

#include <math.h>

#define COUNT_MAX 9e18 /* what an integer takes */

struct unit_row {
    double from; /* largest value from which this unit is used */
    double unit;
    const char *name;
};

static const struct unit_row seconds[] = {{172800.0, 86400.0, "days"},
                                          {7200.0, 3600.0, "hours"},
                                          {120.0, 60.0, "minutes"},
                                          {0.0, 1.0, "s"}};
static const struct unit_row bytes[] = {
    {1e12, 1e12, "TB"}, {1e9, 1e9, "GB"}, {1e6, 1e6, "MB"}, {1e3, 1e3, "kB"}, {0.0, 1.0, "B"}};
static const struct unit_row joules[] = {
    {1e6, 1e6, "MJ"}, {1e3, 1e3, "kJ"}, {1.0, 1.0, "J"}, {0.0, 1e-3, "mJ"}};
static const struct unit_row fraction[] = {{0.0, 0.01, "%"}};
static const struct unit_row plain[] = {{0.0, 1.0, ""}};

static const struct unit_row *unit_of(enum scale_kind kind, double largest)
{
    static const struct unit_row *const tables[] = {
        [SCALE_COUNT] = plain,     [SCALE_REAL] = plain,  [SCALE_FRACTION] = fraction,
        [SCALE_SECONDS] = seconds, [SCALE_BYTES] = bytes, [SCALE_JOULES] = joules};
    const struct unit_row *row = tables[kind];
    while (row->from > 0.0 && largest < row->from) {
        row++;
    }
    return row;
}

/* The smallest pleasant number not below raw (> 0). */
static double pleasant(double raw)
{
    static const double steps[] = {1.0, 2.0, 2.5, 5.0, 10.0};
    double power = pow(10.0, floor(log10(raw)));
    for (size_t i = 0; i < 5; i++) {
        if (raw <= steps[i] * power * 1.0000001) {
            return steps[i] * power;
        }
    }
    return 10.0 * power;
}

struct scale scale_fit(enum scale_kind kind, double lo, double hi, unsigned ticks, int whole)
{
    if (!(hi > lo)) { /* a single value: around it, within what its kind can be */
        hi = kind == SCALE_FRACTION ? 1.0 : lo + (lo != 0.0 ? fabs(lo) : 1.0);
        lo = kind == SCALE_FRACTION ? 0.0 : lo;
    }
    const struct unit_row *row = unit_of(kind, fmax(fabs(lo), fabs(hi)));
    double step = pleasant((hi - lo) / row->unit / ticks);
    if (kind == SCALE_COUNT) {
        step = fmax(1.0, ceil(step));
    }
    struct scale s = {.kind = kind, .lo = lo, .hi = hi, .unit = row->unit, .name = row->name};
    s.step = step * row->unit;
    if (whole) {
        s.lo = floor(lo / s.step + 1e-9) * s.step;
        s.hi = ceil(hi / s.step - 1e-9) * s.step;
        s.hi = s.hi > s.lo ? s.hi : s.lo + s.step;
    }
    while (s.decimals < 6 &&
           fabs(step * pow(10.0, s.decimals) - round(step * pow(10.0, s.decimals))) > 1e-6) {
        s.decimals++;
    }
    return s;
}

double scale_place(const struct scale *s, double value)
{
    return (value - s->lo) / (s->hi - s->lo);
}

size_t scale_ticks(const struct scale *s, double out[SCALE_TICKS_MAX])
{
    double first = ceil(s->lo / s->step - 1e-9);
    size_t count = 0;
    for (size_t i = 0; i < SCALE_TICKS_MAX; i++) {
        double tick = (first + (double)i) * s->step;
        if (tick <= s->hi + 1e-9 * s->step) {
            out[count++] = tick;
        }
    }
    return count;
}

struct figure scale_label(const struct scale *s, double value)
{
    double shown = value / s->unit;
    if (s->kind == SCALE_COUNT && shown >= 10000.0) {
        return scale_value(SCALE_COUNT, shown);
    }
    return figure_real(shown, s->decimals);
}

struct figure scale_value(enum scale_kind kind, double value)
{
    switch (kind) {
    case SCALE_COUNT:
        return value >= 0.0 && value < COUNT_MAX ? figure_count((uint64_t)llround(value))
                                                 : figure_real(value, 0);
    case SCALE_FRACTION:
        return figure_percent(value);
    case SCALE_SECONDS:
        return figure_duration(value);
    case SCALE_BYTES:
        return figure_bytes(value);
    case SCALE_JOULES:
        return figure_joules(value);
    case SCALE_REAL:
    default:
        return figure_real(value, 3);
    }
}
