/*
 * RECEIPT: the coordinator's word is in, so everything about the job is forgotten. It must never erase
 * anything before the journal has stopped speaking of it.
 */
#include "client/runtime/internal.h"

static void erase(struct client *c, enum mycel_area area)
{
    int rc = c->port->store->erase(c->port->store_ctx, area);
    if (rc < 0) {
        struct mycel_event event = {.kind = MYCEL_EVENT_PROBLEM,
                                    .code = rc,
                                    .text = "a finished job's data cannot be erased"};
        client_emit(c, &event);
    }
}

uint32_t receipt_step(struct client *c)
{
    struct client_receipt receipt = c->in.receipt;
    int rc = journal_finish(c, receipt.status == 0);
    if (rc < 0) {
        c->journal_stale = true;
        client_abandon(c, rc, "the receipt cannot be written down", NULL);
        return 0;
    }
    erase(c, MYCEL_AREA_BODY);
    if (!c->job.keeps) {
        erase(c, MYCEL_AREA_MODEL);
    }
    if (c->job.patch_bytes > 0) {
        erase(c, MYCEL_AREA_PATCH);
    }
    if (c->job.control) {
        erase(c, MYCEL_AREA_CONTROL_SERVER);
    }
    c->resumed = false;
    c->failures = 0;
    c->job_failures = 0;
    mycel_Window window = {.earliest_ms = receipt.earliest_ms, .latest_ms = receipt.latest_ms};
    uint32_t pause = client_sleep(c, &window);
    struct mycel_event event = {.kind = MYCEL_EVENT_RECEIPT,
                                .code = receipt.status,
                                .wait_ms = pause,
                                .text = receipt.late ? "late" : ""};
    client_emit(c, &event);
    return 0;
}
