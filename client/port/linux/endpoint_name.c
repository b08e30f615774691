/* "HOST[:PORT]" to a socket address. Owns nothing. */
#include "client/port/linux/endpoint_name.h"

#include <mycel/error.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parts {
    char host[ENDPOINT_HOST_BYTES_MAX];
    uint16_t port;
};

static bool read_port(const char *text, uint16_t *port)
{
    char *end = NULL;
    if (*text < '0' || *text > '9') {
        return false;
    }
    unsigned long value = strtoul(text, &end, 10);
    if (*end != '\0' || value == 0 || value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

static bool split(const char *text, struct parts *out)
{
    const char *host = text;
    const char *host_end = text + strlen(text);
    const char *colon = strrchr(text, ':');
    if (*text == '[') {
        const char *bracket = strchr(text, ']');
        if (bracket == NULL || (bracket[1] != '\0' && bracket[1] != ':')) {
            return false;
        }
        host = text + 1;
        host_end = bracket;
        colon = bracket[1] == ':' ? bracket + 1 : NULL;
    } else if (colon != NULL && strchr(text, ':') != colon) {
        colon = NULL; /* a bare IPv6 address */
    } else if (colon != NULL) {
        host_end = colon;
    }
    size_t length = (size_t)(host_end - host);
    if (length == 0 || length >= sizeof out->host) {
        return false;
    }
    memcpy(out->host, host, length);
    out->host[length] = '\0';
    return colon == NULL || read_port(colon + 1, &out->port);
}

int endpoint_name_host(const char *text, char out[ENDPOINT_HOST_BYTES_MAX])
{
    struct parts parts;
    if (!split(text, &parts)) {
        return MYCEL_E_INVALID;
    }
    memcpy(out, parts.host, sizeof parts.host);
    return MYCEL_OK;
}

int endpoint_name_resolve(const char *text, uint16_t default_port, struct endpoint_name *out)
{
    struct parts parts = {.port = default_port};
    if (!split(text, &parts)) {
        return MYCEL_E_INVALID;
    }
    char service[8];
    (void)snprintf(service, sizeof service, "%u", (unsigned)parts.port);
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(parts.host, service, &hints, &found) != 0 || found == NULL) {
        return MYCEL_E_UNREACHABLE;
    }
    memcpy(&out->address, found->ai_addr, found->ai_addrlen);
    out->bytes = found->ai_addrlen;
    freeaddrinfo(found);
    return MYCEL_OK;
}
