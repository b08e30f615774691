/* Formats log events. A line is built in a bounded buffer and written at once. */
#include "server/daemon/log.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Room is always kept for the line's end, so that a full buffer still gives a whole line. */
#define LINE_TAIL 4

struct line {
    char text[LOG_LINE_MAX];
    size_t used;
};

static bool has_room(const struct line *line, size_t bytes)
{
    return line->used + bytes + LINE_TAIL <= sizeof line->text;
}

__attribute__((format(printf, 2, 3))) static void put(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = sizeof line->text - LINE_TAIL - line->used;
    int n = vsnprintf(line->text + line->used, room, format, args);
    va_end(args);
    if (n > 0) {
        line->used += (size_t)n < room ? (size_t)n : room - 1;
    }
}

/* JSON string escaping serves the text format too: it keeps hostile bytes from forging lines. */
static void put_escaped(struct line *line, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c && has_room(line, 8); c++) {
        if (*c == '"' || *c == '\\') {
            put(line, "\\%c", *c);
        } else if (*c < 0x20 || *c >= 0x7F) {
            put(line, "\\u%04x", *c);
        } else {
            line->text[line->used++] = (char)*c;
        }
    }
}

static void put_value(struct line *line, const struct log_field *field, enum log_format format)
{
    switch (field->type) {
    case LOG_TYPE_UINT:
        put(line, "%llu", (unsigned long long)field->value.u);
        break;
    case LOG_TYPE_INT:
        put(line, "%lld", (long long)field->value.i);
        break;
    case LOG_TYPE_REAL:
        if (isfinite(field->value.real)) {
            put(line, "%.6g", field->value.real);
        } else {
            put(line, "null");
        }
        break;
    case LOG_TYPE_TEXT: {
        const char *text = field->value.text ? field->value.text : "";
        bool quote = format == LOG_JSON || strpbrk(text, " \"=\\") || !*text;
        put(line, "%s", quote ? "\"" : "");
        put_escaped(line, text);
        put(line, "%s", quote ? "\"" : "");
        break;
    }
    }
}

static void put_time(struct line *line)
{
    struct timespec now;
    struct tm utc;
    char seconds[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    put(line, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

static void put_head(struct line *line, const struct log *log, enum log_level level,
                     const char *event)
{
    put(line, "%s", log->format == LOG_JSON ? "{\"ts\":\"" : "");
    put_time(line);
    if (log->format == LOG_JSON) {
        put(line, "\",\"level\":\"%s\",\"event\":\"%s\"", level_names[level], event);
    } else {
        put(line, " %-5s %s", level_names[level], event);
    }
}

/* A field's name, quotes and separators beside its value. */
#define FIELD_MARGIN 8

static void put_field(struct line *line, const struct log_field *field, enum log_format format)
{
    size_t before = line->used;
    put(line, format == LOG_JSON ? ",\"%s\":" : " %s=", field->name);
    put_value(line, field, format);
    if (!has_room(line, FIELD_MARGIN)) {
        line->used = before; /* a field that does not fit is left out whole */
    }
}

void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t n)
{
    if (level > log->level) {
        return;
    }
    struct line line = {.used = 0};
    put_head(&line, log, level, event);
    for (size_t i = 0; i < n; i++) {
        put_field(&line, &fields[i], log->format);
    }
    if (log->format == LOG_JSON) {
        line.text[line.used++] = '}';
    }
    line.text[line.used++] = '\n';
    fwrite(line.text, 1, line.used, log->stream);
    fflush(log->stream);
}
