#include "server/engine/receipt.h"

#include "server/engine/key.h"

const struct receipt_slot *receipt_find(const struct engine *e, const uint8_t key[PROTO_KEY_BYTES])
{
    uint32_t slot = table_first(&e->by_receipt, key_hash(key));

    while (slot != TABLE_END && !key_equal(e->receipts[slot].receipt.key, key)) {
        slot = table_next(&e->by_receipt, slot);
    }
    return slot == TABLE_END ? NULL : &e->receipts[slot];
}

void receipt_keep(struct engine *e, const struct engine_receipt *receipt, uint64_t batch)
{
    uint32_t slot = e->receipt_next;
    struct receipt_slot *place = &e->receipts[slot];

    if (e->receipt_count == e->config.receipt_max) {
        table_remove(&e->by_receipt, key_hash(place->receipt.key), slot);
    } else {
        e->receipt_count++;
    }
    place->receipt = *receipt;
    place->batch = batch;
    table_put(&e->by_receipt, key_hash(receipt->key), slot);
    e->receipt_next = slot + 1 < e->config.receipt_max ? slot + 1 : 0;
}
