/* The head of a report: what was simulated, the outcome in one sentence, and the figures that
 * somebody looks for first. */
#include <math.h>

#include <mycel/error.h>

#include "sim/report/figure.h"
#include "sim/report/html_parts.h"
#include "sim/report/page.h"

static void fact(FILE *out, const char *name, const char *value)
{
    if (value[0] != '\0') {
        (void)fputs("<li>", out);
        page_text(out, name);
        (void)fputs(" <b>", out);
        page_text(out, value);
        (void)fputs("</b></li>\n", out);
    }
}

static void facts(FILE *out, const struct series *s)
{
    char model[SERIES_TEXT_BYTES + 96];
    (void)snprintf(model, sizeof model, "%s (%s parameters)", s->model,
                   figure_count(s->params).text);
    (void)fputs("<ul class=\"facts\">\n", out);
    fact(out, "scenario", s->scenario);
    fact(out, "devices", figure_count(s->devices).text);
    fact(out, "gateways", figure_count(s->gateways).text);
    fact(out, "model", model);
    fact(out, "strategy", s->strategy);
    fact(out, "codec", s->codec);
    fact(out, "seed", figure_count(s->seed).text);
    fact(out, "commit", s->commit);
    (void)fputs("</ul>\n", out);
}

/* The outcome as one would say it. */
static void verdict(FILE *out, const struct series *s)
{
    const struct series_cost *cost = &s->end.cost;
    double devices = (double)s->devices;
    (void)fputs("<p class=\"verdict\">", out);
    if (isfinite(series_final_accuracy(s))) {
        page_print(out, "%s accuracy after ", figure_percent(series_final_accuracy(s)).text);
    }
    page_print(out, "%s %s in %s of virtual time. ", figure_count(s->end_rounds).text,
               s->end_rounds == 1 ? "round" : "rounds", figure_duration(s->end.virtual_s).text);
    page_print(out, "On average a device sent %s, received %s and spent %s on training and radio.",
               figure_bytes((double)cost->bytes_up / devices).text,
               figure_bytes((double)cost->bytes_down / devices).text,
               figure_joules(cost->energy_j / devices).text);
    (void)fputs("</p>\n", out);
    if (!s->finished) {
        (void)fputs("<p class=\"warn\">This run did not end: its last line is missing. All figures "
                    "are as of the newest round.</p>\n",
                    out);
    }
}

static void tiles_of_learning(FILE *out, const struct series *s)
{
    const struct series_round *best = series_best_accuracy(s);
    char note[HTML_TAKEAWAY_BYTES] = "never measured";
    if (best != NULL) {
        (void)snprintf(note, sizeof note, "best %s in round %s",
                       figure_percent(best->accuracy).text, figure_count(best->round).text);
    }
    page_tile(out, "Final accuracy", figure_percent(series_final_accuracy(s)).text, note);

    (void)snprintf(note, sizeof note, "one every %s",
                   figure_duration(figure_share(s->end.virtual_s, (double)s->end_rounds)).text);
    page_tile(out, "Rounds", figure_count(s->end_rounds).text, s->end_rounds > 0 ? note : "");

    note[0] = '\0';
    if (s->wall_s > 0.0) {
        (void)snprintf(note, sizeof note, "simulated in %s", figure_duration(s->wall_s).text);
    }
    page_tile(out, "Virtual time", figure_duration(s->end.virtual_s).text, note);
}

static void tiles_of_cost(FILE *out, const struct series *s)
{
    const struct series_cost *cost = &s->end.cost;
    double devices = (double)s->devices;
    char note[HTML_TAKEAWAY_BYTES];
    (void)snprintf(note, sizeof note, "%s for the fleet", figure_joules(cost->energy_j).text);
    page_tile(out, "Energy per device", figure_joules(cost->energy_j / devices).text, note);
    (void)snprintf(note, sizeof note, "%s for the fleet",
                   figure_bytes((double)cost->bytes_up).text);
    page_tile(out, "Sent per device", figure_bytes((double)cost->bytes_up / devices).text, note);
    (void)snprintf(note, sizeof note, "%s for the fleet",
                   figure_bytes((double)cost->bytes_down).text);
    page_tile(out, "Received per device", figure_bytes((double)cost->bytes_down / devices).text,
              note);

    (void)snprintf(note, sizeof note, "trained %s, protocol-only %s",
                   figure_count(cost->trained).text, figure_count(cost->protocol_only).text);
    page_tile(out, "Updates really trained", figure_count(cost->trained).text, note);
    (void)snprintf(note, sizeof note, "%s trained and not counted",
                   figure_count(cost->discarded).text);
    double share = figure_share((double)cost->discarded, (double)cost->trained);
    page_tile(out, "Discarded work", figure_percent(share).text, note);
}

int html_head(FILE *out, const struct series *s)
{
    (void)fputs("<header>\n<h1>", out);
    page_text(out, s->title[0] != '\0' ? s->title : s->scenario);
    (void)fputs("</h1>\n", out);
    facts(out, s);
    verdict(out, s);
    (void)fputs("</header>\n", out);
    page_tiles_open(out);
    tiles_of_learning(out, s);
    tiles_of_cost(out, s);
    page_tiles_close(out);
    return MYCEL_OK;
}
