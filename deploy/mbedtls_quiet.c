/*
 * What libcoap asks of mbedTLS's debug messages, which are not compiled in: formatting them took 4 % of
 * a coordinator's time, and nobody had asked for them. It must never do anything.
 */
#include <mbedtls/debug.h>

void mbedtls_debug_set_threshold(int threshold)
{
    (void)threshold;
}
