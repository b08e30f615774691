/*
 * Parameters between the canonical order and the kernels' layout, in chunks of any size. It owns
 * that mapping, which is the only place that knows both orders (see <mycel/model.h>).
 */
#include <string.h>

#include "client/nn/nn_internal.h"
#include "common/assert.h"
#include "mycel/error.h"

enum { INT8_CHUNK_VALUES = 16 };

/* A tensor of a layer, ready to be walked in canonical order. */
struct tensor_view {
    const struct mycel_layer *layer;
    struct mycel_tensor tensor;
    uint32_t index; /* layer */
    uint32_t lanes;
    uint32_t row_step;   /* rows between neighbouring input channels' … */
    uint32_t pixel_step; /* … and neighbouring pixels' or taps' weights */
    uint32_t pixels;     /* pixels of the input (dense) or taps of the kernel */
    uint32_t channels;   /* input channels of one output */
    uint32_t first_row;  /* of a tensor that is a single row */
};

static struct tensor_view view_of(const struct mycel_nn *nn, uint32_t i, uint32_t t,
                                  const struct mycel_tensor *tensor)
{
    const struct mycel_layer *layer = nn_layer(nn, i);
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    struct tensor_view view = {
        .layer = layer, .tensor = *tensor, .index = i, .lanes = p->lanes, .row_step = 1};
    if (tensor->rank == 1) {
        bool norm = layer->kind == MYCEL_LAYER_GROUPNORM || layer->kind == MYCEL_LAYER_BATCHNORM;
        view.first_row = norm ? t : p->rows;
        view.pixels = 1;
        view.channels = 1;
        return view;
    }
    bool dense = layer->kind == MYCEL_LAYER_DENSE;
    bool depthwise = layer->kind == MYCEL_LAYER_DEPTHWISE;
    view.pixels = dense ? nn_pixels_of(&layer->in) : (uint32_t)layer->kernel_h * layer->kernel_w;
    view.channels = depthwise ? 1 : layer->in.channels;
    view.pixel_step = depthwise ? 1 : nn_in_channels(nn->model, i);
    return view;
}

/* Place of canonical value k of a tensor among the layer's floats. Within an output, canonical
 * order runs over pixels or taps first, then input channels; ours the other way round. */
static uint32_t place_of(const struct tensor_view *v, uint32_t k)
{
    if (v->tensor.rank == 1) {
        return v->first_row * v->lanes + k;
    }
    uint32_t inputs = v->pixels * v->channels;
    uint32_t lane = k / inputs;
    uint32_t rest = k % inputs;
    uint32_t row = rest % v->pixels * v->pixel_step + rest / v->pixels * v->row_step;
    return row * v->lanes + lane;
}

/* Where in the arena an array that follows training begins, or NN_NONE. */
static uint32_t region_of(const struct mycel_nn_plan *plan, int array)
{
    switch (array) {
    case MYCEL_NN_BASE:
        return plan->base_offset;
    case MYCEL_NN_CORRECTION:
        return plan->correction_offset;
    case MYCEL_NN_GRADIENT:
        return plan->gradients_offset;
    case NN_ARRAY_FIRST:
        return plan->optimizer_offset;
    default: {
        bool adam = plan->config.optimizer == MYCEL_NN_ADAMW && plan->optimizer_offset != NN_NONE;
        return adam ? plan->optimizer_offset + plan->trained_bytes : NN_NONE;
    }
    }
}

bool nn_array_exists(const struct mycel_nn *nn, int array)
{
    return array == MYCEL_NN_PARAMS || region_of(nn->plan, array) != NN_NONE;
}

/* Where an array keeps layer i, or NULL when it does not. */
static float *array_of(const struct mycel_nn *nn, int array, uint32_t i)
{
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    if (array == MYCEL_NN_PARAMS) {
        return nn_params(nn, i);
    }
    return p->trains ? nn_at(nn, region_of(nn->plan, array) + p->state_offset) : NULL;
}

/* Statistics of a batchnorm have no place in an array that follows training. */
static bool is_kept(int array, const struct mycel_tensor *tensor)
{
    return array == MYCEL_NN_PARAMS || tensor->role <= MYCEL_TENSOR_BIAS;
}

/* Called for each piece of a tensor that a chunk covers: values first … first + count - 1 of the
 * tensor, which are values at … of the chunk. */
typedef int (*piece_fn)(const struct mycel_nn *nn, const struct tensor_view *view, float *values,
                        uint32_t first, uint32_t count, uint32_t at, void *ctx);

static int for_pieces(const struct mycel_nn *nn, int array, uint32_t offset, uint32_t count,
                      piece_fn piece, void *ctx)
{
    uint32_t total = nn->model->param_count;
    if (offset > total || count > total - offset) {
        return MYCEL_E_INVALID;
    }
    uint32_t end = offset + count;
    for (uint32_t i = 0; i < nn->model->layer_count; i++) {
        struct mycel_tensor t;
        for (uint32_t k = 0; mycel_model_tensor(nn->model, i, k, &t) == 0; k++) {
            uint32_t first = t.offset > offset ? t.offset : offset;
            uint32_t last = t.offset + t.count < end ? t.offset + t.count : end;
            if (first >= last) {
                continue;
            }
            struct tensor_view view = view_of(nn, i, k, &t);
            float *values = is_kept(array, &t) ? array_of(nn, array, i) : NULL;
            int rc = piece(nn, &view, values, first - t.offset, last - first, first - offset, ctx);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

/* Little endian binary32 at any address. */
static float get_f32(const uint8_t *bytes)
{
    union {
        uint32_t bits;
        float value;
    } u = {.bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                   (uint32_t)bytes[3] << 24};
    return u.value;
}

static void put_f32(uint8_t *bytes, float value)
{
    union {
        float value;
        uint32_t bits;
    } u = {.value = value};
    bytes[0] = (uint8_t)u.bits;
    bytes[1] = (uint8_t)(u.bits >> 8);
    bytes[2] = (uint8_t)(u.bits >> 16);
    bytes[3] = (uint8_t)(u.bits >> 24);
}

static uint32_t int8_place(const void *view, uint32_t k)
{
    return place_of(view, k);
}

/* int8 weights come in by small chunks of floats, since each output is rounded as a whole. */
static int write_int8(struct mycel_nn *nn, const struct tensor_view *view, uint32_t first,
                      uint32_t count, const uint8_t *bytes)
{
    float values[INT8_CHUNK_VALUES];
    int rc = 0;
    for (uint32_t done = 0; rc == 0 && done < count; done += INT8_CHUNK_VALUES) {
        uint32_t some = count - done < INT8_CHUNK_VALUES ? count - done : INT8_CHUNK_VALUES;
        for (uint32_t k = 0; k < some; k++) {
            values[k] = get_f32(bytes + (size_t)(done + k) * 4u);
        }
        rc = nn_int8_write(nn, view->index, view->tensor.rank == 1, first + done, some, values,
                           int8_place, view);
    }
    return rc;
}

/* Whether a piece is all of a matrix whose rows are in canonical order and whose values the kernels
 * can read or write where they are: then it is a transposition. */
static bool is_plain_matrix(const struct mycel_nn *nn, const struct tensor_view *v,
                            const float *values, uint32_t count, const void *bytes)
{
    bool little_endian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    bool in_order = v->pixels == 1 || (v->channels == 1 && v->pixel_step == 1);
    return MYCEL_NN_WITH_HOST && little_endian && values != NULL && v->tensor.rank > 1 &&
           in_order && count == v->tensor.count && !nn_is_int8(nn->plan, v->index) &&
           (uintptr_t)bytes % sizeof(float) == 0;
}

/* The matrix from canonical order: blocks of four by four, then what is left of rows and outputs. */
static void put_matrix(const struct mycel_nn *nn, const struct tensor_view *v, float *values,
                       const float *matrix)
{
    uint32_t inputs = v->pixels * v->channels;
    uint32_t outputs = v->tensor.count / inputs;
    nn->kernels->transpose(matrix, inputs, outputs & ~3u, inputs & ~3u, values, v->lanes);
    for (uint32_t o = 0; o < outputs; o++) {
        for (uint32_t i = o < (outputs & ~3u) ? inputs & ~3u : 0; i < inputs; i++) {
            values[i * v->lanes + o] = matrix[o * inputs + i];
        }
    }
}

/* … and back. */
static void get_matrix(const struct mycel_nn *nn, const struct tensor_view *v, const float *values,
                       float *matrix)
{
    uint32_t inputs = v->pixels * v->channels;
    uint32_t outputs = v->tensor.count / inputs;
    nn->kernels->transpose(values, v->lanes, inputs & ~3u, outputs & ~3u, matrix, inputs);
    for (uint32_t o = 0; o < outputs; o++) {
        for (uint32_t i = o < (outputs & ~3u) ? inputs & ~3u : 0; i < inputs; i++) {
            matrix[o * inputs + i] = values[i * v->lanes + o];
        }
    }
}

struct write_job {
    struct mycel_nn *nn;
    const uint8_t *bytes;
};

static int write_piece(const struct mycel_nn *nn, const struct tensor_view *view, float *values,
                       uint32_t first, uint32_t count, uint32_t at, void *ctx)
{
    const struct write_job *job = ctx;
    const uint8_t *bytes = job->bytes + (size_t)at * 4u;
    if (nn_is_int8(nn->plan, view->index) && values != NULL) {
        return write_int8(job->nn, view, first, count, bytes);
    }
    if (is_plain_matrix(nn, view, values, count, bytes)) {
        put_matrix(nn, view, values, (const float *)(const void *)bytes);
        return 0;
    }
    for (uint32_t k = 0; values != NULL && k < count; k++) {
        values[place_of(view, first + k)] = get_f32(bytes + (size_t)k * 4u);
    }
    return 0;
}

int nn_array_write(struct mycel_nn *nn, int array, uint32_t offset, uint32_t count,
                   const void *bytes)
{
    if (!nn_array_exists(nn, array)) {
        return MYCEL_E_NOT_FOUND;
    }
    struct write_job job = {nn, bytes};
    return for_pieces(nn, array, offset, count, write_piece, &job);
}

int mycel_nn_write(struct mycel_nn *nn, enum mycel_nn_array array, uint32_t offset, uint32_t count,
                   const void *bytes)
{
    MYCEL_ASSERT(array <= MYCEL_NN_GRADIENT);
    if (array == MYCEL_NN_GRADIENT) {
        return MYCEL_E_NOT_FOUND;
    }
    return nn_array_write(nn, array, offset, count, bytes);
}

static float value_at(const struct mycel_nn *nn, const struct tensor_view *view,
                      const float *values, uint32_t k)
{
    if (values == NULL) {
        return 0.0f;
    }
    uint32_t place = place_of(view, k);
    if (nn_is_int8(nn->plan, view->index)) {
        return nn_int8_read(nn, view->index, view->tensor.rank == 1, k, place);
    }
    return values[place];
}

static int read_piece(const struct mycel_nn *nn, const struct tensor_view *view, float *values,
                      uint32_t first, uint32_t count, uint32_t at, void *ctx)
{
    uint8_t *bytes = *(uint8_t **)ctx + (size_t)at * 4u;
    if (is_plain_matrix(nn, view, values, count, bytes)) {
        get_matrix(nn, view, values, (float *)(void *)bytes);
        return 0;
    }
    for (uint32_t k = 0; k < count; k++) {
        put_f32(bytes + (size_t)k * 4u, value_at(nn, view, values, first + k));
    }
    return 0;
}

int nn_array_read(const struct mycel_nn *nn, int array, uint32_t offset, uint32_t count,
                  void *bytes)
{
    if (!nn_array_exists(nn, array)) {
        return MYCEL_E_NOT_FOUND;
    }
    uint8_t *to = bytes;
    return for_pieces(nn, array, offset, count, read_piece, &to);
}

int mycel_nn_read(const struct mycel_nn *nn, enum mycel_nn_array array, uint32_t offset,
                  uint32_t count, void *bytes)
{
    MYCEL_ASSERT(array <= MYCEL_NN_GRADIENT);
    return nn_array_read(nn, array, offset, count, bytes);
}

struct delta_job {
    const struct mycel_nn_base *base;
    uint32_t offset; /* of the chunk */
    float *delta;
};

static int delta_piece(const struct mycel_nn *nn, const struct tensor_view *view, float *values,
                       uint32_t first, uint32_t count, uint32_t at, void *ctx)
{
    const struct delta_job *job = ctx;
    float *delta = job->delta + at;
    bool changes = nn->plan->layer[view->index].trains && view->tensor.role <= MYCEL_TENSOR_BIAS;
    if (!changes) {
        memset(delta, 0, (size_t)count * 4u);
        return 0;
    }
    const float *kept = job->base == NULL ? array_of(nn, MYCEL_NN_BASE, view->index) : NULL;
    const float *params = NULL;
    if (job->base != NULL && job->base->params != NULL) {
        params = job->base->params + job->offset + at;
    } else if (job->base != NULL) {
        int rc = job->base->read(job->base->ctx, job->offset + at, count, delta);
        if (rc != 0) {
            return rc;
        }
        params = delta;
    }
    for (uint32_t k = 0; k < count; k++) {
        uint32_t place = place_of(view, first + k);
        delta[k] = values[place] - (params != NULL ? params[k] : kept[place]);
    }
    return 0;
}

int mycel_nn_delta(const struct mycel_nn *nn, const struct mycel_nn_base *base, uint32_t offset,
                   uint32_t count, float *delta)
{
    if (base == NULL && nn->plan->base_offset == NN_NONE) {
        return MYCEL_E_NOT_FOUND;
    }
    MYCEL_ASSERT(base == NULL || base->params != NULL || base->read != NULL);
    struct delta_job job = {base, offset, delta};
    return for_pieces(nn, MYCEL_NN_PARAMS, offset, count, delta_piece, &job);
}
