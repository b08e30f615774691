/* Implementation of siblings.h. */
#include "server/net/siblings.h"

#include <string.h>

#include <mycel/error.h>

int siblings_init(struct siblings *siblings, const struct net_config *config,
                  const struct body_limits *limits, const uint64_t secret[2])
{
    memset(siblings, 0, sizeof *siblings);
    siblings->workers = config->workers;
    int error = registry_init(&siblings->registry, config->peers_max, secret[0]);
    if (error != 0) {
        return error;
    }
    siblings->bodies = bodies_new(limits, secret[1], BODIES_SHARDS);
    siblings->key_choice = key_choice_new();
    return siblings->bodies != NULL && siblings->key_choice != NULL ? 0 : MYCEL_E_NO_MEMORY;
}

void siblings_deinit(struct siblings *siblings)
{
    for (unsigned writer = 0; writer <= siblings->workers; writer++) {
        for (unsigned reader = 0; reader <= siblings->workers; reader++) {
            letters_free(&siblings->out[writer][reader]);
        }
    }
    key_choice_free(siblings->key_choice);
    bodies_free(siblings->bodies);
    registry_deinit(&siblings->registry);
}

void siblings_write(struct siblings *siblings, unsigned writer, unsigned reader,
                    struct letter *letter)
{
    letter->from = (uint8_t)writer;
    letters_add(&siblings->out[writer][reader], letter);
}

uint32_t siblings_post(struct siblings *siblings, unsigned writer)
{
    uint32_t lost = 0;
    for (unsigned reader = 0; reader <= siblings->workers; reader++) {
        struct letters *letters = &siblings->out[writer][reader];
        if (letters->count > 0) {
            lost += mailbox_post(&siblings->box[reader], letters);
        }
    }
    return lost;
}
