/*
 * Dirichlet shares, as Gamma variates divided by their sum (Marsaglia, Tsang 2000): of each class
 * (DIRICHLET), or of what each part's least leaves of the whole set, as if it were one class (QUANTITY).
 */
#include "data/partition_internal.h"

#include <math.h>
#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>

#define GAMMA_TRIES_MAX 1000u

double draw_uniform(struct draws *draws)
{
    uint64_t bits = rng_u64(draws->seed, draws->stream, draws->counter++) >> 11;
    return ((double)bits + 0.5) / 9007199254740992.0;
}

static double normal(struct draws *draws)
{
    double radius = sqrt(-2.0 * log(draw_uniform(draws)));
    return radius * cos(6.283185307179586 * draw_uniform(draws));
}

/* Below 1 by the boost Gamma(shape + 1) · U^(1/shape). */
double draw_gamma(struct draws *draws, double shape)
{
    double boost = 1.0;
    if (shape < 1.0) {
        boost = pow(draw_uniform(draws), 1.0 / shape);
        shape += 1.0;
    }
    double d = shape - 1.0 / 3.0;
    double c = 1.0 / sqrt(9.0 * d);
    for (unsigned i = 0; i < GAMMA_TRIES_MAX; i++) {
        double x = normal(draws);
        double v = 1.0 + c * x;
        v = v * v * v;
        if (v > 0 && log(draw_uniform(draws)) < 0.5 * x * x + d - d * v + d * log(v)) {
            return boost * d * v;
        }
    }
    return boost * d; /* not reached in practice: the method accepts 95 % */
}

struct dealing {
    struct draws draws;
    double alpha;
    uint32_t parts;
    uint32_t ahead;  /* QUANTITY: what each part has before shares are drawn */
    double *shares;  /* of one class, not yet divided by their sum */
    uint32_t *sizes; /* of the parts, over all classes */
};

/* Draws one class's shares and returns their sum. */
static double draw_shares(struct dealing *d)
{
    double sum = 0;
    for (uint32_t p = 0; p < d->parts; p++) {
        d->shares[p] = draw_gamma(&d->draws, d->alpha);
        sum += d->shares[p];
    }
    if (!(sum > 0)) { /* a tiny alpha: all underflow, and one part gets the class */
        d->shares[(uint32_t)(draw_uniform(&d->draws) * d->parts)] = 1.0;
        sum = 1.0;
    }
    return sum;
}

/* Deals one class out: positions to owners if `owners`, else only to sizes. */
static void deal_class(struct dealing *d, const uint32_t *positions, uint32_t count,
                       uint32_t *owners)
{
    double sum = draw_shares(d);
    double before = d->shares[0];
    uint32_t shared = count - d->ahead * d->parts;
    uint32_t from = 0;
    for (uint32_t p = 0; p < d->parts; p++) {
        bool last = p + 1u == d->parts;
        uint32_t upto = last ? shared : (uint32_t)(before / sum * shared);
        uint32_t to = upto + d->ahead * (p + 1u);
        before += last ? 0 : d->shares[p + 1u];
        d->sizes[p] += to - from;
        for (uint32_t i = from; owners != NULL && i < to; i++) {
            owners[positions[i]] = p;
        }
        from = to;
    }
}

static void deal(struct dealing *d, const struct buckets *b, uint32_t *owners)
{
    memset(d->sizes, 0, d->parts * sizeof *d->sizes);
    for (uint32_t k = 0; k < b->classes; k++) {
        deal_class(d, b->positions + b->first[k], b->first[k + 1u] - b->first[k], owners);
    }
}

static bool all_at_least(const uint32_t *sizes, uint32_t parts, uint32_t least)
{
    for (uint32_t p = 0; p < parts; p++) {
        if (sizes[p] < least) {
            return false;
        }
    }
    return true;
}

/* Draws until every part has enough, then draws the same once more and takes it. */
static int deal_enough(struct cut *c, struct dealing *d, const struct buckets *b)
{
    uint64_t gammas = (uint64_t)b->classes * c->parts;
    for (uint32_t i = 0; i < PARTITION_DRAWS_MAX && gammas * i <= PARTITION_GAMMAS_MAX; i++) {
        struct draws start = d->draws;
        deal(d, b, NULL);
        if (all_at_least(d->sizes, c->parts, c->least)) {
            d->draws = start;
            deal(d, b, c->owners);
            return MYCEL_OK;
        }
    }
    return cut_fail(
        c, MYCEL_E_FULL,
        "drawn again and again, some of %u parts still has fewer than %u samples: fewer "
        "parts or a larger alpha would do",
        c->parts, c->least);
}

int assign_shares(struct cut *c)
{
    struct buckets b;
    bool by_label = c->spec->kind == PARTITION_DIRICHLET;
    int rc = buckets_make(c, by_label, &b);
    if (rc < 0) {
        return rc;
    }
    struct dealing d = {.draws = {c->seed, STREAM_SHARES, 0},
                        .alpha = (double)c->spec->alpha,
                        .parts = c->parts,
                        .ahead = by_label ? 0 : c->least,
                        .shares = malloc(c->parts * sizeof *d.shares),
                        .sizes = malloc(c->parts * sizeof *d.sizes)};
    rc = d.shares != NULL && d.sizes != NULL ? deal_enough(c, &d, &b) : cut_no_memory(c);
    free(d.shares);
    free(d.sizes);
    buckets_free(&b);
    return rc;
}
