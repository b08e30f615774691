/* The idle policy: load average and power supply as the kernel shows them. See host_platform.h. */
#include "client/port/linux/host_platform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 1000u
#define SUPPLIES_MAX 32u
#define ON_MAINS 255u

uint64_t host_now_ms(void)
{
    struct timespec now;
    /* cannot fail with this clock on any Linux of the last decade */
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static uint64_t random_bits(void *ctx)
{
    (void)ctx;
    uint64_t value = 0;
    while (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value) {
        if (errno != EINTR) {
            /* Spreads a little; keys never come from here. */
            return host_now_ms() * 0x9E3779B97F4A7C15u;
        }
    }
    return value;
}

/* The first line of a small file, without its newline. False when there is none. */
static bool read_line(const char *path, char *text, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, text, bytes - 1u);
    (void)close(fd);
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return true;
}

static bool read_supply(const char *folder, const char *supply, const char *file, char *text,
                        size_t bytes)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s/%s", folder, supply, file);
    return n > 0 && (size_t)n < sizeof path && read_line(path, text, bytes);
}

/* Charge in percent while on battery; ON_MAINS when any mains supply is online, when the battery is
 * not discharging, or when the machine has none. */
static uint8_t battery_percent(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return ON_MAINS;
    }
    uint8_t percent = ON_MAINS;
    bool is_on_mains = false;
    struct dirent *entry;
    for (unsigned i = 0; i < SUPPLIES_MAX && (entry = readdir(dir)) != NULL; i++) {
        char type[32];
        char text[32];
        if (!read_supply(folder, entry->d_name, "type", type, sizeof type)) {
            continue;
        }
        if (strcmp(type, "Battery") != 0) {
            is_on_mains |= read_supply(folder, entry->d_name, "online", text, sizeof text) &&
                           strcmp(text, "1") == 0;
        } else if (read_supply(folder, entry->d_name, "status", text, sizeof text) &&
                   strcmp(text, "Discharging") == 0 &&
                   read_supply(folder, entry->d_name, "capacity", text, sizeof text)) {
            unsigned long value = strtoul(text, NULL, 10);
            percent = (uint8_t)(value > 100 ? 100 : value);
        }
    }
    (void)closedir(dir);
    return is_on_mains ? ON_MAINS : percent;
}

/* The training itself counts as one runnable process; it must not stop itself. */
static bool load_allows(const struct host_platform *p, bool training)
{
    char text[64];
    if (p->policy.load_max <= 0.0f || !read_line(p->loadavg_path, text, sizeof text)) {
        return true;
    }
    float own = training ? 1.0f : 0.0f;
    return strtof(text, NULL) - own < p->policy.load_max;
}

static void conditions(void *ctx, bool training, struct mycel_conditions *out)
{
    struct host_platform *p = ctx;
    uint64_t now_ms = host_now_ms();
    if (p->looked_ms == 0 || now_ms - p->looked_ms >= LOOK_AGAIN_MS ||
        training != p->looked_while_training) {
        uint8_t percent = battery_percent(p->power_path);
        bool power_allows = percent == ON_MAINS ||
                            (p->policy.on_battery && percent >= p->policy.battery_min_percent);
        p->conditions.battery_percent = percent;
        p->conditions.idle = power_allows && load_allows(p, training);
        p->looked_ms = now_ms;
        p->looked_while_training = training;
    }
    *out = p->conditions;
}

static void event(void *ctx, const struct mycel_event *event)
{
    struct host_platform *p = ctx;
    if (p->on_event != NULL) {
        p->on_event(p->event_ctx, event);
    }
}

const struct mycel_platform host_platform_table = {random_bits, conditions, event};

void host_platform_init(struct host_platform *platform, const struct host_policy *policy)
{
    *platform = (struct host_platform){.policy = *policy,
                                       .loadavg_path = "/proc/loadavg",
                                       .power_path = "/sys/class/power_supply"};
}
