/* The fleet's part: what became of the devices that were selected, how often each device counted, and
 * where the energy went. */
#include <math.h>

#include <mycel/error.h>

#include "sim/report/chart.h"
#include "sim/report/html_parts.h"
#include "sim/report/page.h"

#define OUTCOME_BARS_MAX 120u
#define PARTICIPATION_BARS_MAX 60u

static const char *const outcome_names[] = {"counted", "came too late", "dropped out", "rejected"};
#define OUTCOMES 4u

/* ---- drop-outs ---------------------------------------------------------------------------- */

static void add_outcomes(double sum[OUTCOMES], const struct series_round *r)
{
    sum[0] += (double)r->accepted;
    sum[1] += (double)r->late;
    sum[2] += (double)r->expired;
    sum[3] += (double)r->rejected;
}

static void outcome_table(FILE *out, const double sums[OUTCOMES], double selected)
{
    static const char *const heads[] = {"selected devices that …", "how many", "share"};
    page_table_open(out, "Sums over all rounds", heads, 3);
    for (size_t i = 0; i < OUTCOMES; i++) {
        page_row_open(out);
        page_cell(out, outcome_names[i]);
        page_cell(out, scale_value(SCALE_COUNT, sums[i]).text);
        page_cell(out, figure_percent(figure_share(sums[i], selected)).text);
        page_row_close(out);
    }
    page_table_close(out, "");
}

/* Neighbouring rounds share a bar where there are too many for one each. */
static size_t group_outcomes(const struct series *s, double *values, struct figure *labels,
                             size_t each)
{
    size_t bars = (s->rounds_count + each - 1u) / each;
    for (size_t i = 0; i < s->rounds_count; i++) {
        add_outcomes(&values[i / each * OUTCOMES], &s->rounds[i]);
    }
    for (size_t bar = 0; bar < bars; bar++) {
        labels[bar] = figure_count(s->rounds[bar * each].round);
    }
    return bars;
}

static void outcome_chart(FILE *out, const struct series *s)
{
    double values[OUTCOME_BARS_MAX * OUTCOMES] = {0};
    double sums[OUTCOMES] = {0};
    struct figure labels[OUTCOME_BARS_MAX];
    double selected = 0.0;
    size_t each = (s->rounds_count + OUTCOME_BARS_MAX - 1u) / OUTCOME_BARS_MAX;
    char take[HTML_TAKEAWAY_BYTES] = "";
    char name[64] = "round";
    for (size_t i = 0; i < s->rounds_count; i++) {
        add_outcomes(sums, &s->rounds[i]);
        selected += (double)s->rounds[i].selected;
    }
    if (selected > 0.0) {
        (void)snprintf(take, sizeof take,
                       "Of %s selections %s counted, %s came late, %s dropped out.",
                       scale_value(SCALE_COUNT, selected).text,
                       figure_percent(figure_share(sums[0], selected)).text,
                       figure_percent(figure_share(sums[1], selected)).text,
                       figure_percent(figure_share(sums[2], selected)).text);
    }
    if (each > 1u) {
        (void)snprintf(name, sizeof name, "%zu rounds a bar, from round", each);
    }
    page_card_open(out, "Drop-outs", take, 0);
    if (s->rounds_count > 0) {
        struct chart_stack stack = {.parts = outcome_names,
                                    .parts_count = OUTCOMES,
                                    .values = values,
                                    .labels = labels,
                                    .count = group_outcomes(s, values, labels, each),
                                    .palette = 'o'};
        struct chart chart = {.id = "outcomes",
                              .title = "What became of the devices that were selected",
                              .description = take,
                              .x = {SCALE_COUNT, name},
                              .y = {SCALE_COUNT, "devices"}};
        chart_bars(out, &chart, &stack, 0.0);
        page_key(out, PAGE_KEY_OUTCOMES, outcome_names, OUTCOMES);
        outcome_table(out, sums, selected);
    } else {
        (void)fputs("<p class=\"none\">No round ended in this run.</p>\n", out);
    }
    page_card_close(out);
}

/* ---- participation ------------------------------------------------------------------------ */

/* How often the device in the middle was counted. */
static size_t median_bin(const struct series *s, double devices)
{
    double seen = 0.0;
    for (size_t i = 0; i < s->participation_count; i++) {
        seen += (double)s->participation[i];
        if (seen >= devices / 2.0) {
            return i;
        }
    }
    return 0;
}

static void participation_table(FILE *out, const struct chart_stack *stack)
{
    static const char *const heads[] = {"times counted", "devices"};
    page_table_open(out, "Figures as a table", heads, 2);
    for (size_t i = 0; i < stack->count; i++) {
        page_row_open(out);
        page_cell(out, stack->labels[i].text);
        page_cell(out, scale_value(SCALE_COUNT, stack->values[i]).text);
        page_row_close(out);
    }
    page_table_close(out, "");
}

static size_t group_participation(const struct series *s, double *values, struct figure *labels)
{
    size_t count = s->participation_count;
    size_t each = (count + PARTICIPATION_BARS_MAX - 1u) / PARTICIPATION_BARS_MAX;
    size_t bars = (count + each - 1u) / each;
    for (size_t i = 0; i < count; i++) {
        values[i / each] += (double)s->participation[i];
    }
    for (size_t bar = 0; bar < bars; bar++) {
        size_t last = bar * each + each - 1u;
        if (last + 1u >= count) {
            (void)snprintf(labels[bar].text, FIGURE_BYTES, "%zu+", bar * each);
        } else if (each > 1u) {
            (void)snprintf(labels[bar].text, FIGURE_BYTES, "%zu–%zu", bar * each, last);
        } else {
            labels[bar] = figure_count(bar);
        }
    }
    return bars;
}

static void participation_chart(FILE *out, const struct series *s)
{
    double values[PARTICIPATION_BARS_MAX] = {0};
    struct figure labels[PARTICIPATION_BARS_MAX];
    double devices = 0.0;
    char take[HTML_TAKEAWAY_BYTES] = "";
    for (size_t i = 0; i < s->participation_count; i++) {
        devices += (double)s->participation[i];
    }
    if (devices > 0.0) {
        (void)snprintf(
            take, sizeof take, "%s of %s devices counted at least once; median %s times.",
            scale_value(SCALE_COUNT, devices - (double)s->participation[0]).text,
            scale_value(SCALE_COUNT, devices).text, figure_count(median_bin(s, devices)).text);
    }
    page_card_open(out, "Participation", take, 0);
    if (s->participation_count > 0) {
        struct chart_stack stack = {.parts = NULL,
                                    .parts_count = 1,
                                    .values = values,
                                    .labels = labels,
                                    .count = group_participation(s, values, labels),
                                    .palette = 'f'};
        struct chart chart = {.id = "participation",
                              .title = "How often devices were counted",
                              .description = take,
                              .x = {SCALE_COUNT, "times counted"},
                              .y = {SCALE_COUNT, "devices"}};
        chart_bars(out, &chart, &stack, 0.0);
        participation_table(out, &stack);
    } else {
        (void)fputs("<p class=\"none\">Not recorded in this run.</p>\n", out);
    }
    page_card_close(out);
}

/* ---- energy ------------------------------------------------------------------------------- */

static void energy_table(FILE *out, const struct series *s)
{
    static const char *const heads[] = {"class",   "devices",       "computing", "radio",
                                        "trained", "protocol-only", "discarded"};
    page_table_open(out, "Figures as a table", heads, 7);
    for (size_t i = 0; i < s->device_class_count; i++) {
        const struct series_device_class *c = &s->device_class[i];
        page_row_open(out);
        page_cell(out, c->name);
        page_cell(out, figure_count(c->devices).text);
        page_cell(out, figure_joules(c->energy_compute_j).text);
        page_cell(out, figure_joules(c->energy_radio_j).text);
        page_cell(out, figure_count(c->trained).text);
        page_cell(out, figure_count(c->protocol_only).text);
        page_cell(out, figure_count(c->discarded).text);
        page_row_close(out);
    }
    page_table_close(out, "");
}

static struct figure class_label(const struct series_device_class *c)
{
    struct figure out;
    (void)snprintf(out.text, FIGURE_BYTES, "%.40s × %.16s", figure_label(c->name, 40).text,
                   figure_count(c->devices).text);
    return out;
}

static void energy_rows(FILE *out, const struct series *s, const char *description)
{
    static const char *const parts[] = {"computing", "radio"};
    double values[SERIES_DEVICE_CLASSES_MAX * 2u];
    struct figure labels[SERIES_DEVICE_CLASSES_MAX];
    for (size_t i = 0; i < s->device_class_count; i++) {
        const struct series_device_class *c = &s->device_class[i];
        double devices = fmax(1.0, (double)c->devices);
        values[2u * i] = c->energy_compute_j / devices;
        values[2u * i + 1u] = c->energy_radio_j / devices;
        labels[i] = class_label(c);
    }
    struct chart_stack stack = {.parts = parts,
                                .parts_count = 2,
                                .values = values,
                                .labels = labels,
                                .count = s->device_class_count,
                                .palette = 'f'};
    struct chart chart = {.id = "energy",
                          .title = "Energy per device, by class of device",
                          .description = description,
                          .x = {SCALE_JOULES, ""}};
    chart_rows(out, &chart, &stack);
    page_key(out, PAGE_KEY_AREAS, parts, 2);
}

static void energy_chart(FILE *out, const struct series *s)
{
    double compute = 0.0, radio = 0.0;
    char take[HTML_TAKEAWAY_BYTES] = "";
    for (size_t i = 0; i < s->device_class_count; i++) {
        compute += s->device_class[i].energy_compute_j;
        radio += s->device_class[i].energy_radio_j;
    }
    if (compute + radio > 0.0) {
        (void)snprintf(take, sizeof take, "Over the fleet: %s computing, %s radio.",
                       figure_percent(compute / (compute + radio)).text,
                       figure_percent(radio / (compute + radio)).text);
    }
    page_card_open(out, "Energy per device, by class", take, 0);
    if (s->device_class_count > 0) {
        energy_rows(out, s, take);
        energy_table(out, s);
    } else {
        (void)fputs("<p class=\"none\">Not recorded in this run.</p>\n", out);
    }
    page_card_close(out);
}

int html_fleet(FILE *out, const struct series *s)
{
    page_section_open(out, "What the fleet did", "");
    outcome_chart(out, s);
    participation_chart(out, s);
    energy_chart(out, s);
    page_section_close(out);
    return MYCEL_OK;
}
