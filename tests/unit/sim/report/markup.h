/* A check that a page is well formed: every element closed in order, attributes quoted and unique,
 * only known entities. What a browser forgives, this does not. */
#ifndef MYCEL_TESTS_UNIT_SIM_REPORT_MARKUP_H
#define MYCEL_TESTS_UNIT_SIM_REPORT_MARKUP_H

#include <stddef.h>

/* NULL if the page is well formed, else what is wrong at *at. Static storage. */
const char *markup_problem(const char *page, size_t *at);

/* How often needle occurs. */
size_t markup_count(const char *page, const char *needle);

#endif
