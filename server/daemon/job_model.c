/* The engine's own work on the pool: the sum of a round, the score of a version. */
#include "server/daemon/aggregate.h"
#include "server/daemon/job.h"

#include "common/crypto/sha256.h"

#include <stdlib.h>
#include <string.h>

/* --- sum -------------------------------------------------------------------------------------- */

struct sum_job {
    struct job job;
    struct engine_action_aggregate order;
    struct store_run_config config;
    struct body_set kept;
    struct blob_views views;
    struct downlink_chain chain; /* of the base version; no frames: not known */
    struct run_sum sum;
    uint8_t sha256[PROTO_SHA256_BYTES];
};

static int run_sum(struct job *base)
{
    struct sum_job *job = (struct sum_job *)base;
    struct store *reader;
    int rc = shell_reader(base->shell, &reader);
    if (rc < 0) {
        return rc;
    }
    const struct aggregate_from from = {.reader = reader,
                                        .config = &job->config,
                                        .order = &job->order,
                                        .root = &base->shell->root,
                                        .kept = &job->kept,
                                        .views = &job->views,
                                        .chain = &job->chain};
    rc = aggregate_round(&from, &job->sum);
    store_close(reader);
    if (rc == 0) {
        sha256(job->sum.model, job->sum.model_bytes, job->sha256);
        sha256(job->sum.state, job->sum.state_bytes, job->sum.state_sha256);
    }
    return rc;
}

static void free_sum(struct sum_job *job)
{
    body_set_free(&job->kept);
    blob_views_drop(&job->views);
    free(job);
}

static void done_sum(struct job *base)
{
    struct sum_job *job = (struct sum_job *)base;
    struct shell *shell = base->shell;
    struct run_entry *entry = run_table_find(&shell->runs, job->order.run);
    if (base->status < 0) {
        LOG(&shell->log, LOG_ERROR, "aggregation_failed", log_uint("run", job->order.run),
            log_uint("round", job->order.round), log_text("error", mycel_error_text(base->status)));
    }
    if (shell->rebuilding || shell->closing || !entry) {
        run_sum_free(&job->sum); /* the engine asks for it again after a restart */
    } else if (aggregate_may_work_later(base->status)) {
        shell_rebuild(shell, base->status); /* what was accepted is not to be given up for that */
    } else {
        run_entry_set_sum(entry, &job->sum);
        struct engine_event event = {.type = ENGINE_EVENT_AGGREGATED};
        event.u.aggregated.run = job->order.run;
        event.u.aggregated.round = job->order.round;
        event.u.aggregated.attempt = job->order.attempt;
        event.u.aggregated.status = base->status;
        memcpy(event.u.aggregated.sha256, job->sha256, sizeof job->sha256);
        shell_step(shell, &event);
    }
    free_sum(job);
}

int job_aggregate(struct shell *shell, const struct engine_action_aggregate *aggregate)
{
    const struct run_entry *entry = run_table_find(&shell->runs, aggregate->run);
    struct sum_job *job = calloc(1, sizeof *job);
    if (!job || !entry) {
        free(job);
        return entry ? MYCEL_E_NO_MEMORY : MYCEL_E_NOT_FOUND;
    }
    job->job.run = run_sum;
    job->job.done = done_sum;
    job->order = *aggregate;
    job->config = entry->run.config;
    const struct downlink_chain *chain = run_entry_chain(entry, aggregate->base_version);
    if (chain) {
        job->chain = *chain;
    }
    body_cache_take(&shell->bodies, aggregate->run, aggregate->round, &job->kept);
    blob_cache_view(&shell->blobs, &job->views);
    int rc = job_start(shell, &job->job, true);
    if (rc < 0) {
        free_sum(job);
    }
    return rc;
}

/* --- score ------------------------------------------------------------------------------------ */

struct score_job {
    struct job job;
    struct engine_action_evaluate order;
    struct store_run_config config;
    struct blob_views views;
    struct eval_score score;
};

static int score_blob(struct store *reader, struct score_job *job)
{
    const struct blob_source source = {.reader = reader, .views = &job->views};
    struct blob_content model;
    int rc = blob_source_get(&source, job->order.version.sha256, &model);
    if (rc < 0) {
        return rc;
    }
    if (model.bytes != (size_t)job->config.params * sizeof(float)) {
        rc = MYCEL_E_SHAPE;
    } else {
        rc = eval_model(job->job.shell->eval, job->config.model, model.data, job->config.params,
                        &job->score);
    }
    blob_content_free(&model);
    return rc;
}

static int run_score(struct job *base)
{
    struct score_job *job = (struct score_job *)base;
    struct store *reader;
    if (!base->shell->eval) { /* set once, before the loop runs */
        return MYCEL_E_UNSUPPORTED;
    }
    int rc = shell_reader(base->shell, &reader);
    if (rc == 0) {
        rc = score_blob(reader, job);
        store_close(reader);
    }
    return rc;
}

static void done_score(struct job *base)
{
    struct score_job *job = (struct score_job *)base;
    struct shell *shell = base->shell;
    if (base->status < 0 && base->status != MYCEL_E_UNSUPPORTED) {
        LOG(&shell->log, LOG_WARN, "scoring_failed", log_uint("run", job->order.run),
            log_uint("version", job->order.version.version),
            log_text("error", mycel_error_text(base->status)));
    }
    if (!shell->rebuilding && !shell->closing) {
        struct engine_event event = {.type = ENGINE_EVENT_EVALUATED};
        event.u.evaluated.run = job->order.run;
        event.u.evaluated.version = job->order.version.version;
        event.u.evaluated.status = base->status;
        event.u.evaluated.metrics.accuracy = job->score.accuracy;
        event.u.evaluated.metrics.loss = job->score.loss;
        event.u.evaluated.metrics.samples = job->score.samples;
        shell_step(shell, &event);
    }
    blob_views_drop(&job->views);
    free(job);
}

int job_evaluate(struct shell *shell, const struct engine_action_evaluate *evaluate)
{
    const struct run_entry *entry = run_table_find(&shell->runs, evaluate->run);
    struct score_job *job = calloc(1, sizeof *job);
    if (!job || !entry) {
        free(job);
        return entry ? MYCEL_E_NO_MEMORY : MYCEL_E_NOT_FOUND;
    }
    job->job.run = run_score;
    job->job.done = done_score;
    job->order = *evaluate;
    job->config = entry->run.config;
    blob_cache_view(&shell->blobs, &job->views);
    int rc = job_start(shell, &job->job, true);
    if (rc < 0) {
        blob_views_drop(&job->views);
        free(job);
    }
    return rc;
}
