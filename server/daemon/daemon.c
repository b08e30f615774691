/* Start, signals and end of the coordinator. What happens in between is in the other files. */
#include "server/daemon/settle.h"
#include "server/daemon/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#define HEAP_LARGE_BYTES (256 * 1024) /* from here on a block is a mapping of its own */
#define HEAP_BLOCK_BYTES (128 * 1024)
#define HEAP_ROOM_BLOCKS 36
#define PAGE_BYTES 4096u

/* What a device may ask (RFC 6690), as in the table of docs/PROTOCOL.md, section 3. */
static const char well_known[] = "</" PROTO_PATH_CHECKIN ">;ct=65100,"
                                 "</" PROTO_PATH_MODEL ">;ct=42,"
                                 "</" PROTO_PATH_UPDATE ">;ct=65101,"
                                 "</" PROTO_PATH_ENROL ">;ct=65100,"
                                 "</" PROTO_PATH_REKEY ">;ct=65100";

/* --- the endpoint's questions ----------------------------------------------------------------- */

static void net_line(void *user, enum net_log_level level, const char *line)
{
    struct shell *shell = user;
    static const enum log_level levels[] = {[NET_LOG_ERROR] = LOG_ERROR,
                                            [NET_LOG_WARN] = LOG_WARN,
                                            [NET_LOG_INFO] = LOG_INFO,
                                            [NET_LOG_DEBUG] = LOG_DEBUG};
    LOG(&shell->log, levels[level], "net", log_text("text", line));
}

/* --- opening ---------------------------------------------------------------------------------- */

int shell_reader(const struct shell *shell, struct store **out)
{
    const struct store_options options = {.folder = shell->options->state_dir, .read_only = true};
    char problem[STORE_PROBLEM_BYTES];
    int rc = store_open(&options, out, problem);
    if (rc < 0) {
        LOG(&shell->log, LOG_ERROR, "store_unreadable", log_text("problem", problem));
    }
    return rc;
}

int shell_write(struct shell *shell, struct shell_write *write)
{
    return store_thread_submit(shell->store, &write->job);
}

int shell_write_access(struct shell *shell, struct shell_write *write)
{
    return store_thread_has_room(shell->store, SHELL_WRITES_ACCESS) ? shell_write(shell, write)
                                                                    : MYCEL_E_BUSY;
}

static void on_store_news(uv_async_t *async)
{
    struct shell *shell = async->data;
    struct store_news news;
    store_thread_take(shell->store, &news);
    for (struct store_job *job = news.done, *next; job; job = next) {
        next = job->next;
        struct shell_write *write = (struct shell_write *)(void *)job;
        write->finish(shell, write);
    }
    if (news.changed && !shell->closing) {
        job_reload(shell);
    }
}

/* Frees finished writes unseen, when the daemon ends. */
static void drop_writes(struct store_job *jobs)
{
    for (struct store_job *job = jobs, *next; job; job = next) {
        next = job->next;
        struct shell_write *write = (struct shell_write *)(void *)job;
        write->drop(write);
    }
}

static void wake_loop(void *user)
{
    uv_async_send(user);
}

static int open_store(struct shell *shell, struct restored *restored)
{
    const struct store_options options = {
        .folder = shell->options->state_dir, .create = true, .check = true};
    char problem[STORE_PROBLEM_BYTES];
    struct store *store;
    int rc = store_open(&options, &store, problem);
    if (rc < 0) {
        LOG(&shell->log, LOG_ERROR, "store_refused", log_text("problem", problem));
        return rc;
    }
    rc = settle_runs(store, shell_wall_ms());
    if (rc >= 0) {
        rc = restore_build(store, shell_now_ms(), shell_wall_ms(), shell->record, restored);
    }
    if (rc < 0) {
        LOG(&shell->log, LOG_ERROR, "restore_failed", log_text("error", mycel_error_text(rc)),
            log_text("store", store_problem(store)));
        store_close(store);
        return rc;
    }
    rc = store_thread_start(store, wake_loop, &shell->store_news, &shell->store);
    if (rc < 0) {
        restore_drop(restored);
        store_close(store);
    }
    return rc;
}

static int open_record(struct shell *shell)
{
    const char *path = shell->options->record_file;
    int rc = path ? record_open(path, &shell->record) : MYCEL_OK;
    if (rc < 0) {
        LOG(&shell->log, LOG_ERROR, "event_log_unusable", log_text("path", path),
            log_text("error", mycel_error_text(rc)));
    }
    return rc;
}

static int open_set(struct shell *shell, const char *inputs, const char *labels, const char *event,
                    struct eval_set **out)
{
    char problem[EVAL_PROBLEM_BYTES];
    int rc = inputs ? eval_open(inputs, labels, out, problem) : MYCEL_OK;
    if (rc < 0) {
        LOG(&shell->log, LOG_ERROR, event, log_text("problem", problem));
    }
    return rc;
}

static int open_sets(struct shell *shell)
{
    const struct daemon_options *o = shell->options;
    int rc =
        open_set(shell, o->eval_images, o->eval_labels, "held_out_set_unreadable", &shell->eval);
    return rc == 0 ? open_set(shell, o->root_inputs, o->root_labels, "root_set_unreadable",
                              &shell->root.set)
                   : rc;
}

static int open_net(struct shell *shell)
{
    const struct daemon_options *options = shell->options;
    struct net_config config = {.port = options->port,
                                .peers_max = options->sessions_max,
                                .workers = options->workers,
                                .certificates = options->certificates,
                                .certificate_handshakes_per_s = options->certificate_handshakes,
                                .well_known = well_known,
                                .callbacks = {.user = shell,
                                              .psk_lookup = access_keys,
                                              .certificate_lookup = access_has_certificate,
                                              .wall_ms = access_wall_ms,
                                              .handler = request_handle,
                                              .body_admit = request_admit,
                                              .log = net_line}};
    while (config.addresses < DAEMON_BINDS_MAX && options->bind[config.addresses]) {
        config.address[config.addresses] = options->bind[config.addresses];
        config.addresses++;
    }
    if (config.addresses == 0) {
        config.address[config.addresses++] = "127.0.0.1";
    }
    int rc = net_open(&shell->net, &shell->loop, &config);
    if (rc < 0) {
        LOG(&shell->log, LOG_ERROR, "cannot_listen", log_uint("port", options->port),
            log_text("address", config.address[0]), log_text("error", mycel_error_text(rc)));
    }
    return rc;
}

/* A supervisor, a test or the demo learns the port and that requests are served. */
static int write_ready_file(const struct shell *shell)
{
    const char *path = shell->options->ready_file;
    if (!path) {
        return MYCEL_OK;
    }
    char temporary[4096];
    int n = snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    FILE *file = n > 0 && (size_t)n < sizeof temporary ? fopen(temporary, "w") : NULL;
    bool ok = file && fprintf(file, "%u\n", net_port(shell->net)) > 0;
    ok = file && fclose(file) == 0 && ok;
    ok = ok && rename(temporary, path) == 0;
    if (!ok) {
        LOG(&shell->log, LOG_ERROR, "ready_file_unwritable", log_text("path", path));
    }
    return ok ? MYCEL_OK : MYCEL_E_IO;
}

/* --- closing ---------------------------------------------------------------------------------- */

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void on_net_closed(void *user)
{
    struct shell *shell = user;
    shell->net = NULL;
    uv_walk(&shell->loop, close_handle, NULL);
}

static void shell_stop(struct shell *shell, int status)
{
    if (shell->closing) {
        return;
    }
    shell->closing = true;
    shell->status = status;
    LOG(&shell->log, LOG_INFO, "stopping", log_text("reason", mycel_error_name(status)));
    uv_timer_stop(&shell->wake);
    uv_timer_stop(&shell->rebuild);
    uv_timer_stop(&shell->reload);
    uv_timer_stop(&shell->access.overlap);
    net_close(shell->net, on_net_closed, shell);
}

static void on_end_signal(uv_signal_t *signal, int number)
{
    (void)number;
    shell_stop(signal->data, MYCEL_OK);
}

static void renew_certificates(struct shell *shell)
{
    const struct daemon_options *o = shell->options;
    if (!o->certificates || !o->certificates_again || shell->closing) {
        return;
    }
    int rc = o->certificates_again(o->certificates_user);
    if (rc == 0) {
        rc = net_renew(shell->net, o->certificates);
    }
    LOG(&shell->log, rc == 0 ? LOG_INFO : LOG_ERROR,
        rc == 0 ? "certificates_renewed" : "certificates_kept",
        log_text("reason", mycel_error_name(rc)));
}

static void on_hup(uv_signal_t *signal, int number)
{
    struct shell *shell = signal->data;
    (void)number;
    LOG(&shell->log, LOG_INFO, "reloading", log_text("reason", "SIGHUP"));
    job_reload(shell);
    renew_certificates(shell);
}

/* --- life ------------------------------------------------------------------------------------- */

static int init_handles(struct shell *shell)
{
    int rc = uv_loop_init(&shell->loop);
    if (rc < 0) {
        return MYCEL_E_NO_MEMORY;
    }
    uv_timer_init(&shell->loop, &shell->wake);
    uv_timer_init(&shell->loop, &shell->rebuild);
    uv_timer_init(&shell->loop, &shell->reload);
    rc = uv_async_init(&shell->loop, &shell->store_news, on_store_news);
    uv_signal_init(&shell->loop, &shell->on_term);
    uv_signal_init(&shell->loop, &shell->on_int);
    uv_signal_init(&shell->loop, &shell->on_hup);
    shell->wake.data = shell;
    shell->rebuild.data = shell;
    shell->reload.data = shell;
    shell->store_news.data = shell;
    shell->on_term.data = shell;
    shell->on_int.data = shell;
    shell->on_hup.data = shell;
    return rc < 0 ? MYCEL_E_IO : MYCEL_OK;
}

static int listen_signals(struct shell *shell)
{
    int rc = uv_signal_start(&shell->on_term, on_end_signal, SIGTERM);
    rc |= uv_signal_start(&shell->on_int, on_end_signal, SIGINT);
    rc |= uv_signal_start(&shell->on_hup, on_hup, SIGHUP);
    return rc < 0 ? MYCEL_E_IO : MYCEL_OK;
}

static int shell_open(struct shell *shell)
{
    struct restored restored;
    int rc = ticket_table_init(&shell->tickets);
    if (rc == 0) {
        rc = open_sets(shell);
    }
    if (rc == 0) {
        rc = open_record(shell);
    }
    if (rc == 0) {
        rc = open_store(shell, &restored);
    }
    if (rc < 0) {
        return rc;
    }
    shell->access.roster = restored.roster; /* the endpoint asks for keys as soon as it is open */
    rc = open_net(shell);
    if (rc < 0) {
        shell->access.roster = NULL;
        restore_drop(&restored);
        return rc;
    }
    restore_adopt(shell, &restored);
    access_set_overlap(shell, shell_wall_ms()); /* one may have ended while nobody looked */
    (void)job_reload(shell); /* what was changed after it was read and before the thread watched */
    rc = listen_signals(shell);
    return rc == 0 ? write_ready_file(shell) : rc;
}

/* Waits for the pool and the store; late results are dropped, they are asked for again. */
static void shell_close(struct shell *shell)
{
    if (shell->store) {
        struct store_news news;
        store_thread_stop(shell->store, &news);
        drop_writes(news.done);
    }
    held_clear(&shell->held);
    blob_cache_clear(&shell->blobs);
    body_cache_clear(&shell->bodies);
    ticket_table_deinit(&shell->tickets);
    run_table_clear(&shell->runs);
    access_deinit(shell);
    store_close(shell->reload_reader);
    free(shell->engine_memory);
    eval_close(shell->eval);
    eval_close(shell->root.set);
    record_close(shell->record);
}

/*
 * One heap for all threads: a request takes few blocks, so that they can share it. What a burst took beyond
 * the working room goes back; with a heap for each thread, and a threshold that grows with the largest block
 * ever freed, most of it would stay.
 */
static void heap_settle(void)
{
#if defined(__GLIBC__)
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, 2 * HEAP_ROOM_BLOCKS * HEAP_BLOCK_BYTES);
#endif
}

/* Working room above what the open coordinator occupies is taken now and kept: caches and queues fill into it,
 * so that a coordinator that starts also has what it needs a week later. */
static void heap_take_room(void)
{
#if defined(__GLIBC__)
    uint8_t *volatile room[HEAP_ROOM_BLOCKS];
    for (size_t i = 0; i < HEAP_ROOM_BLOCKS; i++) {
        room[i] = malloc(HEAP_BLOCK_BYTES);
        for (size_t at = 0; room[i] && at < HEAP_BLOCK_BYTES; at += PAGE_BYTES) {
            *(volatile uint8_t *)&room[i][at] = 0;
        }
    }
    for (size_t i = 0; i < HEAP_ROOM_BLOCKS; i++) {
        free(room[i]);
    }
#endif
}

int daemon_run(const struct daemon_options *options)
{
    heap_settle();
    struct shell *shell = calloc(1, sizeof *shell);
    if (!shell) {
        return MYCEL_E_NO_MEMORY;
    }
    shell->options = options;
    shell->root.samples = options->root_samples;
    shell->log = (struct log){stderr, options->log_level, options->log_format};
    held_init(&shell->held);
    int rc = init_handles(shell);
    if (rc == 0) {
        rc = access_init(shell);
    }
    if (rc < 0) {
        free(shell);
        return rc;
    }
    rc = shell_open(shell);
    if (rc == 0) {
        heap_take_room();
        LOG(&shell->log, LOG_INFO, "serving", log_uint("port", net_port(shell->net)),
            log_uint("workers", options->workers > 1 ? options->workers : 1),
            log_uint("devices", roster_count(shell->access.roster)),
            log_text("state", options->state_dir));
    } else if (shell->net) {
        shell_stop(shell, rc);
    } else {
        shell->status = rc;
        uv_walk(&shell->loop, close_handle, NULL);
    }
    uv_run(&shell->loop, UV_RUN_DEFAULT);
    rc = shell->status;
    shell_close(shell);
    uv_loop_close(&shell->loop);
    LOG(&shell->log, LOG_INFO, "stopped", log_text("status", mycel_error_name(rc)));
    free(shell);
    return rc;
}
