/* Implementation of mailbox.h. */
#include "server/net/mailbox.h"

#include <mycel/error.h>

int mailbox_open(struct mailbox *box, uv_loop_t *loop, uv_async_cb rung, void *user)
{
    *box = (struct mailbox){.open = true};
    if (uv_mutex_init(&box->lock) != 0) {
        return MYCEL_E_NO_MEMORY;
    }
    if (uv_async_init(loop, &box->bell, rung) != 0) {
        uv_mutex_destroy(&box->lock);
        return MYCEL_E_NO_MEMORY;
    }
    box->bell.data = user;
    return 0;
}

/* Takes the datagrams out. */
static uint32_t lose_datagrams(struct letters *letters)
{
    struct letters kept = {0};
    struct letter *letter;
    uint32_t lost = 0;
    while ((letter = letters_take(letters)) != NULL) {
        if (letter->type == LETTER_DATAGRAM) {
            letter_free(letter);
            lost++;
        } else {
            letters_add(&kept, letter);
        }
    }
    *letters = kept;
    return lost;
}

uint32_t mailbox_post(struct mailbox *box, struct letters *letters)
{
    uint32_t lost = 0;
    uv_mutex_lock(&box->lock);
    if (box->open && box->in.count >= MAILBOX_DATAGRAMS_MAX) {
        lost = lose_datagrams(letters);
    }
    if (box->open && letters->count > 0) {
        bool was_empty = box->in.count == 0; /* else the owner has been rung already */
        letters_append(&box->in, letters);
        if (was_empty) {
            (void)uv_async_send(&box->bell); /* under the lock: it cannot be closed meanwhile */
        }
    }
    uv_mutex_unlock(&box->lock);
    letters_free(letters);
    return lost;
}

struct letters mailbox_take(struct mailbox *box)
{
    uv_mutex_lock(&box->lock);
    struct letters in = box->in;
    box->in = (struct letters){0};
    uv_mutex_unlock(&box->lock);
    return in;
}

void mailbox_shut(struct mailbox *box, uv_close_cb closed)
{
    uv_mutex_lock(&box->lock);
    box->open = false;
    uv_mutex_unlock(&box->lock);
    letters_free(&box->in);
    uv_close((uv_handle_t *)&box->bell, closed);
}

void mailbox_deinit(struct mailbox *box)
{
    letters_free(&box->in);
    uv_mutex_destroy(&box->lock);
}
