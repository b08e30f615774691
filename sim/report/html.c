/* The report of one run: reads it, then writes section after section. */
#include "sim/report/html.h"

#include <mycel/error.h>

#include "sim/report/html_parts.h"
#include "sim/report/page.h"

static int write_page(FILE *out, const struct series *s)
{
    static int (*const sections[])(FILE *, const struct series *) = {
        html_head, html_learning, html_cost, html_fleet, html_gateways, html_tables};
    char title[SERIES_TEXT_BYTES + 64];
    (void)snprintf(title, sizeof title, "%s · Mycel simulation",
                   s->title[0] != '\0' ? s->title : s->scenario);
    page_open(out, title);
    int result = MYCEL_OK;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0] && result == MYCEL_OK; i++) {
        result = sections[i](out, s);
    }
    int closed = page_close(out);
    return result < 0 ? result : closed;
}

int report_html(FILE *in, FILE *out, char problem[REPORT_PROBLEM_BYTES])
{
    struct series s;
    int result = series_read(in, &s, problem);
    if (result < 0) {
        return result;
    }
    result = write_page(out, &s);
    if (result < 0) {
        (void)snprintf(problem, REPORT_PROBLEM_BYTES, "%s",
                       result == MYCEL_E_IO ? "cannot be written" : "out of memory");
    }
    series_free(&s);
    return result;
}
