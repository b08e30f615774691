/*
 * forwarder: a bad network between real processes on loopback, made in user space from a seed, where
 * the kernel has no netem or nobody may configure it. See --help. It must never be used for anything
 * but tests: it looks at no address and keeps no secret.
 */
#include "relay.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>

static int stop_descriptor(void)
{
    sigset_t ending;
    (void)sigemptyset(&ending);
    (void)sigaddset(&ending, SIGTERM);
    (void)sigaddset(&ending, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &ending, NULL);
    return signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool write_ready(const char *path, unsigned port)
{
    if (path == NULL) {
        return true;
    }
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return false;
    }
    bool written = fprintf(file, "%u\n", port) > 0;
    return fclose(file) == 0 && written;
}

static void print_counts(const struct relay *relay)
{
    static const char *const names[DIRECTIONS] = {"up", "down"};
    printf("{\"event\":\"forwarded\",\"seed\":%" PRIu64 ",\"flows\":%u,\"rebinds\":%" PRIu64,
           relay->options->fate.seed, relay->flow_count, relay->rebinds);
    for (int i = 0; i < DIRECTIONS; i++) {
        const struct relay_counts *c = &relay->counts[i];
        printf(",\"%s\":{\"offered\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"lost\":%" PRIu64
               ",\"duplicated\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"dropped\":%" PRIu64
               ",\"delivered\":%" PRIu64 "}",
               names[i], c->offered, c->bytes, c->lost, c->duplicated, c->reordered, c->dropped,
               c->delivered);
    }
    printf("}\n");
}

int main(int argc, char **argv)
{
    struct options options;
    struct relay relay;
    int done = options_read(&options, argc, argv);
    if (done > 0) {
        return done - 1;
    }
    int stop = stop_descriptor();
    if (stop < 0 || relay_open(&relay, &options) != 0 || !relay_watch_stop(&relay, stop) ||
        !write_ready(options.ready_file, relay_port(&relay))) {
        perror("forwarder");
        return 1;
    }
    fprintf(stderr, "forwarder: listening on port %u\n", relay_port(&relay));
    while (relay_step(&relay)) {
    }
    print_counts(&relay);
    relay_close(&relay);
    return 0;
}
