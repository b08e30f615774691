/* Implementation of options.h. */
#include "options.h"

#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 128
#define MS 1000.0
#define DEFAULT_REORDER_US 30000u
#define DEFAULT_BUFFER_US 2000000u
#define EXIT_USAGE 2

static const char help[] =
    "Usage: forwarder --to ADDRESS:PORT [OPTION]...\n"
    "Passes UDP datagrams on between any number of clients and one server, and treats them as "
    "badly\n"
    "as it is told. The same seed and the same traffic: the same fate of every datagram. SIGTERM "
    "or\n"
    "SIGINT ends it, and it prints what it did as one line of JSON.\n"
    "\n"
    "  --to ADDRESS:PORT      where datagrams go (numeric; [v6]:PORT)\n"
    "  --listen ADDRESS:PORT  where clients send to (127.0.0.1:0: a free port)\n"
    "  --ready-file FILE      write the port in use there\n"
    "  --seed N               of all chances (1)\n"
    "  --loss PERCENT         of the frames are lost, each way (0)\n"
    "  --frame-bytes N        a datagram is cut into frames of N bytes and needs all of them "
    "(one)\n"
    "  --duplicate PERCENT    of the datagrams arrive twice (0)\n"
    "  --reorder PERCENT      of the datagrams arrive --reorder-ms late (0)\n"
    "  --reorder-ms MS        (30)\n"
    "  --rtt-ms MS            round trip time, half of it each way (0)\n"
    "  --jitter-ms MS         each datagram is late by 0 to MS (0)\n"
    "  --kbit N               bandwidth each way, shared by all, in 1,000 bits a second (no "
    "limit)\n"
    "  --header-bytes N       of UDP and IP, which each datagram has on that link, too (0)\n"
    "  --buffer-ms MS         what would wait longer for the link is dropped (2000)\n"
    "  --rebind N             a client's port at the server changes after every N datagrams "
    "(never)\n"
    "  --help\n";

enum flag {
    FLAG_TO = 1,
    FLAG_LISTEN,
    FLAG_READY_FILE,
    FLAG_SEED,
    FLAG_LOSS,
    FLAG_FRAME_BYTES,
    FLAG_DUPLICATE,
    FLAG_REORDER,
    FLAG_REORDER_MS,
    FLAG_RTT_MS,
    FLAG_JITTER_MS,
    FLAG_KBIT,
    FLAG_HEADER_BYTES,
    FLAG_BUFFER_MS,
    FLAG_REBIND,
    FLAG_HELP
};

static const struct option flags[] = {{"to", required_argument, NULL, FLAG_TO},
                                      {"listen", required_argument, NULL, FLAG_LISTEN},
                                      {"ready-file", required_argument, NULL, FLAG_READY_FILE},
                                      {"seed", required_argument, NULL, FLAG_SEED},
                                      {"loss", required_argument, NULL, FLAG_LOSS},
                                      {"frame-bytes", required_argument, NULL, FLAG_FRAME_BYTES},
                                      {"duplicate", required_argument, NULL, FLAG_DUPLICATE},
                                      {"reorder", required_argument, NULL, FLAG_REORDER},
                                      {"reorder-ms", required_argument, NULL, FLAG_REORDER_MS},
                                      {"rtt-ms", required_argument, NULL, FLAG_RTT_MS},
                                      {"jitter-ms", required_argument, NULL, FLAG_JITTER_MS},
                                      {"kbit", required_argument, NULL, FLAG_KBIT},
                                      {"header-bytes", required_argument, NULL, FLAG_HEADER_BYTES},
                                      {"buffer-ms", required_argument, NULL, FLAG_BUFFER_MS},
                                      {"rebind", required_argument, NULL, FLAG_REBIND},
                                      {"help", no_argument, NULL, FLAG_HELP},
                                      {0}};

/* "ADDRESS:PORT" or "[v6]:PORT", both numeric. */
static bool read_endpoint(const char *text, struct endpoint *out)
{
    char name[NAME_BYTES];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof name) {
        return false;
    }
    bool bracketed = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    snprintf(name, sizeof name, "%.*s", (int)(colon - text) - (bracketed ? 2 : 0),
             text + (bracketed ? 1 : 0));
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(name, colon + 1, &hints, &found) != 0) {
        return false;
    }
    memcpy(&out->address, found->ai_addr, found->ai_addrlen);
    out->bytes = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

/* A number in 0 … most, times `unit`. */
static bool read_number(const char *text, double most, double unit, double *out)
{
    char *end;
    double value = strtod(text, &end);
    *out = value * unit;
    return end != text && *end == '\0' && value >= 0.0 && value <= most;
}

static bool read_u32(const char *text, double most, double unit, uint32_t *out)
{
    double value = 0.0;
    bool valid = read_number(text, most, unit, &value);
    *out = valid ? (uint32_t)value : 0;
    return valid;
}

static bool read_flag(struct options *o, enum flag flag, const char *text)
{
    double number = 0.0;
    uint32_t rtt_us = 0;
    bool valid;
    switch (flag) {
    case FLAG_TO:
        return read_endpoint(text, &o->to);
    case FLAG_LISTEN:
        return read_endpoint(text, &o->listen);
    case FLAG_READY_FILE:
        o->ready_file = text;
        return true;
    case FLAG_SEED:
        valid = read_number(text, 0x1p53, 1.0, &number);
        o->fate.seed = (uint64_t)number;
        return valid;
    case FLAG_LOSS:
        return read_number(text, 100.0, 0.01, &o->fate.loss);
    case FLAG_DUPLICATE:
        return read_number(text, 100.0, 0.01, &o->fate.duplicate);
    case FLAG_REORDER:
        return read_number(text, 100.0, 0.01, &o->fate.reorder);
    case FLAG_FRAME_BYTES:
        return read_u32(text, 65535.0, 1.0, &o->fate.frame_bytes);
    case FLAG_REORDER_MS:
        return read_u32(text, 60000.0, MS, &o->fate.reorder_us);
    case FLAG_JITTER_MS:
        return read_u32(text, 60000.0, MS, &o->fate.jitter_us);
    case FLAG_RTT_MS:
        valid = read_u32(text, 60000.0, MS, &rtt_us);
        o->delay_us = rtt_us / 2u;
        return valid;
    case FLAG_KBIT:
        return read_u32(text, 10e6, 125.0, &o->bytes_per_second);
    case FLAG_HEADER_BYTES:
        return read_u32(text, 1000.0, 1.0, &o->header_bytes);
    case FLAG_BUFFER_MS:
        return read_u32(text, 60000.0, MS, &o->buffer_us);
    case FLAG_REBIND:
        return read_u32(text, 1e9, 1.0, &o->rebind);
    case FLAG_HELP:
        break;
    }
    return false;
}

int options_read(struct options *o, int argc, char **argv)
{
    *o = (struct options){
        .fate = {.seed = 1, .reorder_us = DEFAULT_REORDER_US},
        .buffer_us = DEFAULT_BUFFER_US,
    };
    (void)read_endpoint("127.0.0.1:0", &o->listen);
    int flag;
    int index = 0;
    while ((flag = getopt_long(argc, argv, "", flags, &index)) != -1) {
        if (flag == FLAG_HELP) {
            fputs(help, stdout);
            return 1;
        }
        if (flag == '?') {
            return EXIT_USAGE + 1; /* getopt has said why */
        }
        if (!read_flag(o, (enum flag)flag, optarg)) {
            fprintf(stderr, "forwarder: --%s %s makes no sense\n", flags[index].name, optarg);
            return EXIT_USAGE + 1;
        }
    }
    if (o->to.bytes == 0 || optind < argc) {
        fputs("forwarder: --to ADDRESS:PORT and options only; see --help\n", stderr);
        return EXIT_USAGE + 1;
    }
    return 0;
}
