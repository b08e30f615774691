/* Field by field between engine and store. Wall-clock arithmetic never underflows. */
#include "server/daemon/translate.h"

#include "proto/wire.h"
#include "server/engine/rules/rules.h"

#include <stdio.h>
#include <string.h>

static uint64_t since(uint64_t then_ms, uint64_t now_ms)
{
    return then_ms < now_ms ? now_ms - then_ms : 0;
}

/* --- engine to store -------------------------------------------------------------------------- */

void translate_update(const struct engine_action_update *row, uint64_t wall_ms,
                      struct store_update *out)
{
    const struct engine_receipt *receipt = &row->receipt;
    const struct engine_report *report = &row->report;
    memset(out, 0, sizeof *out);
    memcpy(out->key, receipt->key, sizeof out->key);
    memcpy(out->digest, receipt->digest, sizeof out->digest);
    out->device = receipt->device;
    out->run = receipt->run;
    out->round = receipt->round;
    out->base_version = receipt->base_version;
    out->status = receipt->status;
    out->late = receipt->late;
    out->counted_round = receipt->counted_round;
    out->received_ms = wall_ms;
    out->samples = report->samples;
    out->steps = report->steps;
    out->train_ms = report->train_ms;
    out->codec = report->codec;
    out->loss_first = report->loss_first;
    out->loss_last = report->loss_last;
    out->norm = row->norm;
    out->weight = row->weight;
    out->staleness = row->staleness;
    out->scale_q16 = row->scale_q16;
}

void translate_version(const struct engine_action_publish *row, uint64_t wall_ms,
                       struct store_version *out)
{
    memset(out, 0, sizeof *out);
    out->run = row->run;
    out->number = row->version.version;
    out->has_parent = true;
    out->parent = row->parent_version;
    out->kind = STORE_VERSION_ROUND;
    out->round = row->round;
    out->created_ms = wall_ms;
}

void translate_round(const struct engine_action_round *row, uint64_t wall_ms,
                     struct store_round *out)
{
    memset(out, 0, sizeof *out);
    out->run = row->run;
    out->round = row->round;
    out->attempt = row->attempt;
    out->state = (enum store_round_state)row->state;
    out->base_version = row->base_version;
    out->granted = row->granted;
    out->accepted = row->accepted;
    out->rejected = row->rejected;
    out->samples = row->weight;
    out->started_ms = row->started ? since(row->age_ms, wall_ms) : 0;
    if (row->state == ENGINE_ROUND_COMMITTED || row->state == ENGINE_ROUND_ABANDONED) {
        out->closed_ms = wall_ms;
    }
    out->has_version = row->state == ENGINE_ROUND_COMMITTED;
    out->version = row->version;
}

void translate_lease(const struct engine_action_lease_row *row, uint64_t wall_ms,
                     struct store_lease *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->key, row->lease.key, sizeof out->key);
    out->device = row->lease.device;
    out->run = row->lease.run;
    out->round = row->lease.round;
    out->attempt = row->lease.attempt;
    out->base_version = row->lease.base.version;
    out->seed = row->lease.seed;
    out->codec = row->lease.codec;
    out->issued_ms = wall_ms;
    out->deadline_ms = wall_ms + row->left_ms;
    out->state = row->left_ms > 0 ? STORE_LEASE_OPEN : STORE_LEASE_EXPIRED;
}

void translate_learned(const struct engine_learned *row, struct store_learned *out)
{
    memset(out, 0, sizeof *out);
    out->drop_permille = row->drop_permille;
    out->drop_rounds = row->drop_rounds;
    out->round_ms = row->round_ms;
    out->gap_ms = row->gap_ms;
    out->report_ms = row->report_ms;
    out->best = row->best;
    out->best_version = row->best_version;
    out->evaluated = row->evaluated;
}

enum store_run_state translate_phase(enum engine_phase phase)
{
    switch (phase) {
    case ENGINE_PHASE_PAUSED:
        return STORE_RUN_PAUSED;
    case ENGINE_PHASE_FINISHED:
        return STORE_RUN_FINISHED;
    case ENGINE_PHASE_STOPPED:
        return STORE_RUN_STOPPED;
    case ENGINE_PHASE_RUNNING:
        break;
    }
    return STORE_RUN_ACTIVE;
}

void translate_audit(const struct engine_action_audit *row, char *subject, size_t subject_bytes,
                     char *detail, size_t detail_bytes)
{
    char round[24] = "";
    char device[24] = "";
    if (row->round > 0) {
        snprintf(round, sizeof round, " round %u", row->round);
    }
    if (row->device > 0) {
        snprintf(device, sizeof device, " device %u", row->device);
    }
    snprintf(subject, subject_bytes, "run %u%s%s", row->run, round, device);
    snprintf(detail, detail_bytes, "%s", row->status < 0 ? mycel_error_text(row->status) : "");
}

/* --- store to engine -------------------------------------------------------------------------- */

static enum engine_phase phase_of(enum store_run_state state)
{
    switch (state) {
    case STORE_RUN_PAUSED:
        return ENGINE_PHASE_PAUSED;
    case STORE_RUN_FINISHED:
        return ENGINE_PHASE_FINISHED;
    case STORE_RUN_STOPPED:
        return ENGINE_PHASE_STOPPED;
    case STORE_RUN_ACTIVE:
        break;
    }
    return ENGINE_PHASE_RUNNING;
}

static void copy_buffer(const struct store_run_config *config, struct engine_spec *out)
{
    out->goal = config->goal;
    out->minimum = config->minimum;
    out->concurrency = config->concurrency;
    out->staleness_max = config->staleness_max;
    out->staleness_discount = config->staleness_discount;
    out->over_permille = config->over_permille;
    out->over_learn = config->over_learn;
    out->weighting = (enum engine_weighting)config->weighting;
    out->select_ms = config->select_ms;
    out->soft_ms = config->soft_ms;
    out->hard_ms = config->hard_ms;
    out->lease_ms = config->lease_ms;
    out->soft_learn = config->soft_learn;
    out->soft_min_ms = config->soft_min_ms;
    out->soft_max_ms = config->soft_max_ms;
    out->pace_ms = config->pace_ms;
    out->interval_ms = config->interval_ms;
}

static void copy_selection(const struct store_run_config *config, struct engine_spec *out)
{
    _Static_assert(sizeof out->tags == sizeof config->tags, "tags are alike");
    memcpy(out->device_class, config->device_class, sizeof out->device_class);
    memcpy(out->tags, config->tags, sizeof out->tags);
    out->samples_min = config->samples_min;
    out->samples_max = config->samples_max;
    out->battery_min = config->battery_min;
    out->busy_allowed = config->busy_allowed;
    out->spacing_rounds = config->spacing_rounds;
    out->cap = config->cap;
    out->fair_permille = config->fair_permille;
    out->utility_permille = config->utility_permille;
}

uint32_t translate_features(const struct store_run_config *config)
{
    struct rule_strategy strategy;
    struct rule_error error;
    bool parses = rule_parse(config->strategy, &strategy, &error) == MYCEL_OK;
    return parses && rule_needs_control(&strategy) ? PROTO_FEATURE_CONTROL : 0;
}

void translate_spec(const struct store_run *run, struct engine_spec *out)
{
    const struct store_run_config *config = &run->config;
    memset(out, 0, sizeof *out);
    out->run = run->id;
    out->seed = config->seed;
    copy_buffer(config, out);
    copy_selection(config, out);
    out->codec = (uint8_t)config->codec;
    out->codecs = config->codecs;
    out->features = translate_features(config);
    out->model_bytes = (uint64_t)config->params * sizeof(float);
    out->update_bytes_max = config->update_bytes_max;
    out->round_limit = config->rounds;
    out->target_set = config->target_accuracy > 0;
    out->target = config->target_accuracy;
    out->patience = config->patience;
}

void translate_progress(const struct store_run *run, const struct store_version *newest,
                        struct engine_progress *out)
{
    memset(out, 0, sizeof *out);
    out->phase = phase_of(run->state);
    out->base.version = newest->number;
    memcpy(out->base.sha256, newest->sha256, sizeof out->base.sha256);
    out->evaluated_version = run->has_evaluated ? run->evaluated_version : 0;
    out->learned.drop_permille = run->learned.drop_permille;
    out->learned.drop_rounds = run->learned.drop_rounds;
    out->learned.round_ms = run->learned.round_ms;
    out->learned.gap_ms = run->learned.gap_ms;
    out->learned.report_ms = run->learned.report_ms;
    out->learned.best = run->learned.best;
    out->learned.best_version = run->learned.best_version;
    out->learned.evaluated = run->learned.evaluated;
}

void translate_stored_round(const struct store_round *round, uint64_t wall_ms,
                            struct engine_event_round *out)
{
    memset(out, 0, sizeof *out);
    out->run = round->run;
    out->round = round->round;
    out->attempt = round->attempt;
    out->state = (enum engine_round_state)round->state;
    out->granted = round->granted;
    out->started = round->started_ms > 0;
    out->age_ms = out->started ? since(round->started_ms, wall_ms) : 0;
}

void translate_stored_lease(const struct store_lease *lease, uint64_t wall_ms,
                            struct engine_event_lease *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->lease.key, lease->key, sizeof out->lease.key);
    out->lease.device = lease->device;
    out->lease.run = lease->run;
    out->lease.round = lease->round;
    out->lease.attempt = lease->attempt;
    out->lease.base.version = lease->base_version;
    memcpy(out->lease.base.sha256, lease->base_sha256, PROTO_SHA256_BYTES);
    out->lease.seed = lease->seed;
    out->lease.codec = (uint8_t)lease->codec;
    out->left_ms = lease->state == STORE_LEASE_OPEN ? since(wall_ms, lease->deadline_ms) : 0;
}

int translate_stored_update(const struct store_update *update,
                            struct engine_event_restore_update *out)
{
    mycel_Receipt message;
    memset(out, 0, sizeof *out);
    if (WIRE_DECODE(mycel_Receipt, &message, update->receipt, update->receipt_bytes) < 0) {
        return MYCEL_E_CORRUPT;
    }
    struct engine_receipt *receipt = &out->receipt;
    memcpy(receipt->key, update->key, sizeof receipt->key);
    memcpy(receipt->digest, update->digest, sizeof receipt->digest);
    receipt->device = update->device;
    receipt->run = update->run;
    receipt->round = update->round;
    receipt->attempt = update->attempt;
    receipt->base_version = update->base_version;
    receipt->counted_round = update->counted_round;
    receipt->status = update->status;
    receipt->late = update->late;
    receipt->window.earliest_ms = message.window.earliest_ms;
    receipt->window.latest_ms = message.window.latest_ms;
    out->report.run = update->run;
    out->report.round = update->round;
    out->report.base_version = update->base_version;
    out->report.samples = update->samples;
    out->report.steps = update->steps;
    out->report.loss_first = update->loss_first;
    out->report.loss_last = update->loss_last;
    out->report.train_ms = update->train_ms;
    out->report.codec = (uint8_t)update->codec;
    out->norm = update->norm;
    return MYCEL_OK;
}
