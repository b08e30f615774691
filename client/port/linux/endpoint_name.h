/* Reads "HOST[:PORT]" and finds the address. Owns nothing; blocks while the name is looked up. */
#ifndef MYCEL_CLIENT_PORT_LINUX_ENDPOINT_NAME_H
#define MYCEL_CLIENT_PORT_LINUX_ENDPOINT_NAME_H

#include <stdint.h>
#include <sys/socket.h>

#define ENDPOINT_HOST_BYTES_MAX 256u /* with its NUL */

struct endpoint_name {
    struct sockaddr_storage address;
    socklen_t bytes;
};

/* "name", "name:port", "1.2.3.4:port", "::1", "[::1]:port". 0; MYCEL_E_INVALID (text or port),
 * MYCEL_E_UNREACHABLE (no such name). */
int endpoint_name_resolve(const char *text, uint16_t default_port, struct endpoint_name *out);

/* The host alone: "name", "1.2.3.4", "::1". 0; MYCEL_E_INVALID. Does not block. */
int endpoint_name_host(const char *text, char out[ENDPOINT_HOST_BYTES_MAX]);

#endif
