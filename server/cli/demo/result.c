/* What a demo came to: the model's place, a prediction, the verdict. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/dataset.h"
#include "server/cli/demo/demo.h"
#include "server/cli/demo/streetlight.h"
#include "server/cli/exits.h"
#include "server/cli/model_write.h"
#include "server/cli/say.h"
#include "server/eval/eval.h"

#define OUTPUTS_MAX 64u
#define BARS_MAX 3
#define BAR_COLUMNS 24

/* ---- the model's place -------------------------------------------------------------------- */

/* The state folder is temporary; the model stays in the user's cache. "" where that fails. */
static void keep_model(const struct model_source *s, const char *task, char path[PATH_MAX])
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char folder[PATH_MAX - 64];
    int n = -1;
    path[0] = '\0';
    if (cache != NULL && cache[0] == '/') {
        n = snprintf(folder, sizeof folder, "%s", cache);
    } else if (home != NULL && home[0] == '/') {
        n = snprintf(folder, sizeof folder, "%s/.cache", home);
    }
    if (n < 0 || n > (int)sizeof folder - 16) {
        return;
    }
    (void)mkdir(folder, 0700);
    (void)strncat(folder, "/mycel", sizeof folder - strlen(folder) - 1u);
    (void)mkdir(folder, 0700);
    snprintf(path, PATH_MAX, "%s/demo-%s.npz", folder, task);
    if (model_write_file(s, MODEL_NPZ, path, true) < 0) {
        path[0] = '\0';
    }
}

/* ---- one prediction ----------------------------------------------------------------------- */

struct prediction {
    uint32_t index; /* of the picture in the held-out set */
    uint32_t truth;
    float outputs[OUTPUTS_MAX];
    int count;
    uint32_t best[BARS_MAX]; /* classes, most probable first */
    struct dataset set;
};

static void rank(struct prediction *p)
{
    for (int place = 0; place < BARS_MAX && place < p->count; place++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < (uint32_t)p->count; i++) {
            bool taken = false;
            for (int before = 0; before < place; before++) {
                taken = taken || p->best[before] == i;
            }
            if (!taken && (best == UINT32_MAX || p->outputs[i] > p->outputs[best])) {
                best = i;
            }
        }
        p->best[place] = best;
    }
}

static int predict(const struct demo *d, const struct model_source *s, const float *values,
                   struct prediction *p)
{
    char problem[EVAL_PROBLEM_BYTES] = "";
    struct eval_set *set = NULL;
    const char *labels = d->files.held_out_labels[0] ? d->files.held_out_labels : NULL;
    int result = dataset_read(d->files.held_out, labels, &p->set, problem);
    if (result == MYCEL_OK) {
        result = eval_open(d->files.held_out, labels, &set, problem);
    }
    if (result == MYCEL_OK && (p->set.labels == NULL || p->set.type != DATASET_U8)) {
        result = MYCEL_E_UNSUPPORTED;
    }
    if (result == MYCEL_OK) {
        p->index = (uint32_t)(d->options->seed % p->set.samples);
        p->truth = p->set.labels[p->index];
        result = eval_predict(set, s->run.config.model, values, s->model.param_count, p->index,
                              p->outputs, OUTPUTS_MAX);
        p->count = result;
    }
    if (result < 0) {
        say_error("no prediction: %s", problem[0] ? problem : mycel_error_text(result));
    } else {
        rank(p);
    }
    eval_close(set);
    return result < 0 ? result : MYCEL_OK;
}

/* The brightest pixel: dark pictures are shown as bright as others. */
static uint32_t brightest(const uint8_t *pixels, uint32_t count)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < count; i++) {
        most = pixels[i] > most ? pixels[i] : most;
    }
    return most;
}

/* Two rows of pixels in one row of characters: upper half block, colours if there are any. */
static void print_pixels(const struct view *v, const uint8_t *pixels, uint32_t width, uint32_t top,
                         uint32_t height)
{
    static const char *const shades[] = {" ", "░", "▒", "▓", "█"};
    static const char ascii[] = " .:oO@";
    uint32_t most = brightest(pixels, width * height);
    for (uint32_t x = 0; x < width; x++) {
        uint32_t upper = pixels[top * width + x] * 255u / most;
        uint32_t lower = top + 1u < height ? pixels[(top + 1u) * width + x] * 255u / most : 0u;
        if (v->color && v->unicode) {
            (void)printf("\033[38;5;%um\033[48;5;%um▀", 232u + upper * 23u / 255u,
                         232u + lower * 23u / 255u);
        } else if (v->unicode) {
            (void)fputs(shades[(upper + lower) * 4u / 510u], stdout);
        } else {
            (void)putchar(ascii[(upper + lower) * 5u / 510u]);
        }
    }
    (void)fputs(view_color(v, VIEW_PLAIN), stdout);
}

static void print_bar(const struct view *v, const char *name, float share, bool bold)
{
    int filled = (int)(share * BAR_COLUMNS + 0.5f);
    (void)printf("   %s%-10s%s %5.1f %%  %s", view_color(v, bold ? VIEW_BOLD : VIEW_DIM), name,
                 view_color(v, VIEW_PLAIN), (double)share * 100.0, view_color(v, VIEW_CYAN));
    for (int i = 0; i < filled; i++) {
        (void)fputs(v->unicode ? "━" : "=", stdout);
    }
    (void)fputs(view_color(v, VIEW_PLAIN), stdout);
}

static void print_prediction(const struct demo *d, const struct prediction *p)
{
    const struct view *v = &d->view;
    const char *const *names = d->task->classes;
    const uint8_t *pixels = (const uint8_t *)p->set.inputs + (size_t)p->index * p->set.features;
    uint32_t rows = (p->set.height + 1u) / 2u;
    uint32_t middle = rows / 2u > 2u ? rows / 2u - 2u : 0u;
    (void)printf("\nOne picture that no device has seen (number %" PRIu32
                 " of the held-out set):\n",
                 p->index);
    for (uint32_t row = 0; row < rows; row++) {
        (void)fputs("  ", stdout);
        print_pixels(v, pixels, p->set.width, 2u * row, p->set.height);
        uint32_t bar = row - middle;
        if (row >= middle && bar < BARS_MAX && bar < (uint32_t)p->count) {
            print_bar(v, names[p->best[bar]], p->outputs[p->best[bar]], bar == 0);
        } else if (bar == BARS_MAX + 1u) {
            bool right = p->best[0] == p->truth;
            (void)printf("   %sit is a %s%s", view_color(v, right ? VIEW_GREEN : VIEW_RED),
                         names[p->truth], view_color(v, VIEW_PLAIN));
        }
        (void)putchar('\n');
    }
}

static void show_prediction(const struct demo *d, const struct model_source *s)
{
    struct prediction *p = calloc(1, sizeof *p);
    float *values = malloc(sizeof *values * ((size_t)s->model.param_count + 1u));
    for (uint32_t i = 0; values != NULL && i < s->model.param_count; i++) {
        values[i] = model_source_value(s, i);
    }
    if (p != NULL && values != NULL && predict(d, s, values, p) == MYCEL_OK) {
        if (d->options->json) {
            (void)say_json_line(json_pack(
                "{s:s, s:I, s:s, s:f, s:s}", "event", "prediction", "index", (json_int_t)p->index,
                "predicted", d->task->classes[p->best[0]], "probability",
                (double)p->outputs[p->best[0]], "truth", d->task->classes[p->truth]));
        } else {
            print_prediction(d, p);
        }
    }
    if (p != NULL) {
        dataset_free(&p->set);
    }
    free(values);
    free(p);
}

/* ---- the street crossing ------------------------------------------------------------------ */

/* The last pass starts from the version before the last. Accuracy: 1 if every figure agrees. */
static double check_crossing(struct demo *d)
{
    struct model_source s;
    char name[32];
    double weights[STREETLIGHT_INPUTS] = {0};
    snprintf(name, sizeof name, "demo:%d", STREETLIGHT_PASSES - 1);
    if (model_source_load(&s, d->store, name) < 0) {
        return 0.0;
    }
    for (uint32_t i = 0; i < STREETLIGHT_INPUTS; i++) {
        weights[i] = (double)model_source_value(&s, i);
    }
    model_source_release(&s);
    return streetlight_check(weights, d->options->json) ? 1.0 : 0.0;
}

/* ---- the verdict -------------------------------------------------------------------------- */

static void say_outcome(const struct demo *d, double accuracy, bool reached)
{
    const struct view *v = &d->view;
    const char *word = reached ? "Reached" : "Missed";
    (void)printf("\n%s%s:%s ", view_color(v, reached ? VIEW_GREEN : VIEW_RED), word,
                 view_color(v, VIEW_PLAIN));
    if (d->task->classes == NULL) {
        (void)printf("the predictions %s the exact values to five decimals.\n",
                     reached ? "agree with" : "differ from");
        return;
    }
    (void)printf("accuracy %s%.4f%s, target %.2f.\n", view_color(v, VIEW_BOLD), accuracy,
                 view_color(v, VIEW_PLAIN), d->target);
}

/* A path as a person writes it: "~/…" at home. */
static void say_path(const char *label, const char *path)
{
    const char *home = getenv("HOME");
    size_t bytes = home ? strlen(home) : 0;
    bool at_home = bytes > 1 && strncmp(path, home, bytes) == 0 && path[bytes] == '/';
    (void)printf("%s%s%s\n", label, at_home ? "~" : "", at_home ? path + bytes : path);
}

static void say_verdict(const struct demo *d, const struct model_source *s, const char *path,
                        double accuracy, bool reached)
{
    char hash[2 * PROTO_SHA256_BYTES + 1], up[SAY_SIZE_BYTES], down[SAY_SIZE_BYTES];
    say_hex(s->version.sha256, sizeof s->version.sha256, hash);
    if (d->options->json) {
        (void)say_json_line(
            json_pack("{s:s, s:f, s:I, s:I, s:I, s:I, s:s, s:s, s:f, s:b, s:I}", "event", "done",
                      "accuracy", accuracy, "rounds", (json_int_t)d->progress.count, "clients",
                      (json_int_t)d->devices, "bytes_up", (json_int_t)d->progress.bytes_up,
                      "bytes_down", (json_int_t)d->progress.bytes_down, "model_sha256", hash,
                      "model_file", path, "target", d->target, "reached", (int)reached,
                      "elapsed_ms", (json_int_t)(demo_now_ms() - d->start_ms)));
        return;
    }
    say_outcome(d, accuracy, reached);
    (void)printf("After %zu rounds in %.1f s: %s up and %s down, counted at the socket.\n",
                 d->progress.count, (double)(demo_now_ms() - d->start_ms) / 1000.0,
                 say_size(d->progress.bytes_up, up), say_size(d->progress.bytes_down, down));
    say_path("Model: ", path[0] ? path : d->state);
    (void)printf("       sha256 %s\n", hash);
}

int demo_result(struct demo *d)
{
    struct model_source s;
    char path[PATH_MAX];
    if (model_source_load(&s, d->store, "demo") < 0) {
        return EXIT_CODE_FAILED;
    }
    const struct progress_round *last =
        d->progress.count > 0 ? &d->progress.rounds[d->progress.count - 1u] : NULL;
    double accuracy = last ? (double)last->accuracy : 0.0;
    keep_model(&s, d->task->name, path);
    if (d->task->classes != NULL) {
        show_prediction(d, &s);
    } else {
        accuracy = check_crossing(d);
    }
    bool reached = accuracy >= d->target;
    say_verdict(d, &s, path, accuracy, reached);
    model_source_release(&s);
    return reached ? EXIT_CODE_OK : EXIT_CODE_TARGET;
}
