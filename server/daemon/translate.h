/*
 * Between the engine's words and the store's. The engine counts from "now", the store keeps wall-clock
 * times; everything else is copied. Nothing is decided here.
 */
#ifndef MYCEL_SERVER_DAEMON_TRANSLATE_H
#define MYCEL_SERVER_DAEMON_TRANSLATE_H

#include "server/engine/engine.h"
#include "server/store/store.h"

/* Engine to store. */
void translate_update(const struct engine_action_update *row, uint64_t wall_ms,
                      struct store_update *out);
void translate_version(const struct engine_action_publish *row, uint64_t wall_ms,
                       struct store_version *out);
void translate_round(const struct engine_action_round *row, uint64_t wall_ms,
                     struct store_round *out);
void translate_lease(const struct engine_action_lease_row *row, uint64_t wall_ms,
                     struct store_lease *out);
void translate_learned(const struct engine_learned *row, struct store_learned *out);
enum store_run_state translate_phase(enum engine_phase phase);

/* Subject "run 1 round 3 device 7" (what of it there is), detail: the reason in words, or "". */
void translate_audit(const struct engine_action_audit *row, char *subject, size_t subject_bytes,
                     char *detail, size_t detail_bytes);

/* Store to engine. Wall-clock times become ages and remaining times; one that lies in the future
 * where it should not counts as now. */
void translate_spec(const struct store_run *run, struct engine_spec *out);
/* PROTO_FEATURE_… that the run's strategy asks of its devices. */
uint32_t translate_features(const struct store_run_config *config);
void translate_progress(const struct store_run *run, const struct store_version *newest,
                        struct engine_progress *out);
void translate_stored_round(const struct store_round *round, uint64_t wall_ms,
                            struct engine_event_round *out);
void translate_stored_lease(const struct store_lease *lease, uint64_t wall_ms,
                            struct engine_event_lease *out);
/* MYCEL_E_CORRUPT when the stored receipt cannot be decoded. */
int translate_stored_update(const struct store_update *update,
                            struct engine_event_restore_update *out);

#endif
