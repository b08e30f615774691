/* The two constant parts of a page. Only page.c uses them. */
#ifndef MYCEL_SIM_REPORT_PAGE_PARTS_H
#define MYCEL_SIM_REPORT_PAGE_PARTS_H

extern const char page_style[];
extern const char page_script[];

#endif
