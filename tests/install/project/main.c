/* What an embedder writes first: a program outside this tree that links the installed client. */
#include <mycel/client.h>
#include <mycel/error.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    /* Without its functions a port is refused, in words. */
    struct mycel_client client;
    struct mycel_port port = {0};
    struct mycel_client_config config = {0};
    int code = mycel_client_init(&client, &port, &config, 0);
    puts(mycel_error_text(code));
    return strcmp(mycel_error_name(code), "INVALID") != 0;
}
