/* Implementation of key_choice.h: a direct-mapped table. */
#include "server/net/key_choice.h"

unsigned key_choice_next(const struct key_choice *choice, uint64_t identity, unsigned count)
{
    unsigned place = identity % KEY_CHOICE_PLACES;
    bool known = choice->identity[place] == identity && choice->index[place] < count;
    return known ? choice->index[place] : 0;
}

void key_choice_result(struct key_choice *choice, uint64_t identity, unsigned index, unsigned count,
                       bool worked)
{
    if (count < 2) {
        return; /* nothing to choose */
    }
    unsigned place = identity % KEY_CHOICE_PLACES;
    choice->identity[place] = identity;
    choice->index[place] = (uint8_t)(worked ? index : (index + 1) % count);
}
