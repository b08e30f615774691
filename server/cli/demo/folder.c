/* Makes and removes the demo's temporary folder. */
#include "server/cli/demo/folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "server/cli/say.h"

#define OPEN_FOLDERS_MAX 16

int folder_make(char path[FOLDER_BYTES_MAX])
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] != '/') {
        parent = "/tmp";
    }
    int n = snprintf(path, FOLDER_BYTES_MAX, "%s/mycel-demo-XXXXXX", parent);
    if (n >= FOLDER_BYTES_MAX || mkdtemp(path) == NULL) {
        say_error("%s: %s", parent, n >= FOLDER_BYTES_MAX ? "path too long" : strerror(errno));
        return MYCEL_E_IO;
    }
    return MYCEL_OK;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    (void)remove(path);
    return 0;
}

void folder_remove(const char *path)
{
    (void)nftw(path, remove_one, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
