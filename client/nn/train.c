/*
 * Training steps, prediction and scoring: batches of samples through the layers, with a budget. It
 * owns the order of samples and the counters; between two calls everything it needs is in the
 * context, so that stopping anywhere changes nothing.
 */
#include "client/nn/nn_internal.h"
#include "client/nn/nn_math.h"
#include "common/assert.h"
#include "common/rng.h"
#include "mycel/error.h"

#define RNG_STREAM_ORDER UINT64_C(0x6f72646572000000)

enum { FEISTEL_ROUNDS = 4 };

/* The order of one epoch: a permutation that needs no table. A Feistel network over the next power
 * of two permutes 0 … 2^bits - 1; numbers beyond count, fewer than half, go through it again until
 * they land inside (cycle walking; Black and Rogaway 2002). */
struct order {
    uint32_t key[2];
    uint32_t count;
    uint32_t low;  /* bits of the lower half */
    uint32_t high; /* bits of the upper half; 0: samples come as they lie */
};

static struct order order_of(const struct mycel_nn *nn, uint32_t count)
{
    struct order order = {.count = count};
    if (MYCEL_NN_WITH_SHUFFLE && nn->plan->config.shuffle && count > 1) {
        uint64_t key = rng_u64(nn->seed, RNG_STREAM_ORDER, nn->epochs);
        uint32_t bits = 2;
        while (bits < 32 && (UINT64_C(1) << bits) < count) {
            bits++;
        }
        order.key[0] = (uint32_t)key;
        order.key[1] = (uint32_t)(key >> 32);
        order.low = bits / 2;
        order.high = bits - bits / 2;
    }
    return order;
}

/* A 32-bit finaliser (MurmurHash3's), which microcontrollers multiply in one instruction. */
static uint32_t mix32(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return x ^ x >> 16;
}

static uint32_t index_at(const struct order *order, uint32_t k)
{
    const uint32_t low = (UINT32_C(1) << order->low) - 1u;
    const uint32_t high = (uint32_t)((UINT64_C(1) << order->high) - 1u);
    if (!MYCEL_NN_WITH_SHUFFLE || order->high == 0) {
        return k;
    }
    do {
        uint32_t upper = k >> order->low;
        uint32_t lower = k & low;
        for (uint32_t r = 0; r < FEISTEL_ROUNDS; r += 2) {
            upper ^= mix32(lower + order->key[0] + r * 0x9e3779b9u) & high;
            lower ^= mix32(upper + order->key[1] + r * 0x9e3779b9u) & low;
        }
        k = upper << order->low | lower;
    } while (k >= order->count);
    return k;
}

static bool is_finite(float value)
{
    return (nn_bits_of(value) & 0x7f800000u) != 0x7f800000u;
}

/* One micro-batch forward and backward. Returns its summed loss in *loss. */
static int train_micro_batch(struct mycel_nn *nn, const struct mycel_nn_data *data,
                             uint32_t position, uint32_t count, float *loss)
{
    const struct order order = order_of(nn, data->count);
    for (uint32_t s = 0; s < count; s++) {
        int rc = nn_fetch(nn, data, s, index_at(&order, position + s), true);
        if (rc != 0) {
            return rc;
        }
    }
    nn->samples = count;
    nn->training = true;
    nn_forward(nn);
    *loss += nn_loss(nn, NULL);
    nn_loss_gradient(nn);
    nn_backward(nn);
    return 0;
}

/* Fetches that fail in the middle of a step must not leave half of it: whatever has gone into the
 * weights stays only when the batch is one micro-batch, whose fetches come first. With several,
 * gradients are buffered, and nothing has touched the weights yet. */
static int step(struct mycel_nn *nn, const struct mycel_nn_data *data)
{
    uint32_t left = data->count - nn->position;
    uint32_t batch = left < nn->plan->config.batch ? left : nn->plan->config.batch;
    float loss = 0.0f;
    nn_step_begin(nn, batch);
    for (uint32_t done = 0; done < batch;) {
        uint32_t count = batch - done;
        count = count < nn->plan->micro_batch ? count : nn->plan->micro_batch;
        nn->step_done = done;
        int rc = train_micro_batch(nn, data, nn->position + done, count, &loss);
        if (rc != 0) {
            return rc;
        }
        done += count;
    }
    nn_step_end(nn);
    nn->steps++;
    nn->seen += batch;
    nn->position += batch;
    nn->loss = loss / (float)batch;
    nn->epoch_sum += loss;
    if (nn->position == data->count) {
        nn->epoch_loss = nn->epoch_sum / (float)data->count;
        nn->epoch_sum = 0.0f;
        nn->position = 0;
        nn->epochs++;
    }
    return is_finite(loss) ? 0 : MYCEL_E_NONFINITE;
}

static bool budget_is_used(const struct mycel_nn_budget *budget, uint32_t steps, uint32_t start_ms)
{
    if (budget->steps_max > 0 && steps >= budget->steps_max) {
        return true;
    }
    return budget->time_max_ms > 0 && budget->now_ms(budget->ctx) - start_ms >= budget->time_max_ms;
}

int mycel_nn_train(struct mycel_nn *nn, const struct mycel_nn_data *data,
                   const struct mycel_nn_budget *budget)
{
    MYCEL_ASSERT(budget->time_max_ms == 0 || budget->now_ms != NULL);
    if (nn->plan->config.use != MYCEL_NN_TRAIN) {
        return MYCEL_E_STATE;
    }
    if (data->count == 0 || nn->position >= data->count) {
        return MYCEL_E_INVALID;
    }
    uint32_t epochs = budget->epochs > 0 ? budget->epochs : 1;
    uint32_t start_ms = budget->time_max_ms > 0 ? budget->now_ms(budget->ctx) : 0;
    uint32_t steps = 0;
    while (nn->epochs < epochs) {
        int rc = step(nn, data);
        if (rc != 0) {
            return rc;
        }
        steps++;
        if (nn->epochs < epochs && budget_is_used(budget, steps, start_ms)) {
            return MYCEL_NN_MORE;
        }
    }
    return 0;
}

/* Forward passes over samples first … first + count - 1, `each` after every micro-batch. */
static int forward_all(struct mycel_nn *nn, const struct mycel_nn_data *data, uint32_t first,
                       uint32_t count, bool answers, void (*each)(struct mycel_nn *nn, void *ctx),
                       void *ctx)
{
    if (first > data->count || count > data->count - first) {
        return MYCEL_E_INVALID;
    }
    for (uint32_t done = 0; done < count; done += nn->samples) {
        uint32_t left = count - done;
        uint32_t samples = left < nn->plan->micro_batch ? left : nn->plan->micro_batch;
        for (uint32_t s = 0; s < samples; s++) {
            int rc = nn_fetch(nn, data, s, first + done + s, answers);
            if (rc != 0) {
                return rc;
            }
        }
        nn->samples = samples;
        nn->training = false;
        nn_forward(nn);
        each(nn, ctx);
    }
    return 0;
}

/* Copies a micro-batch of outputs, without padding, to *ctx and moves that on. */
static void copy_outputs(struct mycel_nn *nn, void *ctx)
{
    float **out = ctx;
    uint32_t last = nn->model->layer_count - 1u;
    const struct mycel_shape *shape = &nn_layer(nn, last)->out;
    const float *y = nn_out(nn, last);
    for (uint32_t p = 0; p < nn->samples * nn_pixels_of(shape); p++) {
        for (uint32_t c = 0; c < shape->channels; c++) {
            *(*out)++ = y[c];
        }
        y += nn_pad4(shape->channels);
    }
}

int mycel_nn_predict(struct mycel_nn *nn, const struct mycel_nn_data *data, uint32_t first,
                     uint32_t count, float *out)
{
    return forward_all(nn, data, first, count, false, copy_outputs, &out);
}

static void add_score(struct mycel_nn *nn, void *ctx)
{
    struct mycel_nn_score *score = ctx;
    score->loss += nn_loss(nn, &score->correct);
    score->count += nn->samples;
}

int mycel_nn_evaluate(struct mycel_nn *nn, const struct mycel_nn_data *data, uint32_t first,
                      uint32_t count, struct mycel_nn_score *score)
{
    *score = (struct mycel_nn_score){0};
    int rc = forward_all(nn, data, first, count, true, add_score, score);
    score->loss = score->count > 0 ? score->loss / (float)score->count : 0.0f;
    return rc;
}
