/* From a command line to a command's exit code. */
#ifndef MYCEL_SERVER_CLI_DISPATCH_H
#define MYCEL_SERVER_CLI_DISPATCH_H

/* Finds the command, reads its arguments and the configuration, runs it. argv is changed. Returns
 * the process's exit code. */
int dispatch(int argc, char **argv);

#endif
