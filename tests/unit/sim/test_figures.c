/* docs/SIMULATION.md prints the two tables of figures: its rows must be what the code computes with. */
#include "sim/fleet/device_class.h"
#include "sim/network/radio.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DOC_BYTES_MAX (256 * 1024)

static char *doc;

static int read_doc(void **state)
{
    (void)state;
    FILE *f = fopen(MYCEL_SOURCE_DIR "/docs/SIMULATION.md", "rb");
    doc = calloc(1, DOC_BYTES_MAX);
    if (!f || !doc) {
        return -1;
    }
    size_t bytes = fread(doc, 1, DOC_BYTES_MAX - 1, f);
    fclose(f);
    return bytes > 0 ? 0 : -1;
}

static int free_doc(void **state)
{
    (void)state;
    free(doc);
    return 0;
}

/* The row without its last column, the source, which is for readers. */
static void expect_row(const char *row)
{
    if (!strstr(doc, row)) {
        fail_msg("docs/SIMULATION.md lacks this row:\n%s", row);
    }
}

static void radios_are_as_documented(void **state)
{
    (void)state;
    for (int kind = 0; kind < RADIO_KINDS; kind++) {
        const struct radio *r = radio_of((enum radio_kind)kind);
        struct radio_frames frames = radio_frames(r, 1280, 1);
        char row[256];
        snprintf(row, sizeof row,
                 "\n| %s | %g | %d + %d | %" PRIu64 " | %" PRIu64 " | %d | %u | %d | %g | %g | "
                 "%g / %g | %g |",
                 r->name, r->bits_per_second / 1000.0, r->frame_payload_bytes,
                 r->frame_overhead_bytes, radio_air_us(r, frames.first_bytes),
                 radio_attempt_us(r, frames.first_bytes), r->ip_bytes, frames.count, r->retries,
                 r->latency_us / 1000.0, (r->event_us > 0 ? r->event_us : r->poll_us) / 1000.0,
                 r->tx_uw / 1000.0, r->rx_uw / 1000.0, r->sleep_nw / 1000.0);
        expect_row(row);
    }
}

static void classes_are_as_documented(void **state)
{
    (void)state;
    for (int kind = 0; kind < DEVICE_KINDS; kind++) {
        const struct device_class *class = device_class_of((enum device_kind)kind);
        char memory[32] = "any";
        if (class->model_bytes_max < 1024 * 1024) {
            snprintf(memory, sizeof memory, "%" PRIu64 " KiB", class->model_bytes_max / 1024);
        } else if (class->model_bytes_max < UINT64_MAX) {
            snprintf(memory, sizeof memory, "%" PRIu64 " MiB",
                     class->model_bytes_max / (1024 * 1024));
        }
        char battery[32] = "mains";
        if (class->battery_mj > 0) {
            snprintf(battery, sizeof battery, "%g kJ", (double)class->battery_mj / 1e6);
        }
        char row[256];
        snprintf(row, sizeof row, "\n| %s | %g | %u | %s | %g | %s | %s%s |", class->name,
                 (double)class->flops_per_s / 1e6, class->pj_per_flop, memory,
                 class->idle_uw / 1000.0, battery, radio_of(class->radio)->name,
                 class->sleepy ? ", asleep" : "");
        expect_row(row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(radios_are_as_documented),
        cmocka_unit_test(classes_are_as_documented),
    };
    return cmocka_run_group_tests(tests, read_doc, free_doc);
}
