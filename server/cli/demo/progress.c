/* Follows the demo's run through the coordinator's log and database. */
#include "server/cli/demo/progress.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

void progress_init(struct progress *p, uint32_t run)
{
    memset(p, 0, sizeof *p);
    p->run = run;
    p->open_round = 1;
}

void progress_restarted(struct progress *p)
{
    p->earlier_up += p->here_up;
    p->earlier_down += p->here_down;
    p->here_up = p->here_down = 0;
    p->line_bytes = 0;
}

/* ---- log ---------------------------------------------------------------------------------- */

static uint64_t field(const json_t *line, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(line, name));
    return value > 0 ? (uint64_t)value : 0u;
}

/* Device names end in their number: the demo has given them. */
static void note_report(struct progress *p, const json_t *line)
{
    const char *name = json_string_value(json_object_get(line, "device"));
    uint32_t round = (uint32_t)field(line, "round");
    unsigned number = 0;
    if (name == NULL || sscanf(name, "device-%u", &number) != 1 || number == 0 ||
        number > PROGRESS_DEVICES_MAX || round < p->open_round) {
        return;
    }
    if (round > p->open_round) {
        p->open_round = round;
        p->reported_count = 0;
        memset(p->reported, 0, sizeof p->reported);
    }
    if (!p->reported[number - 1u]) {
        p->reported[number - 1u] = true;
        p->reported_count++;
    }
}

static void take_told(struct progress_round *round, const struct progress_told *told)
{
    if (told->round == round->round) {
        round->bytes_up = told->bytes_up;
        round->bytes_down = told->bytes_down;
        round->told = true;
    }
}

static void note_commit(struct progress *p, const json_t *line)
{
    uint32_t round = (uint32_t)field(line, "round");
    struct progress_told *told = &p->told[round % PROGRESS_TOLD_MAX];
    p->here_up = field(line, "bytes_up");
    p->here_down = field(line, "bytes_down");
    p->bytes_up = p->earlier_up + p->here_up;
    p->bytes_down = p->earlier_down + p->here_down;
    *told = (struct progress_told){round, p->bytes_up, p->bytes_down};
    for (size_t i = p->count; i > 0 && p->rounds[i - 1u].round >= round; i--) {
        take_told(&p->rounds[i - 1u], told);
    }
}

static void note_problem(struct progress *p, const json_t *line, const char *event)
{
    static const char *const details[] = {"problem", "error", "reason", "text", "what"};
    const char *level = json_string_value(json_object_get(line, "level"));
    if (level == NULL || strcmp(level, "error") != 0) {
        return;
    }
    const char *detail = NULL;
    for (size_t i = 0; detail == NULL && i < sizeof details / sizeof details[0]; i++) {
        detail = json_string_value(json_object_get(line, details[i]));
    }
    snprintf(p->problem, sizeof p->problem, "%s%s%s", event, detail ? ": " : "",
             detail ? detail : "");
}

static bool take_line(struct progress *p)
{
    json_t *line = json_loadb(p->line, p->line_bytes, 0, NULL);
    const char *event = json_string_value(json_object_get(line, "event"));
    bool matters = false;
    if (event != NULL) {
        bool committed = strcmp(event, "round_committed") == 0;
        if (committed) {
            note_commit(p, line);
        } else if (strcmp(event, "update_accepted") == 0) {
            note_report(p, line);
        }
        note_problem(p, line, event);
        matters =
            committed || strcmp(event, "version_scored") == 0 || strcmp(event, "run_ended") == 0;
    }
    json_decref(line);
    return matters;
}

bool progress_read(struct progress *p, int fd, FILE *log)
{
    char buffer[4096];
    bool matters = false;
    for (ssize_t n = read(fd, buffer, sizeof buffer); n > 0; n = read(fd, buffer, sizeof buffer)) {
        if (log != NULL) {
            (void)fwrite(buffer, 1, (size_t)n, log);
        }
        for (ssize_t i = 0; i < n; i++) {
            if (buffer[i] == '\n') {
                matters = take_line(p) || matters;
                p->line_bytes = 0;
            } else if (p->line_bytes < sizeof p->line) {
                p->line[p->line_bytes++] = buffer[i];
            }
        }
    }
    return matters;
}

/* ---- database ----------------------------------------------------------------------------- */

static int take_round(void *user, const struct store_round *r)
{
    struct progress *p = user;
    bool is_new = p->count == 0 || r->round > p->rounds[p->count - 1u].round;
    if (r->state != STORE_ROUND_COMMITTED || !is_new || p->count == PROGRESS_ROUNDS_MAX) {
        return 0;
    }
    p->rounds[p->count++] = (struct progress_round){
        .round = r->round, .version = r->version, .accepted = r->accepted, .rejected = r->rejected};
    return 0;
}

static void advance_open_round(struct progress *p)
{
    uint32_t next = p->count > 0 ? p->rounds[p->count - 1u].round + 1u : 1u;
    if (next > p->open_round) {
        p->open_round = next;
        p->reported_count = 0;
        memset(p->reported, 0, sizeof p->reported);
    }
}

bool progress_is_settled(const struct progress_round *round, uint64_t elapsed_ms)
{
    return round->told || elapsed_ms - round->at_ms > PROGRESS_TOLD_MS;
}

int progress_refresh(struct progress *p, struct store *store, uint64_t elapsed_ms)
{
    size_t known = p->count;
    struct store_run run;
    int result = store_run_get(store, p->run, &run);
    if (result == MYCEL_OK) {
        result = store_rounds(store, p->run, false, take_round, p);
    }
    for (size_t i = known; i < p->count; i++) {
        p->rounds[i].at_ms = elapsed_ms;
        p->rounds[i].bytes_up = p->bytes_up;
        p->rounds[i].bytes_down = p->bytes_down;
        take_told(&p->rounds[i], &p->told[p->rounds[i].round % PROGRESS_TOLD_MAX]);
    }
    bool all_known = true;
    for (size_t i = 0; result == MYCEL_OK && i < p->count; i++) {
        struct progress_round *round = &p->rounds[i];
        struct store_version version;
        if (!round->scored &&
            store_version_get(store, p->run, round->version, &version) == MYCEL_OK &&
            version.has_metrics) {
            round->scored = true;
            round->accuracy = version.metrics.accuracy;
            round->loss = version.metrics.loss;
        }
        all_known = all_known && round->scored && progress_is_settled(round, elapsed_ms);
    }
    if (result == MYCEL_OK) {
        advance_open_round(p);
        p->state = run.state;
        p->ended = all_known && (run.state == STORE_RUN_FINISHED || run.state == STORE_RUN_STOPPED);
    }
    return result;
}
