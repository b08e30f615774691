/* Implementation of parking.h. */
#include "server/net/parking.h"

#include <mycel/error.h>

#include "server/net/endpoint.h"
#include "server/net/session.h"

bool parking_wake(struct net *net, struct peer *peer)
{
    if (peer->state != PEER_PARKED) {
        return true;
    }
    struct session *session = session_restore(net, peer, peer->parked, peer->parked_bytes);
    if (session == NULL) {
        net_remove_peer(net, peer, NET_DROP_MEMORY);
        return false;
    }
    peer_table_unpark(&net->peers, peer, session);
    net->stats.unparked++;
    return true;
}

/* Parks one live peer; false when it has to stay as it is. */
static bool park(struct net *net, struct peer *peer)
{
    uint8_t *blob = NULL;
    size_t bytes = 0;
    if (peer->pending > 0 || session_save(peer->session, &blob, &bytes) != 0) {
        return false;
    }
    peer->session = NULL;
    peer_table_park(&net->peers, peer, blob, bytes);
    net->stats.parked++;
    return true;
}

void parking_trim(struct net *net)
{
    struct peer_queue *live = &net->peers.queue[PEER_LIVE];
    while (live->count > net->config.live_max && park(net, live->oldest)) {
    }
}

void parking_tick(struct net *net)
{
    uint64_t now_ms = net_now_ms(net);
    struct peer *peer = net->peers.queue[PEER_LIVE].oldest;
    for (unsigned i = 0; i < PARKING_BATCH_MAX && peer != NULL; i++) {
        struct peer *next = peer->newer;
        if (now_ms - peer->active_ms < net->config.park_after_ms) {
            break;
        }
        (void)park(net, peer);
        peer = next;
    }
}
