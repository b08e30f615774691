/* Fields from one struct to the other, and nanopb. See desk.h. */
#include "server/desk/desk.h"

#include "proto/wire.h"
#include "server/desk/downlink.h"

#include <string.h>

/* --- what a device says ----------------------------------------------------------------------- */

static void copy_facts(struct engine_facts *facts, const mycel_CheckIn *message)
{
    _Static_assert(sizeof facts->device_class >= sizeof message->device_class, "class fits");
    _Static_assert(sizeof facts->tags[0] >= sizeof message->tags[0], "tag fits");
    memset(facts, 0, sizeof *facts);
    memcpy(facts->device_class, message->device_class, sizeof message->device_class);
    for (pb_size_t i = 0; i < message->tags_count && i < ENGINE_TAGS_MAX; i++) {
        memcpy(facts->tags[i], message->tags[i], sizeof message->tags[i]);
    }
    facts->samples = message->samples;
    facts->codecs = message->codecs;
    facts->model_bytes_max = message->model_bytes_max;
    facts->battery_percent = message->battery_percent;
    facts->idle = message->idle;
    facts->narrow_link = message->narrow_link;
    facts->features = message->features;
}

int desk_read_check_in(const uint8_t *message, size_t bytes, struct engine_facts *facts,
                       struct desk_hello *hello)
{
    mycel_CheckIn check_in;
    int rc = WIRE_DECODE(mycel_CheckIn, &check_in, message, bytes);
    if (rc < 0) {
        return rc;
    }
    rc = wire_negotiate(check_in.protocol_min, check_in.protocol_max);
    if (rc < 0) {
        return rc;
    }
    hello->protocol = (uint32_t)rc;
    hello->patches = (check_in.features & PROTO_FEATURE_PATCH) != 0;
    memset(hello->held, 0, sizeof hello->held);
    if (check_in.held.size == sizeof hello->held) {
        memcpy(hello->held, check_in.held.bytes, sizeof hello->held);
    }
    copy_facts(facts, &check_in);
    return MYCEL_OK;
}

/* --- what it is told -------------------------------------------------------------------------- */

void desk_offer_patch(struct desk_task *task, const struct downlink_chain *chain,
                      const struct desk_hello *hello)
{
    struct downlink_offer offer = downlink_offer(chain, task->params, hello->held);
    task->delta = true;
    memcpy(task->held_sha256, chain->steps[chain->frames - 1u].held_sha256, PROTO_SHA256_BYTES);
    if (hello->patches && !offer.whole && offer.bytes > 0) {
        memcpy(task->patch_sha256, chain->steps[offer.from].patch_sha256, PROTO_SHA256_BYTES);
        task->patch_bytes = offer.bytes;
        task->patch_key = offer.key;
    }
}

static void fill_plan(mycel_Plan *plan, const struct desk_task *task, uint64_t seed)
{
    plan->epochs = task->epochs;
    plan->batch = task->batch;
    plan->learning_rate = task->learning_rate;
    plan->seed = seed;
    plan->prox_mu = task->prox_mu;
    plan->momentum = task->momentum;
    plan->steps_max = task->steps_max;
}

/* The device trains, and answers relative to, what it holds. */
static void fill_patch(mycel_Lease *lease, const struct desk_task *task)
{
    lease->delta = true;
    memcpy(lease->model_sha256, task->held_sha256, sizeof lease->model_sha256);
    if (task->patch_bytes > 0) {
        lease->patch_sha256.size = sizeof task->patch_sha256;
        memcpy(lease->patch_sha256.bytes, task->patch_sha256, sizeof task->patch_sha256);
        lease->patch_bytes = task->patch_bytes;
        lease->patch_key = task->patch_key;
    }
}

static void fill_lease(mycel_Lease *lease, const struct engine_action_lease *action,
                       const struct desk_task *task)
{
    const struct engine_lease *from = &action->lease;
    size_t model_bytes = strlen(task->model);
    lease->run = from->run;
    lease->round = from->round;
    lease->attempt = from->attempt;
    lease->base_version = from->base.version;
    memcpy(lease->model_sha256, from->base.sha256, sizeof lease->model_sha256);
    lease->model_bytes = (uint64_t)task->params * sizeof(float);
    lease->params = task->params;
    if (model_bytes < sizeof lease->model) {
        memcpy(lease->model, task->model, model_bytes + 1);
    }
    lease->has_plan = true;
    fill_plan(&lease->plan, task, from->seed);
    lease->codec = (mycel_Codec)from->codec;
    lease->clip_norm = task->clip_norm;
    lease->control = task->control;
    memcpy(lease->control_sha256, task->control_sha256, sizeof lease->control_sha256);
    if (task->delta) {
        fill_patch(lease, task);
    }
    memcpy(lease->update_key, from->key, sizeof lease->update_key);
    lease->deadline_ms = action->left_ms;
}

int desk_write_lease(const struct engine_action_lease *lease, const struct desk_task *task,
                     struct desk_terms terms, uint8_t *out, size_t capacity)
{
    mycel_CheckInReply message = mycel_CheckInReply_init_zero;
    message.protocol = terms.protocol;
    message.rekey = terms.rekey;
    message.which_answer = mycel_CheckInReply_lease_tag;
    fill_lease(&message.answer.lease, lease, task);
    return wire_lease_reply(&message, out, capacity);
}

static void fill_window(mycel_Window *message, const struct engine_window *window, int reason)
{
    message->earliest_ms = window->earliest_ms;
    message->latest_ms = window->latest_ms;
    message->reason = reason;
}

int desk_write_window(const struct engine_action_window *window, struct desk_terms terms,
                      uint8_t *out, size_t capacity)
{
    mycel_CheckInReply message = mycel_CheckInReply_init_zero;
    message.protocol = terms.protocol;
    message.rekey = terms.rekey;
    message.which_answer = mycel_CheckInReply_window_tag;
    fill_window(&message.answer.window, &window->window, engine_why_error(window->why));
    return WIRE_ENCODE(mycel_CheckInReply, &message, out, capacity);
}

int desk_write_receipt(const struct engine_receipt *receipt, uint8_t *out, size_t capacity)
{
    mycel_Receipt message = mycel_Receipt_init_zero;
    message.status = receipt->status;
    message.round = receipt->round;
    message.base_version = receipt->base_version;
    memcpy(message.digest, receipt->digest, sizeof message.digest);
    message.late = receipt->late;
    message.has_window = true;
    fill_window(&message.window, &receipt->window, 0);
    return WIRE_ENCODE(mycel_Receipt, &message, out, capacity);
}

/* As much of the words as the field holds. */
static void copy_text(char *out, size_t capacity, const char *text)
{
    size_t bytes = strlen(text);
    if (bytes >= capacity) {
        bytes = capacity - 1;
    }
    memcpy(out, text, bytes);
    out[bytes] = '\0';
}

int desk_write_problem(int reason, const char *text, const struct engine_window *window,
                       uint8_t *out, size_t capacity)
{
    mycel_Problem message = mycel_Problem_init_zero;
    message.reason = reason;
    copy_text(message.text, sizeof message.text, text ? text : mycel_error_text(reason));
    if (reason == MYCEL_E_VERSION) {
        message.protocol_min = PROTO_VERSION_MIN;
        message.protocol_max = PROTO_VERSION_MAX;
    }
    if (window && window->latest_ms > 0) {
        message.has_window = true;
        fill_window(&message.window, window, reason);
    }
    return WIRE_ENCODE(mycel_Problem, &message, out, capacity);
}

uint8_t desk_problem_code(int status)
{
    switch (status) {
    case MYCEL_E_CONFLICT:
        return PROTO_CODE(4, 9);
    case MYCEL_E_TOO_LARGE:
        return PROTO_CODE(4, 13);
    case MYCEL_E_BUSY:
        return PROTO_CODE(5, 3);
    default:
        return PROTO_CODE(4, 3);
    }
}
