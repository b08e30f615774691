/* An open-addressing hash table over one block of text. */
#include "data/names.h"

#include "common/rng.h"

#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 256u
#define TEXT_FIRST 4096u

static uint64_t hash(const char *text, size_t bytes)
{
    uint64_t h = bytes;
    for (size_t i = 0; i < bytes; i++) {
        h = (h ^ (unsigned char)text[i]) * 0x100000001B3u;
    }
    return rng_mix64(h);
}

/* The slot that holds the text, or the free one where it belongs. */
static uint32_t find(const struct names *n, const char *text, size_t bytes)
{
    uint32_t slot = (uint32_t)hash(text, bytes) & (n->slots - 1u);
    while (n->starts[slot] != 0) {
        const char *other = n->text + n->starts[slot] - 1u;
        if (strncmp(other, text, bytes) == 0 && other[bytes] == '\0') {
            break;
        }
        slot = (slot + 1u) & (n->slots - 1u);
    }
    return slot;
}

static int grow_slots(struct names *n)
{
    struct names larger = *n;
    larger.slots = n->slots > 0 ? n->slots * 2u : SLOTS_FIRST;
    larger.starts = calloc(larger.slots, sizeof *larger.starts);
    larger.numbers = calloc(larger.slots, sizeof *larger.numbers);
    if (larger.starts == NULL || larger.numbers == NULL) {
        free(larger.starts);
        free(larger.numbers);
        return MYCEL_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < n->slots; i++) {
        if (n->starts[i] != 0) {
            const char *text = n->text + n->starts[i] - 1u;
            uint32_t slot = find(&larger, text, strlen(text));
            larger.starts[slot] = n->starts[i];
            larger.numbers[slot] = n->numbers[i];
        }
    }
    free(n->starts);
    free(n->numbers);
    n->starts = larger.starts;
    n->numbers = larger.numbers;
    n->slots = larger.slots;
    return MYCEL_OK;
}

static int grow_text(struct names *n, size_t bytes)
{
    if (bytes > NAMES_TEXT_BYTES_MAX || n->text_bytes + bytes > NAMES_TEXT_BYTES_MAX) {
        return MYCEL_E_FULL;
    }
    size_t room = n->text_room > 0 ? n->text_room : TEXT_FIRST;
    while (room < n->text_bytes + bytes) {
        room *= 2u;
    }
    char *text = realloc(n->text, room);
    if (text == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    n->text = text;
    n->text_room = (uint32_t)room;
    return MYCEL_OK;
}

int names_number(struct names *n, const char *text, size_t bytes, uint32_t *number)
{
    int rc = n->count * 2u >= n->slots ? grow_slots(n) : MYCEL_OK;
    if (rc < 0) {
        return rc;
    }
    uint32_t slot = find(n, text, bytes);
    if (n->starts[slot] == 0) {
        if (n->count == NAMES_MAX) {
            return MYCEL_E_FULL;
        }
        rc = grow_text(n, bytes + 1u);
        if (rc < 0) {
            return rc;
        }
        memcpy(n->text + n->text_bytes, text, bytes);
        n->text[n->text_bytes + bytes] = '\0';
        n->starts[slot] = n->text_bytes + 1u;
        n->numbers[slot] = n->count++;
        n->text_bytes += (uint32_t)bytes + 1u;
    }
    *number = n->numbers[slot];
    return MYCEL_OK;
}

void names_free(struct names *n)
{
    free(n->text);
    free(n->starts);
    free(n->numbers);
    memset(n, 0, sizeof *n);
}
