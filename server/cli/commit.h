/* Which source a result came from. The definition is written by the build (cmake/Commit.cmake). */
#ifndef MYCEL_SERVER_CLI_COMMIT_H
#define MYCEL_SERVER_CLI_COMMIT_H

/* Abbreviated commit, with "-dirty" where files were changed; "unknown" without git. */
extern const char mycel_commit[];

#endif
