/*
 * What a loop does once a turn: before it sleeps and after it has polled. Datagrams and letters are collected
 * meanwhile, and sent in one go then. It owns two of the loop's handles, and must never know what is sent.
 */
#ifndef MYCEL_SERVER_NET_TURN_H
#define MYCEL_SERVER_NET_TURN_H

#include <uv.h>

struct turn {
    uv_prepare_t prepare;
    uv_check_t check;
    void (*run)(void *user);
    void (*closed)(void *user);
    void *user;
    unsigned handles; /* not yet closed */
};

/* From now on calls `run` on the loop's thread. Cannot fail. */
void turn_open(struct turn *turn, uv_loop_t *loop, void (*run)(void *user), void *user);

/* No more calls; `closed` comes when the memory may go. */
void turn_close(struct turn *turn, void (*closed)(void *user));

#endif
