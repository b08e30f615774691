/* Implementation of key_choice.h: a direct-mapped table. */
#include "server/net/key_choice.h"

#include <stdlib.h>

struct key_choice *key_choice_new(void)
{
    struct key_choice *choice = calloc(1, sizeof *choice);
    if (choice != NULL && uv_mutex_init(&choice->lock) != 0) {
        free(choice);
        choice = NULL;
    }
    return choice;
}

void key_choice_free(struct key_choice *choice)
{
    if (choice != NULL) {
        uv_mutex_destroy(&choice->lock);
        free(choice);
    }
}

unsigned key_choice_next(struct key_choice *choice, uint64_t identity, unsigned count)
{
    if (count < 2) {
        return 0; /* nothing to choose */
    }
    unsigned place = identity % KEY_CHOICE_PLACES;
    uv_mutex_lock(&choice->lock);
    bool known = choice->identity[place] == identity && choice->index[place] < count;
    unsigned index = known ? choice->index[place] : 0;
    uv_mutex_unlock(&choice->lock);
    return index;
}

void key_choice_result(struct key_choice *choice, uint64_t identity, unsigned index, unsigned count,
                       bool worked)
{
    if (count < 2) {
        return;
    }
    unsigned place = identity % KEY_CHOICE_PLACES;
    uv_mutex_lock(&choice->lock);
    choice->identity[place] = identity;
    choice->index[place] = (uint8_t)(worked ? index : (index + 1) % count);
    uv_mutex_unlock(&choice->lock);
}
