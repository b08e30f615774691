/* The `mycel` program. */
#include <locale.h>
#include <stdlib.h>

#include "server/cli/dispatch.h"

int main(int argc, char **argv)
{
    (void)setlocale(LC_CTYPE, ""); /* widths of what the demo draws; numbers stay as in C */
    (void)setenv("ARGP_HELP_FMT", "no-dup-args-note,rmargin=96,opt-doc-col=30", 0);
    return dispatch(argc, argv);
}
