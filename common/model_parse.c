/*
 * The reader of model descriptions: words to layers, with the column of the first thing wrong. It
 * owns the grammar of <mycel/model.h>; words and numbers come from model_words.c, shapes and
 * parameter places from model_shape.c. Its input may come from a peer, so every number, word and
 * count has a limit and nothing asserts.
 */
#include <string.h>

#include "common/model_internal.h"
#include "common/model_words.h"
#include "mycel/error.h"

enum {
    LABELS_MAX = 16,
    LABEL_BYTES_MAX = 15,
};

/* What a layer may carry after its arguments. */
enum {
    MAY_STRIDE = 1,
    MAY_PAD = 2,
    MAY_BIAS = 4,
    MAY_ACT = 8,
};

/* What follows a layer's name. */
enum arguments {
    ARGS_NONE,
    ARGS_COUNT,        /* n */
    ARGS_COUNT_KERNEL, /* n kernel */
    ARGS_KERNEL,       /* kernel */
    ARGS_POOL,         /* kernel | "global" */
    ARGS_RATE,         /* number */
    ARGS_LABEL,        /* label */
};

struct layer_word {
    const char *name;
    uint8_t kind;
    uint8_t arguments;
    uint8_t may;
    uint8_t rank; /* of the input it needs, 0 any */
};

static const struct layer_word layer_words[] = {
    {"dense", MYCEL_LAYER_DENSE, ARGS_COUNT, MAY_BIAS | MAY_ACT, 0},
    {"conv", MYCEL_LAYER_CONV, ARGS_COUNT_KERNEL, MAY_STRIDE | MAY_PAD | MAY_BIAS | MAY_ACT, 3},
    {"conv1d", MYCEL_LAYER_CONV, ARGS_COUNT_KERNEL, MAY_STRIDE | MAY_PAD | MAY_BIAS | MAY_ACT, 2},
    {"pointwise", MYCEL_LAYER_CONV, ARGS_COUNT, MAY_BIAS | MAY_ACT, 1},
    {"depthwise", MYCEL_LAYER_DEPTHWISE, ARGS_KERNEL, MAY_STRIDE | MAY_PAD | MAY_BIAS | MAY_ACT, 1},
    {"maxpool", MYCEL_LAYER_MAXPOOL, ARGS_POOL, MAY_STRIDE | MAY_ACT, 1},
    {"avgpool", MYCEL_LAYER_AVGPOOL, ARGS_POOL, MAY_STRIDE | MAY_ACT, 1},
    {"globalpool", MYCEL_LAYER_AVGPOOL, ARGS_NONE, MAY_ACT, 1},
    {"groupnorm", MYCEL_LAYER_GROUPNORM, ARGS_COUNT, MAY_ACT, 0},
    {"batchnorm", MYCEL_LAYER_BATCHNORM, ARGS_NONE, MAY_ACT, 0},
    {"dropout", MYCEL_LAYER_DROPOUT, ARGS_RATE, 0, 0},
    {"add", MYCEL_LAYER_ADD, ARGS_LABEL, MAY_ACT, 0},
};

struct label {
    struct word word;
    uint8_t layer;
};

struct parser {
    struct words in;
    bool flat; /* "flatten" or a dense layer came before */
    uint32_t label_count;
    struct label label[LABELS_MAX];
    struct mycel_model *model;
};

/* Reads one side of a kernel, stride or padding; "3" counts for both directions of an image and
 * for the length of a sequence. */
static int read_window(struct parser *p, uint8_t *h, uint8_t *w, uint8_t h_of_sequence)
{
    uint32_t dim[2];
    bool image = p->model->input_rank == 3;
    int count = words_dims(&p->in, image ? 2 : 1, MYCEL_MODEL_KERNEL_MAX, dim);
    if (count < 0) {
        return count;
    }
    *h = image ? (uint8_t)dim[0] : h_of_sequence;
    *w = (uint8_t)dim[count - 1];
    return 0;
}

static const struct label *find_label(const struct parser *p)
{
    for (uint32_t i = 0; i < p->label_count; i++) {
        const struct word *w = &p->label[i].word;
        if (w->length == p->in.word.length && memcmp(w->text, p->in.word.text, w->length) == 0) {
            return &p->label[i];
        }
    }
    return NULL;
}

/* "@name" behind a layer: remembers its output for a later add. */
static int define_label(struct parser *p, uint8_t layer)
{
    const struct word *w = &p->in.word;
    bool good = w->length >= 2 && w->length <= LABEL_BYTES_MAX + 1 && word_is_letter(w->text[1]);
    for (uint32_t i = 2; good && i < w->length; i++) {
        good = word_is_letter(w->text[i]) || word_is_digit(w->text[i]);
    }
    if (!good) {
        return words_fail(&p->in, MYCEL_E_MALFORMED,
                          "a label is @, a letter, then letters or digits");
    }
    if (find_label(p) != NULL) {
        return words_fail(&p->in, MYCEL_E_MALFORMED, "this label is defined already");
    }
    if (p->label_count == LABELS_MAX) {
        return words_fail(&p->in, MYCEL_E_TOO_LARGE, "there are too many labels");
    }
    p->label[p->label_count++] = (struct label){*w, layer};
    words_next(&p->in);
    return 0;
}

static int use_label(struct parser *p, struct mycel_layer *layer)
{
    const struct label *label = find_label(p);
    if (label == NULL) {
        return words_fail(&p->in, MYCEL_E_MALFORMED,
                          "add needs a label of an earlier layer, such as @a");
    }
    struct mycel_layer *source = &p->model->layer[label->layer];
    if (source->tapped) {
        return words_fail(&p->in, MYCEL_E_UNSUPPORTED, "this label was added once already");
    }
    source->tapped = true;
    layer->source = label->layer;
    words_next(&p->in);
    return 0;
}

static uint8_t find_activation(const struct word *word)
{
    for (uint8_t act = MYCEL_ACT_RELU; act < MYCEL_ACTS; act++) {
        if (word_same(word, mycel_activation_name(act))) {
            return act;
        }
    }
    return MYCEL_ACT_NONE;
}

static int read_activation(struct parser *p, struct mycel_layer *layer, uint8_t act)
{
    if (layer->activation != MYCEL_ACT_NONE) {
        return words_fail(&p->in, MYCEL_E_MALFORMED, "this layer has an activation already");
    }
    layer->activation = act;
    layer->slope = act == MYCEL_ACT_LEAKY ? 0.01f : 0.0f;
    words_next(&p->in);
    if (act == MYCEL_ACT_LEAKY && words_at_number(&p->in)) {
        return words_decimal(&p->in, &layer->slope);
    }
    return 0;
}

/* "same" leaves the padding to be known when the kernel is: both are, as arguments come first. */
static void pad_same(struct mycel_layer *layer)
{
    layer->pad_top = (uint8_t)((layer->kernel_h - 1) / 2);
    layer->pad_bottom = (uint8_t)(layer->kernel_h / 2);
    layer->pad_left = (uint8_t)((layer->kernel_w - 1) / 2);
    layer->pad_right = (uint8_t)(layer->kernel_w / 2);
}

static int read_padding(struct parser *p, struct mycel_layer *layer)
{
    words_next(&p->in);
    int rc = read_window(p, &layer->pad_top, &layer->pad_left, 0);
    layer->pad_bottom = layer->pad_top;
    layer->pad_right = layer->pad_left;
    return rc;
}

static int read_modifier(struct parser *p, const struct layer_word *kind, uint8_t index)
{
    struct mycel_layer *layer = &p->model->layer[index];
    uint8_t act = find_activation(&p->in.word);
    if (act != MYCEL_ACT_NONE && (kind->may & MAY_ACT) != 0) {
        return read_activation(p, layer, act);
    }
    if (words_is(&p->in, "stride") && (kind->may & MAY_STRIDE) != 0) {
        words_next(&p->in);
        return read_window(p, &layer->stride_h, &layer->stride_w, 1);
    }
    if (words_is(&p->in, "pad") && (kind->may & MAY_PAD) != 0) {
        return read_padding(p, layer);
    }
    if (p->in.word.text[0] == '@') {
        return define_label(p, index);
    }
    if (words_is(&p->in, "same") && (kind->may & MAY_PAD) != 0) {
        pad_same(layer);
    } else if (words_is(&p->in, "nobias") && (kind->may & MAY_BIAS) != 0) {
        layer->has_bias = false;
    } else if (words_is(&p->in, "frozen")) {
        layer->frozen = true;
    } else if (!words_is(&p->in, "valid") || (kind->may & MAY_PAD) == 0) {
        return words_fail(&p->in, MYCEL_E_MALFORMED, "this word does not belong to this layer");
    }
    words_next(&p->in);
    return 0;
}

static int read_count_into(struct parser *p, uint32_t *value)
{
    return words_dims(&p->in, 1, MYCEL_MODEL_DIM_MAX, value) < 0 ? MYCEL_E_MALFORMED : 0;
}

static int read_pool(struct parser *p, const struct layer_word *kind, struct mycel_layer *layer)
{
    if (kind->arguments == ARGS_NONE) {
        return 0;
    }
    if (words_is(&p->in, "global")) {
        words_next(&p->in);
        return 0;
    }
    int rc = read_window(p, &layer->kernel_h, &layer->kernel_w, 1);
    layer->stride_h = layer->kernel_h;
    layer->stride_w = layer->kernel_w;
    return rc;
}

static int read_rate(struct parser *p, struct mycel_layer *layer)
{
    struct word word = p->in.word;
    int rc = words_decimal(&p->in, &layer->rate);
    if (rc == 0 && layer->rate >= 1.0f) {
        return words_fail_at(&p->in, word.at, word.length, MYCEL_E_MALFORMED,
                             "dropout must be below 1");
    }
    return rc;
}

static int read_arguments(struct parser *p, const struct layer_word *kind,
                          struct mycel_layer *layer)
{
    uint32_t count = 0;
    int rc = 0;
    if (kind->arguments == ARGS_COUNT || kind->arguments == ARGS_COUNT_KERNEL) {
        rc = read_count_into(p, &count);
    }
    if (rc != 0) {
        return rc;
    }
    if (kind->kind == MYCEL_LAYER_GROUPNORM) {
        layer->groups = (uint16_t)count;
    } else {
        layer->out.channels = count;
    }
    switch (kind->arguments) {
    case ARGS_COUNT_KERNEL:
    case ARGS_KERNEL:
        return read_window(p, &layer->kernel_h, &layer->kernel_w, 1);
    case ARGS_POOL:
        return read_pool(p, kind, layer);
    case ARGS_RATE:
        return read_rate(p, layer);
    case ARGS_LABEL:
        return use_label(p, layer);
    default:
        return 0;
    }
}

static const struct layer_word *find_layer_word(const struct word *word)
{
    for (size_t i = 0; i < sizeof layer_words / sizeof layer_words[0]; i++) {
        if (word_same(word, layer_words[i].name)) {
            return &layer_words[i];
        }
    }
    return NULL;
}

/* A convolution or pool needs an image or a sequence that nothing has flattened. */
static int check_rank(struct parser *p, const struct layer_word *kind)
{
    if (kind->rank == 0) {
        return 0;
    }
    if (p->flat || p->model->input_rank == 1) {
        return words_fail(&p->in, MYCEL_E_SHAPE,
                          "this layer needs an image or a sequence, not a vector");
    }
    if (kind->rank == 3 && p->model->input_rank == 2) {
        return words_fail(&p->in, MYCEL_E_SHAPE, "conv is for images; a sequence takes conv1d");
    }
    if (kind->rank == 2 && p->model->input_rank == 3) {
        return words_fail(&p->in, MYCEL_E_SHAPE, "conv1d is for sequences; an image takes conv");
    }
    return 0;
}

static int read_layer(struct parser *p, const struct layer_word *kind)
{
    struct mycel_model *model = p->model;
    struct word name = p->in.word;
    if (model->layer_count == MYCEL_MODEL_LAYERS_MAX) {
        return words_fail(&p->in, MYCEL_E_TOO_LARGE, "there are too many layers");
    }
    int rc = check_rank(p, kind);
    if (rc != 0) {
        return rc;
    }
    uint8_t index = (uint8_t)model->layer_count;
    struct mycel_layer *layer = &model->layer[index];
    *layer = (struct mycel_layer){
        .kind = kind->kind,
        .has_bias = (kind->may & MAY_BIAS) != 0,
        .kernel_h = kind->kind == MYCEL_LAYER_CONV ? 1 : 0,
        .kernel_w = kind->kind == MYCEL_LAYER_CONV ? 1 : 0,
        .stride_h = 1,
        .stride_w = 1,
    };
    words_next(&p->in);
    rc = read_arguments(p, kind, layer);
    while (rc == 0 && p->in.word.length > 0) {
        rc = read_modifier(p, kind, index);
    }
    if (rc != 0) {
        return rc;
    }
    const char *why = NULL;
    rc = model_layer_place(model, index, &why);
    if (rc != 0) {
        return words_fail_at(&p->in, name.at, name.length, rc, why);
    }
    model->layer_count++;
    p->flat = p->flat || kind->kind == MYCEL_LAYER_DENSE;
    return 0;
}

/* An activation between two ">" belongs to the layer before it. */
static int read_lone_activation(struct parser *p, uint8_t act)
{
    struct mycel_model *model = p->model;
    if (model->layer_count == 0) {
        return words_fail(&p->in, MYCEL_E_MALFORMED, "an activation needs a layer before it");
    }
    struct mycel_layer *layer = &model->layer[model->layer_count - 1];
    if (layer->kind == MYCEL_LAYER_DROPOUT) {
        return words_fail(&p->in, MYCEL_E_UNSUPPORTED, "put the activation before the dropout");
    }
    if (layer->tapped ||
        (p->label_count > 0 && p->label[p->label_count - 1].layer == model->layer_count - 1)) {
        return words_fail(&p->in, MYCEL_E_UNSUPPORTED, "put the activation before the label");
    }
    return read_activation(p, layer, act);
}

static int read_loss(struct parser *p, bool *found)
{
    for (uint8_t loss = 0; loss < MYCEL_LOSSES; loss++) {
        if (words_is(&p->in, mycel_loss_name(loss))) {
            p->model->loss = loss;
            *found = true;
            words_next(&p->in);
            if (loss != MYCEL_LOSS_HUBER || !words_at_number(&p->in)) {
                return 0;
            }
            struct word word = p->in.word;
            int rc = words_decimal(&p->in, &p->model->huber_delta);
            if (rc == 0 && !(p->model->huber_delta > 0.0f)) {
                return words_fail_at(&p->in, word.at, word.length, MYCEL_E_MALFORMED,
                                     "huber's delta must be above 0");
            }
            return rc;
        }
    }
    return 0;
}

/* One element behind a ">". */
static int read_element(struct parser *p, bool *ended)
{
    const struct layer_word *kind = find_layer_word(&p->in.word);
    if (kind != NULL) {
        return read_layer(p, kind);
    }
    uint8_t act = find_activation(&p->in.word);
    if (act != MYCEL_ACT_NONE) {
        return read_lone_activation(p, act);
    }
    if (words_is(&p->in, "flatten")) {
        p->flat = true;
        words_next(&p->in);
        return 0;
    }
    int rc = read_loss(p, ended);
    if (rc != 0 || *ended) {
        return rc;
    }
    return words_fail(&p->in, MYCEL_E_MALFORMED,
                      p->in.word.length == 0 ? "a layer is expected here"
                                             : "there is no such layer");
}

static int read_input(struct parser *p)
{
    uint32_t dim[3] = {0, 0, 0};
    struct word word = p->in.word;
    int rank = words_dims(&p->in, 3, MYCEL_MODEL_DIM_MAX, dim);
    if (rank < 0) {
        return rank;
    }
    struct mycel_shape *in = &p->model->input;
    in->height = rank == 3 ? (uint16_t)dim[0] : 1;
    in->width = rank == 3 ? (uint16_t)dim[1] : (rank == 2 ? (uint16_t)dim[0] : 1);
    in->channels = dim[rank - 1];
    p->model->input_rank = (uint8_t)rank;
    if ((uint64_t)in->height * in->width * in->channels > MYCEL_MODEL_VALUES_MAX) {
        return words_fail_at(&p->in, word.at, word.length, MYCEL_E_TOO_LARGE,
                             "the input is too large");
    }
    return 0;
}

int mycel_model_parse(struct mycel_model *model, const char *text, struct mycel_model_error *error)
{
    struct parser parser = {.in = {.text = text, .error = error}, .model = model};
    struct parser *p = &parser;
    *model = (struct mycel_model){.loss = MYCEL_LOSSES, .huber_delta = 1.0f};
    if (memchr(text, '\0', MYCEL_MODEL_TEXT_MAX) == NULL) {
        return words_fail_at(&p->in, MYCEL_MODEL_TEXT_MAX - 1, 1, MYCEL_E_TOO_LARGE,
                             "the description is too long");
    }
    words_next(&p->in);
    int rc = read_input(p);
    bool ended = false;
    while (rc == 0 && p->in.text[p->in.at] == '>' && p->in.word.length == 0 && !ended) {
        p->in.at++;
        words_next(&p->in);
        rc = read_element(p, &ended);
    }
    if (rc != 0) {
        return rc;
    }
    if (p->in.text[p->in.at] != '\0' || p->in.word.length > 0) {
        return words_fail(&p->in, MYCEL_E_MALFORMED,
                          ended ? "nothing may follow the loss"
                                : "the next layer needs a > before it");
    }
    const char *why = NULL;
    rc = model_finish(model, &why);
    return rc == 0 ? 0 : words_fail(&p->in, rc, why);
}
