/*
 * The writer of model descriptions: one text for one model, which the reader turns into the same
 * model again. It owns the canonical form and must never write past the caller's buffer.
 */

#include "mycel/error.h"
#include "mycel/model.h"

struct writer {
    char *text;
    size_t size;
    size_t length; /* that the whole text needs, even when cut */
};

static void put(struct writer *w, const char *text)
{
    for (; *text != '\0'; text++) {
        if (w->length + 1 < w->size) {
            w->text[w->length] = *text;
        }
        w->length++;
    }
}

static void put_number(struct writer *w, uint32_t value)
{
    char digits[11];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value > 0);
    put(w, digits + at);
}

/* The shortest decimal that the reader turns into the same float; values come from at most seven
 * digits, so one of these is it. */
static void put_decimal(struct writer *w, float value)
{
    uint32_t scale = 1;
    uint32_t places = 0;
    uint32_t digits = (uint32_t)(value + 0.5f);
    while (places < 7 && (float)digits / (float)scale != value) {
        scale *= 10u;
        places++;
        digits = (uint32_t)((uint64_t)(value * (float)scale + 0.5f));
    }
    put_number(w, digits / scale);
    if (places == 0) {
        return;
    }
    put(w, ".");
    uint32_t rest = digits % scale;
    for (uint32_t s = scale / 10u; s > 0; s /= 10u) {
        char digit[2] = {(char)('0' + rest / s % 10u), '\0'};
        put(w, digit);
    }
}

static void put_window(struct writer *w, const struct mycel_model *model, uint32_t h, uint32_t wd)
{
    if (model->input_rank == 3) {
        put_number(w, h);
        put(w, "x");
    }
    put_number(w, wd);
}

/* Labels are named by their order: @a, @b, … */
static void put_label(struct writer *w, const struct mycel_model *model, uint32_t layer)
{
    char label[3] = {'@', 'a', '\0'};
    for (uint32_t i = 0; i < layer; i++) {
        label[1] = (char)(label[1] + (model->layer[i].tapped ? 1 : 0));
    }
    put(w, label);
}

static bool is_pointwise(const struct mycel_layer *l)
{
    return l->kernel_h == 1 && l->kernel_w == 1 && l->stride_h == 1 && l->stride_w == 1 &&
           l->pad_top == 0 && l->pad_left == 0;
}

static void put_convolution(struct writer *w, const struct mycel_model *model,
                            const struct mycel_layer *l)
{
    if (l->kind == MYCEL_LAYER_CONV && is_pointwise(l)) {
        put(w, "pointwise ");
        put_number(w, l->out.channels);
        return;
    }
    if (l->kind == MYCEL_LAYER_CONV) {
        put(w, model->input_rank == 3 ? "conv " : "conv1d ");
        put_number(w, l->out.channels);
    } else {
        put(w, "depthwise");
    }
    put(w, " ");
    put_window(w, model, l->kernel_h, l->kernel_w);
    if (l->stride_h != 1 || l->stride_w != 1) {
        put(w, " stride ");
        put_window(w, model, l->stride_h, l->stride_w);
    }
    bool same = l->pad_top == (l->kernel_h - 1) / 2 && l->pad_bottom == l->kernel_h / 2 &&
                l->pad_left == (l->kernel_w - 1) / 2 && l->pad_right == l->kernel_w / 2;
    if (same && (l->kernel_h > 1 || l->kernel_w > 1)) {
        put(w, " same");
    } else if (l->pad_top > 0 || l->pad_left > 0) {
        put(w, " pad ");
        put_window(w, model, l->pad_top, l->pad_left);
    }
}

static void put_pool(struct writer *w, const struct mycel_model *model, const struct mycel_layer *l)
{
    put(w, mycel_layer_kind_name(l->kind));
    if (l->kernel_h == 0) {
        put(w, " global");
        return;
    }
    put(w, " ");
    put_window(w, model, l->kernel_h, l->kernel_w);
    if (l->stride_h != l->kernel_h || l->stride_w != l->kernel_w) {
        put(w, " stride ");
        put_window(w, model, l->stride_h, l->stride_w);
    }
}

static void put_kind(struct writer *w, const struct mycel_model *model, const struct mycel_layer *l)
{
    switch (l->kind) {
    case MYCEL_LAYER_CONV:
    case MYCEL_LAYER_DEPTHWISE:
        put_convolution(w, model, l);
        return;
    case MYCEL_LAYER_MAXPOOL:
    case MYCEL_LAYER_AVGPOOL:
        put_pool(w, model, l);
        return;
    default:
        put(w, mycel_layer_kind_name(l->kind));
    }
    if (l->kind == MYCEL_LAYER_DENSE || l->kind == MYCEL_LAYER_GROUPNORM) {
        put(w, " ");
        put_number(w, l->kind == MYCEL_LAYER_DENSE ? l->out.channels : l->groups);
    } else if (l->kind == MYCEL_LAYER_DROPOUT) {
        put(w, " ");
        put_decimal(w, l->rate);
    } else if (l->kind == MYCEL_LAYER_ADD) {
        put(w, " ");
        put_label(w, model, l->source);
    }
}

static void put_layer(struct writer *w, const struct mycel_model *model, uint32_t index)
{
    const struct mycel_layer *l = &model->layer[index];
    put_kind(w, model, l);
    bool weighs = l->kind == MYCEL_LAYER_DENSE || l->kind == MYCEL_LAYER_CONV ||
                  l->kind == MYCEL_LAYER_DEPTHWISE;
    if (weighs && !l->has_bias) {
        put(w, " nobias");
    }
    if (l->activation != MYCEL_ACT_NONE) {
        put(w, " ");
        put(w, mycel_activation_name(l->activation));
        if (l->activation == MYCEL_ACT_LEAKY) {
            put(w, " ");
            put_decimal(w, l->slope);
        }
    }
    if (l->frozen) {
        put(w, " frozen");
    }
    if (l->tapped) {
        put(w, " ");
        put_label(w, model, index);
    }
}

static void put_input(struct writer *w, const struct mycel_model *model)
{
    if (model->input_rank == 3) {
        put_number(w, model->input.height);
        put(w, "x");
    }
    if (model->input_rank >= 2) {
        put_number(w, model->input.width);
        put(w, "x");
    }
    put_number(w, model->input.channels);
}

/* The loss is written where the last activation doesn't say it. */
static void put_loss(struct writer *w, const struct mycel_model *model)
{
    uint8_t act = model->layer[model->layer_count - 1].activation;
    if (model->loss == MYCEL_LOSS_CROSSENTROPY ||
        (model->loss == MYCEL_LOSS_BCE && act == MYCEL_ACT_SIGMOID)) {
        return;
    }
    put(w, " > ");
    put(w, mycel_loss_name(model->loss));
    if (model->loss == MYCEL_LOSS_HUBER) {
        put(w, " ");
        put_decimal(w, model->huber_delta);
    }
}

int mycel_model_format(const struct mycel_model *model, char *text, size_t size)
{
    struct writer w = {text, size, 0};
    put_input(&w, model);
    for (uint32_t i = 0; i < model->layer_count; i++) {
        put(&w, " > ");
        put_layer(&w, model, i);
    }
    put_loss(&w, model);
    if (size > 0) {
        text[w.length < size ? w.length : size - 1] = '\0';
    }
    return w.length < size ? (int)w.length : MYCEL_E_NO_MEMORY;
}

const char *mycel_layer_kind_name(uint8_t kind)
{
    static const char *const names[MYCEL_LAYER_KINDS] = {
        "dense",     "conv",      "depthwise", "maxpool", "avgpool",
        "groupnorm", "batchnorm", "dropout",   "add",
    };
    return kind < MYCEL_LAYER_KINDS ? names[kind] : "";
}

const char *mycel_activation_name(uint8_t activation)
{
    static const char *const names[MYCEL_ACTS] = {
        "", "relu", "relu6", "leaky", "sigmoid", "tanh", "softmax",
    };
    return activation < MYCEL_ACTS ? names[activation] : "";
}

const char *mycel_loss_name(uint8_t loss)
{
    static const char *const names[MYCEL_LOSSES] = {"crossentropy", "bce", "mse", "huber"};
    return loss < MYCEL_LOSSES ? names[loss] : "";
}
