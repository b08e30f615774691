/* See record_fields.h. Integers are little endian, texts have a length before them. */
#include "server/daemon/record_fields.h"

#include <string.h>

/* --- values ----------------------------------------------------------------------------------- */

void fields_bytes(struct fields *f, void *data, size_t bytes)
{
    if (f->failed || bytes > f->bytes - f->at) {
        f->failed = true;
        return;
    }
    if (f->reading) {
        memcpy(data, f->data + f->at, bytes);
    } else {
        memcpy(f->data + f->at, data, bytes);
    }
    f->at += bytes;
}

static void number(struct fields *f, uint64_t *value, size_t bytes)
{
    uint8_t le[8] = {0};
    for (size_t i = 0; i < bytes; i++) {
        le[i] = (uint8_t)(*value >> (8 * i));
    }
    fields_bytes(f, le, bytes);
    uint64_t read = 0;
    for (size_t i = 0; i < bytes; i++) {
        read |= (uint64_t)le[i] << (8 * i);
    }
    *value = read;
}

void fields_u64(struct fields *f, uint64_t *value)
{
    number(f, value, 8);
}

void fields_u32(struct fields *f, uint32_t *value)
{
    uint64_t wide = *value;
    number(f, &wide, 4);
    *value = (uint32_t)wide;
}

void fields_i32(struct fields *f, int32_t *value)
{
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    fields_u32(f, &bits);
    memcpy(value, &bits, sizeof bits);
}

void fields_u8(struct fields *f, uint8_t *value)
{
    fields_bytes(f, value, 1);
}

/* By its bits: a NaN stays the same NaN. */
void fields_real(struct fields *f, float *value)
{
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    fields_u32(f, &bits);
    memcpy(value, &bits, sizeof bits);
}

uint8_t fields_small(struct fields *f, unsigned value, unsigned max)
{
    uint8_t byte = (uint8_t)value;
    fields_u8(f, &byte);
    f->failed = f->failed || byte > max;
    return f->failed ? 0 : byte;
}

void fields_bool(struct fields *f, bool *value)
{
    *value = fields_small(f, *value, 1) != 0;
}

void fields_text(struct fields *f, char *value, size_t capacity)
{
    uint8_t bytes = (uint8_t)strnlen(value, capacity - 1);
    fields_u8(f, &bytes);
    if (bytes >= capacity) {
        f->failed = true;
        return;
    }
    fields_bytes(f, value, bytes);
    if (f->reading && !f->failed) {
        memset(value + bytes, 0, capacity - bytes);
    }
}

void fields_tags(struct fields *f, char list[ENGINE_TAGS_MAX][ENGINE_TAG_BYTES])
{
    for (size_t i = 0; i < ENGINE_TAGS_MAX; i++) {
        fields_text(f, list[i], ENGINE_TAG_BYTES);
    }
}

/* --- what events and actions share ------------------------------------------------------------ */

void fields_config(struct fields *f, struct engine_config *c)
{
    uint32_t *const all[] = {
        &c->device_max, &c->run_max, &c->receipt_max,   &c->strikes_max,   &c->quarantine_ms,
        &c->grace_ms,   &c->idle_ms, &c->window_ms_min, &c->window_ms_max, &c->hold_permille};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fields_u32(f, all[i]);
    }
}

static void spec_numbers(struct fields *f, struct engine_spec *s)
{
    uint32_t *const all[] = {&s->goal,          &s->minimum,          &s->concurrency,
                             &s->staleness_max, &s->over_permille,    &s->select_ms,
                             &s->soft_ms,       &s->hard_ms,          &s->lease_ms,
                             &s->pace_ms,       &s->samples_min,      &s->samples_max,
                             &s->battery_min,   &s->spacing_rounds,   &s->cap,
                             &s->fair_permille, &s->utility_permille, &s->codecs,
                             &s->round_limit,   &s->patience,         &s->soft_min_ms,
                             &s->soft_max_ms,   &s->interval_ms};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fields_u32(f, all[i]);
    }
}

void fields_spec(struct fields *f, struct engine_spec *s)
{
    fields_u32(f, &s->run);
    fields_u64(f, &s->seed);
    fields_text(f, s->device_class, sizeof s->device_class);
    fields_tags(f, s->tags);
    spec_numbers(f, s);
    fields_bool(f, &s->staleness_discount);
    fields_bool(f, &s->over_learn);
    fields_bool(f, &s->soft_learn);
    FIELDS_ENUM(f, s->weighting, engine_weighting, ENGINE_WEIGHT_UNIFORM);
    fields_bool(f, &s->busy_allowed);
    fields_u8(f, &s->codec);
    fields_u32(f, &s->features);
    fields_u64(f, &s->model_bytes);
    fields_u64(f, &s->update_bytes_max);
    fields_bool(f, &s->target_set);
    fields_real(f, &s->target);
}

void fields_version(struct fields *f, struct engine_version *v)
{
    fields_u32(f, &v->version);
    fields_bytes(f, v->sha256, sizeof v->sha256);
}

void fields_learned(struct fields *f, struct engine_learned *l)
{
    fields_u32(f, &l->drop_permille);
    fields_u32(f, &l->drop_rounds);
    fields_u32(f, &l->round_ms);
    fields_u32(f, &l->gap_ms);
    fields_u32(f, &l->report_ms);
    fields_real(f, &l->best);
    fields_u32(f, &l->best_version);
    fields_bool(f, &l->evaluated);
}

void fields_lease(struct fields *f, struct engine_lease *l)
{
    fields_u32(f, &l->device);
    fields_u32(f, &l->run);
    fields_u32(f, &l->round);
    fields_u32(f, &l->attempt);
    fields_version(f, &l->base);
    fields_bytes(f, l->key, sizeof l->key);
    fields_u64(f, &l->seed);
    fields_u8(f, &l->codec);
}

void fields_report(struct fields *f, struct engine_report *r)
{
    fields_u32(f, &r->run);
    fields_u32(f, &r->round);
    fields_u32(f, &r->base_version);
    fields_u32(f, &r->samples);
    fields_u32(f, &r->steps);
    fields_real(f, &r->loss_first);
    fields_real(f, &r->loss_last);
    fields_u32(f, &r->train_ms);
    fields_u8(f, &r->codec);
}

void fields_window(struct fields *f, struct engine_window *w)
{
    fields_u32(f, &w->earliest_ms);
    fields_u32(f, &w->latest_ms);
}

void fields_receipt(struct fields *f, struct engine_receipt *r)
{
    fields_bytes(f, r->key, sizeof r->key);
    fields_bytes(f, r->digest, sizeof r->digest);
    fields_u32(f, &r->device);
    fields_u32(f, &r->run);
    fields_u32(f, &r->round);
    fields_u32(f, &r->attempt);
    fields_u32(f, &r->base_version);
    fields_u32(f, &r->counted_round);
    fields_i32(f, &r->status);
    fields_bool(f, &r->late);
    fields_window(f, &r->window);
}

void fields_metrics(struct fields *f, struct engine_metrics *m)
{
    fields_real(f, &m->loss);
    fields_real(f, &m->accuracy);
    fields_u64(f, &m->samples);
}
