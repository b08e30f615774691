/* Airtime by gateway: a map of cells, the darker the busier, and the busiest ones as a table. */
#include <stdlib.h>

#include <mycel/error.h>

#include "sim/report/figure.h"
#include "sim/report/html_parts.h"
#include "sim/report/page.h"

#define LARGE_CELLS_MAX 72u /* with number and figure; beyond, small squares */
#define CELLS_MAX 1000u     /* beyond, a square is the busiest of several gateways */
#define TABLE_ROWS_MAX 50u
#define STEPS 6u

static const uint64_t step_below_permille[STEPS] = {50, 150, 300, 500, 750, UINT64_MAX};
static const char *const step_names[STEPS] = {"< 5 %",   "5–15 %",  "15–30 %",
                                              "30–50 %", "50–75 %", "≥ 75 %"};

static size_t step_of(uint64_t busy_permille)
{
    size_t step = 0;
    while (busy_permille >= step_below_permille[step]) {
        step++;
    }
    return step;
}

static struct figure busy(const struct series_gateway *g)
{
    return figure_percent((double)g->busy_permille / 1000.0);
}

static struct figure lost(const struct series_gateway *g)
{
    return figure_percent(figure_share((double)g->lost, (double)g->datagrams));
}

static void cell(FILE *out, const struct series_gateway *g, bool large)
{
    (void)fprintf(out, "<li class=\"h%zu%s\" title=\"", step_of(g->busy_permille),
                  g->outage_s > 0.0 ? " out" : "");
    page_print(out, "gateway %s · %s · %s devices", figure_count(g->id).text, g->link,
               figure_count(g->devices).text);
    (void)fputs("&#10;", out);
    page_print(out, "busy %s: %s of airtime", busy(g).text, figure_duration(g->airtime_s).text);
    (void)fputs("&#10;", out);
    page_print(out, "%s datagrams, %s lost", figure_count(g->datagrams).text, lost(g).text);
    if (g->outage_s > 0.0) {
        (void)fputs("&#10;", out);
        page_print(out, "out of service for %s", figure_duration(g->outage_s).text);
    }
    (void)fputs("\">", out);
    if (large) {
        page_print(out, "#%s", figure_count(g->id).text);
        (void)fprintf(out, "<b>%s</b>", busy(g).text);
    }
    (void)fputs("</li>\n", out);
}

static void cells(FILE *out, const struct series *s)
{
    bool large = s->gateway_count <= LARGE_CELLS_MAX;
    size_t each = (s->gateway_count + CELLS_MAX - 1u) / CELLS_MAX;
    (void)fprintf(out, "<ol class=\"cells%s\">\n", large ? "" : " many");
    for (size_t from = 0; from < s->gateway_count; from += each) {
        const struct series_gateway *busiest = &s->gateway[from];
        for (size_t i = from; i < from + each && i < s->gateway_count; i++) {
            busiest =
                s->gateway[i].busy_permille > busiest->busy_permille ? &s->gateway[i] : busiest;
        }
        cell(out, busiest, large);
    }
    (void)fputs("</ol>\n<ul class=\"key\">", out);
    for (size_t i = 0; i < STEPS; i++) {
        (void)fprintf(out, "<li><i class=\"h%zu\"></i>", i);
        page_text(out, step_names[i]);
        (void)fputs("</li>", out);
    }
    (void)fputs("<li><i class=\"h0 out\"></i>had an outage</li></ul>\n", out);
    if (each > 1u) {
        (void)fprintf(out, "<p class=\"take\">Each square is the busiest of %zu gateways.</p>\n",
                      each);
    }
}

/* Busiest first; equals in order of id. */
static int by_busy(const void *a, const void *b)
{
    const struct series_gateway *x = a, *y = b;
    if (x->busy_permille != y->busy_permille) {
        return x->busy_permille < y->busy_permille ? 1 : -1;
    }
    return x->id < y->id ? -1 : x->id > y->id;
}

static void table(FILE *out, const struct series_gateway *sorted, size_t count)
{
    static const char *const heads[] = {"gateway", "link",   "devices",   "busy",
                                        "airtime", "outage", "datagrams", "lost"};
    const char *summary =
        count > TABLE_ROWS_MAX ? "The 50 busiest as a table" : "Figures as a table";
    page_table_open(out, summary, heads, 8);
    for (size_t i = 0; i < count && i < TABLE_ROWS_MAX; i++) {
        const struct series_gateway *g = &sorted[i];
        page_row_open(out);
        page_cell(out, figure_count(g->id).text);
        page_cell(out, g->link);
        page_cell(out, figure_count(g->devices).text);
        page_cell(out, busy(g).text);
        page_cell(out, figure_duration(g->airtime_s).text);
        page_cell(out, figure_duration(g->outage_s).text);
        page_cell(out, figure_count(g->datagrams).text);
        page_cell(out, lost(g).text);
        page_row_close(out);
    }
    page_table_close(out, summary);
}

int html_gateways(FILE *out, const struct series *s)
{
    char take[HTML_TAKEAWAY_BYTES];
    if (s->gateway_count == 0) {
        return MYCEL_OK;
    }
    struct series_gateway *sorted = malloc(s->gateway_count * sizeof *sorted);
    if (sorted == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    for (size_t i = 0; i < s->gateway_count; i++) {
        sorted[i] = s->gateway[i];
    }
    qsort(sorted, s->gateway_count, sizeof *sorted, by_busy);
    (void)snprintf(take, sizeof take, "Busiest: gateway %s, %s of the time; in the middle: %s.",
                   figure_count(sorted[0].id).text, busy(&sorted[0]).text,
                   busy(&sorted[s->gateway_count / 2u]).text);
    page_section_open(out, "Where the air is full",
                      "Share of time in which a gateway's channel carried a frame. Devices of one "
                      "gateway wait for each other.");
    page_card_open(out, "Airtime by gateway", take, 1);
    cells(out, s);
    table(out, sorted, s->gateway_count);
    page_card_close(out);
    page_section_close(out);
    free(sorted);
    return MYCEL_OK;
}
