/* See screen.h. */
#include "server/cli/sim/screen.h"

#include <stdio.h>
#include <unistd.h>

#include "server/cli/say.h"
#include "sim/wall.h"

#define SHOW_EVERY_S 0.2
#define LINE_ERASE "\r\033[K"

void screen_init(struct screen *screen, const struct scenario *scenario, bool quiet)
{
    *screen = (struct screen){.scenario = scenario,
                              .quiet = quiet,
                              .terminal = isatty(STDERR_FILENO) == 1,
                              .started_s = wall_s()};
}

/* "3d 04:05:06" of virtual time. */
static const char *duration(double seconds, char out[32])
{
    unsigned long s = (unsigned long)seconds;
    if (s >= 86400u) {
        (void)snprintf(out, 32, "%lud %02lu:%02lu:%02lu", s / 86400u, s / 3600u % 24u,
                       s / 60u % 60u, s % 60u);
    } else {
        (void)snprintf(out, 32, "%02lu:%02lu:%02lu", s / 3600u, s / 60u % 60u, s % 60u);
    }
    return out;
}

static void head(struct screen *screen)
{
    if (!screen->headed) {
        (void)printf("%s: %s; %u devices, seed %llu\n\n", screen->scenario->name,
                     screen->scenario->title[0] != '\0' ? screen->scenario->title
                                                        : screen->scenario->strategy,
                     screen->scenario->devices, (unsigned long long)screen->scenario->seed);
        (void)printf("%6s  %8s  %8s  %14s  %10s  %10s  %10s  %9s\n", "ROUND", "ACCURACY", "LOSS",
                     "VIRTUAL TIME", "UP", "DOWN", "ENERGY", "TRAINED");
        screen->headed = true;
    }
}

void screen_round(struct screen *screen, const struct run_figures *f)
{
    char time[32], up[SAY_SIZE_BYTES], down[SAY_SIZE_BYTES], count[SAY_COUNT_BYTES];
    char accuracy[16] = "-", loss[16] = "-";
    if (screen->quiet) {
        return;
    }
    if (screen->terminal) {
        (void)fputs(LINE_ERASE, stderr);
    }
    head(screen);
    if (f->scored) {
        (void)snprintf(accuracy, sizeof accuracy, "%.4f", f->accuracy);
        (void)snprintf(loss, sizeof loss, "%.4f", f->loss);
    }
    (void)printf("%6u  %8s  %8s  %14s  %10s  %10s  %8.1f J  %9s\n", f->version, accuracy, loss,
                 duration(f->virtual_s, time), say_size(f->bytes_up, up),
                 say_size(f->bytes_down, down), f->energy_j, say_count(f->trained, count));
    (void)fflush(stdout);
}

void screen_progress(struct screen *screen, const struct run_figures *f)
{
    double now_s = wall_s();
    char time[32], left[32];
    if (screen->quiet || !screen->terminal || now_s - screen->shown_s < SHOW_EVERY_S) {
        return;
    }
    screen->shown_s = now_s;
    double spent_s = now_s - screen->started_s;
    double share = (double)f->version / screen->scenario->rounds;
    (void)fprintf(stderr, LINE_ERASE "round %u of %u, %s of virtual time, %.1f M events/s, %s left",
                  f->version + 1u, screen->scenario->rounds, duration(f->virtual_s, time),
                  (double)f->events / spent_s * 1e-6,
                  share > 0 ? duration(spent_s / share - spent_s, left) : "?");
}

void screen_ended(struct screen *screen, const struct run_figures *f)
{
    char time[32], trained[SAY_COUNT_BYTES], protocol[SAY_COUNT_BYTES], lost[SAY_COUNT_BYTES];
    char digest[2u * PROTO_SHA256_BYTES + 1u];
    if (screen->quiet) {
        return;
    }
    if (screen->terminal) {
        (void)fputs(LINE_ERASE, stderr);
    }
    (void)printf("\n%u rounds in %s of virtual time (%.1f s here). Trained %s, protocol-only %s, "
                 "discarded %s.\nModel ",
                 f->version, duration(f->virtual_s, time), wall_s() - screen->started_s,
                 say_count(f->trained, trained), say_count(f->protocol_only, protocol),
                 say_count(f->discarded, lost));
    (void)printf("%s\n", say_hex(f->model_sha256, PROTO_SHA256_BYTES, digest));
}
