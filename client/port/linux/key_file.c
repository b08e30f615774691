/* A device's key, in a file that only its owner can read. See key_file.h. */
#include "client/port/linux/key_file.h"

#include "data/file_error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mycel/error.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Both lines with their newlines, and one byte more to notice a longer file. */
#define TEXT_BYTES (2u * PROTO_PSK_BYTES_MAX + 1u + PROTO_IDENTITY_BYTES_MAX + 1u + 1u)

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int decode(const char *text, size_t length, uint8_t *key, size_t *bytes)
{
    if (length % 2u != 0 || length < 2u * PROTO_PSK_BYTES || length > 2u * PROTO_PSK_BYTES_MAX) {
        return MYCEL_E_MALFORMED;
    }
    for (size_t i = 0; i < length; i += 2) {
        int high = digit_of(text[i]);
        int low = digit_of(text[i + 1]);
        if (high < 0 || low < 0) {
            return MYCEL_E_MALFORMED;
        }
        key[i / 2u] = (uint8_t)(high << 4 | low);
    }
    *bytes = length / 2u;
    return MYCEL_OK;
}

/* The second line: printable ASCII without spaces, as all names are. */
static int read_name(const char *text, size_t length, char identity[PROTO_IDENTITY_BYTES_MAX + 1u])
{
    if (length == 0 || length > PROTO_IDENTITY_BYTES_MAX) {
        return MYCEL_E_MALFORMED;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return MYCEL_E_MALFORMED;
        }
    }
    memcpy(identity, text, length);
    identity[length] = '\0';
    return MYCEL_OK;
}

static int read_private(int fd, char text[TEXT_BYTES], size_t *length)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return MYCEL_E_IO;
    }
    if (!S_ISREG(status.st_mode) || (status.st_mode & 077) != 0) {
        return MYCEL_E_PERMISSION;
    }
    ssize_t n = read(fd, text, TEXT_BYTES);
    if (n < 0) {
        return MYCEL_E_IO;
    }
    if (n == TEXT_BYTES) {
        return MYCEL_E_MALFORMED;
    }
    *length = (size_t)n;
    if (n > 0 && text[n - 1] == '\n') {
        (*length)--;
    }
    return MYCEL_OK;
}

static int read_lines(const char *text, size_t length, struct key_file *out)
{
    const char *end = memchr(text, '\n', length);
    size_t first = end != NULL ? (size_t)(end - text) : length;
    int rc = decode(text, first, out->key, &out->key_bytes);
    return rc == MYCEL_OK && end != NULL ? read_name(end + 1, length - first - 1u, out->identity)
                                         : rc;
}

int key_file_read(const char *path, struct key_file *out)
{
    *out = (struct key_file){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return file_error(errno);
    }
    char text[TEXT_BYTES];
    size_t length = 0;
    int rc = read_private(fd, text, &length);
    if (rc == MYCEL_OK) {
        rc = read_lines(text, length, out);
    }
    explicit_bzero(text, sizeof text);
    (void)close(fd);
    return rc;
}

/* ---- writing */

static size_t format(const struct key_file *file, char text[TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < file->key_bytes; i++) {
        text[at++] = digits[file->key[i] >> 4];
        text[at++] = digits[file->key[i] & 15u];
    }
    text[at++] = '\n';
    size_t name = strlen(file->identity);
    memcpy(text + at, file->identity, name);
    at += name;
    if (name > 0) {
        text[at++] = '\n';
    }
    return at;
}

/* What was renamed is there after a power cut only when its folder was synced. */
static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t bytes = slash == NULL ? 0 : (size_t)(slash - path) + 1u;
    memcpy(folder, path, bytes);
    memcpy(folder + bytes, ".", 2);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int rc = ok ? MYCEL_OK : file_error(errno);
    (void)(fd >= 0 && close(fd));
    return rc;
}

static int write_new(const char *path, const char *text, size_t bytes)
{
    (void)unlink(path); /* what a crash has left */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return file_error(errno);
    }
    errno = EIO;
    bool ok = write(fd, text, bytes) == (ssize_t)bytes && fsync(fd) == 0;
    int rc = ok ? MYCEL_OK : file_error(errno);
    if (close(fd) != 0 && rc == MYCEL_OK) {
        rc = file_error(errno);
    }
    return rc;
}

int key_file_write(const char *path, const struct key_file *file)
{
    char fresh[PATH_MAX];
    char text[TEXT_BYTES];
    int n = snprintf(fresh, sizeof fresh, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof fresh) {
        return MYCEL_E_TOO_LARGE;
    }
    int rc = write_new(fresh, text, format(file, text));
    explicit_bzero(text, sizeof text);
    if (rc == MYCEL_OK && rename(fresh, path) != 0) {
        rc = file_error(errno);
    }
    if (rc < 0) {
        (void)unlink(fresh);
        return rc;
    }
    return sync_folder(path);
}
