/*
 * Bodies of accepted updates until their round is published. Bodies that are counted in the same round and come in
 * the same transaction are one row: a row of many pages costs little more than its pages, and goes as one, while
 * small rows cost as much as the updates themselves. Used by store_update.c and transaction.c only.
 */
#ifndef SERVER_STORE_SPOOL_H
#define SERVER_STORE_SPOOL_H

#include "server/store/blob.h"

#define SPOOL_BATCH_BYTES 65536u /* a row of several bodies has so many at most */
#define SPOOL_SMALL_BYTES 16384u /* a larger body is a row of its own, and not copied */

/* Where a body is put. */
struct spool_place {
    bool kept;    /* false: there is none, or it is not needed */
    uint64_t row; /* number of the update that begins the row */
    uint64_t at;
    uint64_t bytes;
};

/* Says where the body of the update goes that is added next. */
int spool_reserve(struct store *store, const struct store_update *update,
                  struct spool_place *place);

/* Puts it there, now or with the transaction's end. The update's row is there already. NO_MEMORY. */
int spool_add(struct store *store, const struct store_update *update,
              const struct spool_place *place);

/* Writes what spool_add() has gathered; before a commit, and before a part may have to be undone. */
int spool_flush(struct store *store);

/* Forgets it: the transaction is undone. */
void spool_forget(struct store *store);

#endif
