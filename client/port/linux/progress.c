/* Words for the client's events. See progress.h. */
#include "client/port/linux/progress.h"

#include <inttypes.h>
#include <math.h>
#include <mycel/error.h>

static const char *const names[] = {
    [MYCEL_EVENT_CHECKIN] = "checkin", [MYCEL_EVENT_LEASE] = "lease",
    [MYCEL_EVENT_WINDOW] = "window",   [MYCEL_EVENT_FETCHED] = "fetched",
    [MYCEL_EVENT_TRAINED] = "trained", [MYCEL_EVENT_ENCODED] = "encoded",
    [MYCEL_EVENT_RECEIPT] = "receipt", [MYCEL_EVENT_PAUSED] = "paused",
    [MYCEL_EVENT_PROBLEM] = "problem", [MYCEL_EVENT_REKEYED] = "rekeyed"};

static void put_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            (void)fputc('\\', out);
        }
        if (*text >= ' ' && *text <= '~') {
            (void)fputc(*text, out);
        }
    }
    (void)fputc('"', out);
}

/* JSON has no NaN; the client refuses such losses, so this is for safety only. */
static void put_loss(FILE *out, const char *name, float loss)
{
    if (isfinite(loss)) {
        (void)fprintf(out, ",\"%s\":%.6g", name, (double)loss);
    }
}

static void put_json(const struct progress *p, const struct mycel_event *e)
{
    FILE *out = p->out;
    (void)fprintf(out, "{\"event\":\"%s\",\"device\":", names[e->kind]);
    put_string(out, p->device);
    if (e->run != 0) {
        (void)fprintf(out, ",\"run\":%" PRIu32 ",\"round\":%" PRIu32, e->run, e->round);
    }
    if (e->bytes != 0) {
        (void)fprintf(out, ",\"bytes\":%" PRIu32, e->bytes);
    }
    if (e->kind == MYCEL_EVENT_TRAINED) {
        (void)fprintf(out, ",\"steps\":%" PRIu32 ",\"train_ms\":%" PRIu32, e->steps, e->wait_ms);
        put_loss(out, "loss_first", e->loss_first);
        put_loss(out, "loss_last", e->loss_last);
    } else if (e->wait_ms != 0) {
        (void)fprintf(out, ",\"wait_ms\":%" PRIu32, e->wait_ms);
    }
    if (e->code != 0 || e->kind == MYCEL_EVENT_RECEIPT) {
        (void)fprintf(out, ",\"code\":%d,\"reason\":\"%s\"", e->code, mycel_error_name(e->code));
    }
    if (e->column != 0) {
        (void)fprintf(out, ",\"column\":%" PRIu32, e->column);
    }
    if (e->text[0] != '\0') {
        (void)fputs(",\"text\":", out);
        put_string(out, e->text);
    }
    (void)fputs("}\n", out);
}

static void put_problem(const struct progress *p, const struct mycel_event *e)
{
    (void)fprintf(p->out, "%s: %s (%s)", p->device, e->text, mycel_error_text(e->code));
    if (e->column != 0) {
        (void)fprintf(p->out, ", column %" PRIu32 " of the model's description", e->column);
    }
    if (e->wait_ms != 0) {
        (void)fprintf(p->out, "; next attempt in %.1f s", (double)e->wait_ms / 1000.0);
    }
    (void)fputc('\n', p->out);
}

static void put_text(const struct progress *p, const struct mycel_event *e)
{
    double wait_s = (double)e->wait_ms / 1000.0;
    switch (e->kind) {
    case MYCEL_EVENT_CHECKIN:
        (void)fprintf(p->out, "%s: checking in\n", p->device);
        break;
    case MYCEL_EVENT_LEASE:
        (void)fprintf(p->out,
                      "%s: run %" PRIu32 " round %" PRIu32 ": work to do, model of %" PRIu32
                      " bytes\n",
                      p->device, e->run, e->round, e->bytes);
        break;
    case MYCEL_EVENT_WINDOW:
        (void)fprintf(p->out, "%s: no work, back in %.1f s\n", p->device, wait_s);
        break;
    case MYCEL_EVENT_FETCHED:
        (void)fprintf(p->out, "%s: model fetched and verified\n", p->device);
        break;
    case MYCEL_EVENT_TRAINED:
        (void)fprintf(p->out, "%s: trained %" PRIu32 " steps in %.2f s, loss %.4f -> %.4f\n",
                      p->device, e->steps, wait_s, (double)e->loss_first, (double)e->loss_last);
        break;
    case MYCEL_EVENT_ENCODED:
        (void)fprintf(p->out, "%s: update of %" PRIu32 " bytes is safe, uploading\n", p->device,
                      e->bytes);
        break;
    case MYCEL_EVENT_RECEIPT:
        (void)fprintf(p->out, "%s: round %" PRIu32 ": %s%s%s, back in %.1f s\n", p->device,
                      e->round, e->code == 0 ? "received" : mycel_error_text(e->code),
                      e->text[0] != '\0' ? ", " : "", e->text, wait_s);
        break;
    case MYCEL_EVENT_PAUSED:
        (void)fprintf(p->out, "%s: %s, looking again in %.1f s\n", p->device, e->text, wait_s);
        break;
    case MYCEL_EVENT_PROBLEM:
        put_problem(p, e);
        break;
    case MYCEL_EVENT_REKEYED:
        (void)fprintf(p->out, "%s: has another key\n", p->device);
        break;
    }
}

void progress_event(const struct progress *progress, const struct mycel_event *event)
{
    if (progress->json) {
        put_json(progress, event);
    } else {
        put_text(progress, event);
    }
    (void)fflush(progress->out);
}

void progress_end(const struct progress *progress, uint32_t rounds, uint64_t bytes_sent,
                  uint64_t bytes_received)
{
    if (progress->json) {
        (void)fputs("{\"event\":\"end\",\"device\":", progress->out);
        put_string(progress->out, progress->device);
        (void)fprintf(progress->out,
                      ",\"rounds\":%" PRIu32 ",\"bytes_up\":%" PRIu64 ",\"bytes_down\":%" PRIu64
                      "}\n",
                      rounds, bytes_sent, bytes_received);
    } else {
        (void)fprintf(progress->out,
                      "%s: ended after %" PRIu32 " rounds, %" PRIu64 " bytes up, %" PRIu64
                      " bytes down\n",
                      progress->device, rounds, bytes_sent, bytes_received);
    }
    (void)fflush(progress->out);
}

void progress_failure(const struct progress *progress, int code, const char *what)
{
    struct mycel_event event = {.kind = MYCEL_EVENT_PROBLEM, .code = code, .text = what};
    progress_event(progress, &event);
}
