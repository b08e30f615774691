/* Formatting of everything that commands print. */
#include "server/cli/say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "server/cli/exits.h"

void say_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fflush(stdout);
    (void)fputs("mycel: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
}

static void cell(const struct say_column *column, const char *text, bool last)
{
    int width = last && column->width < 0 ? 0 : column->width;
    (void)printf("%*s%s", width, text, last ? "\n" : "  ");
}

void say_heads(const struct say_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cell(&columns[i], columns[i].head, i + 1u == count);
    }
}

void say_row(const struct say_column *columns, size_t count, const char *const *cells)
{
    for (size_t i = 0; i < count; i++) {
        cell(&columns[i], cells[i], i + 1u == count);
    }
}

static int write_json(json_t *value, size_t flags)
{
    if (value == NULL) {
        say_error("out of memory");
        return EXIT_CODE_FAILED;
    }
    bool failed = json_dumpf(value, stdout, flags | JSON_REAL_PRECISION(7)) != 0;
    json_decref(value);
    failed = failed || putchar('\n') == EOF || fflush(stdout) != 0;
    return failed ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

int say_json(json_t *value)
{
    return write_json(value, JSON_INDENT(2));
}

int say_json_line(json_t *value)
{
    return write_json(value, JSON_COMPACT);
}

const char *say_time(uint64_t wall_ms, char out[SAY_TIME_BYTES])
{
    time_t seconds = (time_t)(wall_ms / 1000u);
    struct tm utc;
    if (wall_ms == 0 || gmtime_r(&seconds, &utc) == NULL ||
        strftime(out, SAY_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
        (void)snprintf(out, SAY_TIME_BYTES, "-");
    }
    return out;
}

json_t *say_time_json(uint64_t wall_ms)
{
    char text[SAY_TIME_BYTES];
    return wall_ms ? json_string(say_time(wall_ms, text)) : json_null();
}

const char *say_size(uint64_t bytes, char out[SAY_SIZE_BYTES])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1u < sizeof units / sizeof units[0]) {
        value /= 1000.0;
        unit++;
    }
    (void)snprintf(out, SAY_SIZE_BYTES, unit > 0 && value < 99.95 ? "%.1f %s" : "%.0f %s", value,
                   units[unit]);
    return out;
}

const char *say_count(uint64_t count, char out[SAY_COUNT_BYTES])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out[used++] = ',';
        }
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

const char *say_hex(const uint8_t *bytes, size_t count, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        out[2u * i] = digits[bytes[i] >> 4];
        out[2u * i + 1u] = digits[bytes[i] & 15u];
    }
    out[2u * count] = '\0';
    return out;
}
