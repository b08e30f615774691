/* Formatting of figures: one rounding rule, three significant digits or one decimal. */
#include "sim/report/figure.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct figure unknown = {"–"};

struct figure figure_count(uint64_t count)
{
    char digits[24];
    struct figure out;
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out.text[used++] = ',';
        }
        out.text[used++] = digits[i];
    }
    out.text[used] = '\0';
    return out;
}

/* Value with the largest unit in which it is at least 1; units[0] is `first` powers of 1000 away
 * from the base unit. */
static struct figure with_unit(double value, const char *const *units, size_t count, int first)
{
    struct figure out;
    size_t unit = 0;
    double scaled = value * pow(1000.0, -first);
    while (scaled >= 999.5 && unit + 1u < count) {
        scaled /= 1000.0;
        unit++;
    }
    int decimals = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
    if (value == 0.0 || (unit == 0 && first == 0 && scaled == floor(scaled))) {
        decimals = 0;
    }
    (void)snprintf(out.text, sizeof out.text, "%.*f %s", decimals, scaled, units[unit]);
    return out;
}

struct figure figure_bytes(double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    return isfinite(bytes) ? with_unit(bytes, units, 6, 0) : unknown;
}

struct figure figure_joules(double joules)
{
    static const char *const units[] = {"µJ", "mJ", "J", "kJ", "MJ", "GJ"};
    if (joules == 0.0) {
        return (struct figure){"0 J"};
    }
    return isfinite(joules) ? with_unit(joules, units, 6, -2) : unknown;
}

struct figure figure_duration(double seconds)
{
    static const struct {
        double below; /* this many seconds, after rounding to the smaller unit */
        double large, small;
        const char *large_name, *small_name;
    } table[] = {{3599.5, 60.0, 1.0, "min", "s"},
                 {86370.0, 3600.0, 60.0, "h", "min"},
                 {HUGE_VAL, 86400.0, 3600.0, "d", "h"}};
    struct figure out;
    if (!isfinite(seconds)) {
        return unknown;
    }
    if (seconds == 0.0) {
        return (struct figure){"0 s"};
    }
    if (seconds < 99.95) {
        (void)snprintf(out.text, sizeof out.text, seconds < 0.9995 ? "%.0f ms" : "%.1f s",
                       seconds < 0.9995 ? seconds * 1000.0 : seconds);
        return out;
    }
    size_t row = 0;
    while (seconds >= table[row].below) {
        row++;
    }
    double smalls = round(seconds / table[row].small);
    double per = table[row].large / table[row].small;
    double large = floor(smalls / per);
    (void)snprintf(out.text, sizeof out.text, "%.0f %s %.0f %s", large, table[row].large_name,
                   smalls - large * per, table[row].small_name);
    return out;
}

struct figure figure_percent(double fraction)
{
    struct figure out = unknown;
    if (isfinite(fraction)) {
        (void)snprintf(out.text, sizeof out.text, "%.1f %%", 100.0 * fraction);
    }
    return out;
}

struct figure figure_real(double value, int decimals)
{
    struct figure out = unknown;
    if (isfinite(value)) {
        (void)snprintf(out.text, sizeof out.text, "%.*f", decimals, value);
    }
    return out;
}

struct figure figure_signed(struct figure (*format)(double), double value)
{
    struct figure out;
    if (!isfinite(value)) {
        return unknown;
    }
    if (value == 0.0) {
        return (struct figure){"±0"};
    }
    struct figure amount = format(fabs(value));
    (void)snprintf(out.text, sizeof out.text, "%s%.32s", value < 0.0 ? "−" : "+", amount.text);
    return out;
}

static struct figure hundredths(double fraction)
{
    return figure_real(100.0 * fraction, 2);
}

struct figure figure_points(double fraction)
{
    return figure_signed(hundredths, fraction);
}

struct figure figure_label(const char *text, size_t bytes_max)
{
    static const char dots[] = "…";
    struct figure out;
    size_t length = strlen(text);
    if (length > bytes_max) {
        length = bytes_max - (sizeof dots - 1u);
        while (length > 0 && ((unsigned char)text[length] & 0xc0u) == 0x80u) {
            length--;
        }
    }
    (void)snprintf(out.text, FIGURE_BYTES, "%.*s%s", (int)length, text,
                   text[length] != '\0' ? dots : "");
    return out;
}

double figure_share(double part, double whole)
{
    return whole > 0.0 ? part / whole : (double)NAN;
}
