/*
 * The list of actions that a step builds. It owns numbering of batches and the rule that an answer
 * waits for what it tells of; it must not decide anything.
 */
#ifndef MYCEL_ENGINE_EMIT_H
#define MYCEL_ENGINE_EMIT_H

#include "server/engine/internal.h"

/* Starts an empty list; replies will carry `tag`. */
void emit_begin(struct engine *e, uint64_t tag);

/* The next action of the list, zeroed, with type and tag set; to be filled in at once. Storing ones
 * belong to the step's batch, which is named when the first is asked for. */
struct engine_action *emit_store(struct engine *e, enum engine_action_type type);
struct engine_action *emit_after(struct engine *e, enum engine_action_type type, uint64_t batch);

/* The batch of this step so far (0: none). */
uint64_t emit_batch(const struct engine *e);

void emit_audit(struct engine *e, enum engine_audit what, const struct run *run, uint32_t device,
                int32_t status);
void emit_run(struct engine *e, const struct run *run);
void emit_round(struct engine *e, struct run *run);

/* A refusal that depends on nothing stored; `window` may be NULL. */
struct engine_action_problem *emit_problem(struct engine *e, int32_t status,
                                           const struct engine_window *window);

#endif
