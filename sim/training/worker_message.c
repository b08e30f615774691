/* See worker_message.h. */
#include "sim/training/worker_message.h"

#include "client/nn/kernels/kernels.h"

#include <mycel/error.h>
#include <mycel/nn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int worker_message_send(struct peers *peers, uint32_t to, const struct worker_message *message,
                        const void *body, size_t bytes)
{
    const struct peers_part parts[] = {{message, sizeof *message}, {body, bytes}};
    return peers->send(peers, to, parts, 2);
}

int worker_message_receive(struct peers *peers, struct worker_message *message,
                           struct peers_message *received, const void **body, size_t *bytes)
{
    int rc = peers->receive(peers, received);
    if (rc <= 0) {
        return rc;
    }
    if (received->bytes < sizeof *message) {
        free(received->data);
        return MYCEL_E_VERSION; /* another program */
    }
    memcpy(message, received->data, sizeof *message);
    *body = (const char *)received->data + sizeof *message;
    *bytes = received->bytes - sizeof *message;
    return 1;
}

void worker_kernels(char out[WORKER_KERNELS_BYTES])
{
    memset(out, 0, WORKER_KERNELS_BYTES);
    (void)snprintf(out, WORKER_KERNELS_BYTES, "%s", nn_kernels_select(MYCEL_NN_KERNELS_AUTO)->name);
}
