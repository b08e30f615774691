/* See fleet.h. What a device does, one request at a time. */
#include "fleet.h"

#include "common/codec/codec.h"
#include "common/rng.h"
#include "proto/wire.h"
#include "server/desk/desk.h"
#include "server/desk/verify.h"

#include <stdio.h>
#include <string.h>

#define SAMPLES(device) (100u * (device))

void fleet_complain(struct fleet *fleet, const char *what, uint32_t device, uint32_t round)
{
    (void)fprintf(stderr, "%s: device %u, round %u\n", what, device, round);
    fleet->wrong++;
}

static void on_reply(void *user, const struct engine_action *action)
{
    struct fleet *fleet = user;
    if (action->tag == fleet->tag) {
        fleet->answer.given = true;
        fleet->answer.action = *action;
    }
}

static const uint8_t *on_body(void *user, uint64_t tag, size_t *bytes)
{
    struct fleet *fleet = user;
    const struct fleet_sent *sent = &fleet->devices[fleet->asking].sent[fleet->asking_round];
    (void)tag;
    *bytes = sent->body_bytes;
    return sent->body;
}

void fleet_init(struct fleet *fleet, const char *folder, const char *vfs, enum downlink downlink)
{
    memset(fleet, 0, sizeof *fleet);
    fleet->downlink = downlink;
    fleet->params = downlink == DOWNLINK_DELTA ? FLEET_PARAMS_DELTA : FLEET_PARAMS;
    fleet->coordinator.folder = folder;
    fleet->coordinator.vfs = vfs;
    fleet->coordinator.now_ms = 1000;
    fleet->coordinator.wall_ms = FLEET_WALL_MS;
    fleet->coordinator.reply = on_reply;
    fleet->coordinator.body = on_body;
    fleet->coordinator.user = fleet;
    fleet->devices[FLEET_DEVICES].conduct = FLEET_POISONOUS;
}

void fleet_wait(struct fleet *fleet, uint64_t ms)
{
    fleet->elapsed_ms += ms;
    fleet->coordinator.now_ms += ms;
    fleet->coordinator.wall_ms += ms;
}

/* --- requests --------------------------------------------------------------------------------- */

/* Sends an event and, if the answer waits for the disk, has it written. */
static int ask(struct fleet *fleet, struct engine_event *event)
{
    fleet_wait(fleet, 50);
    event->tag = ++fleet->tag;
    fleet->answer.given = false;
    int rc = coordinator_event(&fleet->coordinator, event);
    if (rc == 0 && !fleet->answer.given) {
        rc = coordinator_flush(&fleet->coordinator);
    }
    return rc;
}

static int check_in(struct fleet *fleet, uint32_t id)
{
    struct fleet_device *device = &fleet->devices[id];
    struct engine_event event = {.type = ENGINE_EVENT_CHECKIN};
    event.u.checkin.device = id;
    event.u.checkin.facts = (struct engine_facts){.samples = SAMPLES(id),
                                                  .codecs = 1u << CODEC_F32,
                                                  .model_bytes_max = 1u << 20,
                                                  .battery_percent = 255,
                                                  .idle = true};
    int rc = ask(fleet, &event);
    if (rc < 0) {
        return rc;
    }
    if (!fleet->answer.given) {
        fleet_complain(fleet, "a check-in is not answered", id, 0);
    } else if (fleet->answer.action.type == ENGINE_ACTION_REPLY_LEASE) {
        device->has_lease = true;
        device->lease = fleet->answer.action.u.lease.lease;
        device->has_lease = device->lease.round <= FLEET_ROUNDS;
        device->fetched = false;
    }
    return MYCEL_OK;
}

int fleet_query(struct fleet *fleet, uint32_t id, const uint8_t key[PROTO_KEY_BYTES], size_t bytes)
{
    struct engine_event event = {.type = ENGINE_EVENT_UPLOAD_QUERY};
    event.u.query.device = id;
    memcpy(event.u.query.key, key, PROTO_KEY_BYTES);
    event.u.query.bytes = bytes;
    return ask(fleet, &event);
}

/* Training: a function of the lease and of the model that the device has. It moves less with each version, so that
 * not every version needs a key frame. */
static void train(const struct fleet *fleet, const struct fleet_device *device, float *delta)
{
    const struct engine_lease *lease = &device->lease;
    float rate = 0.1f / (float)(1u << lease->base.version);
    uint64_t stream = 0;
    memcpy(&stream, device->model.sha256, sizeof stream);
    for (uint32_t i = 0; i < fleet->params; i++) {
        delta[i] = rate * (rng_f32(lease->seed, stream, i) - 0.5f);
    }
}

static void make_body(const struct fleet *fleet, uint32_t id, struct fleet_sent *sent)
{
    const struct fleet_device *device = &fleet->devices[id];
    const struct engine_lease *lease = &device->lease;
    float delta[FLEET_PARAMS_MAX];
    float scratch[CODEC_BLOCK_PARAMS_MAX];
    mycel_UpdateReport report = mycel_UpdateReport_init_zero;
    report.run = lease->run;
    report.round = lease->round;
    report.base_version = lease->base.version;
    report.samples = SAMPLES(id);
    report.steps = 10;
    report.loss_first = 2.0f;
    report.loss_last = 1.0f;
    const struct codec_header header = {.codec = CODEC_F32,
                                        .params = fleet->params,
                                        .base_version = lease->base.version,
                                        .weight = SAMPLES(id)};
    train(fleet, device, delta);
    int head = wire_update_head(&report, sent->body, sizeof sent->body);
    int frame = codec_encode(&header, delta, NULL, scratch, sent->body + head,
                             sizeof sent->body - (size_t)head);
    sent->body_bytes = (size_t)head + (size_t)frame;
    if (device->conduct == FLEET_POISONOUS) {
        memset(sent->body + sent->body_bytes - 4, 0xFF, 4); /* NaN */
    }
    memcpy(sent->key, lease->key, PROTO_KEY_BYTES);
    sent->sent = true;
}

static int send_body(struct fleet *fleet, uint32_t id, const struct fleet_sent *sent)
{
    const struct verify_expected expected = {.params = fleet->params};
    struct engine_event event = {.type = ENGINE_EVENT_UPDATE};
    verify_update(sent->body, sent->body_bytes, &expected, &event.u.update);
    event.u.update.device = id;
    memcpy(event.u.update.key, sent->key, PROTO_KEY_BYTES);
    return ask(fleet, &event);
}

/* --- receipts --------------------------------------------------------------------------------- */

/* The bytes that the device gets, if the answer is a receipt: 1; 0: it is something else. */
static int received(struct fleet *fleet, uint8_t *receipt, size_t *bytes)
{
    const struct engine_action *action = &fleet->answer.action;
    if (!fleet->answer.given) {
        return 0;
    }
    if (action->type == ENGINE_ACTION_REPLY_RECEIPT) {
        int n = desk_write_receipt(&action->u.receipt, receipt, PROTO_MESSAGE_BYTES_MAX);
        *bytes = (size_t)n;
        return n > 0;
    }
    if (action->type == ENGINE_ACTION_LOOKUP_RECEIPT) {
        int rc = receipt_of(fleet->coordinator.store, &action->u.lookup, receipt, bytes);
        return rc == 0 ? 1 : rc == MYCEL_E_NOT_FOUND || rc == MYCEL_E_CONFLICT ? 0 : rc;
    }
    return 0;
}

/* A receipt is final: the first one is kept, every later one has to be it. */
static int take_receipt(struct fleet *fleet, uint32_t id, uint32_t round)
{
    struct fleet_sent *sent = &fleet->devices[id].sent[round];
    uint8_t receipt[PROTO_MESSAGE_BYTES_MAX];
    size_t bytes = 0;
    int rc = received(fleet, receipt, &bytes);
    if (rc <= 0) {
        return rc;
    }
    if (!sent->acknowledged) {
        memcpy(sent->receipt, receipt, bytes);
        sent->receipt_bytes = bytes;
        sent->acknowledged = true;
    } else if (bytes != sent->receipt_bytes || memcmp(receipt, sent->receipt, bytes) != 0) {
        fleet_complain(fleet, "another receipt than the first", id, round);
    }
    return 1;
}

/* Asks whether the body may come and sends it; the lease is over with a receipt, or when the coordinator
 * does not know it. */
static int upload(struct fleet *fleet, uint32_t id)
{
    struct fleet_device *device = &fleet->devices[id];
    uint32_t round = device->lease.round;
    struct fleet_sent *sent = &device->sent[round];
    fleet->asking = id;
    fleet->asking_round = round;
    if (!sent->sent || memcmp(sent->key, device->lease.key, PROTO_KEY_BYTES) != 0) {
        if (sent->acknowledged && device->conduct == FLEET_HONEST) {
            fleet_complain(fleet, "a second lease after a receipt", id, round);
        }
        memset(sent, 0, sizeof *sent);
        int rc = device->fetched ? MYCEL_OK : fleet_download(fleet, id);
        if (rc < 0) {
            return rc;
        }
        make_body(fleet, id, sent);
    }
    int rc = fleet_query(fleet, id, sent->key, sent->body_bytes);
    if (rc == 0 && fleet->answer.given && fleet->answer.action.type == ENGINE_ACTION_REPLY_ADMIT) {
        rc = send_body(fleet, id, sent);
    }
    if (rc == 0) {
        rc = take_receipt(fleet, id, round);
        device->has_lease = rc == 0 && !fleet->answer.given; /* refused: the next lease */
        sent->sent = rc > 0;
    }
    return rc < 0 ? rc : MYCEL_OK;
}

int fleet_replay(struct fleet *fleet)
{
    for (uint32_t id = 1; id <= FLEET_DEVICES; id++) {
        for (uint32_t round = 1; round <= FLEET_ROUNDS; round++) {
            struct fleet_sent *sent = &fleet->devices[id].sent[round];
            if (!sent->acknowledged) {
                continue;
            }
            fleet->asking = id;
            fleet->asking_round = round;
            for (int whole = 0; whole < 2; whole++) {
                int rc = whole ? send_body(fleet, id, sent)
                               : fleet_query(fleet, id, sent->key, sent->body_bytes);
                rc = rc == 0 ? take_receipt(fleet, id, round) : rc;
                if (rc < 0) {
                    return rc;
                }
                if (rc == 0) {
                    fleet->lost++;
                    fleet_complain(fleet, "a receipt is forgotten", id, round);
                }
            }
            fleet->replays++;
        }
    }
    return MYCEL_OK;
}

/* What may never be answered with a receipt. */
static int expect_refusal(struct fleet *fleet, uint32_t id, const struct fleet_sent *sent,
                          const char *what)
{
    uint8_t receipt[PROTO_MESSAGE_BYTES_MAX];
    size_t bytes;
    int rc = send_body(fleet, id, sent);
    if (rc == 0) {
        rc = received(fleet, receipt, &bytes);
    }
    if (rc > 0) {
        fleet->doubled++;
        fleet_complain(fleet, what, id, fleet->asking_round);
    }
    return rc < 0 ? rc : MYCEL_OK;
}

int fleet_forge(struct fleet *fleet)
{
    for (uint32_t id = 1; id <= FLEET_DEVICES; id++) {
        for (uint32_t round = 1; round <= FLEET_ROUNDS; round++) {
            struct fleet_sent forged = fleet->devices[id].sent[round];
            if (!forged.acknowledged) {
                continue;
            }
            int rc = expect_refusal(fleet, id % FLEET_DEVICES + 1, &forged, "another's key counts");
            forged.body[forged.body_bytes - 1] ^= 1;
            if (rc == 0) {
                rc = expect_refusal(fleet, id, &forged, "another body under its key counts");
            }
            if (rc < 0) {
                return rc;
            }
        }
    }
    return MYCEL_OK;
}

/* --- passes ----------------------------------------------------------------------------------- */

static int tick(struct fleet *fleet)
{
    struct engine_event event = {.type = ENGINE_EVENT_TICK};
    fleet_wait(fleet, 1000);
    int rc = coordinator_event(&fleet->coordinator, &event);
    return rc == 0 ? coordinator_flush(&fleet->coordinator) : rc;
}

/* The poisonous one sends first, so that its update is judged while the round is open. */
int fleet_pass(struct fleet *fleet)
{
    struct store_run run;
    int rc = MYCEL_OK;
    fleet->passes++;
    for (uint32_t id = 1; id <= FLEET_DEVICES && rc == 0; id++) {
        if (!fleet->devices[id].has_lease) {
            rc = check_in(fleet, id);
        }
    }
    for (uint32_t id = FLEET_DEVICES; id > 0 && rc == 0; id--) {
        const struct fleet_device *device = &fleet->devices[id];
        if (device->has_lease && device->conduct != FLEET_VANISHED) {
            rc = upload(fleet, id);
        }
    }
    int worked = 1;
    while (rc == 0 && worked > 0) {
        worked = coordinator_work(&fleet->coordinator);
        rc = worked < 0 ? worked : coordinator_flush(&fleet->coordinator);
    }
    if (rc == 0) {
        rc = tick(fleet);
    }
    if (rc == 0) {
        rc = store_run_get(fleet->coordinator.store, COORDINATOR_RUN, &run);
    }
    return rc < 0 ? rc : run.state != STORE_RUN_FINISHED;
}

int fleet_run(struct fleet *fleet)
{
    int rc = 1;
    while (rc > 0) {
        if (fleet->passes >= FLEET_PASSES_MAX) {
            return MYCEL_E_STATE;
        }
        rc = fleet_pass(fleet);
    }
    return rc;
}
