/*
 * Events and actions of the engine as bytes, field by field: padding, pointers and the machine's byte
 * order never get in. One description of each struct both writes and reads it, so the two cannot differ.
 * The layout is that of docs/FAULTS.md, "Event log"; a change of it is a new RECORD_VERSION.
 */
#ifndef MYCEL_SERVER_DAEMON_RECORD_FIELDS_H
#define MYCEL_SERVER_DAEMON_RECORD_FIELDS_H

#include "server/engine/engine.h"

#include <stddef.h>

#define RECORD_FIELDS_MAX 1024u /* bytes of the longest event or action */

/* Where bytes are put, or taken from. */
struct fields {
    uint8_t *data;
    size_t bytes; /* capacity, or what is there */
    size_t at;
    bool reading;
    bool failed; /* too little room, or a value that cannot be */
};

/* All of these read the value from the bytes, or write the bytes from the value; f->failed tells. */
void fields_bytes(struct fields *f, void *data, size_t bytes);
void fields_u8(struct fields *f, uint8_t *value);
void fields_u32(struct fields *f, uint32_t *value);
void fields_i32(struct fields *f, int32_t *value);
void fields_u64(struct fields *f, uint64_t *value);
void fields_real(struct fields *f, float *value); /* by its bits: a NaN stays the same NaN */
void fields_bool(struct fields *f, bool *value);
void fields_text(struct fields *f, char *value, size_t capacity); /* capacity ≤ 255 */

/* One byte, at most `max`; returned instead of changed, so that it fits any enum. */
uint8_t fields_small(struct fields *f, unsigned value, unsigned max);
#define FIELDS_ENUM(f, lvalue, type, max)                                                          \
    ((lvalue) = (enum type)fields_small((f), (unsigned)(lvalue), (max)))

/* record_fields.c: what events and actions have in common. */
void fields_config(struct fields *f, struct engine_config *config);
void fields_spec(struct fields *f, struct engine_spec *spec);
void fields_tags(struct fields *f, char list[ENGINE_TAGS_MAX][ENGINE_TAG_BYTES]);
void fields_version(struct fields *f, struct engine_version *version);
void fields_learned(struct fields *f, struct engine_learned *learned);
void fields_lease(struct fields *f, struct engine_lease *lease);
void fields_report(struct fields *f, struct engine_report *report);
void fields_window(struct fields *f, struct engine_window *window);
void fields_receipt(struct fields *f, struct engine_receipt *receipt);
void fields_metrics(struct fields *f, struct engine_metrics *metrics);

/* record_event.c, record_action.c */
void fields_event(struct fields *f, struct engine_event *event);
void fields_action(struct fields *f, struct engine_action *action);

/* "CHECKIN"…; "?" for a number that is none. Static storage. */
const char *fields_event_name(enum engine_event_type type);

#endif
