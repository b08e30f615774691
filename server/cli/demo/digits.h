/*
 * The built-in task: small pictures of the ten digits, drawn from a 5×7 font with random place,
 * brightness, slant and noise. For machines without the Fashion-MNIST package. The same seed makes
 * the same files, byte for byte.
 */
#ifndef MYCEL_SERVER_CLI_DEMO_DIGITS_H
#define MYCEL_SERVER_CLI_DEMO_DIGITS_H

#include <stdbool.h>
#include <stdint.h>

#define DIGITS_SIDE 14u
#define DIGITS_CLASSES 10u

/* Draws picture number index of a stream; returns its label. */
uint8_t digits_draw(uint64_t seed, uint64_t stream, uint32_t index,
                    uint8_t pixels[DIGITS_SIDE * DIGITS_SIDE]);

/* Writes count pictures as IDX files (images: 0x803, labels: 0x801). 0, or MYCEL_E_IO after having
 * printed why. Blocks on the disk. */
int digits_write(const char *images, const char *labels, uint64_t seed, uint64_t stream,
                 uint32_t count);

#endif
