/*
 * The state of deploy/mbedtls_ccm.c, which takes the place of mbedTLS's own CCM on x86-64. The build
 * installs this file beside mbedtls/ccm.h, which includes it.
 */
#ifndef MYCEL_MBEDTLS_CCM_ALT_H
#define MYCEL_MBEDTLS_CCM_ALT_H

#include "mbedtls/aes.h"

typedef struct mbedtls_ccm_context {
    mbedtls_aes_context aes;   /* with the encryption key schedule: CCM never decrypts a block */
    unsigned char mac[16];     /* the CBC-MAC so far, being filled */
    unsigned char counter[16]; /* of the block that `processed` is in */
    size_t text_bytes;         /* announced */
    size_t ad_bytes;           /* announced */
    size_t tag_bytes;          /* announced; 0 in CCM* without authentication */
    size_t processed;          /* of the associated data, then of the text */
    unsigned counter_bytes;    /* q of RFC 3610 is L */
    int mode;                  /* MBEDTLS_CCM_ENCRYPT … */
    unsigned state;            /* bits of enum ccm_state */
} mbedtls_ccm_context;

#endif
