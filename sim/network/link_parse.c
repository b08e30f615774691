/*
 * A link as a scenario writes it. The radio's name comes first; what is not said is the radio's own.
 */
#include "sim/network/link.h"

#include <mycel/error.h>

#include <string.h>

#define NAME_BYTES_MAX 16 /* of a radio, with its NUL */

static const struct radio *radio_named(const struct option_word *word)
{
    char name[NAME_BYTES_MAX];
    if (word->bytes >= sizeof name) {
        return NULL;
    }
    memcpy(name, word->at, word->bytes);
    name[word->bytes] = '\0';
    return radio_find(name);
}

int link_parse(const char *text, const struct radio **radio, struct link_path *path,
               struct option_error *error)
{
    static const double hops_range[2] = {1, LINK_HOPS_MAX};
    static const double poll_range[2] = {0, 3600};
    static const double kbps_range[2] = {0.001, 1e8};
    static const double ms_range[2] = {0, 60000};
    static const double queue_range[2] = {0.001, LINK_WAIT_MS_MAX / 2000.0};
    static const double mtu_range[2] = {RADIO_IP_UDP_BYTES, UINT16_MAX};
    struct option_list list;
    int rc = option_parse(text, &list, error);
    if (rc != 0) {
        return rc;
    }
    *radio = radio_named(&list.kind);
    if (!*radio) {
        return option_fail(error, text, text, "unknown radio");
    }
    double hops = 1;
    double poll_s = 0;
    double kbps = 0;
    double latency_ms = 0;
    double queue_s = LINK_QUEUE_US_MAX / 1e6;
    double mtu = (*radio)->mtu_bytes;
    if (option_number(&list, "hops", hops_range, &hops, error) < 0 ||
        option_seconds(&list, "poll", poll_range, &poll_s, error) < 0 ||
        option_number(&list, "kbps", kbps_range, &kbps, error) < 0 ||
        option_number(&list, "latency", ms_range, &latency_ms, error) < 0 ||
        option_seconds(&list, "queue", queue_range, &queue_s, error) < 0 ||
        option_number(&list, "mtu", mtu_range, &mtu, error) < 0) {
        return MYCEL_E_MALFORMED;
    }
    *path = (struct link_path){
        .backhaul_bps = (uint64_t)(kbps * 1000),
        .backhaul_latency_us = (uint32_t)(latency_ms * 1000),
        .poll_us = (uint32_t)(poll_s * 1e6),
        .queue_us_max = (uint32_t)(queue_s * 1e6),
        .mtu_bytes = (uint16_t)mtu,
        .hops = (uint8_t)hops,
    };
    return option_done(&list, error);
}
