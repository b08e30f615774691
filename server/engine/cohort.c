#include "server/engine/cohort.h"

#include "server/engine/round.h"
#include "server/engine/spec.h"

#include <string.h>

enum quota { QUOTA_FAIRNESS, QUOTA_UTILITY };

/* How far a device came before it was turned away: the farthest refusal is the one worth telling. */
static const uint8_t closeness[] = {
    [ENGINE_WHY_NO_RUN] = 0,      [ENGINE_WHY_CLASS] = 1,
    [ENGINE_WHY_TAGS] = 2,        [ENGINE_WHY_MODEL_BYTES] = 3,
    [ENGINE_WHY_CONTROL] = 4,     [ENGINE_WHY_CODEC] = 5,
    [ENGINE_WHY_SAMPLES] = 6,     [ENGINE_WHY_CAP] = 7,
    [ENGINE_WHY_PAUSED] = 8,      [ENGINE_WHY_NOT_IDLE] = 9,
    [ENGINE_WHY_BATTERY] = 10,    [ENGINE_WHY_SPACING] = 11,
    [ENGINE_WHY_COUNTED] = 12,    [ENGINE_WHY_BETWEEN_ROUNDS] = 13,
    [ENGINE_WHY_ROUND_FULL] = 14, [ENGINE_WHY_FAIRNESS] = 15,
    [ENGINE_WHY_UTILITY] = 16,    [ENGINE_WHY_SELECTED] = 17,
};

static bool has_tags(const struct engine_spec *spec, const struct engine_facts *facts)
{
    for (uint32_t i = 0; i < ENGINE_TAGS_MAX; i++) {
        bool found = spec->tags[i][0] == '\0';

        for (uint32_t k = 0; k < ENGINE_TAGS_MAX && !found; k++) {
            found = strncmp(spec->tags[i], facts->tags[k], ENGINE_TAG_BYTES) == 0;
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

/* The encoding to ask for. Codec's numbers go from the most exact to the shortest: a device for which bytes
 * are dear gets the last that both sides have, any other the preferred one, or else the first. A device
 * that names none can send plain floats. */
static bool choose_codec(const struct engine_spec *spec, const struct engine_facts *facts,
                         uint8_t *codec)
{
    uint32_t common = spec->codecs & (facts->codecs != 0 ? facts->codecs : 1u);

    *codec = spec->codec;
    if (common == 0) {
        return false;
    }
    if (facts->narrow_link) {
        for (*codec = SPEC_CODECS - 1u; (common >> *codec & 1u) == 0; (*codec)--) {
        }
    } else if ((common >> *codec & 1u) == 0) {
        for (*codec = 0; (common >> *codec & 1u) == 0; (*codec)++) {
        }
    }
    return true;
}

/* What the device is: does not change from one check-in to the next. */
static enum engine_why judge_kind(const struct engine_spec *spec, const struct engine_facts *facts,
                                  uint8_t *codec)
{
    if (spec->device_class[0] != '\0' &&
        strncmp(spec->device_class, facts->device_class, ENGINE_CLASS_BYTES) != 0) {
        return ENGINE_WHY_CLASS;
    }
    if (!has_tags(spec, facts)) {
        return ENGINE_WHY_TAGS;
    }
    if (facts->model_bytes_max != 0 && facts->model_bytes_max < spec->model_bytes) {
        return ENGINE_WHY_MODEL_BYTES;
    }
    if ((spec->features & ~facts->features) != 0) {
        return ENGINE_WHY_CONTROL; /* the only feature there is */
    }
    return choose_codec(spec, facts, codec) ? ENGINE_WHY_SELECTED : ENGINE_WHY_CODEC;
}

/* What it says of this moment, and what it has done before. */
static enum engine_why judge_moment(const struct run *run, const struct share *share,
                                    const struct engine_facts *facts)
{
    const struct engine_spec *spec = &run->spec;
    uint32_t next = round_counting(run);

    if (facts->samples < spec->samples_min) {
        return ENGINE_WHY_SAMPLES;
    }
    if (spec->cap > 0 && share->accepted >= spec->cap) {
        return ENGINE_WHY_CAP;
    }
    if (run->phase == ENGINE_PHASE_PAUSED) {
        return ENGINE_WHY_PAUSED;
    }
    if (!facts->idle && !spec->busy_allowed) {
        return ENGINE_WHY_NOT_IDLE;
    }
    if (facts->battery_percent < spec->battery_min) {
        return ENGINE_WHY_BATTERY;
    }
    if (share->counted_round > 0 && share->counted_round < next &&
        next - share->counted_round <= spec->spacing_rounds) {
        return ENGINE_WHY_SPACING;
    }
    return ENGINE_WHY_SELECTED;
}

static bool had_its_turn(const struct round *round, const struct share *share)
{
    return share->counted_round >= round->number ||
           (share->verdict_round == round->number && share->verdict_attempt == round->attempt);
}

uint32_t cohort_seats_left(const struct engine *e, const struct run *run)
{
    const struct round *round = &run->round;
    uint32_t seats = spec_seats(&run->spec, &run->learned);
    uint32_t taken = run->live + (run->spec.concurrency > 0 ? 0 : round->tally.accepted);
    bool late = round->started && e->now_ms >= round->select_end_ms &&
                run->live + round->tally.accepted >= run->spec.minimum;

    MYCEL_ASSERT(round_is_collecting(round));
    return late || run->phase != ENGINE_PHASE_RUNNING || taken >= seats ? 0 : seats - taken;
}

/* At or below the mean participation of the run's eligible devices. */
static bool is_due(const struct run *run, const struct share *share)
{
    return (uint64_t)share->accepted * run->eligible <= run->accepted;
}

/* Never tried, or at least as useful as the median of what came in (Oort, Lai et al. 2021: samples ×
 * loss stands for the statistical utility). */
static bool is_useful(const struct run *run, const struct share *share)
{
    return share->utility == 0.0f || share->utility >= stats_median(&run->utilities);
}

/* Whether seats kept for others are all that is left. The quotas lapse half-way through selection:
 * those whom the seats are kept for may be gone for good. */
static bool quota_blocks(const struct engine *e, const struct run *run, enum quota quota,
                         bool entitled)
{
    uint32_t permille =
        quota == QUOTA_FAIRNESS ? run->spec.fair_permille : run->spec.utility_permille;
    uint64_t seats = spec_seats(&run->spec, &run->learned);
    uint64_t kept = seats * permille / 1000u;
    bool lapsed =
        e->now_ms - run->round.opened_ms >= spec_clock(&run->spec, &run->learned).select_ms / 2;

    return !entitled && !lapsed && run->round.plain_seats[quota] >= seats - kept;
}

static enum engine_why judge_seat(const struct engine *e, const struct run *run,
                                  const struct share *share)
{
    const struct round *round = &run->round;

    if (!round_is_collecting(round)) {
        return ENGINE_WHY_BETWEEN_ROUNDS;
    }
    if (had_its_turn(round, share)) {
        return ENGINE_WHY_COUNTED;
    }
    if (cohort_seats_left(e, run) == 0) {
        return ENGINE_WHY_ROUND_FULL;
    }
    if (quota_blocks(e, run, QUOTA_FAIRNESS, is_due(run, share))) {
        return ENGINE_WHY_FAIRNESS;
    }
    if (quota_blocks(e, run, QUOTA_UTILITY, is_useful(run, share))) {
        return ENGINE_WHY_UTILITY;
    }
    return ENGINE_WHY_SELECTED;
}

static enum engine_why judge(struct engine *e, uint32_t device_slot, uint32_t run_slot,
                             const struct engine_facts *facts, uint8_t *codec)
{
    struct run *run = &e->runs[run_slot];
    struct share *share = share_of(e, device_slot, run_slot);
    enum engine_why why;

    if (!run_is_open(run)) {
        return ENGINE_WHY_NO_RUN;
    }
    why = judge_kind(&run->spec, facts, codec);
    if (share->eligible != (why == ENGINE_WHY_SELECTED)) {
        share->eligible = !share->eligible;
        run->eligible = share->eligible ? run->eligible + 1 : run->eligible - 1;
    }
    if (why == ENGINE_WHY_SELECTED) {
        why = judge_moment(run, share, facts);
    }
    return why == ENGINE_WHY_SELECTED ? judge_seat(e, run, share) : why;
}

/* Whether run a is emptier than run b, by taken / seats, without dividing. */
static bool emptier(const struct engine *e, const struct run *a, const struct run *b)
{
    uint64_t seats_a = spec_seats(&a->spec, &a->learned);
    uint64_t seats_b = spec_seats(&b->spec, &b->learned);
    uint64_t left_a = cohort_seats_left(e, a) * seats_b;
    uint64_t left_b = cohort_seats_left(e, b) * seats_a;

    return left_a > left_b || (left_a == left_b && a->spec.run < b->spec.run);
}

struct cohort_choice cohort_choose(struct engine *e, uint32_t device_slot,
                                   const struct engine_facts *facts)
{
    struct cohort_choice best = {ENGINE_WHY_NO_RUN, ENGINE_NO_SLOT, 0};

    for (uint32_t slot = 0; slot < e->run_count; slot++) {
        uint8_t codec = 0;
        enum engine_why why = judge(e, device_slot, slot, facts, &codec);
        bool closer = closeness[why] > closeness[best.why];
        bool rival = why == ENGINE_WHY_SELECTED && best.why == ENGINE_WHY_SELECTED;

        if (closer || (rival && emptier(e, &e->runs[slot], &e->runs[best.run_slot]))) {
            best = (struct cohort_choice){why, slot, codec};
        }
    }
    return best;
}

void cohort_take_seat(struct engine *e, uint32_t device_slot, uint32_t run_slot)
{
    struct run *run = &e->runs[run_slot];
    const struct share *share = share_of(e, device_slot, run_slot);

    run->round.granted++;
    run->round.granted_ms = e->now_ms;
    run->round.plain_seats[QUOTA_FAIRNESS] += is_due(run, share) ? 0 : 1;
    run->round.plain_seats[QUOTA_UTILITY] += is_useful(run, share) ? 0 : 1;
}
