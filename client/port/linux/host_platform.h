/*
 * Chance and circumstances on a Linux host: getrandom(2), the load average, the power supply. It owns
 * the idle policy and its thresholds; it must never make the client wait.
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_HOST_PLATFORM_H
#define MYCEL_CLIENT_PORT_LINUX_HOST_PLATFORM_H

#include <mycel/port.h>

struct host_policy {
    float load_max;  /* one-minute load average below which training is allowed; 0: at any load */
    bool on_battery; /* train without mains power, too */
    uint8_t battery_min_percent; /* … but only at this charge or more */
};

struct host_platform {
    struct host_policy policy;
    const char *loadavg_path; /* "/proc/loadavg"; tests put their own */
    const char *power_path;   /* "/sys/class/power_supply" */
    uint64_t looked_ms;       /* the answer is kept for a second */
    struct mycel_conditions conditions;
    bool looked_while_training;
    void (*on_event)(void *ctx, const struct mycel_event *event);
    void *event_ctx;
};

extern const struct mycel_platform host_platform_table;

void host_platform_init(struct host_platform *platform, const struct host_policy *policy);

/* Monotonic, milliseconds; goes on during suspend. */
uint64_t host_now_ms(void);

#endif
