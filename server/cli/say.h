/*
 * What commands say: errors on stderr in one form, tables and JSON on stdout. It must never be given
 * a secret.
 */
#ifndef MYCEL_SERVER_CLI_SAY_H
#define MYCEL_SERVER_CLI_SAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAY_TIME_BYTES 24u
#define SAY_SIZE_BYTES 16u
#define SAY_COUNT_BYTES 28u

/* "mycel: <message>\n" on stderr. */
__attribute__((format(printf, 1, 2))) void say_error(const char *format, ...);

/* One table on stdout: give the heads with their widths first, then each row. The last column is
 * never padded, so no line ends in blanks. */
struct say_column {
    const char *head;
    int width; /* negative: left-aligned, as in printf */
};
void say_heads(const struct say_column *columns, size_t count);
void say_row(const struct say_column *columns, size_t count, const char *const *cells);

/* Prints value on stdout, indented and with a final newline, and releases it. Returns an exit code:
 * FAILED if value is NULL (out of memory) or stdout cannot be written. */
int say_json(json_t *value);

/* The same on one line, flushed, for streams of events. */
int say_json_line(json_t *value);

/* "2026-11-21T23:00:00Z" of ms since 1970; "-" for 0. Returns out. */
const char *say_time(uint64_t wall_ms, char out[SAY_TIME_BYTES]);

/* The same for JSON; null for 0. */
json_t *say_time_json(uint64_t wall_ms);

/* "12.3 MB" (powers of 1000). Returns out. */
const char *say_size(uint64_t bytes, char out[SAY_SIZE_BYTES]);

/* "25,450". Returns out. */
const char *say_count(uint64_t count, char out[SAY_COUNT_BYTES]);

/* Two lower-case hexadecimal digits a byte, and a NUL. Returns out. */
const char *say_hex(const uint8_t *bytes, size_t count, char *out);

#endif
