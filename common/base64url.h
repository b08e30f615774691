/*
 * base64url without padding (RFC 4648 §5): how hashes and keys stand in resource paths. Strict: a
 * wrong length, a foreign character or stray bits in the last one are refused, so that each value has
 * exactly one text.
 */
#ifndef MYCEL_COMMON_BASE64URL_H
#define MYCEL_COMMON_BASE64URL_H

#include <stddef.h>
#include <stdint.h>

/* Characters that `bytes` bytes take, without a terminator. */
#define BASE64URL_TEXT(bytes) (((bytes)*4u + 2u) / 3u)

/* Writes BASE64URL_TEXT(bytes) characters and a NUL; text must hold that many plus one. */
void base64url_encode(const uint8_t *data, size_t bytes, char *text);

/* Decodes exactly `bytes` bytes from `chars` characters. 0, or MYCEL_E_MALFORMED. */
int base64url_decode(const char *text, size_t chars, uint8_t *data, size_t bytes);

#endif
