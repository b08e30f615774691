/* What the files of the checks share: the books. Nobody outside this folder includes it. */
#ifndef MYCEL_SIM_CHECK_INTERNAL_H
#define MYCEL_SIM_CHECK_INTERNAL_H

#include "sim/check/check.h"
#include "sim/coordinator/coordinator.h"
#include "sim/coordinator/ledger.h"
#include "sim/world/watch.h"
#include "sim/world/world.h"

#define CHECK_SMALL_FLEET 64u

/* One assignment, as the engine granted it. */
struct seen_lease {
    struct engine_lease lease;
    uint64_t until_ms;  /* no engine may believe it live from then on */
    uint64_t granted;   /* order of the grants */
    bool durable;       /* its row was stored */
    bool answered;      /* it has a verdict … */
    bool answer_stored; /* … that is durable */
};

/* One verdict. */
struct seen_update {
    struct engine_action_update row;
    bool durable;
    bool told;
    bool published;
};

struct flight {
    uint64_t at_us;
    uint32_t device;
    uint32_t bytes;
    bool up;
};

/* Bytes of datagrams, all headers above the radio's frames. */
struct traffic {
    uint64_t sent; /* copies that the network made count again */
    uint64_t delivered;
    uint64_t lost;
    uint64_t under_way;
};

struct check_gateway {
    struct traffic bytes;
    uint64_t datagrams;
    uint64_t lost;
    uint64_t frames;
    uint64_t airtime_us;
};

struct check {
    struct check_result *result;
    struct world *world;
    uint64_t still; /* events since virtual time went on */

    struct seen_lease *leases;
    uint32_t lease_count, lease_capacity;
    uint32_t *newest; /* lease of a device, by device - 1; UINT32_MAX: none */
    uint64_t grants;

    struct seen_update *updates;
    uint32_t update_count, update_capacity;
    uint32_t version;
    uint32_t round; /* the last that became a version */

    struct flight *flights;
    uint32_t flight_count, flight_capacity;
    struct traffic *devices;
    struct check_gateway *gateways;
    uint64_t bytes_air[2]; /* [0] down, [1] up */
};

/* The first one counts: writes the finding and ends the run. */
void check_fail(struct check *check, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Room for one more element of an array; false (and the run ends) when there is no memory. */
bool check_reserve(struct check *check, void **array, uint32_t count, uint32_t *capacity,
                   size_t element_bytes);

/* What looks at every device is done after each step of a small fleet, else after commits. */
static inline bool check_is_due(const struct check *check, const struct engine_event *event)
{
    return check->world->fleet.count <= CHECK_SMALL_FLEET || event->type == ENGINE_EVENT_COMMITTED;
}

static inline uint64_t check_now_ms(const struct check *check)
{
    return check->world->now_us / 1000u;
}

/* ---- updates.c */
void updates_stepped(struct check *check, const struct engine_event *event,
                     const struct engine_actions *actions);
void updates_stored(struct check *check, const struct engine_action *row);
void updates_told(struct check *check, const struct engine_receipt *receipt);
void updates_restored(struct check *check);
void updates_ended(struct check *check);

/* ---- leases.c */
void leases_stepped(struct check *check, const struct engine_event *event,
                    const struct engine_actions *actions);
void leases_stored(struct check *check, const struct engine_action *row);
void leases_told(struct check *check, const struct engine_lease *lease);
void leases_committed(struct check *check);
void leases_restored(struct check *check);
void leases_ended(struct check *check);

/* ---- datagrams.c */
bool datagrams_init(struct check *check);
void datagrams_free(struct check *check);
void datagrams_sent(struct check *check, const struct watch_datagram *datagram);
void datagrams_arrived(struct check *check, uint32_t device, bool up);
void datagrams_ended(struct check *check);

#endif
