/* Implementation of forwarder_process.h. */
#include "forwarder_process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka needs those above
#include <cmocka.h>

#define ARGS_MAX 40
#define READY_MS 10u
#define LOG_BYTES_MAX 65536

uint16_t forwarder_start(struct process *process, const char *folder, uint16_t port,
                         uint16_t to_port, const char *const *options)
{
    char listen[32], to[32], ready[HARNESS_PATH_BYTES];
    snprintf(listen, sizeof listen, "127.0.0.1:%u", port);
    snprintf(to, sizeof to, "127.0.0.1:%u", to_port);
    snprintf(ready, sizeof ready, "%.200s/forwarder.ready", folder);
    unlink(ready);
    const char *args[ARGS_MAX] = {"forwarder", "--listen",     listen, "--to",
                                  to,          "--ready-file", ready};
    for (unsigned n = 7; *options; n++) {
        assert_true(n + 1 < ARGS_MAX);
        args[n] = *options++;
    }
    process_spawn(process, FORWARDER_BIN, args);
    for (unsigned waited = 0; waited < HARNESS_WAIT_MS; waited += READY_MS) {
        unsigned got = 0;
        FILE *file = fopen(ready, "r");
        bool whole = file && fscanf(file, "%u", &got) == 1;
        if (file) {
            fclose(file);
        }
        if (whole && got > 0) {
            return (uint16_t)got;
        }
        pause_ms(READY_MS);
    }
    fail_msg("the forwarder did not start");
    return 0;
}

json_t *forwarder_stop(struct process *process)
{
    static char text[LOG_BYTES_MAX];
    kill(process->pid, SIGTERM);
    assert_int_equal(process_wait(process, HARNESS_WAIT_MS), 0);
    FILE *file = fopen(process->log, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    char *line = NULL; /* of the latest run: the log is appended to */
    for (char *at = text; (at = strstr(at, "{\"event\":\"forwarded\"")) != NULL; at++) {
        line = at;
    }
    assert_non_null(line);
    json_t *counts = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(counts);
    return counts;
}
