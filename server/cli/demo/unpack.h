/* Unpacks a gzipped file once, so that ten devices need not each do it. */
#ifndef MYCEL_SERVER_CLI_DEMO_UNPACK_H
#define MYCEL_SERVER_CLI_DEMO_UNPACK_H

/* Writes the plain bytes of `from` (gzipped or not) to a new file `to`. 0, or MYCEL_E_IO after having
 * printed why. Blocks on the disk. */
int unpack(const char *from, const char *to);

#endif
