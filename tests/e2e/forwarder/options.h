/* The forwarder's command line. */
#ifndef MYCEL_TESTS_E2E_FORWARDER_OPTIONS_H
#define MYCEL_TESTS_E2E_FORWARDER_OPTIONS_H

#include "fate.h"

#include <sys/socket.h>

struct endpoint {
    struct sockaddr_storage address;
    socklen_t bytes;
};

struct options {
    struct fate_options fate;
    struct endpoint listen;
    struct endpoint to;
    uint32_t delay_us;         /* one way */
    uint32_t bytes_per_second; /* of each direction, shared by all flows; 0: no limit */
    uint32_t header_bytes;     /* that each datagram has on the link besides its own: UDP, IP */
    uint32_t buffer_us;        /* what would wait longer for the link is dropped */
    uint32_t rebind;           /* a flow gets a new port after so many datagrams up; 0: never */
    const char *ready_file;    /* the port is written there; NULL: nowhere */
};

/* Reads the command line. 0: go on. Else the process's exit code + 1: help or a complaint was printed. */
int options_read(struct options *options, int argc, char **argv);

#endif
