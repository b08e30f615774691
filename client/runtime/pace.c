/*
 * How fast and in what pieces: the retransmission timeout, the number of block requests in flight and the
 * size of blocks, learned from answers. It owns struct client_pace and sends nothing; it must never
 * open the window for a peer that has not answered.
 *
 * Timeout: RFC 6298, fed by answers to requests that were not repeated (Karn). When several in a
 *   row were, the round trip has probably outgrown the timeout, which then grows by half. It has a
 *   floor, since a needless repetition costs a datagram; where many tries are lost each request pays
 *   for the floor again and again, so it falls with the share that arrives.
 * Window: additive increase, multiplicative decrease (RFC 5681): one more request for each window of
 *   clean answers, half of them, but at least two, at most once for each round trip with a loss.
 * Block size: a datagram that a mesh cuts into ten frames needs all ten (RFC 4944). When a third of the
 *   blocks are lost, and twice as many as of small messages arrive, a quarter of the size is tried, and kept only if it costs fewer bytes for each byte that
 *   arrives, headers included: where datagrams are lost whatever their size, it would cost more.
 */
#include "client/runtime/internal.h"

#define TIMEOUT_UNKNOWN_MS 2000u    /* ACK_TIMEOUT, RFC 7252 §4.8 */
#define TIMEOUT_FLOOR_MS 200u       /* where nothing gets lost */
#define TIMEOUT_SHELL_FLOOR_MS 500u /* of an answer that waits for a disk */
#define TIMEOUT_MAX_MS 20000u
#define ROUND_TRIPS_GUESSED 3u
#define REPEATED_IN_A_ROW 4u

#define WINDOW_ONE 16u /* the window counts sixteenths */
#define WINDOW_FIRST (2u * WINDOW_ONE)
#define WINDOW_LEAST (2u * WINDOW_ONE) /* one request alone waits out each of its losses */
#define WINDOW_MOST (MYCEL_REQUEST_SLOTS * WINDOW_ONE)

#define SHARE_ONE 256u      /* shares of lost tries count 256ths */
#define LOSS_DIVISOR 16u    /* weight of one try in the mean */
#define TRIES_SEEN_MAX 8u   /* of one request */
#define TRIES_FIRST_MAX 24u /* of the first one of a session, and of its handshake */
#define LOSS_HIGH 77u       /* 30 % */
#define LOSS_LOW 13u        /* 5 % */
#define TRIAL_BLOCKS 24u    /* to judge a size by */
#define CLEAN_BLOCKS 96u    /* before a larger one is tried */
#define HEADERS_BYTES 80u   /* UDP, IP, DTLS and CoAP around a block */
#define SZX_STEP 2u         /* a quarter */
#define SZX_MIN 2u          /* 64 bytes */

#define GIVE_UP_ONE 65536u
#define GIVE_UP_SHARE 64u /* silence as unlikely as 1 in 1,000 means that nobody is there */
#define GIVE_UP_TRIES_MIN 3u
#define GIVE_UP_TRIES_MAX 24u
#define GROWTH_MAX 2u      /* of a transport's pauses: <mycel/port.h> */
#define LOSS_BELIEVED 192u /* silence beyond that says nothing about the link */
#define HANDSHAKE_TRY_MS 1500u
#define GIVE_UP_MIN_MS 3000u /* a coordinator answers within 1.5 s, or says that it is busy */
#define HANDSHAKE_MS 16000u  /* four round trips to an unknown peer, some of them repeated */
#define HANDSHAKE_DOUBLINGS 4u

static uint8_t szx_configured(const struct client *c)
{
    uint32_t bytes = client_setting(c->config->block_bytes, PROTO_BLOCK_BYTES_MAX);
    uint8_t szx = SZX_MIN;
    while (szx < PROTO_BLOCK_SZX_MAX && UINT32_C(32) << szx <= bytes) {
        szx++;
    }
    return szx;
}

void pace_init(struct client *c)
{
    c->pace = (struct client_pace){
        .timeout_ms = TIMEOUT_UNKNOWN_MS, .window = WINDOW_FIRST, .szx_max = szx_configured(c)};
    c->pace.szx = c->pace.szx_max;
}

void pace_new_job(struct client *c)
{
    c->pace.trial = CLIENT_TRIAL_NONE;
    c->pace.blocks = 0;
}

unsigned pace_window(const struct client *c)
{
    return c->pace.window / WINDOW_ONE;
}

uint32_t pace_timeout_ms(const struct client *c, bool is_block)
{
    uint32_t floor_ms = is_block ? TIMEOUT_FLOOR_MS : TIMEOUT_SHELL_FLOOR_MS;
    floor_ms = floor_ms * (SHARE_ONE - c->pace.loss) / SHARE_ONE;
    return c->pace.timeout_ms > floor_ms ? c->pace.timeout_ms : floor_ms;
}

/* ---- what answers teach */

static void take_round_trip(struct client_pace *p, uint32_t ms)
{
    uint32_t srtt = p->srtt_ms;
    if (srtt == 0) {
        p->srtt_ms = (uint16_t)(ms > 0 ? ms : 1u);
        p->var_ms = (uint16_t)(ms / 2u);
    } else {
        uint32_t error = srtt > ms ? srtt - ms : ms - srtt;
        p->var_ms = (uint16_t)((3u * p->var_ms + error + 2u) / 4u);
        p->srtt_ms = (uint16_t)((7u * srtt + ms + 4u) / 8u);
    }
    uint32_t timeout = p->srtt_ms + 4u * p->var_ms;
    p->timeout_ms = (uint16_t)(timeout < TIMEOUT_MAX_MS ? timeout : TIMEOUT_MAX_MS);
    p->repeated = 0;
}

/* Before there is a measurement: the answer came at least so long after its request, and most likely not
 * much longer. Better than the standard's two seconds, for which a lossy link would pay each time. */
static void guess_timeout(struct client_pace *p, uint32_t ms)
{
    uint32_t timeout = ROUND_TRIPS_GUESSED * (ms > 0 ? ms : 1u);
    if (timeout < p->timeout_ms) {
        p->timeout_ms = (uint16_t)timeout;
    }
}

/* The longest time to an answer, repetitions included, fading with every answer by an eighth. */
static void take_elapsed(struct client_pace *p, uint32_t ms)
{
    uint32_t faded = p->slow_ms - p->slow_ms / 8u;
    uint32_t slow = ms > faded ? ms : faded;
    p->slow_ms = (uint16_t)(slow < UINT16_MAX ? slow : UINT16_MAX);
}

/* An answer so soon after a repetition is the answer to it: the tries before were lost. One that comes
 * later may be that to an earlier try, of which nothing was lost. */
static bool is_soon(const struct client *c, const struct client_slot *slot, uint32_t since_ms)
{
    return since_ms > 0 &&
           (since_ms <= 2u * c->pace.srtt_ms || since_ms <= slot->timeout_ms / ROUND_TRIPS_GUESSED);
}

static void take_late(struct client *c)
{
    struct client_pace *p = &c->pace;
    p->repeated++;
    if (p->repeated < REPEATED_IN_A_ROW) {
        return;
    }
    uint32_t timeout = pace_timeout_ms(c, true) * 3u / 2u;
    p->timeout_ms = (uint16_t)(timeout < TIMEOUT_MAX_MS ? timeout : TIMEOUT_MAX_MS);
    p->repeated = REPEATED_IN_A_ROW / 2u;
}

static uint8_t with_tries(uint8_t loss, unsigned lost, bool answered)
{
    for (unsigned i = 0; i < lost; i++) {
        loss = (uint8_t)(loss + (SHARE_ONE - 1u - loss) / LOSS_DIVISOR);
    }
    return answered ? (uint8_t)(loss - (loss + LOSS_DIVISOR - 1u) / LOSS_DIVISOR) : loss;
}

/* Check-ins are small: what they lose does not depend on the size of blocks. */
static void take_tries(struct client *c, unsigned lost, bool answered)
{
    c->pace.loss = with_tries(c->pace.loss, lost, answered);
    if (c->state == MYCEL_CLIENT_CHECKIN) {
        c->pace.loss_small = with_tries(c->pace.loss_small, lost, answered);
    }
}

static unsigned at_most(unsigned count, unsigned most)
{
    return count < most ? count : most;
}

static void open_window(struct client_pace *p)
{
    uint32_t more = p->cut ? WINDOW_ONE * WINDOW_ONE / p->window : WINDOW_ONE;
    uint32_t window = p->window + (more > 0 ? more : 1u);
    p->window = (uint8_t)(window < WINDOW_MOST ? window : WINDOW_MOST);
}

/* Requests that left before the latest cut say nothing new. */
static void close_window(struct client *c, const struct client_slot *slot)
{
    struct client_pace *p = &c->pace;
    if (p->cut && requests_age_ms(c, slot) > (uint32_t)c->now_ms - p->cut_ms) {
        return;
    }
    p->cut = true;
    p->cut_ms = (uint32_t)c->now_ms;
    p->window = p->window / 2u > WINDOW_LEAST ? p->window / 2u : WINDOW_LEAST;
}

/* ---- block size */

/* Bytes on the way for each byte that arrives, in 256ths. */
static uint32_t cost_of(uint8_t szx, uint8_t loss)
{
    uint32_t bytes = UINT32_C(16) << szx;
    return (bytes + HEADERS_BYTES) * SHARE_ONE / bytes * SHARE_ONE / (SHARE_ONE - loss);
}

static void set_szx(struct client_pace *p, uint8_t szx, enum client_trial trial)
{
    p->szx = szx & 7u;
    p->trial = (uint8_t)trial & 3u;
    p->blocks = 0;
}

/* Small datagrams arrive at least twice as often as blocks do. */
static bool size_matters(const struct client_pace *p)
{
    return 2u * (SHARE_ONE - p->loss) < SHARE_ONE - p->loss_small;
}

static void judge_size(struct client_pace *p)
{
    p->blocks = client_count_up(p->blocks);
    if (p->blocks < TRIAL_BLOCKS) {
        return;
    }
    if (p->trial == CLIENT_TRIAL_SMALLER) {
        uint8_t larger = (uint8_t)(p->szx + SZX_STEP < p->szx_max ? p->szx + SZX_STEP : p->szx_max);
        if (cost_of(p->szx, p->loss) > cost_of(larger, p->loss_before)) {
            set_szx(p, larger, CLIENT_TRIAL_IN_VAIN);
            return;
        }
        p->trial = CLIENT_TRIAL_NONE;
    }
    if (p->trial == CLIENT_TRIAL_NONE && p->loss >= LOSS_HIGH && p->szx > SZX_MIN &&
        size_matters(p)) {
        p->loss_before = p->loss;
        set_szx(p, (uint8_t)(p->szx - SZX_STEP > SZX_MIN ? p->szx - SZX_STEP : SZX_MIN),
                CLIENT_TRIAL_SMALLER);
    } else if (p->loss <= LOSS_LOW && p->blocks >= CLEAN_BLOCKS && p->szx < p->szx_max) {
        set_szx(p, (uint8_t)(p->szx + SZX_STEP < p->szx_max ? p->szx + SZX_STEP : p->szx_max),
                CLIENT_TRIAL_NONE);
    }
}

/* ---- events */

void pace_answered(struct client *c, const struct client_slot *slot, unsigned repeats,
                   uint32_t since_ms)
{
    struct client_pace *p = &c->pace;
    uint32_t elapsed = requests_age_ms(c, slot);
    /* A transport that cannot tell whether it repeated did so once the timeout had passed. */
    unsigned lost = repeats > 0 ? repeats : elapsed > slot->timeout_ms;
    take_elapsed(p, elapsed);
    if (p->srtt_ms == 0) {
        guess_timeout(p, since_ms > 0 ? since_ms : elapsed);
    }
    if (!slot->is_timed) {
        /* The handshake is in it. Where its repetitions are not counted, its length tells of them. */
        unsigned tries = repeats > 0 ? repeats : lost + elapsed / HANDSHAKE_TRY_MS;
        take_tries(c, at_most(tries, TRIES_FIRST_MAX), true);
        return;
    }
    bool is_late = lost > 0 && !is_soon(c, slot, since_ms);
    take_tries(c, is_late && since_ms > 0 ? 0 : at_most(lost, TRIES_SEEN_MAX), true);
    if (lost > 0) {
        close_window(c, slot);
        if (is_late) {
            take_late(c);
        }
    } else {
        take_round_trip(p, elapsed);
        open_window(p);
    }
    judge_size(p);
}

void pace_lost(struct client *c, const struct client_slot *slot)
{
    if (slot->is_timed) {
        take_tries(c, TRIES_SEEN_MAX, false);
        close_window(c, slot);
        judge_size(&c->pace);
    }
}

void pace_silent(struct client *c)
{
    if (c->pace.loss < LOSS_BELIEVED) {
        take_tries(c, TRIES_SEEN_MAX, false);
    }
}

/* So many tries that silence is as good as impossible, with pauses as transports make them. */
static uint32_t tries_ms(uint32_t timeout_ms, uint8_t loss)
{
    uint32_t silence = GIVE_UP_ONE;
    uint32_t wait = timeout_ms;
    uint32_t sum = 0;
    for (unsigned i = 0; i < GIVE_UP_TRIES_MAX; i++) {
        if (i >= GIVE_UP_TRIES_MIN && silence <= GIVE_UP_SHARE) {
            break;
        }
        silence = silence * loss / SHARE_ONE;
        sum += wait + wait / 4u; /* with the jitter */
        wait += wait / 2u;
        wait = wait < timeout_ms * GROWTH_MAX ? wait : timeout_ms * GROWTH_MAX;
    }
    return sum;
}

uint32_t pace_patience_ms(const struct client *c, uint32_t timeout_ms)
{
    uint32_t tries = tries_ms(timeout_ms, c->pace.loss);
    uint32_t slow = 3u * c->pace.slow_ms;
    uint32_t patience = tries > slow ? tries : slow;
    return patience > GIVE_UP_MIN_MS ? patience : GIVE_UP_MIN_MS;
}

uint32_t pace_handshake_patience_ms(const struct client *c)
{
    bool is_known = c->pace.timeout_ms < TIMEOUT_UNKNOWN_MS;
    uint32_t patience =
        is_known ? 2u * pace_patience_ms(c, pace_timeout_ms(c, true)) : HANDSHAKE_MS;
    unsigned failures = c->failures < HANDSHAKE_DOUBLINGS ? c->failures : HANDSHAKE_DOUBLINGS;
    return patience << failures;
}
