/* The demo's temporary folder. */
#ifndef MYCEL_SERVER_CLI_DEMO_FOLDER_H
#define MYCEL_SERVER_CLI_DEMO_FOLDER_H

#include <limits.h>

/* Paths inside the folder stay below PATH_MAX with this much left for names. */
#define FOLDER_BYTES_MAX (PATH_MAX - 128)

/* Makes a private folder below $TMPDIR or /tmp. 0, or MYCEL_E_IO after having printed why. */
int folder_make(char path[FOLDER_BYTES_MAX]);

/* Removes the folder with everything in it, without following links. Best effort. */
void folder_remove(const char *path);

#endif
