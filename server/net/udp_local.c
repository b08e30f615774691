/* Implementation of udp_local.h. */
#include "server/net/udp_local.h"

#include <string.h>

static const uint8_t nowhere[16];

bool udp_local_enable(int fd, const struct address *address)
{
    int on = 1;
    if (memcmp(address->ip, nowhere, sizeof nowhere) != 0) {
        return true;
    }
    if (address->family == 4) {
        return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0;
    }
    return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0;
}

/* CMSG_NXTHDR wants a header that may be written to. */
void udp_local_read(const struct msghdr *message, struct address *from)
{
    struct msghdr copy = *message;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c != NULL; c = CMSG_NXTHDR(&copy, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            memcpy(from->local, &info.ipi_spec_dst, 4); /* of a broadcast too an address of ours */
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            if (!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) {
                memcpy(from->local, &info.ipi6_addr, 16);
            }
        }
    }
}

/* The interface is left to the route, except where the address means nothing without (link-local). */
size_t udp_local_write(const struct address *to, uint8_t *control)
{
    struct in_pktinfo v4 = {0};
    struct in6_pktinfo v6 = {0};
    if (memcmp(to->local, nowhere, sizeof nowhere) == 0) {
        return 0;
    }
    memcpy(&v4.ipi_spec_dst, to->local, 4);
    memcpy(&v6.ipi6_addr, to->local, 16);
    v6.ipi6_ifindex = to->scope;
    size_t bytes = to->family == 4 ? sizeof v4 : sizeof v6;
    memset(control, 0, CMSG_SPACE(bytes));
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;
    c->cmsg_level = to->family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
    c->cmsg_type = to->family == 4 ? IP_PKTINFO : IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(c), to->family == 4 ? (const void *)&v4 : (const void *)&v6, bytes);
    return CMSG_SPACE(bytes);
}
