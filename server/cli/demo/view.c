/* Draws the demo's progress on a terminal, or prints it line by line. */
#include "server/cli/demo/view.h"

#include <inttypes.h>
#include <langinfo.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "server/cli/demo/chart.h"
#include "server/cli/say.h"

#define WIDTH_DEFAULT 80
#define WIDTH_LEAST 60
#define CURVE_COLUMNS 48u
#define CURVE_ROWS 5u
#define DOTS_MAX 20u

static const char *const spinner[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
static const char *const spinner_ascii[] = {"|", "/", "-", "\\"};

/* ---- terminal ----------------------------------------------------------------------------- */

static bool has_unicode(void)
{
    const char *codeset = nl_langinfo(CODESET);
    const char *term = getenv("TERM");
    bool unknown = strcmp(codeset, "ANSI_X3.4-1968") == 0; /* no locale was chosen */
    bool plain = term != NULL && (strcmp(term, "dumb") == 0 || strcmp(term, "linux") == 0);
    return !plain && (strcmp(codeset, "UTF-8") == 0 || unknown);
}

static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return WIDTH_DEFAULT;
    }
    return size.ws_col;
}

void view_init(struct view *v, const struct task *task, uint32_t rounds, uint32_t devices,
               uint32_t cohort, bool json)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    memset(v, 0, sizeof *v);
    v->task = task;
    v->rounds = rounds;
    v->devices = devices;
    v->cohort = cohort;
    v->json = json;
    v->terminal = !json && isatty(STDOUT_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    v->color = v->terminal && (no_color == NULL || no_color[0] == '\0');
    v->unicode = has_unicode();
    v->width = v->terminal ? terminal_width() : WIDTH_DEFAULT;
}

const char *view_color(const struct view *v, enum view_color color)
{
    static const char *const codes[] = {
        [VIEW_PLAIN] = "\033[0m",  [VIEW_BOLD] = "\033[1m", [VIEW_DIM] = "\033[2m",
        [VIEW_GREEN] = "\033[32m", [VIEW_RED] = "\033[31m", [VIEW_CYAN] = "\033[36m"};
    return v->color ? codes[color] : "";
}

static void erase_panel(struct view *v)
{
    if (v->lines > 0) {
        (void)printf("\r\033[%uA\033[J", v->lines);
        v->lines = 0;
    }
}

/* ---- heading ------------------------------------------------------------------------------ */

void view_begin(struct view *v, const struct view_start *start)
{
    const struct task *t = v->task;
    char params[SAY_COUNT_BYTES];
    if (v->json) {
        (void)say_json_line(json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:I, s:s, s:I}", "event",
                                      "start", "task", t->name, "model", t->model, "params",
                                      (json_int_t)start->params, "clients", (json_int_t)v->devices,
                                      "rounds", (json_int_t)v->rounds, "partition",
                                      start->partition, "seed", (json_int_t)start->seed, "state",
                                      start->state, "port", (json_int_t)start->port));
        return;
    }
    (void)printf("%s%s%s\n", view_color(v, VIEW_BOLD), t->title, view_color(v, VIEW_PLAIN));
    (void)printf("model        %s (%s parameters)\n", t->model, say_count(start->params, params));
    (void)printf("devices      %" PRIu32
                 " processes, each with its own key and its own share of the "
                 "data (%s)\n",
                 v->devices, start->partition);
    (void)printf("coordinator  127.0.0.1:%u, CoAP over DTLS; everything in %s\n\n", start->port,
                 start->folder);
    (void)printf("%s  round  devices  %s       up      down      time%s\n", view_color(v, VIEW_DIM),
                 t->classes ? "accuracy       gain" : "    loss     change",
                 view_color(v, VIEW_PLAIN));
    if (v->terminal) {
        (void)fputs("\033[?25l", stdout); /* the cursor would dance */
    }
    (void)fflush(stdout);
}

void view_note(struct view *v, const char *event, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (v->json) {
        (void)say_json_line(json_pack("{s:s, s:s}", "event", event, "text", text));
        return;
    }
    erase_panel(v);
    (void)printf("%s  %s%s\n", view_color(v, VIEW_DIM), text, view_color(v, VIEW_PLAIN));
    (void)fflush(stdout);
}

/* ---- rows --------------------------------------------------------------------------------- */

/* What a row is about: accuracy where there are classes, the loss otherwise. */
static double score_of(const struct view *v, const struct progress_round *round)
{
    return (double)(v->task->classes ? round->accuracy : round->loss);
}

static void json_row(const struct progress_round *round)
{
    (void)say_json_line(
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:I}", "event", "round", "round",
                  (json_int_t)round->round, "version", (json_int_t)round->version, "accepted",
                  (json_int_t)round->accepted, "rejected", (json_int_t)round->rejected, "accuracy",
                  (double)round->accuracy, "loss", (double)round->loss, "bytes_up",
                  (json_int_t)round->bytes_up, "bytes_down", (json_int_t)round->bytes_down,
                  "elapsed_ms", (json_int_t)round->at_ms));
}

/* What a round cost beyond the one before it. */
static uint64_t cost(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0u;
}

static void text_row(const struct view *v, const struct progress *p, size_t i)
{
    static const struct progress_round nothing = {0};
    const struct progress_round *round = &p->rounds[i];
    const struct progress_round *before = i > 0 ? &p->rounds[i - 1] : &nothing;
    char up[SAY_SIZE_BYTES], down[SAY_SIZE_BYTES], gain[16] = "";
    int digits = v->task->classes ? 4 : 6;
    double change = i > 0 ? score_of(v, round) - score_of(v, before) : 0.0;
    bool better = v->task->classes ? change >= 0.0 : change <= 0.0;
    if (i > 0) {
        snprintf(gain, sizeof gain, "%+.*f", digits, change);
    }
    (void)printf("  %5" PRIu32 "  %3" PRIu32 "/%-3" PRIu32
                 "  %s%8.*f%s  %s%9s%s %8s  %8s  %6.1f s\n",
                 round->round, round->accepted, v->cohort, view_color(v, VIEW_BOLD), digits,
                 score_of(v, round), view_color(v, VIEW_PLAIN),
                 view_color(v, better ? VIEW_GREEN : VIEW_RED), gain, view_color(v, VIEW_PLAIN),
                 say_size(cost(round->bytes_up, before->bytes_up), up),
                 say_size(cost(round->bytes_down, before->bytes_down), down),
                 (double)(round->at_ms - before->at_ms) / 1000.0);
}

/* ---- live panel --------------------------------------------------------------------------- */

static void print_dots(const struct view *v, const struct progress *p)
{
    uint32_t dots = v->cohort < DOTS_MAX ? v->cohort : DOTS_MAX;
    uint32_t filled = v->cohort ? p->reported_count * dots / v->cohort : 0;
    (void)fputs(view_color(v, VIEW_GREEN), stdout);
    for (uint32_t i = 0; i < dots; i++) {
        if (i == filled) {
            (void)fputs(view_color(v, VIEW_DIM), stdout);
        }
        const char *on = v->unicode ? "●" : "#";
        const char *off = v->unicode ? "○" : ".";
        (void)fputs(i < filled ? on : off, stdout);
    }
    (void)fputs(view_color(v, VIEW_PLAIN), stdout);
}

static void print_left(const struct view *v, const struct progress *p, uint64_t elapsed_ms)
{
    (void)printf("  %.0f s", (double)elapsed_ms / 1000.0);
    if (p->count > 0 && p->count < v->rounds) {
        uint64_t each = p->rounds[p->count - 1].at_ms / p->count;
        double left = (double)(each * (v->rounds - p->count)) / 1000.0;
        (void)printf(", about %.0f s left", left < 1.0 ? 1.0 : left);
    }
}

/* The curve with its scale; returns the lines it took. */
static unsigned print_curve(const struct view *v, const struct progress *p)
{
    struct chart chart;
    double *values = malloc(sizeof *values * (p->count + 1u));
    size_t count = 0;
    for (size_t i = 0; values != NULL && i < p->count; i++) {
        if (p->rounds[i].scored) {
            values[count++] = score_of(v, &p->rounds[i]);
        }
    }
    unsigned lines = 0;
    if (count > 1) {
        size_t columns = CURVE_COLUMNS;
        if (v->rounds > count) { /* it grows to the right as the rounds go by */
            columns = CURVE_COLUMNS * count / v->rounds;
        }
        chart_draw(&chart, values, count, columns ? columns : 1u, CURVE_ROWS, v->unicode);
        for (size_t row = 0; row < CURVE_ROWS; row++) {
            char label[16] = "";
            if (row == 0 || row + 1u == CURVE_ROWS) {
                snprintf(label, sizeof label, "%.3f", row == 0 ? chart.high : chart.low);
            }
            (void)printf("  %s%7s %s%s %s%s%s\n", view_color(v, VIEW_DIM), label,
                         v->unicode ? (label[0] ? "┤" : "│") : "|", view_color(v, VIEW_PLAIN),
                         view_color(v, VIEW_CYAN), chart.lines[row], view_color(v, VIEW_PLAIN));
            lines++;
        }
    }
    free(values);
    return lines;
}

static void draw_panel(struct view *v, const struct progress *p, uint64_t elapsed_ms)
{
    char up[SAY_SIZE_BYTES], down[SAY_SIZE_BYTES];
    size_t turns = v->unicode ? sizeof spinner / sizeof spinner[0]
                              : sizeof spinner_ascii / sizeof spinner_ascii[0];
    const char *spin = (v->unicode ? spinner : spinner_ascii)[v->turns++ % turns];
    uint32_t round = p->open_round < v->rounds ? p->open_round : v->rounds;
    (void)printf("\n  %s%s%s round %" PRIu32 " of %" PRIu32 "  ", view_color(v, VIEW_CYAN), spin,
                 view_color(v, VIEW_PLAIN), round, v->rounds);
    print_dots(v, p);
    if (v->width >= WIDTH_LEAST) {
        print_left(v, p, elapsed_ms);
    }
    (void)printf("\n  %s%s up, %s down in all%s\n", view_color(v, VIEW_DIM),
                 say_size(p->bytes_up, up), say_size(p->bytes_down, down),
                 view_color(v, VIEW_PLAIN));
    v->lines = 3;
    if (v->width >= WIDTH_LEAST) {
        v->lines += print_curve(v, p);
    }
}

void view_update(struct view *v, const struct progress *p, uint64_t elapsed_ms)
{
    erase_panel(v);
    while (v->shown < p->count && p->rounds[v->shown].scored &&
           progress_is_settled(&p->rounds[v->shown], elapsed_ms)) {
        if (v->json) {
            json_row(&p->rounds[v->shown]);
        } else {
            text_row(v, p, v->shown);
        }
        v->shown++;
    }
    if (v->terminal) {
        draw_panel(v, p, elapsed_ms);
    }
    (void)fflush(stdout);
}

void view_finish(struct view *v, const struct progress *p, bool curve)
{
    erase_panel(v);
    if (curve && !v->json) {
        (void)putchar('\n');
        (void)print_curve(v, p);
    }
    if (v->terminal) {
        (void)fputs("\033[?25h", stdout);
        v->terminal = false;
    }
    (void)fflush(stdout);
}
