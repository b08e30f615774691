/*
 * The table of device classes. What is measured says so; the rest are estimates, with what they
 * are made of. docs/SIMULATION.md prints the same table.
 */
#include "sim/fleet/device_class.h"

#include "common/assert.h"

#include <stddef.h>
#include <string.h>

/* Operations for each value of a layer without multiply-accumulates, forward; twice that backward. */
#define NORM_FLOPS 8
#define VALUE_FLOPS 1

#define KIB 1024u
#define MIB (1024u * KIB)

/*
 * Where "share of peak" stands, it is what our kernels reach elsewhere (docs/TRAINER.md: a quarter to
 * a half on x86); a quarter is taken, of one core, because the trainer uses one. Energy is the
 * board's additional power with one busy core, divided by that speed.
 */
static const struct device_class classes[DEVICE_KINDS] = {
    [DEVICE_IDEAL] =
        {
            .name = "ideal",
            .title = "1 GFLOP/s, no energy, ideal link",
            .flops_per_s = 1000000000,
            .model_bytes_max = UINT64_MAX,
            .radio = RADIO_IDEAL,
        },
    /* Measured: instructions of a sample under QEMU (docs/TRAINER.md): 13.2 k for 64-32-10 at batch
     * 32, 24.1 k at batch 1, 0.70 M for the small CNN; device_model_flops() gives 10.4 k, 19.8 k and
     * 479 k, so 0.68 to 0.82 operations an instruction, 0.75 taken. 64 MHz, 1.4 cycles an instruction
     * (estimate from the Cortex-M4 reference manual: loads take two, single-precision adds and
     * multiplies one). Energy: 3.2 mA at 3 V running from flash (product specification). Memory:
     * what the firmware leaves of 256 KB. Battery: two AA lithium cells, 3,000 mAh at 3 V. */
    [DEVICE_NRF52840] =
        {
            .name = "nrf52840",
            .title = "nRF52840, sleepy mesh endpoint",
            .flops_per_s = 34000000,
            .pj_per_flop = 282,
            .idle_uw = 10,
            .model_bytes_max = 200 * KIB,
            .battery_mj = 32400000,
            .radio = RADIO_THREAD,
            .sleepy = true,
        },
    /* Border router with one Cortex-A7 at 528 MHz: peak 4 operations a cycle, 15 % of it (small
     * caches, estimate); 0.4 W more when busy, 0.8 W idle. It trains on its own wired uplink. */
    [DEVICE_MESH_GATEWAY] =
        {
            .name = "mesh-gateway",
            .title = "mesh gateway, Cortex-A7",
            .flops_per_s = 320000000,
            .pj_per_flop = 1250,
            .idle_uw = 800000,
            .model_bytes_max = 64 * MIB,
            .radio = RADIO_ETHERNET,
        },
    /* nRF9160: Cortex-M33 at 64 MHz, taken as fast as the M4F (its FPU has the same timing); 2.8 mA
     * at 3.7 V (estimate). Half of the memory is the modem library's. Battery: one D cell, 19 Ah at
     * 3.6 V. */
    [DEVICE_LTE_M] =
        {
            .name = "lte-m",
            .title = "nRF9160, LTE-M meter",
            .flops_per_s = 34000000,
            .pj_per_flop = 305,
            .idle_uw = 20,
            .model_bytes_max = 128 * KIB,
            .battery_mj = 246240000,
            .radio = RADIO_LTE_M,
            .sleepy = true,
        },
    /* Xtensa LX6 at 240 MHz: Espressif's own dot product takes about 4 cycles a multiply-accumulate,
     * half of that speed for whole training (estimate). 50 mA at 3.3 V, the middle of the data
     * sheet's 30 to 68 mA. Battery: 2,000 mAh lithium polymer. */
    [DEVICE_ESP32] =
        {
            .name = "esp32",
            .title = "ESP32",
            .flops_per_s = 60000000,
            .pj_per_flop = 2750,
            .idle_uw = 500,
            .model_bytes_max = 160 * KIB,
            .battery_mj = 26640000,
            .radio = RADIO_WIFI,
            .sleepy = true,
        },
    /* Raspberry Pi 4: Cortex-A72 at 1.5 GHz, 8 operations a cycle, a quarter; 1.1 W more with one
     * busy core, 2.7 W idle (published measurements: 2.5 to 2.7 idle, 5 to 6 with four). */
    [DEVICE_RASPBERRY_PI] =
        {
            .name = "raspberry-pi",
            .title = "Raspberry Pi 4",
            .flops_per_s = 3000000000,
            .pj_per_flop = 367,
            .idle_uw = 2700000,
            .model_bytes_max = 1024 * MIB,
            .radio = RADIO_WIFI,
        },
    /* i.MX 8M: Cortex-A53 at 1.5 GHz, 4 operations a cycle, a quarter; its TPU cannot train. 0.7 W
     * more with one busy core, 3 W idle (estimates). */
    [DEVICE_CORAL] =
        {
            .name = "coral",
            .title = "Coral dev board",
            .flops_per_s = 1500000000,
            .pj_per_flop = 467,
            .idle_uw = 3000000,
            .model_bytes_max = 512 * MIB,
            .radio = RADIO_WIFI,
        },
    /* Cortex-A57 at 1.43 GHz, 8 operations a cycle, a quarter; our trainer does not use its GPU (236
     * GFLOP/s peak). 1 W more with one busy core, 1.9 W idle (estimates). */
    [DEVICE_JETSON_NANO] =
        {
            .name = "jetson-nano",
            .title = "Jetson Nano",
            .flops_per_s = 2860000000,
            .pj_per_flop = 350,
            .idle_uw = 1900000,
            .model_bytes_max = 2048ull * MIB,
            .radio = RADIO_ETHERNET,
        },
};

const struct device_class *device_class_of(enum device_kind kind)
{
    MYCEL_ASSERT((uint32_t)kind < DEVICE_KINDS);
    return &classes[kind];
}

const struct device_class *device_class_find(const char *name)
{
    for (size_t i = 0; i < DEVICE_KINDS; i++) {
        if (strcmp(classes[i].name, name) == 0) {
            return &classes[i];
        }
    }
    return NULL;
}

static bool trains(const struct mycel_layer *layer)
{
    return layer->param_count > 0 && !layer->frozen;
}

/* One sample's operations in a layer; backward: whether anything at or below it trains, and `on`:
 * whether a gradient goes on below it. */
static uint64_t layer_flops(const struct mycel_layer *layer, bool backward, bool on)
{
    uint64_t values = mycel_shape_values(&layer->out);
    uint64_t macs = mycel_layer_macs(layer);
    if (macs > 0) {
        return 2 * macs * (1u + (trains(layer) ? 1u : 0u) + (on ? 1u : 0u));
    }
    uint64_t each = VALUE_FLOPS;
    if (layer->kind == MYCEL_LAYER_GROUPNORM || layer->kind == MYCEL_LAYER_BATCHNORM) {
        each = NORM_FLOPS;
    } else if (layer->kind == MYCEL_LAYER_MAXPOOL || layer->kind == MYCEL_LAYER_AVGPOOL) {
        values = mycel_shape_values(&layer->in); /* each input is read once */
    }
    return values * each * (backward ? 3 : 1);
}

uint64_t device_model_flops(const struct mycel_model *model, uint64_t samples, uint32_t batch)
{
    MYCEL_ASSERT(batch >= 1);
    uint64_t per_sample = 0;
    uint64_t trained = 0;
    bool below_trains = false;
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const struct mycel_layer *layer = &model->layer[i];
        bool here = trains(layer);
        per_sample += layer_flops(layer, below_trains || here, below_trains);
        trained += here ? layer->param_count : 0;
        below_trains = below_trains || here;
    }
    uint64_t steps = (samples + batch - 1) / batch;
    return samples * per_sample + steps * trained * DEVICE_STEP_FLOPS;
}

uint64_t device_train_us(const struct device_class *class, uint64_t flops)
{
    uint64_t seconds = flops / class->flops_per_s;
    uint64_t rest = flops % class->flops_per_s;
    return seconds * 1000000u + (rest * 1000000u + class->flops_per_s - 1) / class->flops_per_s;
}

uint64_t device_train_nj(const struct device_class *class, uint64_t flops)
{
    uint64_t rest_pj = flops % 1000u * class->pj_per_flop;
    return flops / 1000u * class->pj_per_flop + (rest_pj + 999u) / 1000u;
}
