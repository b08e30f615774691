/*
 * A thousand devices that enrol themselves, at once or one after the other, beside a fleet that is there
 * already, each with the patience and the pauses of a device: how long each waits for its key and until it is
 * in with it, and what that costs the coordinator.
 *
 *     bench_enrol [DEVICES [TOKENS [SPACING_MS]]]
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "common/rng.h"
#include "proto/enrol.h"
#include "proto/wire.h"
#include "tests/bench/fleet/coordinator.h"
#include "tests/bench/fleet/device.h"

#define TOKENS_MAX 10000u
#define FROM_ADDRESS 0x7F020000u /* 127.2.0.0 */
#define LIMIT_MS 300000u
#define BUSY_MS 500u

/* As a device does (docs/PROTOCOL.md, section 7): of 1,024 handshakes at a time the oldest give way, and who waits for one
 * of those for ever never comes in. */
#define FLIGHT_MIN_MS 250u
#define FLIGHT_MAX_MS 1500u
#define NEW_PORTS_MAX 3u /* before it pauses */
#define PATIENCE_MS 16000u
#define PAUSE_MIN_MS 1000u
#define PAUSE_MAX_MS 600000u
#define RNG_STREAM 1u

enum stage { ENROLLING, ENROLLED, DONE };

struct newcomer {
    struct link link;
    bool open; /* the link is initialised */
    bool sent;
    enum stage stage;
    uint64_t start_ms;
    uint64_t answered_ms; /* since its start */
    uint64_t done_ms;
    uint64_t again_ms; /* not before, after a 5.03 or a failure */
    uint64_t opened_ms;
    unsigned ports; /* tried since the last pause */
    unsigned retries;
    unsigned failures; /* in a row */
    uint8_t token[PROTO_TOKEN_BYTES];
    uint8_t key[PROTO_PSK_BYTES];
    char name[PROTO_IDENTITY_BYTES_MAX + 1u];
};

struct crowd {
    struct newcomer *newcomers;
    uint32_t count;
    uint32_t done;
    uint64_t start_ms;
    uint16_t port;
    struct link_traffic traffic;
    uint8_t plain[LINK_DATAGRAM_BYTES_MAX];
};

static void give_up(const char *what)
{
    (void)fprintf(stderr, "enrol: %s\n", what);
    exit(1);
}

static void close_link(struct newcomer *n)
{
    if (n->open) {
        link_transport.close(&n->link);
        link_deinit(&n->link);
        n->open = false;
    }
    n->sent = false;
}

static void open_link(struct crowd *crowd, uint32_t index)
{
    struct newcomer *n = &crowd->newcomers[index];
    char identity[ENROL_IDENTITY_BYTES];
    uint8_t psk[PROTO_PSK_BYTES];
    enrol_identity(n->token, identity);
    enrol_psk(n->token, psk);
    bool own = n->stage == ENROLLED;
    const struct link_options options = {.from = FROM_ADDRESS + 1u + index,
                                         .port = crowd->port,
                                         .identity = own ? n->name : identity,
                                         .key = own ? n->key : psk,
                                         .key_bytes = PROTO_PSK_BYTES,
                                         .plain = crowd->plain,
                                         .traffic = &crowd->traffic,
                                         .flight_min_ms = FLIGHT_MIN_MS,
                                         .flight_max_ms = FLIGHT_MAX_MS};
    if (link_init(&n->link, &options) < 0 || link_transport.open(&n->link) < 0) {
        give_up("no link");
    }
    n->open = true;
    n->opened_ms = link_now_ms();
}

/* Its half is made of its index: nobody's secret depends on it. */
static int write_request(const struct newcomer *n, uint32_t index, uint8_t *payload)
{
    if (n->stage == ENROLLED) {
        const mycel_CheckIn check_in = {.protocol_min = 1, .protocol_max = 1};
        return WIRE_ENCODE(mycel_CheckIn, &check_in, payload, PROTO_MESSAGE_BYTES_MAX);
    }
    mycel_Enrol enrol = mycel_Enrol_init_zero;
    memcpy(enrol.token, n->token, sizeof enrol.token);
    memcpy(enrol.share, &index, sizeof index);
    return WIRE_ENCODE(mycel_Enrol, &enrol, payload, PROTO_MESSAGE_BYTES_MAX);
}

static void take_enrolled(struct newcomer *n, uint32_t index, const struct mycel_response *r)
{
    mycel_Enrolled answer;
    uint8_t half[PROTO_SHARE_BYTES] = {0};
    if (WIRE_DECODE(mycel_Enrolled, &answer, r->payload, r->payload_bytes) < 0) {
        give_up("an answer that cannot be read");
    }
    memcpy(half, &index, sizeof index);
    enrol_device_key(half, answer.share, n->key);
    memcpy(n->name, answer.identity, sizeof n->name);
}

static void take_answer(struct crowd *crowd, uint32_t index, const struct mycel_response *r)
{
    struct newcomer *n = &crowd->newcomers[index];
    uint64_t now_ms = link_now_ms();
    if (r->code == 0xA3) { /* 5.03 */
        n->retries++;
        n->sent = false;
        n->again_ms = now_ms + BUSY_MS;
    } else if (r->code != 0x44) {
        give_up("refused");
    } else if (n->stage == ENROLLING) {
        take_enrolled(n, index, r);
        n->answered_ms = now_ms - n->start_ms;
        n->stage = ENROLLED;
        n->failures = n->ports = 0;
        close_link(n);
    } else {
        n->done_ms = now_ms - n->start_ms;
        n->stage = DONE;
        crowd->done++;
        close_link(n);
    }
}

/* Silence, or a handshake that came to nothing: from a new port at once, and after some of these later. */
static void try_again(struct newcomer *n, uint32_t index, bool silent)
{
    close_link(n);
    n->retries++;
    if (!silent && ++n->ports < NEW_PORTS_MAX) {
        return;
    }
    n->ports = 0;
    uint32_t pause_ms = PAUSE_MIN_MS;
    for (unsigned i = 0; i < n->failures && pause_ms < PAUSE_MAX_MS; i++) {
        pause_ms *= 2u;
    }
    n->failures++;
    n->again_ms =
        link_now_ms() + pause_ms + rng_u64(index, RNG_STREAM, n->failures) % (pause_ms / 2u + 1u);
}

static void drive(struct crowd *crowd, uint32_t index)
{
    struct newcomer *n = &crowd->newcomers[index];
    struct mycel_response response;
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    if (n->stage == DONE || link_now_ms() < n->again_ms) {
        return;
    }
    if (!n->open) {
        open_link(crowd, index);
    }
    int rc = 0;
    if (!n->sent) {
        int bytes = write_request(n, index, payload);
        const char *path = n->stage == ENROLLED ? PROTO_PATH_CHECKIN : PROTO_PATH_ENROL;
        const struct mycel_request request = {.method = MYCEL_POST,
                                              .path = {path, NULL},
                                              .content_format = PROTO_FORMAT_MESSAGE,
                                              .payload = payload,
                                              .payload_bytes = (size_t)bytes};
        rc = link_transport.send(&n->link, 0, &request);
        n->sent = rc > 0;
    }
    if (rc >= 0) {
        rc = link_transport.receive(&n->link, &response);
    }
    if (rc > 0) {
        take_answer(crowd, index, &response);
    } else if (rc < 0 || link_now_ms() - n->opened_ms > PATIENCE_MS) {
        try_again(n, index, rc >= 0);
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The p-th permille of a time. */
static uint64_t quantile(const struct crowd *crowd, bool done, unsigned permille)
{
    uint64_t *times = calloc(crowd->count, sizeof *times);
    for (uint32_t i = 0; i < crowd->count && times != NULL; i++) {
        times[i] = done ? crowd->newcomers[i].done_ms : crowd->newcomers[i].answered_ms;
    }
    if (times == NULL) {
        give_up("no memory");
    }
    qsort(times, crowd->count, sizeof *times, by_value);
    uint64_t value = times[(uint64_t)(crowd->count - 1u) * permille / 1000u];
    free(times);
    return value;
}

static void run(struct crowd *crowd)
{
    struct pollfd *inputs = calloc(crowd->count, sizeof *inputs);
    if (inputs == NULL) {
        give_up("no memory");
    }
    while (crowd->done < crowd->count) {
        if (link_now_ms() - crowd->start_ms > LIMIT_MS) {
            give_up("not everybody was enrolled");
        }
        for (uint32_t i = 0; i < crowd->count; i++) {
            drive(crowd, i);
            inputs[i] =
                (struct pollfd){.fd = crowd->newcomers[i].open ? crowd->newcomers[i].link.fd : -1,
                                .events = POLLIN};
        }
        (void)poll(inputs, crowd->count, 10);
    }
    free(inputs);
}

static uint32_t number(int argc, char **argv, int index, uint32_t fallback, uint32_t max)
{
    char *end = NULL;
    if (index >= argc) {
        return fallback;
    }
    errno = 0;
    unsigned long value = strtoul(argv[index], &end, 10);
    if (errno != 0 || *end != '\0' || value > max) {
        give_up("usage: bench_enrol [DEVICES [TOKENS [SPACING_MS]]]");
    }
    return (uint32_t)value;
}

int main(int argc, char **argv)
{
    static struct crowd crowd;
    struct coordinator coordinator;
    const struct coordinator_options options = {.devices = number(argc, argv, 1, 10000, 1000000),
                                                .tokens = number(argc, argv, 2, 1000, TOKENS_MAX),
                                                .goal = 1,
                                                .pace_ms = 1000,
                                                .model = "8 > dense 8 relu > dense 2 softmax",
                                                .codec = "f32"};
    crowd.count = options.tokens;
    crowd.newcomers = calloc(crowd.count + 1u, sizeof *crowd.newcomers);
    if (crowd.newcomers == NULL || coordinator_start(&coordinator, &options) < 0) {
        give_up("the coordinator does not start");
    }
    for (uint32_t i = 0; i < crowd.count; i++) {
        coordinator_token(i, crowd.newcomers[i].token);
    }
    uint32_t spacing_ms = number(argc, argv, 3, 0, 10000);
    crowd.port = coordinator.port;
    double cpu_s = coordinator_cpu_s(&coordinator);
    crowd.start_ms = link_now_ms();
    for (uint32_t i = 0; i < crowd.count; i++) {
        struct newcomer *n = &crowd.newcomers[i];
        n->start_ms = n->again_ms = crowd.start_ms + (uint64_t)i * spacing_ms;
    }
    run(&crowd);
    unsigned retries = 0;
    for (uint32_t i = 0; i < crowd.count; i++) {
        retries += crowd.newcomers[i].retries;
    }
    cpu_s = coordinator_cpu_s(&coordinator) - cpu_s;
    (void)printf(
        "%u devices, %u newcomers, one each %u ms: key p50 %.2f s, p99 %.2f s, all %.2f s; in "
        "p50 %.2f s, all %.2f s; %u tries again; coordinator %.2f CPU-s, %.2f ms each\n",
        options.devices, crowd.count, spacing_ms, (double)quantile(&crowd, false, 500) / 1e3,
        (double)quantile(&crowd, false, 990) / 1e3, (double)quantile(&crowd, false, 1000) / 1e3,
        (double)quantile(&crowd, true, 500) / 1e3, (double)quantile(&crowd, true, 1000) / 1e3,
        retries, cpu_s, cpu_s * 1e3 / crowd.count);
    free(crowd.newcomers);
    return coordinator_stop(&coordinator) == 0 ? 0 : 1;
}
