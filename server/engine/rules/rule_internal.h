/* What a rule's file provides to round.c, and what it may use. */
#ifndef MYCEL_ENGINE_RULES_RULE_INTERNAL_H
#define MYCEL_ENGINE_RULES_RULE_INTERNAL_H

#include "server/engine/rules/rules.h"

#define RULE_STATE_ROUNDS 0 /* places in the head of the state: rounds so far, */
#define RULE_STATE_CLIP 1   /* and the adaptive clip's norm */

#define RULE_SUMS_MAX 2u
#define RULE_SCALARS_MAX 2u
#define RULE_SCALAR_BITS 20
#define RULE_SCALAR_MAX 0x1p25 /* of one term: 2^17 updates stay below 2^62 */

/* A tile of coordinates in rule_finish. */
struct rule_tile {
    uint32_t first, count;
    const float *delta; /* the aggregate of these coordinates */
    const float *base;
    float *next; /* may be base */
};

/* An update kept by a gathering rule. */
struct rule_entry {
    struct codec_frame frame;
    struct codec_stats stats;
    uint32_t device;
    uint32_t weight;
    float gain;   /* clip and staleness */
    double share; /* of the result, as the rule decides */
};

/* What one update adds to a streaming rule's sums. */
struct rule_terms {
    struct {
        uint32_t weight; /* 0: nothing is added */
        float gain;
    } sum[RULE_SUMS_MAX];
    int64_t scalar[RULE_SCALARS_MAX];
};

struct rule_ops {
    uint32_t sums; /* streaming: int64 vectors, 1 or 2 */

    /* Streaming, NULL: one sum of weight × gain × delta. Else what the update, which has passed the
     * common checks, adds. 0 or an error. `terms` is zeroed. */
    int (*terms)(const struct rule_round *round, const struct rule_update *update, float gain,
                 struct rule_terms *terms);

    /* Streaming, NULL: 1 / Σ n. Else the factor from sums[0] (as a real number) to the aggregate. */
    double (*factor)(const struct rule_round *round);

    /* Gathering: decides on shares or the like before the tiles. NULL: nothing to do. */
    void (*prepare)(struct rule_round *round);

    /* Gathering: the aggregate of coordinates first … first + count − 1, at most RULE_TILE. */
    void (*reduce)(struct rule_round *round, uint32_t first, uint32_t count, float *delta);

    /* Whether round->matrix is needed: updates_max² doubles. */
    int needs_matrix;

    /* Whether round->scratch is needed, for robust_trimmed. */
    int sorts;

    /* NULL: next = base + delta. Else the server's optimizer. */
    void (*apply)(struct rule_round *round, const struct rule_tile *tile);

    /* NULL: all zeros. Else the initial value of the state's vectors. */
    float (*state_initial)(const float *params, uint32_t vector);
};

extern const struct rule rule_fedavg, rule_fedavgm, rule_fedadagrad, rule_fedadam, rule_fedyogi,
    rule_fedprox, rule_scaffold, rule_fednova, rule_qfedavg, rule_centredclip, rule_fltrust,
    rule_median, rule_trimmed, rule_krum, rule_multikrum, rule_rfa;

/* A parameter of the strategy, by its index in rule->params. */
static inline float rule_value(const struct rule_round *round, uint32_t index)
{
    return round->setup.strategy->params[index];
}

/* State vector number `index`, from coordinate `first`. */
float *rule_state_vector(const struct rule_round *round, uint32_t index, uint32_t first);

/* Real → fixed-point scalar; MYCEL_E_NORM if it is not below RULE_SCALAR_MAX. */
int rule_scalar(double value, int64_t *fixed);
double rule_scalar_value(const struct rule_round *round, uint32_t index);

/* Gathering: points round->row at these coordinates of each update: into its frame if they lie there as
 * floats, else decoded and scaled into round->rows. */
void rule_rows(struct rule_round *round, uint32_t first, uint32_t count);

/* Gathering: fills round->matrix with the inner products of all pairs of updates. */
void rule_gram(struct rule_round *round);

/* Gathering: delta = Σ share × update; those without a share are not even decoded. */
void rule_reduce_shares(struct rule_round *round, uint32_t first, uint32_t count, float *delta);

/* The value of a sum's coordinate, as a real number. */
double rule_sum_unit(const struct rule_round *round);

#endif
