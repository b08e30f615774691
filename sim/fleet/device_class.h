/*
 * What kinds of devices there are, how fast they train and what that costs them. It owns a const
 * table and the count of a model's operations; time and energy follow from both. No state.
 */
#ifndef MYCEL_SIM_FLEET_DEVICE_CLASS_H
#define MYCEL_SIM_FLEET_DEVICE_CLASS_H

#include "sim/network/radio.h"

#include <mycel/model.h>

#include <stdbool.h>
#include <stdint.h>

enum device_kind {
    DEVICE_IDEAL,
    DEVICE_NRF52840,
    DEVICE_MESH_GATEWAY,
    DEVICE_LTE_M,
    DEVICE_ESP32,
    DEVICE_RASPBERRY_PI,
    DEVICE_CORAL,
    DEVICE_JETSON_NANO,
    DEVICE_KINDS
};

struct device_class {
    const char *name;         /* as a scenario writes it */
    const char *title;        /* for a person */
    uint64_t flops_per_s;     /* of training with our trainer, not the processor's peak */
    uint32_t pj_per_flop;     /* above idle_uw; 0: free */
    uint32_t idle_uw;         /* the board without training and without its radio */
    uint64_t model_bytes_max; /* memory left for model, trainer's arena and encoded update */
    uint64_t battery_mj;      /* full, in millijoules; 0: mains */
    enum radio_kind radio;    /* usual; a scenario may choose another */
    bool sleepy;              /* its radio sleeps, and polls for downlink */
};

/* The table's row; kind < DEVICE_KINDS. */
const struct device_class *device_class_of(enum device_kind kind);

/* The row of that name, or NULL. */
const struct device_class *device_class_find(const char *name);

/*
 * Floating-point operations of training `samples` samples in batches of `batch` ≥ 1: for each sample
 * two for each multiply-accumulate of the forward pass, as many for the gradient of the weights
 * of each layer that trains, and as many for the gradient that goes on, down to the lowest layer that
 * trains; a few for each value of the other layers; for each batch DEVICE_STEP_FLOPS for each parameter that
 * trains (reading, scaling and writing it, fitted to what the Cortex-M4F takes at batch 1 and 32).
 */
uint64_t device_model_flops(const struct mycel_model *model, uint64_t samples, uint32_t batch);
#define DEVICE_STEP_FLOPS 4

/* Time and energy of `flops` operations, rounded up. */
uint64_t device_train_us(const struct device_class *class, uint64_t flops);
uint64_t device_train_nj(const struct device_class *class, uint64_t flops);

#endif
