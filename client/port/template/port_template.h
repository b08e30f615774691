/* A port to begin with: see port_template.c. */
#ifndef MYCEL_CLIENT_PORT_TEMPLATE_H
#define MYCEL_CLIENT_PORT_TEMPLATE_H

#include <mycel/client.h>

/* Everything one client needs, in memory of yours. */
struct template_port {
    struct mycel_port port;
    struct mycel_client_config config;
    struct mycel_client client;
    uint64_t scratch[MYCEL_CLIENT_SCRATCH_BYTES / sizeof(uint64_t)];
    uint8_t journal[MYCEL_JOURNAL_BYTES_MAX];
    uint32_t journal_bytes;
    uint64_t random_state;
};

/* Fills in the tables and starts the client. Errors as mycel_client_init. */
int template_port_init(struct template_port *port, uint64_t now_ms);

#endif
