/*
 * Files that commands write: one appears under its name only when it is complete, and a failure leaves
 * nothing behind. It must not know what is written.
 */
#ifndef MYCEL_SERVER_CLI_OUTFILE_H
#define MYCEL_SERVER_CLI_OUTFILE_H

#include <stdbool.h>
#include <stdio.h>

/* Writes all of the content. 0, or MYCEL_E_* after having printed what is wrong. */
typedef int (*outfile_content)(FILE *out, void *context);

/* Writes `path` by way of a temporary file beside it; "-" is stdout. replace: overwrite an old file,
 * else EXISTS. 0, or MYCEL_E_* after having printed what is wrong. Blocks on the disk. */
int outfile_write(const char *path, bool replace, outfile_content content, void *context);

#endif
