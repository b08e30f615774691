/* Implementation of pem_file.h. */
#include "client/port/linux/pem_file.h"

#include <errno.h>
#include <fcntl.h>
#include <mycel/error.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void free_text(struct pem_text *text)
{
    unsigned char *bytes = (unsigned char *)(uintptr_t)text->text;
    if (bytes != NULL) {
        explicit_bzero(bytes, text->bytes);
        free(bytes);
    }
    *text = (struct pem_text){0};
}

void pem_texts_free(struct pem_texts *texts)
{
    free_text(&texts->own);
    free_text(&texts->key);
    free_text(&texts->ca);
    free_text(&texts->crl);
}

/* All of an open file, whose size was `bytes` when it was looked at. */
static int read_all(int fd, size_t bytes, struct pem_text *out)
{
    unsigned char *text = malloc(bytes + 1u);
    size_t done = 0;
    ssize_t n = 1;
    if (text == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    while (done < bytes && n > 0) {
        n = read(fd, text + done, bytes - done);
        done += n > 0 ? (size_t)n : 0u;
    }
    text[done] = '\0';
    *out = (struct pem_text){text, done + 1u};
    return n < 0 ? MYCEL_E_IO : MYCEL_OK;
}

static int read_open(int fd, bool is_private, struct pem_text *out)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return MYCEL_E_IO;
    }
    if (!S_ISREG(status.st_mode) || (is_private && (status.st_mode & 077) != 0)) {
        return MYCEL_E_PERMISSION;
    }
    if (status.st_size >= (off_t)PEM_TEXT_BYTES_MAX) {
        return MYCEL_E_TOO_LARGE;
    }
    return read_all(fd, (size_t)status.st_size, out);
}

static int read_file(const char *path, bool is_private, struct pem_text *out, const char **failed)
{
    if (path == NULL) {
        return MYCEL_OK;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would be waited for */
    int rc;
    if (fd < 0) {
        rc = errno == ENOENT || errno == ENOTDIR ? MYCEL_E_NOT_FOUND
             : errno == EACCES                   ? MYCEL_E_PERMISSION
                                                 : MYCEL_E_IO;
    } else {
        rc = read_open(fd, is_private, out);
        (void)close(fd);
    }
    if (rc < 0) {
        *failed = path;
    }
    return rc;
}

int pem_files_read(const struct pem_files *files, struct pem_texts *out, const char **failed)
{
    *out = (struct pem_texts){0};
    int rc = read_file(files->own, false, &out->own, failed);
    if (rc == MYCEL_OK) {
        rc = read_file(files->key, true, &out->key, failed);
    }
    if (rc == MYCEL_OK) {
        rc = read_file(files->ca, false, &out->ca, failed);
    }
    if (rc == MYCEL_OK) {
        rc = read_file(files->crl, false, &out->crl, failed);
    }
    if (rc < 0) {
        pem_texts_free(out);
    }
    return rc;
}
