/* Draws the built-in data set. */
#include "server/cli/demo/digits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mycel/error.h>

#include "common/rng.h"
#include "server/cli/say.h"

#define FONT_WIDTH 5
#define FONT_HEIGHT 7
#define STREAM_PLACE 0x646967697473u /* "digits": one stream for each random choice */
#define STREAM_NOISE (STREAM_PLACE + 1u)
#define IDX_IMAGES 0x00000803u
#define IDX_LABELS 0x00000801u

/* One row a byte, the leftmost of five pixels in bit 4. */
static const uint8_t font[DIGITS_CLASSES][FONT_HEIGHT] = {
    {0x0E, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0E}, {0x04, 0x0C, 0x04, 0x04, 0x04, 0x04, 0x0E},
    {0x0E, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1F}, {0x1F, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0E},
    {0x02, 0x06, 0x0A, 0x12, 0x1F, 0x02, 0x02}, {0x1F, 0x10, 0x1E, 0x01, 0x01, 0x11, 0x0E},
    {0x06, 0x08, 0x10, 0x1E, 0x11, 0x11, 0x0E}, {0x1F, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08},
    {0x0E, 0x11, 0x11, 0x0E, 0x11, 0x11, 0x0E}, {0x0E, 0x11, 0x11, 0x0F, 0x01, 0x02, 0x0C}};

/* Where and how one picture is drawn. */
struct pose {
    int left, top;
    int slant; /* columns that the top leans to the right, in sevenths */
    int tall;  /* eighths of a row: 8 keeps the font's height */
    uint32_t ink;
};

static struct pose pose_of(uint64_t seed, uint64_t stream, uint32_t index)
{
    uint64_t at = (uint64_t)index * 8u;
    uint64_t key = STREAM_PLACE ^ stream << 8;
    return (struct pose){
        .left = 4 + (int)rng_below(seed, key, at + 1u, 3),
        .top = 2 + (int)rng_below(seed, key, at + 2u, 3),
        .slant = (int)rng_below(seed, key, at + 3u, 9) - 4,
        .tall = 8 + (int)rng_below(seed, key, at + 4u, 4),
        .ink = 120u + rng_below(seed, key, at + 5u, 136),
    };
}

static bool inked(const struct pose *pose, uint8_t label, int x, int y)
{
    int row = (y - pose->top) * 8 / pose->tall;
    if (y < pose->top || row >= FONT_HEIGHT) {
        return false;
    }
    int column = x - pose->left - pose->slant * (FONT_HEIGHT / 2 - row) / 14;
    return column >= 0 && column < FONT_WIDTH &&
           (font[label][row] >> (FONT_WIDTH - 1 - column) & 1) != 0;
}

uint8_t digits_draw(uint64_t seed, uint64_t stream, uint32_t index,
                    uint8_t pixels[DIGITS_SIDE * DIGITS_SIDE])
{
    uint8_t label =
        (uint8_t)rng_below(seed, STREAM_PLACE ^ stream << 8, (uint64_t)index * 8u, DIGITS_CLASSES);
    struct pose pose = pose_of(seed, stream, index);
    for (uint32_t i = 0; i < DIGITS_SIDE * DIGITS_SIDE; i++) {
        uint64_t at = (uint64_t)index * (DIGITS_SIDE * DIGITS_SIDE) + i;
        uint32_t noise = rng_below(seed, STREAM_NOISE ^ stream << 8, at, 80);
        bool ink = inked(&pose, label, (int)(i % DIGITS_SIDE), (int)(i / DIGITS_SIDE));
        uint32_t value = noise + (ink ? pose.ink : 0u);
        pixels[i] = (uint8_t)(value > 255u ? 255u : value);
    }
    return label;
}

static int put_be32(FILE *out, uint32_t value)
{
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                        (uint8_t)value};
    return fwrite(bytes, 1, sizeof bytes, out) == sizeof bytes ? MYCEL_OK : MYCEL_E_IO;
}

static int write_all(FILE *images, FILE *labels, uint64_t seed, uint64_t stream, uint32_t count)
{
    const uint32_t image_header[] = {IDX_IMAGES, count, DIGITS_SIDE, DIGITS_SIDE};
    const uint32_t label_header[] = {IDX_LABELS, count};
    int result = MYCEL_OK;
    for (size_t i = 0; result == MYCEL_OK && i < 4; i++) {
        result = put_be32(images, image_header[i]);
    }
    for (size_t i = 0; result == MYCEL_OK && i < 2; i++) {
        result = put_be32(labels, label_header[i]);
    }
    for (uint32_t i = 0; result == MYCEL_OK && i < count; i++) {
        uint8_t pixels[DIGITS_SIDE * DIGITS_SIDE];
        uint8_t label = digits_draw(seed, stream, i, pixels);
        if (fwrite(pixels, 1, sizeof pixels, images) != sizeof pixels ||
            fputc(label, labels) == EOF) {
            result = MYCEL_E_IO;
        }
    }
    return result;
}

int digits_write(const char *images, const char *labels, uint64_t seed, uint64_t stream,
                 uint32_t count)
{
    FILE *image_file = fopen(images, "wbe");
    FILE *label_file = fopen(labels, "wbe");
    int result = image_file && label_file ? write_all(image_file, label_file, seed, stream, count)
                                          : MYCEL_E_IO;
    if (image_file != NULL && fclose(image_file) != 0) {
        result = MYCEL_E_IO;
    }
    if (label_file != NULL && fclose(label_file) != 0) {
        result = MYCEL_E_IO;
    }
    if (result < 0) {
        say_error("%s: %s", images, strerror(errno));
    }
    return result;
}
