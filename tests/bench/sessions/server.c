/* The servers of sessions.h, each in a process of its own, whose time the kernel counts in nanoseconds. */
#include "tests/bench/sessions/sessions.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

/* --- Our endpoint -------------------------------------------------------------------------------- */

static struct net *net;

static int on_lookup(void *user, const char *identity, struct net_psk keys[NET_KEYS_MAX])
{
    (void)user, (void)identity;
    memcpy(keys[0].key, "sixteen-byte-key", 16);
    keys[0].bytes = 16;
    return 1;
}

static void on_request(void *user, const struct net_request *request)
{
    (void)user;
    struct report report;
    struct net_response response = NET_RESPONSE(NET_CODE(2, 5));
    response.payload = "pong", response.payload_bytes = 4;
    if (request->method == NET_POST) {
        struct mallinfo2 info = mallinfo2();
        net_stats(net, &report.stats);
        report.heap_bytes = info.uordblks + info.hblkhd;
        response.payload = &report;
        response.payload_bytes = sizeof report;
    }
    (void)net_reply(net, request->reply, &response);
}

static int on_admit(void *user, const struct net_request *request, uint64_t bytes,
                    struct net_response *refusal)
{
    (void)user, (void)request, (void)bytes, (void)refusal;
    return 1;
}

static bool on_certificate(void *user, const char *identity)
{
    return (void)user, (void)identity, true;
}

static uint64_t on_wall_ms(void *user)
{
    return (void)user, (uint64_t)time(NULL) * 1000u;
}

static void serve(int port_pipe, unsigned workers, const struct pem_texts *texts, unsigned per_s)
{
    uv_loop_t loop;
    struct net_config config = {.address = {"127.0.0.1"},
                                .addresses = 1,
                                .workers = workers,
                                .peers_max = SESSIONS_MAX + SESSIONS_MAX / 8,
                                .live_max = texts != NULL ? 1 : LIVE_MAX,
                                .park_after_ms = 600000,
                                .certificates = texts,
                                .certificate_handshakes_per_s = per_s,
                                .callbacks = {.psk_lookup = on_lookup,
                                              .certificate_lookup = on_certificate,
                                              .wall_ms = on_wall_ms,
                                              .handler = on_request,
                                              .body_admit = on_admit}};
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_NAME, "endpoint");
    if (uv_loop_init(&loop) != 0 || net_open(&net, &loop, &config) != 0) {
        die("the endpoint does not open");
    }
    uint16_t port = net_port(net);
    if (write(port_pipe, &port, sizeof port) != (ssize_t)sizeof port) {
        die("pipe");
    }
    uv_run(&loop, UV_RUN_DEFAULT);
}

static struct server start(unsigned workers, const struct pem_texts *texts, unsigned per_s)
{
    struct server server = {0};
    int port_pipe[2];
    server.pid = pipe(port_pipe) == 0 ? fork() : -1;
    if (server.pid == 0) {
        serve(port_pipe[1], workers, texts, per_s);
        _exit(0);
    }
    if (read(port_pipe[0], &server.port, sizeof server.port) != (ssize_t)sizeof server.port) {
        die("the endpoint did not start");
    }
    close(port_pipe[0]);
    close(port_pipe[1]);
    return server;
}

struct server server_start(unsigned workers)
{
    return start(workers, NULL, 0);
}

struct server server_start_certified(const struct pem_texts *texts, unsigned per_s)
{
    return start(1, texts, per_s);
}

/* --- libcoap's ----------------------------------------------------------------------------------- */

/* A port such that the next one is free too: coap-server takes that for DTLS. */
static uint16_t free_port(void)
{
    for (unsigned i = 0; i < 100; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof at;
        int first = socket(AF_INET, SOCK_DGRAM, 0);
        int next = socket(AF_INET, SOCK_DGRAM, 0);
        bool found = bind(first, (struct sockaddr *)&at, sizeof at) == 0 &&
                     getsockname(first, (struct sockaddr *)&at, &length) == 0;
        uint16_t port = ntohs(at.sin_port);
        at.sin_port = htons((uint16_t)(port + 1));
        found = found && bind(next, (struct sockaddr *)&at, sizeof at) == 0;
        close(first);
        close(next);
        if (found) {
            return port;
        }
    }
    die("no free port");
}

bool server_start_libcoap(struct server *out)
{
    char port[8];
    if (access(COAP_SERVER_BIN, X_OK) != 0) {
        return false;
    }
    uint16_t plain = free_port();
    snprintf(port, sizeof port, "%u", plain);
    *out = (struct server){.pid = fork(), .port = (uint16_t)(plain + 1)};
    if (out->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execl(COAP_SERVER_BIN, "coap-server", "-A", "127.0.0.1", "-p", port, "-k",
              "sixteen-byte-key", "-v", "0", (char *)NULL);
        _exit(127);
    }
    usleep(300000);
    return out->pid > 0 && waitpid(out->pid, NULL, WNOHANG) == 0;
}

/* --- Both ---------------------------------------------------------------------------------------- */

void server_stop(struct server *server)
{
    kill(server->pid, SIGTERM);
    (void)waitpid(server->pid, NULL, 0);
}

/* The number after `label` at the beginning of a line. */
static double number_in(const char *path, const char *label)
{
    char line[256];
    double value = -1;
    FILE *file = fopen(path, "r");
    while (file != NULL && value < 0 && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, label, strlen(label)) == 0) {
            value = strtod(line + strlen(label), NULL);
        }
    }
    if (file == NULL || value < 0) {
        die("no /proc");
    }
    fclose(file);
    return value;
}

double server_cpu_s(const struct server *server)
{
    char folder[64];
    char path[PATH_MAX];
    double ns = 0;
    snprintf(folder, sizeof folder, "/proc/%d/task", (int)server->pid);
    DIR *tasks = opendir(folder);
    if (tasks == NULL) {
        die("the server is gone");
    }
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        if (task->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s/schedstat", folder, task->d_name);
            ns += number_in(path, "");
        }
    }
    closedir(tasks);
    return ns * 1e-9;
}

double server_rss_bytes(const struct server *server)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)server->pid);
    return number_in(path, "VmRSS:") * 1024;
}
