#include "tests/unit/sim/report/markup.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define DEPTH_MAX 64
#define NAME_BYTES 24

struct walk {
    const char *p;
    char open[DEPTH_MAX][NAME_BYTES];
    int depth;
    const char *problem;
};

static bool fail(struct walk *w, const char *problem)
{
    w->problem = problem;
    return false;
}

static void read_name(struct walk *w, char out[NAME_BYTES])
{
    size_t used = 0;
    while ((isalnum((unsigned char)*w->p) || *w->p == '-' || *w->p == ':') &&
           used + 1u < NAME_BYTES) {
        out[used++] = *w->p++;
    }
    out[used] = '\0';
}

static bool entity(struct walk *w)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&#10;"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strncmp(w->p, known[i], strlen(known[i])) == 0) {
            w->p += strlen(known[i]);
            return true;
        }
    }
    return fail(w, "a bare &");
}

static bool attributes(struct walk *w)
{
    char names[16][NAME_BYTES];
    size_t count = 0;
    while (*w->p == ' ' || *w->p == '\n') {
        w->p++;
        read_name(w, names[count]);
        for (size_t i = 0; i < count; i++) {
            if (strcmp(names[i], names[count]) == 0) {
                return fail(w, "an attribute twice");
            }
        }
        if (++count == 16 || w->p[0] != '=' || w->p[1] != '"') {
            return fail(w, "an attribute without a quoted value");
        }
        for (w->p += 2; *w->p != '"';) {
            if (*w->p == '\0' || *w->p == '<' || (*w->p == '&' && !entity(w))) {
                return fail(w, "a bad attribute value");
            }
            w->p += *w->p != '"' && *w->p != '&';
        }
        w->p++;
    }
    return true;
}

static bool close_element(struct walk *w)
{
    char name[NAME_BYTES];
    w->p += 2;
    read_name(w, name);
    if (w->depth == 0 || strcmp(w->open[w->depth - 1], name) != 0 || *w->p++ != '>') {
        return fail(w, "an element closed that is not the innermost");
    }
    w->depth--;
    return true;
}

/* Scripts and styles are skipped up to their ends. */
static bool open_element(struct walk *w)
{
    char *name = w->open[w->depth];
    w->p++;
    read_name(w, name);
    if (name[0] == '\0' || !attributes(w)) {
        return w->problem != NULL ? false : fail(w, "a bare <");
    }
    if (w->p[0] == '/' && w->p[1] == '>') {
        w->p += 2;
        return true;
    }
    if (*w->p++ != '>' || ++w->depth == DEPTH_MAX) {
        return fail(w, "an element that does not end");
    }
    if (strcmp(name, "script") == 0 || strcmp(name, "style") == 0) {
        const char *end = strstr(w->p, name[1] == 'c' ? "</script>" : "</style>");
        w->p = end != NULL ? end : w->p;
    }
    return true;
}

const char *markup_problem(const char *page, size_t *at)
{
    static const char doctype[] = "<!DOCTYPE html>\n";
    struct walk w = {.p = page};
    bool good = strncmp(page, doctype, sizeof doctype - 1u) == 0 || fail(&w, "no document type");
    w.p += good ? sizeof doctype - 1u : 0;
    while (good && *w.p != '\0') {
        if (*w.p == '<') {
            good = w.p[1] == '/' ? close_element(&w) : open_element(&w);
        } else if (*w.p == '&') {
            good = entity(&w);
        } else {
            good = *w.p++ != '>' || fail(&w, "a bare >");
        }
    }
    if (good && w.depth > 0) {
        (void)fail(&w, "an element is not closed");
    }
    *at = (size_t)(w.p - page);
    return w.problem;
}

size_t markup_count(const char *page, const char *needle)
{
    size_t count = 0;
    for (const char *p = strstr(page, needle); p != NULL; p = strstr(p + 1, needle)) {
        count++;
    }
    return count;
}
