/* Unpacks gzipped files. */
#include "server/cli/demo/unpack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <mycel/error.h>

#include "server/cli/say.h"

#define CHUNK_BYTES (256u * 1024u)

static bool copy(gzFile in, FILE *out, void *chunk)
{
    int n;
    while ((n = gzread(in, chunk, CHUNK_BYTES)) > 0) {
        if (fwrite(chunk, 1, (size_t)n, out) != (size_t)n) {
            return false;
        }
    }
    return n == 0;
}

int unpack(const char *from, const char *to)
{
    void *chunk = malloc(CHUNK_BYTES);
    gzFile in = gzopen(from, "rbe");
    FILE *out = fopen(to, "wbxe");
    bool ok = chunk != NULL && in != NULL && out != NULL && copy(in, out, chunk);
    if (in != NULL) {
        ok = gzclose(in) == Z_OK && ok;
    }
    if (out != NULL) {
        ok = fclose(out) == 0 && ok;
    }
    free(chunk);
    if (!ok) {
        say_error("%s cannot be unpacked: %s", from, errno ? strerror(errno) : "it is damaged");
    }
    return ok ? MYCEL_OK : MYCEL_E_IO;
}
