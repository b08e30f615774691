/* Makes keys and writes key files. */
#include "server/cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <mycel/error.h>

#include "data/file_error.h"
#include "server/cli/say.h"

int secret_make(uint8_t key[SECRET_BYTES])
{
    size_t done = 0;
    while (done < SECRET_BYTES) {
        ssize_t n = getrandom(key + done, SECRET_BYTES - done, 0);
        if (n < 0 && errno != EINTR) {
            return MYCEL_E_CRYPTO;
        }
        done += n > 0 ? (size_t)n : 0u;
    }
    return MYCEL_OK;
}

/* A new file is there after a power cut only when its folder was synced. The store may say by then that the
 * key is a device's, and when it will be its only one. */
static bool sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = snprintf(folder, sizeof folder, "%.*s.", slash ? (int)(slash - path) + 1 : 0, path);
    int fd =
        n > 0 && (size_t)n < sizeof folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = fd >= 0 && fsync(fd) == 0;
    int why = errno;
    (void)(fd >= 0 && close(fd));
    errno = why;
    return ok;
}

int secret_write(const char *path, const uint8_t key[SECRET_BYTES])
{
    char text[2u * SECRET_BYTES + 2u];
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        return file_error(errno);
    }
    say_hex(key, SECRET_BYTES, text);
    text[2u * SECRET_BYTES] = '\n';
    errno = 0;
    ssize_t written = write(file, text, 2u * SECRET_BYTES + 1u);
    explicit_bzero(text, sizeof text);
    bool ok = written == (ssize_t)(2u * SECRET_BYTES + 1u) && fsync(file) == 0 && sync_folder(path);
    int why = errno;
    ok = close(file) == 0 && ok;
    if (!ok) {
        (void)unlink(path);
        errno = why ? why : EIO;
        return file_error(errno);
    }
    return MYCEL_OK;
}
