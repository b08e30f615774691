/*
 * The state's top bit is the chain's state, the rest the step to which it was brought, modulo 2^15.
 */
#include "sim/network/loss.h"

#include <mycel/error.h>

#define STATE_BAD 0x8000u
#define STEP_MASK 0x7FFFu

/* A step that seems this far in the future was long ago (the counter wrapped); one that is
 * nearer was set by a frame that was booked ahead, and the chain stays where it is. */
#define STEPS_BACK_MAX 0x0FFFu

static bool happens(uint32_t draw, uint32_t probability)
{
    return draw < probability || probability == UINT32_MAX;
}

static uint32_t times(uint32_t a, uint32_t b)
{
    return (uint32_t)((uint64_t)a * b >> 32);
}

/* base^exponent of shares, by squaring. */
static uint32_t power(uint32_t base, uint32_t exponent)
{
    uint32_t result = UINT32_MAX;
    while (exponent > 0 && result > 0) {
        if (exponent & 1u) {
            result = times(result, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    return result;
}

static int parse_chain(struct option_list *list, struct loss_model *model,
                       struct option_error *error)
{
    static const double probability[2] = {0, 1};
    static const double step_range[2] = {1, 60000};
    double p = -1;
    double r = -1;
    double good = 0;
    double bad = 1;
    double step_ms = LOSS_STEP_MS_DEFAULT;
    if (option_number(list, "p", probability, &p, error) < 0 ||
        option_number(list, "r", probability, &r, error) < 0 ||
        option_number(list, "good", probability, &good, error) < 0 ||
        option_number(list, "bad", probability, &bad, error) < 0 ||
        option_number(list, "step", step_range, &step_ms, error) < 0) {
        return MYCEL_E_MALFORMED;
    }
    if (p < 0 || r < 0) {
        return option_fail(error, list->text, list->text, "ge needs p and r");
    }
    if (p + r > 1) {
        return option_fail(error, list->text, list->text, "p and r must not exceed 1 together");
    }
    *model = (struct loss_model){option_share(p), option_share(r), option_share(good),
                                 option_share(bad), (uint32_t)step_ms};
    return 0;
}

int loss_parse(const char *text, struct loss_model *model, struct option_error *error)
{
    static const double probability[2] = {0, 1};
    struct option_list list;
    int rc = option_parse(text, &list, error);
    if (rc != 0) {
        return rc;
    }
    if (option_is(&list, "none")) {
        *model = (struct loss_model){.step_ms = LOSS_STEP_MS_DEFAULT};
    } else if (option_is(&list, "p")) {
        double rate;
        rc = option_number(&list, "rate", probability, &rate, error);
        if (rc <= 0) {
            return rc < 0 ? rc : option_fail(error, text, text, "p needs a rate");
        }
        *model = (struct loss_model){
            .good = option_share(rate), .bad = option_share(rate), .step_ms = LOSS_STEP_MS_DEFAULT};
    } else if (option_is(&list, "ge")) {
        rc = parse_chain(&list, model, error);
        if (rc != 0) {
            return rc;
        }
    } else {
        return option_fail(error, text, text, "unknown loss model: none, p or ge");
    }
    return option_done(&list, error);
}

/* The chain's share of bad time. */
static uint32_t bad_share(const struct loss_model *model)
{
    uint64_t sum = (uint64_t)model->to_bad + model->to_good;
    if (sum == 0) {
        return 0;
    }
    uint64_t quotient = ((uint64_t)model->to_bad << 32) / sum;
    return quotient > UINT32_MAX ? UINT32_MAX : (uint32_t)quotient;
}

uint32_t loss_mean_ppm(const struct loss_model *model)
{
    uint32_t bad = bad_share(model);
    uint64_t mean = (uint64_t)times(model->bad, bad) + times(model->good, UINT32_MAX - bad);
    return (uint32_t)((mean * 1000000u + (1u << 31)) >> 32);
}

/* The probability of being bad `steps` after the given state: π + (s - π) (1 - p - r)^steps. */
static uint32_t bad_after(const struct loss_model *model, bool bad, uint32_t steps)
{
    uint32_t mean = bad_share(model);
    uint64_t sum = (uint64_t)model->to_bad + model->to_good;
    uint32_t kept = power(sum >= UINT32_MAX ? 0 : UINT32_MAX - (uint32_t)sum, steps);
    if (bad) {
        return mean + times(UINT32_MAX - mean, kept);
    }
    return mean - times(mean, kept);
}

bool loss_frame(const struct loss_model *model, uint16_t *state, uint64_t now_us, uint64_t draw)
{
    uint32_t chance = (uint32_t)draw;
    if (model->good == model->bad) {
        return model->good > 0 && happens(chance, model->good);
    }
    uint32_t now = (uint32_t)(now_us / 1000u / model->step_ms) & STEP_MASK;
    uint32_t steps = (now - *state) & STEP_MASK;
    bool bad = (*state & STATE_BAD) != 0;
    if (steps > 0 && steps <= STEP_MASK - STEPS_BACK_MAX) {
        bad = happens((uint32_t)(draw >> 32), bad_after(model, bad, steps));
        *state = (uint16_t)(now | (bad ? STATE_BAD : 0));
    }
    return happens(chance, bad ? model->bad : model->good);
}
