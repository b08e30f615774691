/*
 * The coordinator's log: one event a line on a stream, as text for a person or as JSON for a program.
 * It owns formatting only. A field never holds a key or any other secret.
 *
 *     LOG(log, LOG_INFO, "round_committed", log_uint("round", 3), log_real("accuracy", 0.84));
 */
#ifndef MYCEL_SERVER_DAEMON_LOG_H
#define MYCEL_SERVER_DAEMON_LOG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LOG_LINE_MAX 2048 /* longer lines lose their last fields, never their shape */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

struct log {
    FILE *stream;
    enum log_level level; /* what is more verbose than this is not written */
    enum log_format format;
};

enum log_type { LOG_TYPE_UINT, LOG_TYPE_INT, LOG_TYPE_REAL, LOG_TYPE_TEXT };

struct log_field {
    const char *name;
    enum log_type type;
    union {
        uint64_t u;
        int64_t i;
        double real;
        const char *text;
    } value;
};

static inline struct log_field log_uint(const char *name, uint64_t u)
{
    return (struct log_field){name, LOG_TYPE_UINT, {.u = u}};
}

static inline struct log_field log_int(const char *name, int64_t i)
{
    return (struct log_field){name, LOG_TYPE_INT, {.i = i}};
}

static inline struct log_field log_real(const char *name, double real)
{
    return (struct log_field){name, LOG_TYPE_REAL, {.real = real}};
}

static inline struct log_field log_text(const char *name, const char *text)
{
    return (struct log_field){name, LOG_TYPE_TEXT, {.text = text}};
}

/* Writes one line with the wall clock's time in UTC. Thread-safe (one fwrite a line). `text` values
 * may hold any bytes: they are escaped. Blocks only as long as the stream does. */
void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t n);

#define LOG(log, level, event, ...)                                                                \
    log_write((log), (level), (event), (const struct log_field[]){__VA_ARGS__},                    \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
