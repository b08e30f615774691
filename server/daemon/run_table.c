/* A small array, searched from its beginning. Ended runs give way to new ones. */
#include "server/daemon/run_table.h"

#include <stdlib.h>
#include <string.h>

void run_sum_free(struct run_sum *sum)
{
    free(sum->model);
    free(sum->state);
    free(sum->held.model);
    free(sum->held.chain);
    memset(sum, 0, sizeof *sum);
}

struct run_entry *run_table_find(struct run_table *table, uint32_t run)
{
    for (size_t i = 0; i < ENGINE_RUNS_MAX; i++) {
        if (table->entries[i].used && table->entries[i].run.id == run) {
            return &table->entries[i];
        }
    }
    return NULL;
}

static bool ended(const struct run_entry *entry)
{
    return entry->run.state == STORE_RUN_FINISHED || entry->run.state == STORE_RUN_STOPPED;
}

static struct run_entry *free_entry(struct run_table *table)
{
    for (size_t i = 0; i < ENGINE_RUNS_MAX; i++) {
        struct run_entry *entry = &table->entries[i];
        if (!entry->used || ended(entry)) {
            run_sum_free(&entry->sum);
            memset(entry, 0, sizeof *entry);
            return entry;
        }
    }
    return NULL;
}

struct run_entry *run_table_put(struct run_table *table, const struct store_run *run)
{
    struct run_entry *entry = run_table_find(table, run->id);
    if (!entry) {
        entry = free_entry(table);
    }
    if (entry) {
        entry->used = true;
        entry->run = *run;
    }
    return entry;
}

void run_entry_set_state(struct run_entry *entry, uint32_t version, const uint8_t *sha256)
{
    entry->state_version = version;
    memset(entry->state_sha256, 0, sizeof entry->state_sha256);
    if (sha256) {
        memcpy(entry->state_sha256, sha256, sizeof entry->state_sha256);
    }
}

void run_entry_set_sum(struct run_entry *entry, const struct run_sum *sum)
{
    run_sum_free(&entry->sum);
    entry->sum = *sum;
}

bool run_entry_take_sum(struct run_entry *entry, uint32_t round, uint32_t attempt,
                        struct run_sum *out)
{
    if (!entry->sum.model || entry->sum.round != round || entry->sum.attempt != attempt) {
        return false;
    }
    *out = entry->sum;
    memset(&entry->sum, 0, sizeof entry->sum);
    return true;
}

void run_entry_add_chain(struct run_entry *entry, const struct downlink_chain *chain)
{
    entry->chains[entry->chain_count++ % DOWNLINK_CHAINS_KEPT] = *chain;
}

const struct downlink_chain *run_entry_chain(const struct run_entry *entry, uint32_t version)
{
    for (uint32_t i = 0; i < DOWNLINK_CHAINS_KEPT; i++) {
        if (entry->chains[i].frames > 0 && entry->chains[i].version == version) {
            return &entry->chains[i];
        }
    }
    return NULL;
}

static bool leads_from(const struct downlink_chain *chain, const uint8_t *sha256, uint32_t *step)
{
    for (*step = 0; *step < chain->frames; (*step)++) {
        if (memcmp(chain->steps[*step].patch_sha256, sha256, PROTO_SHA256_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

static bool leads_to(const struct downlink_chain *chain, const uint8_t *sha256, uint32_t *step)
{
    *step = chain->frames - 1u;
    return chain->frames > 0 &&
           memcmp(chain->steps[*step].held_sha256, sha256, PROTO_SHA256_BYTES) == 0;
}

static bool find_chain(const struct run_table *table, const uint8_t *sha256,
                       bool (*fits)(const struct downlink_chain *chain, const uint8_t *sha256,
                                    uint32_t *step),
                       struct run_chain *out)
{
    for (size_t i = 0; i < ENGINE_RUNS_MAX; i++) {
        const struct run_entry *entry = &table->entries[i];
        for (uint32_t k = 0; entry->used && k < DOWNLINK_CHAINS_KEPT; k++) {
            if (fits(&entry->chains[k], sha256, &out->step)) {
                out->entry = entry;
                out->chain = &entry->chains[k];
                return true;
            }
        }
    }
    return false;
}

bool run_table_patch(const struct run_table *table, const uint8_t sha256[PROTO_SHA256_BYTES],
                     struct run_chain *out)
{
    return find_chain(table, sha256, leads_from, out);
}

bool run_table_held(const struct run_table *table, const uint8_t sha256[PROTO_SHA256_BYTES],
                    struct run_chain *out)
{
    return find_chain(table, sha256, leads_to, out);
}

void run_table_clear(struct run_table *table)
{
    for (size_t i = 0; i < ENGINE_RUNS_MAX; i++) {
        run_sum_free(&table->entries[i].sum);
    }
    memset(table, 0, sizeof *table);
}
