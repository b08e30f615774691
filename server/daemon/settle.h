/*
 * What an operator did to a run's versions meanwhile, settled in the store before an engine is built
 * from it. A rollback (or an average) is where the run goes on from; the round that was open then is
 * given up, because what it collected are changes to a model that is no longer wanted. What had come too
 * late for it and was carried into the round after it stays there, as anything stale does.
 */
#ifndef MYCEL_SERVER_DAEMON_SETTLE_H
#define MYCEL_SERVER_DAEMON_SETTLE_H

#include "server/store/store.h"

/* The version was made by a person, not by a round. */
bool settle_is_operators(const struct store_version *version);

/* Gives up, in one transaction, every round of a run under way that started from before its newest
 * version, if that version is an operator's: the round becomes ABANDONED and its spooled bodies go.
 * Settling twice changes nothing more. Blocks: the store, for writing. Returns how many rounds were
 * given up, or what the store reports. */
int settle_runs(struct store *store, uint64_t wall_ms);

#endif
