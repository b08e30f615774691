/* See replay.h. */
#include "server/daemon/replay.h"

#include <stdlib.h>
#include <string.h>

struct replay {
    struct replay_report *report;
    replay_each *each;
    void *user;
    void *memory;
    struct engine *engine;
    uint64_t batch; /* newest that the engine has named: no other can be reported as durable */
    struct record_chain chain;
    struct sha256 all;
};

static int begin_engine(struct replay *r, const struct engine_config *config)
{
    size_t bytes = engine_bytes(config);
    free(r->memory);
    r->engine = NULL;
    r->memory = bytes > 0 ? calloc(1, bytes) : NULL;
    r->batch = 0;
    memset(&r->chain, 0, sizeof r->chain);
    r->report->engines++;
    if (r->memory == NULL) {
        return bytes > 0 ? MYCEL_E_NO_MEMORY : MYCEL_E_INVALID;
    }
    return engine_init(r->memory, bytes, config, &r->engine);
}

static int differs(struct replay *r, const struct record_entry *entry, int result, uint32_t actions)
{
    r->report->record = entry->number;
    r->report->type = entry->event.type;
    r->report->result_then = entry->result;
    r->report->result_now = result;
    r->report->actions_then = entry->actions;
    r->report->actions_now = actions;
    return MYCEL_E_DIGEST;
}

static int repeat(struct replay *r, const struct record_entry *entry)
{
    struct engine_actions actions = {0};
    const struct engine_event *event = &entry->event;
    if (r->engine == NULL) {
        return MYCEL_E_INVALID;
    }
    if (event->type == ENGINE_EVENT_COMMITTED && event->u.committed > r->batch) {
        return differs(r, entry, MYCEL_E_INVALID, 0); /* this engine has never named that batch */
    }
    int result = engine_step(r->engine, event, &actions);
    record_chain_add(&r->chain, result, &actions);
    sha256_update(&r->all, r->chain.digest, sizeof r->chain.digest);
    r->batch = actions.batch > r->batch ? actions.batch : r->batch;
    r->report->events++;
    r->report->actions += actions.count;
    if (r->each != NULL) {
        r->each(r->user, entry, &actions);
    }
    return memcmp(r->chain.digest, entry->hash, sizeof entry->hash) == 0
               ? MYCEL_OK
               : differs(r, entry, result, actions.count);
}

static int repeat_all(struct replay *r, struct record_reader *reader)
{
    struct record_entry entry;
    int rc;
    while ((rc = record_reader_next(reader, &entry)) > 0) {
        rc = entry.kind == RECORD_START ? begin_engine(r, &entry.config) : repeat(r, &entry);
        if (rc < 0) {
            break;
        }
    }
    return rc;
}

int replay_run(const char *path, replay_each *each, void *user, struct replay_report *report)
{
    struct replay r = {.report = report, .each = each, .user = user};
    struct record_reader *reader;
    memset(report, 0, sizeof *report);
    int rc = record_reader_open(path, &reader);
    if (rc < 0) {
        return rc;
    }
    sha256_init(&r.all);
    rc = repeat_all(&r, reader);
    sha256_final(&r.all, report->hash);
    report->cut = record_reader_cut(reader);
    record_reader_close(reader);
    free(r.memory);
    return rc;
}
