/* A VFS for SQLite on top of the simulated disk. One connection at a time: locks are not modelled. */
#ifndef TESTS_FAULT_STORE_VFS_H
#define TESTS_FAULT_STORE_VFS_H

#include "disk.h"

#define VFS_NAME "mycel-fault"

/* Registers it for this process; `disk` may be replaced while no file is open. */
void vfs_install(struct disk *disk);

#endif
