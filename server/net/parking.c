/* Implementation of parking.h. */
#include "server/net/parking.h"

#include "server/net/endpoint.h"
#include "server/net/session.h"

bool parking_wake(struct endpoint *endpoint, struct peer *peer)
{
    if (peer->state != PEER_PARKED) {
        return true;
    }
    struct session *session = session_restore(endpoint, peer, peer->parked, peer->parked_bytes);
    if (session == NULL) {
        endpoint_remove_peer(endpoint, peer, NET_DROP_MEMORY);
        return false;
    }
    peer_table_unpark(&endpoint->peers, peer, session);
    endpoint->stats.unparked++;
    return true;
}

/* Parks one live peer; false when it has to stay as it is. */
static bool park(struct endpoint *endpoint, struct peer *peer)
{
    uint8_t *blob = NULL;
    size_t bytes = 0;
    if (peer->pending > 0 || session_save(peer->session, &blob, &bytes) != 0) {
        return false;
    }
    peer->session = NULL;
    peer_table_park(&endpoint->peers, peer, blob, bytes);
    endpoint->stats.parked++;
    return true;
}

void parking_trim(struct endpoint *endpoint)
{
    struct peer_queue *live = &endpoint->peers.queue[PEER_LIVE];
    while (live->count > endpoint->config.live_max && park(endpoint, live->oldest)) {
    }
}

void parking_tick(struct endpoint *endpoint)
{
    uint64_t now_ms = endpoint_now_ms(endpoint);
    struct peer *peer = endpoint->peers.queue[PEER_LIVE].oldest;
    for (unsigned i = 0; i < PARKING_BATCH_MAX && peer != NULL; i++) {
        struct peer *next = peer->newer;
        if (now_ms - peer->active_ms < endpoint->config.park_after_ms) {
            break;
        }
        (void)park(endpoint, peer);
        peer = next;
    }
}
