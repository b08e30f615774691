/* Checks in order of cost: a body is hashed and its frame decoded once. */
#include "server/desk/verify.h"

#include "common/codec/codec.h"
#include "common/crypto/sha256.h"
#include "proto/wire.h"

#include <math.h>
#include <string.h>

static void copy_report(struct engine_report *out, const mycel_UpdateReport *report)
{
    out->run = report->run;
    out->round = report->round;
    out->base_version = report->base_version;
    out->samples = report->samples;
    out->steps = report->steps;
    out->loss_first = report->loss_first;
    out->loss_last = report->loss_last;
    out->train_ms = report->train_ms;
    out->codec = (uint8_t)report->codec;
}

/* Report and frame say some things twice: they have to agree. */
static int check_header(const struct codec_header *header, const mycel_UpdateReport *report,
                        const struct verify_expected *expected)
{
    if (header->params != expected->params) {
        return MYCEL_E_SHAPE;
    }
    if (header->codec != (enum codec_id)report->codec) {
        return MYCEL_E_CODEC;
    }
    if (header->base_version != report->base_version) {
        return MYCEL_E_BASE;
    }
    if (header->weight != report->samples || report->samples == 0 ||
        report->samples > PROTO_SAMPLES_MAX) {
        return MYCEL_E_WEIGHT;
    }
    if (!isfinite(report->loss_first) || !isfinite(report->loss_last)) {
        return MYCEL_E_NONFINITE;
    }
    return MYCEL_OK;
}

static int check_frame(const uint8_t *body, size_t bytes, const struct verify_expected *expected,
                       struct engine_event_update *out)
{
    struct wire_update update;
    int rc = wire_update_split(&update, body, bytes);
    if (rc < 0) {
        return rc;
    }
    copy_report(&out->report, &update.report);
    struct codec_frame frame;
    rc = codec_open(&frame, update.frame, update.frame_bytes);
    if (rc == 0) {
        rc = check_header(&frame.header, &update.report, expected);
    }
    struct codec_stats stats;
    if (rc == 0) {
        rc = codec_scan(&frame, &stats);
    }
    if (rc == 0 && stats.max_abs >= CODEC_VALUE_LIMIT) {
        rc = MYCEL_E_NORM; /* no sum could hold it */
    }
    if (rc == 0) {
        out->norm = sqrtf(stats.squared_norm);
    }
    return rc;
}

void verify_update(const uint8_t *body, size_t bytes, const struct verify_expected *expected,
                   struct engine_event_update *out)
{
    sha256(body, bytes, out->digest);
    memset(&out->report, 0, sizeof out->report);
    out->norm = 0;
    out->status = check_frame(body, bytes, expected, out);
}
