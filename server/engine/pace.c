#include "server/engine/pace.h"

#include "server/engine/round.h"
#include "server/engine/spec.h"

#define LARGE_FLEET_GOALS 5u

static uint64_t bound(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static struct engine_window window(const struct engine *e, uint64_t earliest_ms, uint64_t width_ms)
{
    uint64_t low = e->config.window_ms_min;
    uint64_t high = e->config.window_ms_max;
    struct engine_window w;

    w.earliest_ms = (uint32_t)bound(earliest_ms, low, high);
    w.latest_ms = (uint32_t)bound(earliest_ms + width_ms, w.earliest_ms, high);
    return w;
}

/* How long the devices of a round are at work: as observed, else a pace. The wait until enough of them
 * have come is not part of it: it follows from what is told here, and would keep itself as long as it
 * happened to be. */
static uint64_t round_ms(const struct run *run)
{
    uint64_t observed = run->learned.round_ms > 0 ? run->learned.round_ms : run->spec.pace_ms;

    return observed > run->spec.interval_ms ? observed : run->spec.interval_ms;
}

/* Until the next round starts, by what the rounds before it took; 0 when nothing is known yet, since
 * a device that looks in too early costs one small message and one that sleeps too long costs a seat. */
static uint64_t until_next_ms(const struct engine *e, const struct run *run)
{
    const struct round *round = &run->round;
    uint64_t expected = run->learned.round_ms;
    uint64_t spent = e->now_ms - round->granted_ms;

    if (!round_is_collecting(round)) {
        uint64_t opens_ms = round_opens_ms(run);

        return opens_ms > e->now_ms ? opens_ms - e->now_ms : run->learned.gap_ms;
    }
    if (!round->started || expected == 0) {
        return 0;
    }
    return (spent < expected ? expected - spent : 0) + run->learned.gap_ms;
}

struct engine_window pace_next_round(const struct engine *e, const struct run *run)
{
    uint64_t seats = spec_seats(&run->spec, &run->learned);

    if (!run_is_open(run)) {
        return window(e, run->spec.pace_ms, run->spec.pace_ms);
    }
    if (run->eligible >= LARGE_FLEET_GOALS * (uint64_t)run->spec.goal) {
        uint64_t mean = run->eligible * round_ms(run) * 2u / (3u * seats);

        return window(e, mean / 2, mean);
    }
    return window(e, until_next_ms(e, run), run->spec.pace_ms);
}

struct engine_window pace_refused(const struct engine *e, const struct run *run,
                                  const struct device *device, enum engine_why why)
{
    uint64_t pace = run != NULL ? run->spec.pace_ms : e->config.idle_ms;

    switch (why) {
    case ENGINE_WHY_QUARANTINED:
        return window(e, device->quarantine_ms - e->now_ms, pace);
    case ENGINE_WHY_BETWEEN_ROUNDS:
    case ENGINE_WHY_ROUND_FULL:
    case ENGINE_WHY_COUNTED:
    case ENGINE_WHY_FAIRNESS:
    case ENGINE_WHY_UTILITY:
        return pace_next_round(e, run);
    case ENGINE_WHY_SPACING:
        return window(e, round_ms(run), pace);
    case ENGINE_WHY_NO_RUN:
    case ENGINE_WHY_PAUSED:
    case ENGINE_WHY_NOT_IDLE:
    case ENGINE_WHY_BATTERY:
    case ENGINE_WHY_SAMPLES:
        return window(e, pace,
                      pace); /* may change any time, at the operator's or the device's side */
    default:
        return window(e, 10 * pace, 10 * pace); /* will not change by itself */
    }
}
