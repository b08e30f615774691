/* What an embedder writes first: a program outside this tree that links the installed client. */
#include <mycel/error.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    puts(mycel_error_text(MYCEL_E_MALFORMED));
    return strcmp(mycel_error_name(MYCEL_E_MALFORMED), "MALFORMED") != 0;
}
