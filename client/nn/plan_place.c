/*
 * Places in the arena by lifetime: the largest tensor first, each at the lowest address where
 * nothing that is alive with it lies (greedy by size; Pisarchyk and Lee 2020, section 5.2). It
 * owns what counts as alive; it must never place what is needed later under what is needed now.
 *
 * Time runs through the forward pass, one tick a layer, then backward with two ticks a layer: for
 * its weights, and for its input.
 */
#include "client/nn/nn_internal.h"

enum {
    SLOT_OUT = NN_PHASES, /* slots 0 … NN_PHASES - 1 are the working spaces */
    SLOT_INPUT,           /* of layer 0 only: the samples as a tensor */
    SLOTS
};

struct item {
    uint64_t bytes;
    uint32_t from; /* first and last tick at which it is alive */
    uint32_t to;
    uint32_t *offset;
};

static uint32_t backward_tick(const struct mycel_nn_plan *plan, uint32_t i)
{
    uint32_t layers = plan->model->layer_count;
    return layers + 2 * (layers - 1 - i);
}

/* Dropout and add work in the place of what they change, when nobody needs that as it was. */
static bool works_in_place(const struct mycel_model *model, uint32_t i)
{
    if (i == 0) {
        return false;
    }
    const struct mycel_layer *layer = &model->layer[i];
    const struct mycel_layer *before = &model->layer[i - 1];
    uint8_t act = before->activation;
    if (layer->kind == MYCEL_LAYER_ADD) {
        return act == MYCEL_ACT_NONE && !before->tapped;
    }
    /* The sign of a scaled value still tells a rectifier's slope; other slopes need the value. */
    bool sign_is_enough = act == MYCEL_ACT_NONE || act == MYCEL_ACT_RELU || act == MYCEL_ACT_LEAKY;
    return layer->kind == MYCEL_LAYER_DROPOUT && sign_is_enough && !before->tapped;
}

/* The layer whose output tensor is that of layer i, through layers that work in place. */
static uint32_t owner_of(const struct mycel_nn_plan *plan, uint32_t i)
{
    while (plan->layer[i].in_place) {
        i--;
    }
    return i;
}

/* The last tick at which layer i's own output, or gradient, is looked at. */
static uint32_t last_use(const struct mycel_nn_plan *plan, uint32_t i)
{
    const struct mycel_model *model = plan->model;
    uint32_t first = plan->first_trained;
    uint32_t layers = model->layer_count;
    uint32_t last = i + 1 < layers ? i + 1 : i;
    for (uint32_t a = i + 1; a < layers && model->layer[i].tapped; a++) {
        bool reads = model->layer[a].kind == MYCEL_LAYER_ADD && model->layer[a].source == i;
        last = reads ? a : last;
    }
    if (first == layers) {
        return i + 1 == layers ? 2 * layers + layers : last;
    }
    if (i >= first) {
        last = backward_tick(plan, i) + 1;
    } else if (i + 1 == first) {
        last = backward_tick(plan, first);
    }
    const struct mycel_layer *layer = &model->layer[i];
    if (layer->kind == MYCEL_LAYER_ADD && layer->source >= first) {
        /* What an add sends to its source waits until the layer behind the source is done. */
        last = backward_tick(plan, layer->source + 1u) + 1;
    }
    return last;
}

/* Describes a slot; bytes 0 when there is nothing to place. */
static struct item item_of(struct mycel_nn_plan *plan, uint32_t i, uint32_t slot)
{
    struct mycel_nn_layer_plan *p = &plan->layer[i];
    const struct mycel_layer *layer = &plan->model->layer[i];
    if (slot == SLOT_INPUT) {
        bool raw = i > 0 || nn_reads_raw(plan->model, 0);
        uint64_t bytes = raw ? 0 : 4ull * nn_values(&layer->in) * plan->micro_batch;
        uint32_t to = plan->first_trained == 0 ? backward_tick(plan, 0) + 1 : 0;
        return (struct item){bytes, 0, to, &plan->input_offset};
    }
    if (slot == SLOT_OUT) {
        if (p->in_place) {
            return (struct item){0, 0, 0, &p->out_offset};
        }
        uint32_t to = last_use(plan, i);
        for (uint32_t k = i + 1; k < plan->model->layer_count && plan->layer[k].in_place; k++) {
            uint32_t use = last_use(plan, k);
            to = use > to ? use : to;
        }
        return (struct item){p->activation_bytes, i, to, &p->out_offset};
    }
    bool backward = plan->first_trained <= i;
    uint32_t bytes =
        slot == NN_FORWARD || backward ? nn_scratch_bytes(plan, i, (enum nn_phase)slot) : 0;
    uint32_t tick = slot == NN_FORWARD ? i : backward_tick(plan, i);
    uint32_t from = tick + (slot == NN_BACKWARD_INPUT ? 1 : 0);
    uint32_t to = tick + (slot == NN_BACKWARD_INPUT || slot == NN_BACKWARD ? 1 : 0);
    return (struct item){bytes, from, to, &p->scratch_offset[slot]};
}

/* The lowest address for an item among those placed. Each round either fits or moves up behind an
 * item in the way, so it ends after at most as many rounds as there are items. */
static uint64_t lowest_place(struct mycel_nn_plan *plan, const struct item *item)
{
    uint64_t at = plan->activations_offset;
    uint32_t layers = plan->model->layer_count;
    for (bool moved = true; moved;) {
        moved = false;
        for (uint32_t k = 0; k < layers * SLOTS; k++) {
            struct item other = item_of(plan, k / SLOTS, k % SLOTS);
            bool together = other.from <= item->to && item->from <= other.to;
            if (other.bytes == 0 || *other.offset == NN_NONE || !together) {
                continue;
            }
            uint64_t end = *other.offset + other.bytes;
            if (at < end && *other.offset < at + item->bytes) {
                at = (end + MYCEL_NN_ALIGN - 1) / MYCEL_NN_ALIGN * MYCEL_NN_ALIGN;
                moved = true;
            }
        }
    }
    return at;
}

/* The largest item without a place yet; ties go to the earlier one. */
static struct item largest_left(struct mycel_nn_plan *plan)
{
    struct item best = {0, 0, 0, NULL};
    for (uint32_t k = 0; k < plan->model->layer_count * SLOTS; k++) {
        struct item item = item_of(plan, k / SLOTS, k % SLOTS);
        if (item.bytes > best.bytes && *item.offset == NN_NONE) {
            best = item;
        }
    }
    return best;
}

uint64_t nn_plan_place(struct mycel_nn_plan *plan)
{
    uint32_t layers = plan->model->layer_count;
    plan->input_offset = NN_NONE;
    for (uint32_t i = 0; i < layers; i++) {
        struct mycel_nn_layer_plan *p = &plan->layer[i];
        p->in_place = works_in_place(plan->model, i);
        p->out_offset = NN_NONE;
        for (uint32_t slot = 0; slot < NN_PHASES; slot++) {
            p->scratch_offset[slot] = NN_NONE;
            uint32_t bytes = (uint32_t)item_of(plan, i, slot).bytes;
            p->scratch_bytes = bytes > p->scratch_bytes ? bytes : p->scratch_bytes;
        }
    }
    uint64_t end = plan->activations_offset;
    for (struct item item = largest_left(plan); item.bytes > 0; item = largest_left(plan)) {
        uint64_t at = lowest_place(plan, &item);
        *item.offset = at < NN_NONE ? (uint32_t)at : NN_NONE - 1;
        end = at + item.bytes > end ? at + item.bytes : end;
    }
    for (uint32_t i = 0; i < layers; i++) {
        if (plan->layer[i].in_place) {
            plan->layer[i].activation_bytes = 0;
            plan->layer[i].out_offset = plan->layer[owner_of(plan, i)].out_offset;
        }
    }
    return end - plan->activations_offset;
}
