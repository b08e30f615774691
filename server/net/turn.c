/* Implementation of turn.h. */
#include "server/net/turn.h"

static void on_prepare(uv_prepare_t *handle)
{
    const struct turn *turn = handle->data;
    turn->run(turn->user);
}

static void on_check(uv_check_t *handle)
{
    const struct turn *turn = handle->data;
    turn->run(turn->user);
}

void turn_open(struct turn *turn, uv_loop_t *loop, void (*run)(void *user), void *user)
{
    turn->run = run;
    turn->user = user;
    turn->handles = 2;
    (void)uv_prepare_init(loop, &turn->prepare); /* these four cannot fail */
    (void)uv_check_init(loop, &turn->check);
    turn->prepare.data = turn;
    turn->check.data = turn;
    (void)uv_prepare_start(&turn->prepare, on_prepare);
    (void)uv_check_start(&turn->check, on_check);
}

static void on_closed(uv_handle_t *handle)
{
    struct turn *turn = handle->data;
    if (--turn->handles == 0) {
        turn->closed(turn->user);
    }
}

void turn_close(struct turn *turn, void (*closed)(void *user))
{
    turn->closed = closed;
    uv_close((uv_handle_t *)&turn->prepare, on_closed);
    uv_close((uv_handle_t *)&turn->check, on_closed);
}
