/* See file_error.h. */
#include "data/file_error.h"

#include <errno.h>
#include <mycel/error.h>

int file_error(int why)
{
    switch (why) {
    case ENOENT:
    case ENOTDIR:
        return MYCEL_E_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return MYCEL_E_PERMISSION;
    case EEXIST:
        return MYCEL_E_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return MYCEL_E_DISK_FULL;
    case EWOULDBLOCK:
        return MYCEL_E_BUSY;
    default:
        return MYCEL_E_IO;
    }
}
