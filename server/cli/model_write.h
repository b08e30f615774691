/*
 * Model versions as files: raw bytes, NumPy's .npz, or a C header for firmware. A file appears under
 * its name only when it is complete. It must not know about commands or their flags.
 */
#ifndef MYCEL_SERVER_CLI_MODEL_WRITE_H
#define MYCEL_SERVER_CLI_MODEL_WRITE_H

#include <mycel/model.h>
#include <stdio.h>

#include "server/cli/state.h"

enum model_format { MODEL_RAW, MODEL_NPZ, MODEL_C_HEADER };

/* One version with its parameters in memory. */
struct model_source {
    struct store_run run;
    struct store_version version;
    struct mycel_model model;
    uint8_t *data; /* binary32 little endian, canonical order */
    size_t bytes;
};

/* Loads the version that `text` names (see state_version()). 0: release it with
 * model_source_release(); MYCEL_E_* after having printed what is wrong. */
int model_source_load(struct model_source *s, struct store *store, const char *text);
void model_source_release(struct model_source *s);

/* Parameter number index, index < model.param_count. */
float model_source_value(const struct model_source *s, uint32_t index);

/* Writes to a stream. 0 or MYCEL_E_IO, MYCEL_E_NO_MEMORY, MYCEL_E_TOO_LARGE. Blocks on the stream. */
int model_write(const struct model_source *s, enum model_format format, FILE *out);

/* Writes a file as outfile_write() does. */
int model_write_file(const struct model_source *s, enum model_format format, const char *path,
                     bool replace);

#endif
