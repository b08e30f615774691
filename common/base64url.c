/* base64url without padding, both ways. Owns no state. */
#include "common/base64url.h"

#include <mycel/error.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(const uint8_t *data, size_t bytes, char *text)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < bytes; i++) {
        bits = (bits << 8) | data[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            *text++ = alphabet[(bits >> held) & 63u];
        }
    }
    if (held > 0) {
        *text++ = alphabet[(bits << (6 - held)) & 63u];
    }
    *text = '\0';
}

/* By ranges: this runs for every block of a download, and a search took longer than the rest of it. */
static int value_of(char c)
{
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int base64url_decode(const char *text, size_t chars, uint8_t *data, size_t bytes)
{
    if (chars != BASE64URL_TEXT(bytes)) {
        return MYCEL_E_MALFORMED;
    }
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < chars; i++) {
        int v = value_of(text[i]);
        if (v < 0) {
            return MYCEL_E_MALFORMED;
        }
        bits = (bits << 6) | (uint32_t)v;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *data++ = (uint8_t)(bits >> held);
        }
    }
    return (bits & ((1u << held) - 1u)) ? MYCEL_E_MALFORMED : MYCEL_OK;
}
