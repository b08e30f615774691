/* Why a file could not be opened, read or written, as one of our errors. Owns nothing. */
#ifndef MYCEL_DATA_FILE_ERROR_H
#define MYCEL_DATA_FILE_ERROR_H

/* From an errno: NOT_FOUND, PERMISSION, EXISTS, DISK_FULL, BUSY (locked by another), else IO. */
int file_error(int why);

#endif
