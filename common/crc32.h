/*
 * CRC-32 as in zlib and Ethernet (reflected, polynomial 0x04C11DB7), four bits at a time: a table of
 * sixteen words is what a microcontroller can spare. Finds accidents, not attacks.
 */
#ifndef MYCEL_COMMON_CRC32_H
#define MYCEL_COMMON_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Continues a checksum with count bytes; start with 0. */
uint32_t crc32_add(uint32_t crc, const void *bytes, size_t count);

#endif
