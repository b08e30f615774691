/* Writing the document: the only file that knows the page's elements and classes. */
#include "sim/report/page.h"

#include <stdarg.h>

#include <mycel/error.h>

#include "sim/report/page_parts.h"

void page_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            (void)fputs("&amp;", out);
            break;
        case '<':
            (void)fputs("&lt;", out);
            break;
        case '>':
            (void)fputs("&gt;", out);
            break;
        case '"':
            (void)fputs("&quot;", out);
            break;
        case '\'':
            (void)fputs("&#39;", out);
            break;
        default:
            (void)putc(*text, out);
        }
    }
}

void page_print(FILE *out, const char *format, ...)
{
    char text[PAGE_PRINT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    page_text(out, text);
}

void page_open(FILE *out, const char *title)
{
    /* The policy lets nothing be loaded, sent or framed, whatever the page contains. */
    (void)fputs("<!DOCTYPE html>\n"
                "<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
                "<meta charset=\"utf-8\"/>\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
                "form-action 'none'\"/>\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                "<title>",
                out);
    page_text(out, title);
    (void)fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", page_style);
    (void)fputs("<p class=\"mark\"><svg viewBox=\"0 0 24 24\" aria-hidden=\"true\">"
                "<g fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.6\">"
                "<path d=\"M12 12 4 5M12 12 20 6M12 12 5 19M12 12 18 20M12 12 21 13\"/></g>"
                "<g fill=\"currentColor\"><circle cx=\"12\" cy=\"12\" r=\"3.2\"/>"
                "<circle cx=\"4\" cy=\"5\" r=\"2.1\"/><circle cx=\"20\" cy=\"6\" r=\"2.1\"/>"
                "<circle cx=\"5\" cy=\"19\" r=\"2.1\"/><circle cx=\"18\" cy=\"20\" r=\"2.1\"/>"
                "<circle cx=\"21\" cy=\"13\" r=\"1.7\"/></g></svg>"
                "Mycel <span>fleet simulation</span></p>\n",
                out);
}

int page_close(FILE *out)
{
    (void)fprintf(out,
                  "</main>\n<div id=\"tip\" role=\"status\" hidden=\"hidden\"></div>\n"
                  "<script>/*<![CDATA[*/\n%s/*]]>*/</script>\n</body>\n</html>\n",
                  page_script);
    return fflush(out) != 0 || ferror(out) ? MYCEL_E_IO : MYCEL_OK;
}

void page_section_open(FILE *out, const char *title, const char *lead)
{
    (void)fputs("<section>\n<h2>", out);
    page_text(out, title);
    (void)fputs("</h2>\n", out);
    if (lead[0] != '\0') {
        (void)fputs("<p class=\"lead\">", out);
        page_text(out, lead);
        (void)fputs("</p>\n", out);
    }
    (void)fputs("<div class=\"cards\">\n", out);
}

void page_section_close(FILE *out)
{
    (void)fputs("</div>\n</section>\n", out);
}

void page_card_open(FILE *out, const char *title, const char *takeaway, int wide)
{
    (void)fprintf(out, "<figure class=\"card%s\">\n<figcaption><h3>", wide ? " wide" : "");
    page_text(out, title);
    (void)fputs("</h3>", out);
    if (takeaway[0] != '\0') {
        (void)fputs("<p class=\"take\">", out);
        page_text(out, takeaway);
        (void)fputs("</p>", out);
    }
    (void)fputs("</figcaption>\n", out);
}

void page_card_close(FILE *out)
{
    (void)fputs("</figure>\n", out);
}

void page_table_open(FILE *out, const char *summary, const char *const *heads, size_t count)
{
    if (summary != NULL) {
        (void)fputs("<details><summary>", out);
        page_text(out, summary);
        (void)fputs("</summary>\n", out);
    }
    /* Focusable, so that it can be scrolled without a pointer. */
    (void)fputs("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>", out);
    for (size_t i = 0; i < count; i++) {
        (void)fputs("<th scope=\"col\">", out);
        page_text(out, heads[i]);
        (void)fputs("</th>", out);
    }
    (void)fputs("</tr></thead>\n<tbody>\n", out);
}

void page_row_open(FILE *out)
{
    (void)fputs("<tr>", out);
}

void page_cell(FILE *out, const char *text)
{
    (void)fputs("<td>", out);
    page_text(out, text);
    (void)fputs("</td>", out);
}

void page_row_close(FILE *out)
{
    (void)fputs("</tr>\n", out);
}

void page_table_close(FILE *out, const char *summary)
{
    (void)fprintf(out, "</tbody>\n</table></div>%s\n", summary != NULL ? "</details>" : "");
}

void page_tiles_open(FILE *out)
{
    (void)fputs("<dl class=\"tiles\">\n", out);
}

void page_tile(FILE *out, const char *name, const char *figure, const char *note)
{
    (void)fputs("<div class=\"tile\"><dt>", out);
    page_text(out, name);
    (void)fputs("</dt><dd class=\"big\">", out);
    page_text(out, figure);
    (void)fputs("</dd><dd class=\"note\">", out);
    page_text(out, note);
    (void)fputs("</dd></div>\n", out);
}

void page_tiles_close(FILE *out)
{
    (void)fputs("</dl>\n", out);
}

void page_key(FILE *out, enum page_key kind, const char *const *names, size_t count)
{
    (void)fputs("<ul class=\"key\">", out);
    for (size_t i = 0; i < count; i++) {
        (void)fputs("<li><svg viewBox=\"0 0 22 10\" aria-hidden=\"true\">", out);
        if (kind == PAGE_KEY_LINES) {
            (void)fprintf(out, "<path class=\"l s%zu\" d=\"M1 5H21\"/>", i);
        } else {
            (void)fprintf(out,
                          "<rect class=\"%c%zu\" x=\"4\" width=\"14\" height=\"10\" rx=\"2\"/>",
                          kind == PAGE_KEY_AREAS ? 'f' : 'o', i);
        }
        (void)fputs("</svg>", out);
        page_text(out, names[i]);
        (void)fputs("</li>", out);
    }
    (void)fputs("</ul>\n", out);
}
