/*
 * The page as a document: head, sections, cards, tables, and escaping. What it writes is HTML that is
 * also well-formed XML. Whoever writes text that is not a constant of the program goes through
 * page_text() or page_print(); nothing here may know what a simulation is.
 */
#ifndef MYCEL_SIM_REPORT_PAGE_H
#define MYCEL_SIM_REPORT_PAGE_H

#include <stddef.h>
#include <stdio.h>

#define PAGE_PRINT_BYTES 2048u

/* All write to `out`; errors stay in the stream and page_close() reports them. */

/* Everything up to the content. `title` is escaped. */
void page_open(FILE *out, const char *title);

/* The end of the document. 0, or MYCEL_E_IO if anything could not be written. */
int page_close(FILE *out);

/* Text as it is to be read: & < > " ' are escaped. */
void page_text(FILE *out, const char *text);

/* Formats (up to PAGE_PRINT_BYTES, cut off behind) and escapes the result. */
__attribute__((format(printf, 2, 3))) void page_print(FILE *out, const char *format, ...);

/* A heading with a line of explanation ("" for none), and a grid of cards under it. */
void page_section_open(FILE *out, const char *title, const char *lead);
void page_section_close(FILE *out);

/* One card: a title and what the reader should see in it ("" for nothing). `wide`: over all columns. */
void page_card_open(FILE *out, const char *title, const char *takeaway, int wide);
void page_card_close(FILE *out);

/* A table, folded away under `summary` (NULL: in the open). Then page_row_open(), cells in order, and
 * page_row_close() for each row. */
void page_table_open(FILE *out, const char *summary, const char *const *heads, size_t count);
void page_row_open(FILE *out);
void page_cell(FILE *out, const char *text);
void page_row_close(FILE *out);
void page_table_close(FILE *out, const char *summary);

/* One figure of the page's head: what it is, the figure, what to know of it ("" for nothing). All are
 * escaped. Between page_tiles_open() and _close(). */
void page_tiles_open(FILE *out);
void page_tile(FILE *out, const char *name, const char *figure, const char *note);
void page_tiles_close(FILE *out);

/* The key of a chart: one entry a line (class s<n>) or area (class <letter><n>), in order. */
enum page_key { PAGE_KEY_LINES, PAGE_KEY_AREAS, PAGE_KEY_OUTCOMES };
void page_key(FILE *out, enum page_key kind, const char *const *names, size_t count);

#endif
