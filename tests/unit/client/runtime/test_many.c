/* 100,000 clients in one process: what each costs, and that a fleet without a coordinator spreads out
 * and calms down. */
#include <mycel/client.h>
#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define CLIENTS 100000u
#define MINUTE 60000u

/* One table set for all; the only thing of its own that a client's port has is its random state. */
struct member {
    struct mycel_client client;
    struct mycel_port port;
    uint64_t random;
};

#define TICK_MS 5000u

static uint64_t due_ms[CLIENTS];

static unsigned opens;

static int refuse_open(void *ctx)
{
    (void)ctx;
    opens++;
    return MYCEL_E_UNREACHABLE;
}

static int no_send(void *ctx, unsigned slot, const struct mycel_request *request)
{
    (void)ctx;
    (void)slot;
    (void)request;
    return MYCEL_E_CLOSED;
}

static int no_answer(void *ctx, struct mycel_response *response)
{
    (void)ctx;
    (void)response;
    return 0;
}

static void no_cancel(void *ctx, unsigned slot)
{
    (void)ctx;
    (void)slot;
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static int empty_read(void *ctx, enum mycel_area area, uint32_t offset, void *data, size_t bytes)
{
    (void)ctx;
    (void)area;
    (void)offset;
    (void)data;
    (void)bytes;
    return 0;
}

static int ignore_write(void *ctx, enum mycel_area area, uint32_t offset, const void *data,
                        size_t bytes)
{
    (void)ctx;
    (void)area;
    (void)offset;
    (void)data;
    (void)bytes;
    return 0;
}

static int ignore_area(void *ctx, enum mycel_area area)
{
    (void)ctx;
    (void)area;
    return 0;
}

static int ignore_save(void *ctx, const void *data, size_t bytes)
{
    (void)ctx;
    (void)data;
    (void)bytes;
    return 0;
}

static uint32_t one_sample(void *ctx)
{
    (void)ctx;
    return 1;
}

static int no_prepare(void *ctx, const struct mycel_plan *plan, uint32_t *column)
{
    (void)ctx;
    (void)plan;
    (void)column;
    return MYCEL_E_UNSUPPORTED;
}

static int no_load(void *ctx, uint32_t first, const float *values, uint32_t count)
{
    (void)ctx;
    (void)first;
    (void)values;
    (void)count;
    return MYCEL_E_STATE;
}

static int no_step(void *ctx, uint32_t steps)
{
    (void)ctx;
    (void)steps;
    return MYCEL_E_STATE;
}

static int no_weights(void *ctx, uint32_t first, float *values, uint32_t count)
{
    (void)ctx;
    (void)first;
    (void)values;
    (void)count;
    return MYCEL_E_STATE;
}

static void no_result(void *ctx, struct mycel_train_result *result)
{
    (void)ctx;
    (void)result;
}

static uint64_t random_of(void *ctx)
{
    struct member *m = ctx;
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    return m->random ^ m->random >> 29;
}

static void always_idle(void *ctx, bool training, struct mycel_conditions *conditions)
{
    (void)ctx;
    (void)training;
    conditions->idle = true;
    conditions->battery_percent = 255;
}

static const struct mycel_transport transport = {refuse_open, no_send, no_answer, no_cancel,
                                                 nothing};
static const struct mycel_store store = {empty_read,  ignore_write, ignore_area,
                                         ignore_save, ignore_area,  0};
static const struct mycel_trainer trainer = {one_sample, no_prepare, no_load, no_step,
                                             no_weights, no_result,  nothing, NULL};
static const struct mycel_platform platform = {random_of, always_idle, NULL};

/* Polls whoever is due, tick by tick. Returns the most polls within one tick. */
static unsigned run(struct member *fleet, uint64_t from_ms, uint64_t to_ms)
{
    unsigned most = 0;
    for (uint64_t now_ms = from_ms; now_ms < to_ms; now_ms += TICK_MS) {
        unsigned polls = 0;
        for (unsigned i = 0; i < CLIENTS; i++) {
            if (due_ms[i] <= now_ms) {
                due_ms[i] = now_ms + mycel_client_poll(&fleet[i].client, now_ms);
                polls++;
            }
        }
        most = polls > most ? polls : most;
    }
    return most;
}

static void test_hundred_thousand(void **state)
{
    (void)state;
    static uint64_t scratch[MYCEL_CLIENT_SCRATCH_BYTES / 8u];
    struct mycel_client_config config = {
        .start_spread_ms = MINUTE, .scratch = scratch, .scratch_bytes = sizeof scratch};
    struct member *fleet = calloc(CLIENTS, sizeof *fleet);
    assert_non_null(fleet);
    assert_true(sizeof *fleet <= 640); /* 64 MB for all, configuration and scratch shared */
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct member *m = &fleet[i];
        m->random = i * 0x9E3779B97F4A7C15u;
        m->port =
            (struct mycel_port){&transport, m, &store, m, &trainer, m, &platform, m, NULL, NULL};
        assert_int_equal(mycel_client_init(&m->client, &m->port, &config, 0), 0);
    }
    (void)run(fleet, 0, 30 * MINUTE); /* the first attempts: spread over a minute, then rarer */
    opens = 0;
    unsigned most = run(fleet, 30 * MINUTE, 50 * MINUTE);
    /* By now each tries once in 5 to 10 minutes: 133 to 333 a second on average, never all at once. */
    assert_in_range(opens / 1200u, 133, 333);
    assert_true(most < 5000); /* in five seconds */
    free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hundred_thousand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
