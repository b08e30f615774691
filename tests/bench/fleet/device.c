/* Implementation of device.h. */
#include "tests/bench/fleet/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "common/rng.h"

#define ADDRESS_FIRST 0x7F010001u /* 127.1.0.1 */
#define SAMPLES 100u
#define POLLS_MAX 256u /* then the others have their turn */
#define STREAM_KEY 0xF1EE7001u
#define STREAM_DELTA 0xF1EE7002u
#define STREAM_RANDOM 0xF1EE7003u
#define DELTA_MAX 1e-3f
#define SLEEP_MIN_MS 10u
#define BACKOFF_MIN_MS 200u
#define BACKOFF_MAX_MS 2000u

void device_name(uint32_t index, char name[DEVICE_NAME_BYTES])
{
    (void)snprintf(name, DEVICE_NAME_BYTES, "fleet-%05u", (unsigned)index);
}

void device_key(uint32_t index, uint8_t key[DEVICE_KEY_BYTES])
{
    for (uint32_t i = 0; i < DEVICE_KEY_BYTES; i++) {
        key[i] = (uint8_t)rng_u32(index, STREAM_KEY, i);
    }
}

/* ---- store */

static int area_reserve(struct device_area *area, uint32_t bytes)
{
    if (bytes <= area->room) {
        return MYCEL_OK;
    }
    uint32_t room = bytes > 2u * area->room ? bytes : 2u * area->room;
    uint8_t *data = realloc(area->data, room);
    if (data == NULL) {
        return MYCEL_E_DISK_FULL;
    }
    area->data = data;
    area->room = room;
    return MYCEL_OK;
}

static int on_read(void *ctx, enum mycel_area which, uint32_t offset, void *data, size_t bytes)
{
    struct device *device = ctx;
    const struct device_area *area = &device->areas[which];
    if (which == MYCEL_AREA_MODEL || which == MYCEL_AREA_MODEL_B) {
        device->base = which; /* the trainer is loaded from it last */
    }
    uint32_t left = offset < area->bytes ? area->bytes - offset : 0;
    size_t count = bytes < left ? bytes : left;
    if (count > 0) {
        memcpy(data, area->data + offset, count);
    }
    return (int)count;
}

static int on_write(void *ctx, enum mycel_area which, uint32_t offset, const void *data,
                    size_t bytes)
{
    struct device_area *area = &((struct device *)ctx)->areas[which];
    uint32_t end = offset + (uint32_t)bytes;
    if (area_reserve(area, end) < 0) {
        return MYCEL_E_DISK_FULL;
    }
    memcpy(area->data + offset, data, bytes);
    area->bytes = end > area->bytes ? end : area->bytes;
    return MYCEL_OK;
}

static int on_sync(void *ctx, enum mycel_area which)
{
    (void)ctx, (void)which;
    return MYCEL_OK;
}

static int on_erase(void *ctx, enum mycel_area which)
{
    ((struct device *)ctx)->areas[which].bytes = 0;
    return MYCEL_OK;
}

static int on_save(void *ctx, const void *data, size_t bytes)
{
    (void)on_erase(ctx, MYCEL_AREA_JOURNAL);
    return on_write(ctx, MYCEL_AREA_JOURNAL, 0, data, bytes);
}

static const struct mycel_store store_table = {on_read, on_write, on_sync,
                                               on_save, on_erase, MYCEL_STORE_PATCH};

/* ---- trainer */

static uint32_t on_samples(void *ctx)
{
    (void)ctx;
    return SAMPLES;
}

static int on_prepare(void *ctx, const struct mycel_plan *plan, uint32_t *column)
{
    (void)ctx, (void)plan, (void)column;
    return MYCEL_OK;
}

static int on_load(void *ctx, uint32_t first, const float *values, uint32_t count)
{
    (void)ctx, (void)first, (void)values, (void)count;
    return MYCEL_OK;
}

static int on_step(void *ctx, uint32_t steps)
{
    (void)ctx, (void)steps;
    return 0;
}

/* The base, which lies in the device's store, plus the delta. */
static int on_weights(void *ctx, uint32_t first, float *values, uint32_t count)
{
    const struct device *device = ctx;
    int bytes = (int)(count * sizeof *values);
    if (on_read(ctx, device->base, first * (uint32_t)sizeof *values, values, (size_t)bytes) !=
        bytes) {
        return MYCEL_E_IO;
    }
    uint32_t offset = first + device->index * 977u;
    for (uint32_t i = 0; i < count; i++) {
        values[i] += device->shared->deltas[(offset + i) % DEVICE_DELTAS];
    }
    return MYCEL_OK;
}

static void on_result(void *ctx, struct mycel_train_result *result)
{
    (void)ctx;
    *result = (struct mycel_train_result){
        .samples = SAMPLES, .steps = 1, .loss_first = 1.0f, .loss_last = 0.5f};
}

static void on_release(void *ctx)
{
    (void)ctx;
}

static const struct mycel_trainer trainer_table = {on_samples, on_prepare, on_load,    on_step,
                                                   on_weights, on_result,  on_release, NULL};

/* ---- platform */

static uint64_t on_random(void *ctx)
{
    struct device *device = ctx;
    return rng_u64(device->index, STREAM_RANDOM, device->shared->drawn++);
}

static void on_conditions(void *ctx, bool training, struct mycel_conditions *conditions)
{
    (void)ctx, (void)training;
    *conditions = (struct mycel_conditions){.idle = true, .battery_percent = 255};
}

static void on_event(void *ctx, const struct mycel_event *event)
{
    struct device_shared *shared = ((struct device *)ctx)->shared;
    struct device_counts *counts = shared->counts;
    switch (event->kind) {
    case MYCEL_EVENT_RECEIPT:
        counts->receipts += event->code == 0;
        counts->refused += event->code != 0;
        break;
    case MYCEL_EVENT_LEASE:
        counts->leases++;
        break;
    case MYCEL_EVENT_WINDOW:
        counts->windows++;
        break;
    case MYCEL_EVENT_PROBLEM:
        counts->problems++;
        (void)snprintf(shared->problem, sizeof shared->problem, "%s: %s",
                       mycel_error_name(event->code), event->text);
        break;
    default:
        break;
    }
}

static const struct mycel_platform platform_table = {on_random, on_conditions, on_event};

/* ---- life */

void device_share(struct device_shared *shared, struct device_counts *counts, uint16_t port,
                  uint32_t codecs)
{
    memset(shared, 0, sizeof *shared);
    shared->counts = counts;
    shared->port = port;
    shared->config = (struct mycel_client_config){.device_class = "linux",
                                                  .codecs = codecs,
                                                  .sleep_min_ms = SLEEP_MIN_MS,
                                                  .backoff_min_ms = BACKOFF_MIN_MS,
                                                  .backoff_max_ms = BACKOFF_MAX_MS,
                                                  .scratch = shared->scratch,
                                                  .scratch_bytes = sizeof shared->scratch};
    for (uint32_t i = 0; i < DEVICE_DELTAS; i++) {
        shared->deltas[i] = (2.0f * rng_f32(1, STREAM_DELTA, i) - 1.0f) * DELTA_MAX;
    }
}

int device_open(struct device *device, struct device_shared *shared, uint32_t index)
{
    char name[DEVICE_NAME_BYTES];
    uint8_t key[DEVICE_KEY_BYTES];
    memset(device, 0, sizeof *device);
    device->shared = shared;
    device->index = index;
    device_name(index, name);
    device_key(index, key);
    struct link_options options = {.from = ADDRESS_FIRST + index,
                                   .port = shared->port,
                                   .identity = name,
                                   .key = key,
                                   .key_bytes = sizeof key,
                                   .plain = shared->plain,
                                   .traffic = &shared->counts->traffic};
    int rc = link_init(&device->link, &options);
    if (rc < 0) {
        return rc;
    }
    device->ports =
        (struct mycel_port){&link_transport, &device->link,   &store_table, device, &trainer_table,
                            device,          &platform_table, device,       NULL,   NULL};
    return mycel_client_init(&device->client, &device->ports, &shared->config, link_now_ms());
}

void device_poll(struct device *device)
{
    uint64_t now_ms = link_now_ms();
    uint32_t wait_ms = 0;
    for (unsigned i = 0; i < POLLS_MAX && wait_ms == 0; i++) {
        wait_ms = mycel_client_poll(&device->client, now_ms);
    }
    uint32_t due_ms = link_due_ms(&device->link, now_ms);
    device->wake_ms = now_ms + (due_ms < wait_ms ? due_ms : wait_ms);
}

void device_close(struct device *device)
{
    mycel_client_deinit(&device->client);
    link_deinit(&device->link);
    for (unsigned i = 0; i < MYCEL_AREA_COUNT; i++) {
        free(device->areas[i].data);
    }
}
