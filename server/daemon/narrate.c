/* Tells the log what has become durable: called once for each row of a committed batch. */
#include "server/daemon/shell.h"

#include <math.h>

static const char *device_name(const struct shell *shell, uint32_t device)
{
    const struct roster_entry *entry = roster_get(shell->access.roster, device);
    return entry ? entry->identity : "?";
}

/* One that counts is worth no line unless somebody looks closely: there are as many as devices, and the round
 * tells their number. */
static void tell_update(struct shell *shell, const struct engine_action_update *row,
                        const struct batch_facts *facts)
{
    const struct engine_receipt *receipt = &row->receipt;
    const char *event = receipt->status < 0 ? "update_rejected"
                        : receipt->late     ? "update_late"
                                            : "update_accepted";
    LOG(&shell->log, receipt->status < 0 ? LOG_WARN : LOG_DEBUG, event,
        log_uint("run", receipt->run), log_uint("round", receipt->round),
        log_text("device", device_name(shell, receipt->device)),
        log_uint("samples", row->report.samples), log_real("loss", row->report.loss_last),
        log_uint("bytes", facts->body_bytes),
        log_text("reason", receipt->status < 0 ? mycel_error_name(receipt->status) : "OK"));
}

static void tell_round(struct shell *shell, const struct engine_action_round *row)
{
    if (row->state != ENGINE_ROUND_COMMITTED && row->state != ENGINE_ROUND_ABANDONED) {
        LOG(&shell->log, LOG_DEBUG, "round_state", log_uint("run", row->run),
            log_uint("round", row->round), log_text("state", engine_round_name(row->state)),
            log_uint("granted", row->granted), log_uint("accepted", row->accepted));
        return;
    }
    struct net_stats stats;
    net_stats(shell->net, &stats);
    LOG(&shell->log, LOG_INFO,
        row->state == ENGINE_ROUND_COMMITTED ? "round_committed" : "round_abandoned",
        log_uint("run", row->run), log_uint("round", row->round), log_uint("attempt", row->attempt),
        log_uint("version", row->version), log_uint("accepted", row->accepted),
        log_uint("rejected", row->rejected), log_uint("weight", row->weight),
        log_uint("bytes_up", stats.bytes_in), log_uint("bytes_down", stats.bytes_out));
}

static void tell_run(struct shell *shell, const struct engine_action_run *row)
{
    struct run_entry *entry = run_table_find(&shell->runs, row->run);
    if (row->phase == ENGINE_PHASE_RUNNING || !entry) {
        return;
    }
    LOG(&shell->log, LOG_INFO, "run_ended", log_uint("run", row->run),
        log_text("state", engine_phase_name(row->phase)),
        log_real("best_accuracy", row->learned.evaluated ? row->learned.best : NAN));
}

static void tell_metrics(struct shell *shell, const struct engine_action_metrics *row)
{
    LOG(&shell->log, LOG_INFO, "version_scored", log_uint("run", row->run),
        log_uint("version", row->version), log_real("accuracy", row->metrics.accuracy),
        log_real("loss", row->metrics.loss), log_uint("samples", row->metrics.samples));
}

static void tell_audit(struct shell *shell, const struct engine_action_audit *row)
{
    LOG(&shell->log, row->status < 0 ? LOG_WARN : LOG_INFO, "audit",
        log_text("what", engine_audit_name(row->what)), log_uint("run", row->run),
        log_uint("round", row->round),
        log_text("device", row->device ? device_name(shell, row->device) : ""),
        log_text("reason", mycel_error_name(row->status)));
}

void narrate(struct shell *shell, const struct engine_action *row, const struct batch_facts *facts)
{
    switch (row->type) {
    case ENGINE_ACTION_STORE_UPDATE:
        tell_update(shell, &row->u.update_row, facts);
        break;
    case ENGINE_ACTION_STORE_ROUND:
        tell_round(shell, &row->u.round_row);
        break;
    case ENGINE_ACTION_STORE_RUN:
        tell_run(shell, &row->u.run_row);
        break;
    case ENGINE_ACTION_STORE_METRICS:
        tell_metrics(shell, &row->u.metrics_row);
        break;
    case ENGINE_ACTION_STORE_AUDIT:
        tell_audit(shell, &row->u.audit_row);
        break;
    default:
        break;
    }
}
