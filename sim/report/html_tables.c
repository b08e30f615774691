/* The end of a report: rounds as a table, every setting, and what is needed to run it again. */
#include <inttypes.h>

#include <mycel/error.h>

#include "sim/report/figure.h"
#include "sim/report/html_parts.h"
#include "sim/report/page.h"

#define ROUND_ROWS_MAX 100u

static void round_row(FILE *out, const struct series_round *r)
{
    page_row_open(out);
    page_cell(out, figure_count(r->round).text);
    page_cell(out, figure_duration(r->virtual_s).text);
    page_cell(out, figure_percent(r->accuracy).text);
    page_cell(out, figure_real(r->loss, 4).text);
    page_cell(out, figure_count(r->selected).text);
    page_cell(out, figure_count(r->accepted).text);
    page_cell(out, figure_count(r->late).text);
    page_cell(out, figure_count(r->expired).text);
    page_cell(out, figure_count(r->rejected).text);
    page_cell(out, figure_bytes((double)r->cost.bytes_up).text);
    page_cell(out, figure_bytes((double)r->cost.bytes_down).text);
    page_cell(out, figure_joules(r->cost.energy_j).text);
    page_row_close(out);
}

static void rounds(FILE *out, const struct series *s)
{
    static const char *const heads[] = {"round",        "virtual time",     "accuracy",
                                        "loss",         "selected",         "counted",
                                        "too late",     "dropped out",      "rejected",
                                        "sent (fleet)", "received (fleet)", "energy (fleet)"};
    size_t each = (s->rounds_count + ROUND_ROWS_MAX - 1u) / ROUND_ROWS_MAX;
    char summary[HTML_TAKEAWAY_BYTES] = "Show the table";
    if (each > 1u) {
        (void)snprintf(summary, sizeof summary, "Show every %zuth round; all are in the CSV file",
                       each);
    }
    page_card_open(out, "Rounds", "What the lines and bars above are drawn from.", 1);
    page_table_open(out, summary, heads, 12);
    for (size_t i = 0; i < s->rounds_count; i++) {
        if ((i + 1u) % each == 0 || i == 0 || i + 1u == s->rounds_count) {
            round_row(out, &s->rounds[i]);
        }
    }
    page_table_close(out, summary);
    page_card_close(out);
}

static void setting(FILE *out, const char *key, const char *value)
{
    (void)fputs("<div><dt>", out);
    page_text(out, key);
    (void)fputs("</dt><dd>", out);
    page_text(out, value[0] != '\0' ? value : "–");
    (void)fputs("</dd></div>\n", out);
}

static void settings(FILE *out, const struct series *s)
{
    char take[HTML_TAKEAWAY_BYTES];
    (void)snprintf(take, sizeof take, "All %zu, defaults included.", s->settings_count);
    page_card_open(out, "Settings", take, 1);
    (void)fputs("<dl class=\"settings\">\n", out);
    for (size_t i = 0; i < s->settings_count; i++) {
        setting(out, s->settings[i].key, s->settings[i].value);
    }
    (void)fputs("</dl>\n", out);
    page_card_close(out);
}

static void repeat(FILE *out, const struct series *s)
{
    (void)fputs("<footer>\n<div>Seed ", out);
    (void)fprintf(out, "%" PRIu64 " · commit <code>", s->seed);
    page_text(out, s->commit[0] != '\0' ? s->commit : "unknown");
    (void)fputs("</code> · model SHA-256 <code>", out);
    page_text(out, s->model_sha256[0] != '\0' ? s->model_sha256 : "unknown");
    (void)fputs("</code></div>\n<div>Same commit, same settings, same seed: same model. "
                "<code>mycel sim run ",
                out);
    page_text(out, s->scenario);
    (void)fprintf(out, ".ini --seed %" PRIu64 "</code></div>\n", s->seed);
    (void)fputs("<div>Every update that was aggregated was really trained; devices without work "
                "are simulated in protocol only.</div>\n</footer>\n",
                out);
}

int html_tables(FILE *out, const struct series *s)
{
    page_section_open(out, "Figures and settings", "");
    if (s->rounds_count > 0) {
        rounds(out, s);
    }
    if (s->settings_count > 0) {
        settings(out, s);
    }
    page_section_close(out);
    repeat(out, s);
    return MYCEL_OK;
}
