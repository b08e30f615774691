/* Actions as readable lines. */
#include "tests/unit/server/engine/script.h"

/* Its hash: what comes before stands beside it. */
static void print_key(const uint8_t key[PROTO_KEY_BYTES], FILE *out)
{
    fprintf(out, " key %02x%02x%02x%02x", key[12], key[13], key[14], key[15]);
}

static void print_window(const struct engine_window *window, FILE *out)
{
    fprintf(out, " window %u..%u", window->earliest_ms, window->latest_ms);
}

static void print_lease(const struct engine_lease *lease, uint64_t left_ms, FILE *out)
{
    fprintf(out, " device %u %u/%u/%u/%u codec %u seed %016llx left %llu", lease->device,
            lease->run, lease->round, lease->attempt, lease->base.version, lease->codec,
            (unsigned long long)lease->seed, (unsigned long long)left_ms);
    print_key(lease->key, out);
}

static void print_receipt(const struct engine_receipt *r, FILE *out)
{
    fprintf(out, " device %u %u/%u/%u/%u status %s counted %u%s digest %02x", r->device, r->run,
            r->round, r->attempt, r->base_version, mycel_error_name(r->status), r->counted_round,
            r->late ? " late" : "", r->digest[0]);
    print_window(&r->window, out);
}

static void print_learned(const struct engine_learned *learned, FILE *out)
{
    fprintf(out, " drop %u/1000 of %u rounds, round %u ms, gap %u ms", learned->drop_permille,
            learned->drop_rounds, learned->round_ms, learned->gap_ms);
    if (learned->report_ms > 0) {
        fprintf(out, ", report %u ms", learned->report_ms);
    }
    if (learned->evaluated) {
        fprintf(out, ", best %.3f in %u", (double)learned->best, learned->best_version);
    }
}

static void print_round(const struct engine_action_round *row, FILE *out)
{
    fprintf(out, " %u/%u/%u/%u %s granted %u accepted %u rejected %u weight %llu", row->run,
            row->round, row->attempt, row->base_version, engine_round_name(row->state),
            row->granted, row->accepted, row->rejected, (unsigned long long)row->weight);
    if (row->started) {
        fprintf(out, " age %llu", (unsigned long long)row->age_ms);
    }
    if (row->version > 0) {
        fprintf(out, " version %u", row->version);
    }
}

static void print_reply(const struct engine_action *a, FILE *out)
{
    switch (a->type) {
    case ENGINE_ACTION_REPLY_LEASE:
        fprintf(out, "REPLY_LEASE");
        print_lease(&a->u.lease.lease, a->u.lease.left_ms, out);
        break;
    case ENGINE_ACTION_REPLY_WINDOW:
        fprintf(out, "REPLY_WINDOW device %u run %u %s", a->u.window.device, a->u.window.run,
                engine_why_name(a->u.window.why));
        print_window(&a->u.window.window, out);
        break;
    case ENGINE_ACTION_REPLY_ADMIT:
        fprintf(out, "REPLY_ADMIT run %u up to %llu bytes", a->u.admit.run,
                (unsigned long long)a->u.admit.bytes_max);
        break;
    case ENGINE_ACTION_REPLY_RECEIPT:
        fprintf(out, "REPLY_RECEIPT");
        print_receipt(&a->u.receipt, out);
        break;
    case ENGINE_ACTION_REPLY_PROBLEM:
        fprintf(out, "REPLY_PROBLEM %s", mycel_error_name(a->u.problem.status));
        if (a->u.problem.bytes_max > 0) {
            fprintf(out, " at most %llu bytes", (unsigned long long)a->u.problem.bytes_max);
        }
        if (a->u.problem.window.latest_ms > 0) {
            print_window(&a->u.problem.window, out);
        }
        break;
    default:
        fprintf(out, "LOOKUP_RECEIPT device %u", a->u.lookup.device);
        print_key(a->u.lookup.key, out);
        if (a->u.lookup.digest_set) {
            fprintf(out, " digest %02x", a->u.lookup.digest[0]);
        }
        break;
    }
}

static void print_update(const struct engine_action_update *row, FILE *out)
{
    fprintf(out, "STORE_UPDATE");
    print_receipt(&row->receipt, out);
    fprintf(out, " weight %llu staleness %u scale %u", (unsigned long long)row->weight,
            row->staleness, row->scale_q16);
}

static void print_audit(const struct engine_action_audit *row, FILE *out)
{
    fprintf(out, "STORE_AUDIT %s run %u round %u device %u", engine_audit_name(row->what), row->run,
            row->round, row->device);
    if (row->status != 0) {
        fprintf(out, " %s", mycel_error_name(row->status));
    }
}

static void print_store(const struct engine_action *a, FILE *out)
{
    switch (a->type) {
    case ENGINE_ACTION_STORE_RUN:
        fprintf(out, "STORE_RUN %u %s", a->u.run_row.run, engine_phase_name(a->u.run_row.phase));
        print_learned(&a->u.run_row.learned, out);
        break;
    case ENGINE_ACTION_STORE_ROUND:
        fprintf(out, "STORE_ROUND");
        print_round(&a->u.round_row, out);
        break;
    case ENGINE_ACTION_STORE_LEASE:
        fprintf(out, "STORE_LEASE");
        print_lease(&a->u.lease_row.lease, a->u.lease_row.left_ms, out);
        break;
    case ENGINE_ACTION_STORE_UPDATE:
        print_update(&a->u.update_row, out);
        break;
    case ENGINE_ACTION_STORE_DEVICE:
        fprintf(out, "STORE_DEVICE %u strikes %u quarantine %llu", a->u.device_row.device,
                a->u.device_row.strikes, (unsigned long long)a->u.device_row.quarantine_ms);
        break;
    case ENGINE_ACTION_STORE_WHY:
        fprintf(out, "STORE_WHY device %u run %u %s", a->u.why_row.device, a->u.why_row.run,
                engine_why_name(a->u.why_row.why));
        break;
    case ENGINE_ACTION_STORE_METRICS:
        fprintf(out, "STORE_METRICS run %u version %u accuracy %.3f", a->u.metrics_row.run,
                a->u.metrics_row.version, (double)a->u.metrics_row.metrics.accuracy);
        break;
    case ENGINE_ACTION_STORE_AUDIT:
        print_audit(&a->u.audit_row, out);
        break;
    default:
        fprintf(out, "PUBLISH %u/%u/%u version %u on %u sha256 %02x", a->u.publish.run,
                a->u.publish.round, a->u.publish.attempt, a->u.publish.version.version,
                a->u.publish.parent_version, a->u.publish.version.sha256[0]);
        break;
    }
}

void script_print(const struct engine_action *a, FILE *out)
{
    fprintf(out, "  ");
    if (a->type <= ENGINE_ACTION_LOOKUP_RECEIPT) {
        print_reply(a, out);
    } else if (a->type <= ENGINE_ACTION_PUBLISH) {
        print_store(a, out);
    } else if (a->type == ENGINE_ACTION_AGGREGATE) {
        fprintf(out, "AGGREGATE %u/%u/%u/%u accepted %u weight %llu", a->u.aggregate.run,
                a->u.aggregate.round, a->u.aggregate.attempt, a->u.aggregate.base_version,
                a->u.aggregate.accepted, (unsigned long long)a->u.aggregate.weight);
    } else if (a->type == ENGINE_ACTION_EVALUATE) {
        fprintf(out, "EVALUATE run %u version %u", a->u.evaluate.run,
                a->u.evaluate.version.version);
    } else if (a->u.wake_at_ms == ENGINE_NEVER) {
        fprintf(out, "WAKE_AT never");
    } else {
        fprintf(out, "WAKE_AT %llu", (unsigned long long)a->u.wake_at_ms);
    }
    if (a->after > 0) {
        fprintf(out, " after batch %llu", (unsigned long long)a->after);
    }
    fprintf(out, "\n");
}
