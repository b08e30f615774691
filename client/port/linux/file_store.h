/*
 * The client's store in one folder: `journal` (replaced atomically), `model`, `body` and one file for each
 * optional area (written at offsets). It owns these files and a lock, so that two clients never share a folder by mistake;
 * it must never report anything durable before the kernel said so.
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_FILE_STORE_H
#define MYCEL_CLIENT_PORT_LINUX_FILE_STORE_H

#include <mycel/port.h>

struct file_store {
    int folder;
    int lock;
    int areas[MYCEL_AREA_COUNT]; /* by enum mycel_area; the journal's stays -1 */
};

extern const struct mycel_store file_store_table;

/* Opens or makes the folder (0700; others' permissions on an existing one are refused) and the files.
 * 0; MYCEL_E_BUSY (another client has it), MYCEL_E_PERMISSION, MYCEL_E_NOT_FOUND (its parent is
 * missing), MYCEL_E_IO, MYCEL_E_DISK_FULL. */
int file_store_open(struct file_store *store, const char *path);

void file_store_close(struct file_store *store);

#endif
