/*
 * A port to begin with. Copy this folder, rename `template`, and work through the places marked PORT
 * from top to bottom; <mycel/port.h> says exactly what each function promises. As it stands it compiles
 * and runs, and the client does what it does on a device without a radio: it asks for a session, is
 * refused, and tries again at growing intervals.
 *
 * The main loop of a device is three lines:
 *
 *     for (;;) {
 *         uint32_t wait_ms = mycel_client_poll(&port.client, now_ms());
 *         sleep_until_input_or(wait_ms);
 *     }
 */
#include "client/port/template/port_template.h"

#include <mycel/error.h>
#include <string.h>

/* ---- transport ---------------------------------------------------------------------------- */

/* PORT: begin a DTLS 1.2 session with the coordinator (pre-shared key, connection id) and return at
 * once. With libcoap: coap_new_client_session_psk2(), block mode 0, NSTART of at least 4. */
static int transport_open(void *ctx)
{
    (void)ctx;
    return MYCEL_E_UNREACHABLE;
}

/* PORT: make one CoAP message of the request and send it, and again until it is answered, for the first
 * time after request->timeout_ms; remember under which token the slot's answer will come. Return 1, or 0
 * when there is no room just now. */
static int transport_send(void *ctx, unsigned slot, const struct mycel_request *request)
{
    (void)ctx;
    (void)slot;
    (void)request;
    return MYCEL_E_CLOSED;
}

/* PORT: let the stack work (input, repetitions, handshake), then hand out one answer that came. */
static int transport_receive(void *ctx, struct mycel_response *response)
{
    (void)ctx;
    (void)response;
    return 0;
}

/* PORT: forget the slot; its answer must not be handed out any more. */
static void transport_cancel(void *ctx, unsigned slot)
{
    (void)ctx;
    (void)slot;
}

/* PORT: end the session and forget all slots. */
static void transport_close(void *ctx)
{
    (void)ctx;
}

static const struct mycel_transport transport = {transport_open, transport_send, transport_receive,
                                                 transport_cancel, transport_close};

/* ---- store -------------------------------------------------------------------------------- */

/* PORT: read from flash. Below, only the journal exists, and only until the power goes. */
static int store_read(void *ctx, enum mycel_area area, uint32_t offset, void *data, size_t bytes)
{
    struct template_port *p = ctx;
    if (area != MYCEL_AREA_JOURNAL || offset >= p->journal_bytes) {
        return 0;
    }
    size_t left = p->journal_bytes - offset;
    size_t n = left < bytes ? left : bytes;
    memcpy(data, p->journal + offset, n);
    return (int)n;
}

/* PORT: write to the area for the model, the body, or one of the optional ones. Offsets come in any order, each block once or
 * more often with the same content. */
static int store_write(void *ctx, enum mycel_area area, uint32_t offset, const void *data,
                       size_t bytes)
{
    (void)ctx;
    (void)area;
    (void)offset;
    (void)data;
    (void)bytes;
    return MYCEL_E_DISK_FULL;
}

/* PORT: return 0 only when a power cut can no longer undo the writes. */
static int store_sync(void *ctx, enum mycel_area area)
{
    (void)ctx;
    (void)area;
    return MYCEL_OK;
}

/* PORT: replace the record so that after a power cut the old or the new one is read, never a mixture:
 * two flash pages in turn with a counter will do; the record carries its own checksum. */
static int store_save(void *ctx, const void *data, size_t bytes)
{
    struct template_port *p = ctx;
    if (bytes > sizeof p->journal) {
        return MYCEL_E_DISK_FULL;
    }
    memcpy(p->journal, data, bytes);
    p->journal_bytes = (uint32_t)bytes;
    return MYCEL_OK;
}

/* PORT: make the area empty. */
static int store_erase(void *ctx, enum mycel_area area)
{
    (void)ctx;
    (void)area;
    return MYCEL_OK;
}

/* PORT: the last field names the optional areas that there is room for, each the model's size:
 * MYCEL_STORE_RESIDUAL (two of them) for codecs with error feedback, MYCEL_STORE_CONTROL (three) for
 * SCAFFOLD, MYCEL_STORE_PATCH (two) to fetch what has changed instead of whole models. 0 does without. */
static const struct mycel_store store = {store_read, store_write, store_sync,
                                         store_save, store_erase, 0};

/* ---- trainer ------------------------------------------------------------------------------ */

/* PORT: how many samples are there? 0 keeps the client asleep. */
static uint32_t trainer_samples(void *ctx)
{
    (void)ctx;
    return 1;
}

/* PORT: mycel_model_parse, mycel_nn_plan, mycel_nn_init in an arena of yours (<mycel/nn.h>); see
 * client/port/linux/nn_trainer.c. */
static int trainer_prepare(void *ctx, const struct mycel_plan *plan, uint32_t *column)
{
    (void)ctx;
    (void)plan;
    *column = 0;
    return MYCEL_E_UNSUPPORTED;
}

/* PORT: mycel_nn_write. */
static int trainer_load(void *ctx, uint32_t first, const float *values, uint32_t count)
{
    (void)ctx;
    (void)first;
    (void)values;
    (void)count;
    return MYCEL_E_STATE;
}

/* PORT: mycel_nn_train with a budget of that many steps. */
static int trainer_step(void *ctx, uint32_t steps)
{
    (void)ctx;
    (void)steps;
    return MYCEL_E_STATE;
}

/* PORT: mycel_nn_read. */
static int trainer_weights(void *ctx, uint32_t first, float *values, uint32_t count)
{
    (void)ctx;
    (void)first;
    (void)values;
    (void)count;
    return MYCEL_E_STATE;
}

/* PORT: samples, steps, and the mean loss of the first and last epoch (mycel_nn_status). */
static void trainer_result(void *ctx, struct mycel_train_result *result)
{
    (void)ctx;
    memset(result, 0, sizeof *result);
}

/* PORT: give the arena back. */
static void trainer_release(void *ctx)
{
    (void)ctx;
}

/* PORT: mycel_nn_write of MYCEL_NN_CORRECTION, where SCAFFOLD is wanted; NULL does without. */
static const struct mycel_trainer trainer = {
    trainer_samples, trainer_prepare, trainer_load,    trainer_step,
    trainer_weights, trainer_result,  trainer_release, NULL};

/* ---- platform ----------------------------------------------------------------------------- */

/* PORT: the hardware's random numbers. They must differ between devices, or a whole fleet wakes up at
 * the same moment; the constant below does not. */
static uint64_t platform_random(void *ctx)
{
    struct template_port *p = ctx;
    p->random_state = p->random_state * 6364136223846793005u + 1442695040888963407u;
    return p->random_state;
}

/* PORT: may it train now? Look at the battery, the charger, and what the device is for. */
static void platform_conditions(void *ctx, bool training, struct mycel_conditions *conditions)
{
    (void)ctx;
    (void)training;
    conditions->idle = true;
    conditions->battery_percent = 255;
}

/* PORT: blink, log, or leave the pointer in the table NULL. */
static void platform_event(void *ctx, const struct mycel_event *event)
{
    (void)ctx;
    (void)event;
}

static const struct mycel_platform platform = {platform_random, platform_conditions,
                                               platform_event};

/* ---- all together ------------------------------------------------------------------------- */

int template_port_init(struct template_port *port, uint64_t now_ms)
{
    memset(port, 0, sizeof *port);
    port->random_state = 1;
    port->port = (struct mycel_port){&transport, port,      &store, port, &trainer,
                                     port,       &platform, port,   NULL, NULL};
    /* PORT: the settings that are not right for your device; every other one has a default. */
    port->config = (struct mycel_client_config){.device_class = "template",
                                                .scratch = port->scratch,
                                                .scratch_bytes = sizeof port->scratch};
    return mycel_client_init(&port->client, &port->port, &port->config, now_ms);
}
