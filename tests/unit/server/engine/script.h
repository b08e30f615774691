/*
 * Transcripts: a text file of commands ("> checkin 7") with what the engine did in answer below each.
 * Running one gives the same text with the answers filled in; a test compares the two.
 *
 *   > run 1 goal=3 minimum=2 …      create a run; names are those of struct engine_spec
 *   > restored                      the end of an empty store
 *   > restart [forward=MS|back=MS]  kill -9; the wall clock may be set meanwhile
 *   > time 5000 | +500              set the clock that the next events carry
 *   > checkin 7 [samples= idle= battery= class= tag= codecs= room=]
 *   > query 7 1/1/1/0 [owner= bytes=]       the key of run/round/attempt/base for device 7 (or owner)
 *   > update 7 1/1/1/0 [owner= digest= samples= norm= loss= codec= status= report_round= …]
 *   > commit [BATCH]                everything so far, or up to this batch
 *   > aggregated 1 1 1 [status=]    run, round, attempt
 *   > evaluated 1 1 [accuracy= loss= status=]
 *   > pause|resume|stop 1, revoke 7, tick, view
 */
#ifndef TESTS_ENGINE_SCRIPT_H
#define TESTS_ENGINE_SCRIPT_H

#include "tests/unit/server/engine/shell.h"

#include <stdio.h>

#define SCRIPT_LINE_BYTES 512

/* Runs one command (without "> ") and prints what came of it. Asserts on commands it cannot read. */
void script_run(struct shell *shell, const char *command, FILE *out);

/* Prints one action as a line. */
void script_print(const struct engine_action *action, FILE *out);

#endif
