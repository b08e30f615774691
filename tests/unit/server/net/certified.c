/* Implementation of certified.h. */
#include "tests/unit/server/net/certified.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/mycel-certificates-XXXXXX";

void certified_make(const char *kinds)
{
    char command[2048];
    assert_non_null(mkdtemp(folder));
    int n =
        snprintf(command, sizeof command, "'%s/tests/certificates/make.sh' %s ca coordinator %s",
                 MYCEL_SOURCE_DIR, folder, kinds);
    assert_true(n > 0 && (size_t)n < sizeof command);
    assert_int_equal(system(command), 0);
}

void certified_remove(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

const char *certified_folder(void)
{
    return folder;
}

void certified_text(struct pem_text *text, const char *name)
{
    char path[256];
    char *bytes = calloc(1, 1u << 16);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(bytes);
    assert_non_null(file);
    size_t count = fread(bytes, 1, (1u << 16) - 1, file);
    (void)fclose(file);
    free((void *)(uintptr_t)text->text);
    *text = (struct pem_text){(unsigned char *)bytes, count + 1};
}

static void free_texts(struct pem_texts *texts)
{
    free((void *)(uintptr_t)texts->own.text);
    free((void *)(uintptr_t)texts->key.text);
    free((void *)(uintptr_t)texts->ca.text);
    free((void *)(uintptr_t)texts->crl.text);
}

/* --- The shell's part ---------------------------------------------------------------------------- */

static struct certified *of(void *user)
{
    return ((struct fixture *)user)->certified;
}

static bool on_certificate(void *user, const char *identity)
{
    struct fixture *f = user;
    unsigned device = 0;
    of(user)->asked++;
    return (f->revoked == NULL || strcmp(identity, f->revoked) != 0) && strlen(identity) == 8 &&
           sscanf(identity, "dev-%4u", &device) == 1 && certified_device(device);
}

static uint64_t on_wall_ms(void *user)
{
    return of(user)->wall_ms != 0 ? of(user)->wall_ms : (uint64_t)time(NULL) * 1000u;
}

static void on_log(void *user, enum net_log_level level, const char *line)
{
    struct certified *certified = of(user);
    if (level <= NET_LOG_WARN) {
        certified->lines++;
        (void)snprintf(certified->line, sizeof certified->line, "%s", line);
    }
}

void certified_init(struct certified *certified, struct fixture *f, bool crl)
{
    memset(certified, 0, sizeof *certified);
    certified_text(&certified->texts.own, "coordinator.pem");
    certified_text(&certified->texts.key, "coordinator.key");
    certified_text(&certified->texts.ca, "ca.pem");
    if (crl) {
        certified_text(&certified->texts.crl, "crl.pem");
    }
    f->certified = certified;
    f->config.certificates = &certified->texts;
    f->config.callbacks.certificate_lookup = on_certificate;
    f->config.callbacks.wall_ms = on_wall_ms;
    f->config.callbacks.log = on_log;
}

void certified_deinit(struct certified *certified)
{
    free_texts(&certified->texts);
}

/* --- Clients ------------------------------------------------------------------------------------- */

static int random_bytes(void *user, unsigned char *out, size_t count)
{
    (void)user;
    return getentropy(out, count) == 0 ? 0 : -1;
}

/* Whatever the certificate is like: a good client's own would refuse most of them. */
static void load(struct credentials *credentials, const char *name)
{
    struct pem_texts texts = {0};
    char file[64];
    credentials_init(credentials);
    (void)snprintf(file, sizeof file, "%s.pem", name);
    certified_text(&texts.own, file);
    (void)snprintf(file, sizeof file, "%s.key", name);
    certified_text(&texts.key, file);
    certified_text(&texts.ca, "ca.pem");
    assert_int_equal(mbedtls_x509_crt_parse(&credentials->own, texts.own.text, texts.own.bytes), 0);
    assert_int_equal(mbedtls_pk_parse_key(&credentials->key, texts.key.text, texts.key.bytes, NULL,
                                          0, random_bytes, NULL),
                     0);
    assert_int_equal(mbedtls_x509_crt_parse(&credentials->ca, texts.ca.text, texts.ca.bytes), 0);
    free_texts(&texts);
}

void certified_client_init(struct certified_client *c, struct fixture *f, const char *name,
                           bool cid)
{
    static const int suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, 0};
    client_prepare(&c->client, f, cid);
    load(&c->credentials, name);
    assert_int_equal(credentials_configure(&c->credentials, &c->client.config), 0);
    mbedtls_ssl_conf_ciphersuites(&c->client.config, suites);
    c->client.expects = "fleet.example";
    client_setup(&c->client, cid);
}

void certified_client_deinit(struct certified_client *c)
{
    client_deinit(&c->client);
    credentials_deinit(&c->credentials);
}
