/*
 * Idle sessions cost some hundred bytes instead of six kilobytes: their TLS state is serialised
 * ("parked") and restored by the next record. It must never park a session that somebody waits for,
 * and a serialised state is used once: restored twice it would repeat nonces.
 */
#ifndef MYCEL_SERVER_NET_PARKING_H
#define MYCEL_SERVER_NET_PARKING_H

#include <stdbool.h>

struct endpoint;
struct peer;

#define PARKING_BATCH_MAX 256u /* sessions parked in one tick: some milliseconds */

/* Gives a parked peer its session back. False when that is impossible: the peer was removed. */
bool parking_wake(struct endpoint *endpoint, struct peer *peer);

/* Parks the longest idle sessions while there are more live ones than the configuration allows. */
void parking_trim(struct endpoint *endpoint);

/* Parks sessions that have idled for long enough. */
void parking_tick(struct endpoint *endpoint);

#endif
