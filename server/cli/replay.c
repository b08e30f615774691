/* See replay.h. */
#include "server/cli/replay.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include <mycel/error.h>

#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/daemon/record_fields.h"
#include "server/daemon/replay.h"

#define HEX_BYTES (2 * SHA256_BYTES + 1)

struct replay_options {
    bool json;
    bool trace;
};

static const struct setting rows[] = {
    {.name = "json",
     .letter = 'j',
     .type = SETTING_SWITCH,
     .offset = offsetof(struct replay_options, json),
     .help = "Print JSON"},
    {.name = "trace",
     .type = SETTING_SWITCH,
     .offset = offsetof(struct replay_options, trace),
     .help = "Print every event with what the engine answered"},
};

const struct setting_list replay_settings = SETTING_LIST(rows, struct replay_options);

static void trace_line(void *user, const struct record_entry *entry,
                       const struct engine_actions *actions)
{
    const struct engine_event *event = &entry->event;
    (void)user;
    printf("%8" PRIu64 " %12" PRIu64 " ms  %-15s result %s, %u actions, batch %" PRIu64 "\n",
           entry->number, event->now_ms, fields_event_name(event->type),
           mycel_error_name(entry->result), actions->count, actions->batch);
}

static json_t *trace_json(const struct record_entry *entry, const struct engine_actions *actions)
{
    const struct engine_event *event = &entry->event;
    return json_pack("{s:I, s:I, s:s, s:s, s:I, s:I}", "record", (json_int_t)entry->number,
                     "now_ms", (json_int_t)event->now_ms, "event", fields_event_name(event->type),
                     "result", mycel_error_name(entry->result), "actions",
                     (json_int_t)actions->count, "batch", (json_int_t)actions->batch);
}

static void trace_json_line(void *user, const struct record_entry *entry,
                            const struct engine_actions *actions)
{
    (void)user;
    (void)say_json_line(trace_json(entry, actions));
}

static json_t *difference(const struct replay_report *r)
{
    return json_pack("{s:I, s:s, s:s, s:s, s:I, s:I}", "record", (json_int_t)r->record, "event",
                     fields_event_name(r->type), "result_then", mycel_error_name(r->result_then),
                     "result_now", mycel_error_name(r->result_now), "actions_then",
                     (json_int_t)r->actions_then, "actions_now", (json_int_t)r->actions_now);
}

static int print_json(const struct replay_report *r, bool same)
{
    char hex[HEX_BYTES];
    return say_json_line(json_pack(
        "{s:b, s:I, s:I, s:I, s:b, s:s, s:o}", "same", same, "engines", (json_int_t)r->engines,
        "events", (json_int_t)r->events, "actions", (json_int_t)r->actions, "cut", r->cut, "hash",
        say_hex(r->hash, sizeof r->hash, hex), "difference", same ? json_null() : difference(r)));
}

static void print_text(const struct replay_report *r, bool same)
{
    char hex[HEX_BYTES];
    printf("%" PRIu64 " events of %" PRIu64 " engines gave %" PRIu64 " actions%s\nhash %s\n",
           r->events, r->engines, r->actions,
           r->cut ? " (the log ends within a record: its writer was killed)" : "",
           say_hex(r->hash, sizeof r->hash, hex));
    if (same) {
        printf("the same as then, bit for bit\n");
    } else {
        printf("differs first at record %" PRIu64 ", %s: then %s and %u actions, now %s and %u\n",
               r->record, fields_event_name(r->type), mycel_error_name(r->result_then),
               r->actions_then, mycel_error_name(r->result_now), r->actions_now);
    }
}

int replay_run_command(const struct invocation *call)
{
    const struct replay_options *options = call->options;
    replay_each *each = !options->trace ? NULL : options->json ? trace_json_line : trace_line;
    struct replay_report report;
    int rc = replay_run(call->words[0], each, NULL, &report);
    if (rc < 0 && rc != MYCEL_E_DIGEST) {
        say_error("%s: %s (after record %" PRIu64 ")", call->words[0],
                  rc == MYCEL_E_CORRUPT   ? "this is no event log, or it is damaged"
                  : rc == MYCEL_E_INVALID ? "no engine begins in it"
                                          : mycel_error_text(rc),
                  report.events + report.engines);
        return exit_of_error(rc);
    }
    int code = EXIT_CODE_OK;
    if (options->json) {
        code = print_json(&report, rc == 0);
    } else {
        print_text(&report, rc == 0);
    }
    return rc == 0 ? code : EXIT_CODE_FAILED;
}
