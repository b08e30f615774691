/* A device's key, from a file that only its owner can read. See key_file.h. */
#include "client/port/linux/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <mycel/error.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static int read_private(int fd, char *text, size_t size, size_t *length)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return MYCEL_E_IO;
    }
    if (!S_ISREG(status.st_mode) || (status.st_mode & 077) != 0) {
        return MYCEL_E_PERMISSION;
    }
    ssize_t n = read(fd, text, size);
    if (n < 0) {
        return MYCEL_E_IO;
    }
    *length = (size_t)n;
    if (n > 0 && text[n - 1] == '\n') {
        (*length)--;
    }
    return MYCEL_OK;
}

int key_file_read(const char *path, uint8_t key[PROTO_PSK_BYTES_MAX], size_t *bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? MYCEL_E_NOT_FOUND
                               : (errno == EACCES ? MYCEL_E_PERMISSION : MYCEL_E_IO);
    }
    char text[2u * PROTO_PSK_BYTES_MAX + 2u];
    size_t length = 0;
    int rc = read_private(fd, text, sizeof text, &length);
    if (rc == MYCEL_OK) {
        rc = decode(text, length, key, bytes);
    }
    explicit_bzero(text, sizeof text);
    (void)close(fd);
    return rc;
}
