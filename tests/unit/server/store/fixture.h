/* A store in a temporary folder, and rows to fill it with. Shared by this folder's tests. */
#ifndef TESTS_UNIT_SERVER_STORE_FIXTURE_H
#define TESTS_UNIT_SERVER_STORE_FIXTURE_H

#include "server/store/store.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MODEL_BYTES 400
#define BODY_BYTES 300

struct fixture {
    char folder[64];
    struct store *store;
};

/* cmocka's set-up and tear-down: an open, empty store. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A test with both. */
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

void fixture_path(const struct fixture *f, const char *name, char path[PATH_MAX]);
void fixture_reopen(struct fixture *f);
int fixture_try_open(const struct fixture *f, bool create, struct store **out, char *problem);
struct store *fixture_second(const struct fixture *f, bool read_only);

/* Runs SQL on the database behind the store's back; the result code of SQLite. */
int fixture_sql(const struct fixture *f, const char *sql);
/* The integer that a query answers. */
long long fixture_number(const struct fixture *f, const char *sql);

struct store_run_config fixture_config(const char *name);
uint32_t fixture_device(struct store *store, unsigned number);
/* A run with version 0, whose content is MODEL_BYTES times `fill`. */
uint32_t fixture_run(struct store *store, const char *name, uint8_t fill);
void fixture_round(struct store *store, uint32_t run, uint32_t round, uint32_t base);
/* An open lease, stored. Its key names device, run, round and attempt. */
struct store_lease fixture_lease(struct store *store, uint32_t device, uint32_t run, uint32_t round,
                                 uint32_t attempt, uint32_t base);
/* The update of a lease; its body is BODY_BYTES times `fill`. Points into static memory. */
struct store_update fixture_update(const struct store_lease *lease, int status, uint8_t fill);
/* What publishes a round; the model is MODEL_BYTES times `fill`. Points into static memory. */
struct store_publish fixture_publish(uint32_t run, uint32_t round, uint32_t parent, uint8_t fill);

#endif
