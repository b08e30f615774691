/* cmocka needs these before it, in this order. */
#ifndef TESTS_UNIT_SERVER_CLI_CMOCKA_ALL_H
#define TESTS_UNIT_SERVER_CLI_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
