/* Draws line charts in braille. */
#include "server/cli/demo/chart.h"

#include <stdint.h>
#include <string.h>

#include "common/assert.h"

#define DOTS_X 2u
#define DOTS_Y 4u

/* Bits of a braille character, U+2800 + bits: [column][row from the top]. */
static const uint8_t dots[DOTS_X][DOTS_Y] = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}};

static void put_braille(char out[3], uint8_t bits)
{
    out[0] = (char)0xE2;
    out[1] = (char)(0xA0 | bits >> 6);
    out[2] = (char)(0x80 | (bits & 0x3F));
}

/* The value at dot column x, between neighbouring samples. */
static double value_at(const double *values, size_t count, size_t x, size_t width)
{
    if (count == 1u || width < 2u) {
        return values[count - 1u];
    }
    double position = (double)x * (double)(count - 1u) / (double)(width - 1u);
    size_t left = (size_t)position;
    if (left + 1u >= count) {
        return values[count - 1u];
    }
    double share = position - (double)left;
    return values[left] * (1.0 - share) + values[left + 1u] * share;
}

static size_t height_of(const struct chart *c, double value, size_t height)
{
    double span = c->high - c->low;
    double share = span > 0.0 ? (value - c->low) / span : 0.5;
    return (size_t)(share * (double)(height - 1u) + 0.5);
}

void chart_draw(struct chart *c, const double *values, size_t count, size_t columns, size_t rows,
                bool unicode)
{
    uint8_t cells[CHART_ROWS_MAX][CHART_COLUMNS_MAX] = {{0}};
    MYCEL_ASSERT(columns > 0 && columns <= CHART_COLUMNS_MAX && rows > 0 && rows <= CHART_ROWS_MAX);
    memset(c, 0, sizeof *c);
    c->low = c->high = count > 0 ? values[0] : 0.0;
    for (size_t i = 0; i < count; i++) {
        c->low = values[i] < c->low ? values[i] : c->low;
        c->high = values[i] > c->high ? values[i] : c->high;
    }
    size_t before = 0;
    for (size_t x = 0; count > 0 && x < columns * DOTS_X; x++) {
        size_t now = height_of(c, value_at(values, count, x, columns * DOTS_X), rows * DOTS_Y);
        size_t from = x > 0 && before < now ? before + 1u : now;
        size_t to = x > 0 && before > now ? before - 1u : now;
        for (size_t y = from < to ? from : to; y <= (from < to ? to : from); y++) {
            size_t down = rows * DOTS_Y - 1u - y;
            cells[down / DOTS_Y][x / DOTS_X] |= dots[x % DOTS_X][down % DOTS_Y];
        }
        before = now;
    }
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            if (unicode) {
                put_braille(&c->lines[row][3u * column], cells[row][column]);
            } else {
                c->lines[row][column] = cells[row][column] ? '*' : ' ';
            }
        }
    }
}
