/* Writing a file so that nobody ever sees half of it. */
#include "server/cli/outfile.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <mycel/error.h>

#include "server/cli/say.h"

static int to_stdout(outfile_content content, void *context)
{
    int result = content(stdout, context);
    if (result == MYCEL_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        say_error("stdout: %s", mycel_error_text(MYCEL_E_IO));
        return MYCEL_E_IO;
    }
    return result;
}

int outfile_write(const char *path, bool replace, outfile_content content, void *context)
{
    char part[PATH_MAX];
    if (strcmp(path, "-") == 0) {
        return to_stdout(content, context);
    }
    (void)snprintf(part, sizeof part, "%s.%ld.part", path, (long)getpid());
    FILE *out = fopen(part, "wbxe");
    if (out == NULL) {
        int why = errno;
        say_error("%s: %s", part, strerror(why));
        return why == EACCES ? MYCEL_E_PERMISSION : MYCEL_E_IO;
    }
    int result = content(out, context);
    bool ok = result == MYCEL_OK && fflush(out) == 0 && fsync(fileno(out)) == 0;
    int why = errno;
    if (fclose(out) != 0 && ok) {
        ok = false;
        why = errno;
    }
    if (ok) { /* link() refuses to replace, rename() replaces: at once, and never half a file. */
        ok = (replace ? rename(part, path) : link(part, path)) == 0;
        why = errno;
    }
    (void)unlink(part);
    if (ok || result < 0) {
        return result;
    }
    say_error("%s: %s%s", path, strerror(why), why == EEXIST ? "; --force replaces it" : "");
    return why == EEXIST ? MYCEL_E_EXISTS : MYCEL_E_IO;
}
