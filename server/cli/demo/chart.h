/* Small charts made of characters. Pure: they write into the caller's buffers. */
#ifndef MYCEL_SERVER_CLI_DEMO_CHART_H
#define MYCEL_SERVER_CLI_DEMO_CHART_H

#include <stdbool.h>
#include <stddef.h>

#define CHART_COLUMNS_MAX 64u /* characters */
#define CHART_ROWS_MAX 8u
#define CHART_LINE_BYTES (CHART_COLUMNS_MAX * 3u + 1u) /* a braille character is three bytes */

/*
 * A line chart of values[0…count-1] from left to right in columns × rows characters; lowest value at
 * the bottom, highest at the top (they are returned; equal ones are drawn in the middle). unicode:
 * braille, 2 × 4 dots a character; else '*'. Lines end in NUL, without newline.
 */
struct chart {
    char lines[CHART_ROWS_MAX][CHART_LINE_BYTES];
    double low, high;
};
void chart_draw(struct chart *c, const double *values, size_t count, size_t columns, size_t rows,
                bool unicode);

#endif
