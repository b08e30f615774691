/* See lines.h. */
#include "sim/lines.h"

#include "sim/coordinator/coordinator.h"
#include "sim/coordinator/ledger.h"
#include "sim/training/workers.h"
#include "sim/wall.h"
#include "sim/world/world.h"

#include <jansson.h>
#include <mycel/error.h>

#define DIGITS 9 /* of a number: enough for every f32 */
#define PARTICIPATION_BINS 32u
#define MILESTONES 10u
#define UNKNOWN_ROUNDS 1000u
#define CLASSES_MAX 256u

static void print(struct lines *lines, json_t *object)
{
    for (unsigned i = 0; i < 2 && object != NULL; i++) {
        if (lines->out[i] != NULL) {
            (void)json_dumpf(object, lines->out[i], JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
            (void)fputc('\n', lines->out[i]);
            (void)fflush(lines->out[i]);
        }
    }
    json_decref(object);
}

static json_t *settings(const struct scenario *scenario)
{
    json_t *object = json_object();
    for (size_t i = 0; i < scenario_key_count(); i++) {
        char text[SCENARIO_TEXT_BYTES];
        scenario_text(scenario, &scenario_keys[i], text, sizeof text);
        (void)json_object_set_new(object, scenario_keys[i].name, json_string(text));
    }
    return object;
}

void lines_started(struct lines *lines, const struct world *world)
{
    const struct scenario *s = world->scenario;
    lines->started_s = wall_s();
    print(lines,
          json_pack("{s:s, s:s, s:s, s:I, s:s, s:i, s:i, s:s, s:i, s:s, s:s, s:o}", "event",
                    "start", "scenario", s->name, "title", s->title, "seed", (json_int_t)s->seed,
                    "commit", lines->commit, "devices", (int)s->devices, "gateways",
                    (int)s->gateways, "model", s->model, "params", (int)world->model.param_count,
                    "strategy", s->strategy, "codec", s->codec, "settings", settings(s)));
}

/* What every cumulative line ends with. */
static void add_cost(json_t *object, const struct run_figures *f)
{
    (void)json_object_set_new(object, "bytes_up", json_integer((json_int_t)f->bytes_up));
    (void)json_object_set_new(object, "bytes_down", json_integer((json_int_t)f->bytes_down));
    (void)json_object_set_new(object, "energy_j", json_real(f->energy_j));
    (void)json_object_set_new(object, "trained", json_integer((json_int_t)f->trained));
    (void)json_object_set_new(object, "protocol_only", json_integer((json_int_t)f->protocol_only));
    (void)json_object_set_new(object, "discarded", json_integer((json_int_t)f->discarded));
}

/* Scoring classes costs as much as scoring the version: every tenth of the way, and at the end. */
static bool is_milestone(const struct scenario *s, uint32_t version)
{
    uint64_t rounds = s->rounds > 0 ? s->rounds : UNKNOWN_ROUNDS;
    return (uint64_t)version * MILESTONES / rounds != (version - 1ull) * MILESTONES / rounds;
}

static void add_classes(json_t *object, const struct world *world)
{
    float share[CLASSES_MAX];
    int count = coordinator_classes(world->coordinator, share, CLASSES_MAX);
    json_t *list = count > 0 ? json_array() : NULL;
    for (int i = 0; i < count; i++) {
        (void)json_array_append_new(list,
                                    share[i] >= 0 ? json_real((double)share[i]) : json_null());
    }
    if (list != NULL) {
        (void)json_object_set_new(object, "class_accuracy", list);
    }
}

void lines_round(struct lines *lines, const struct world *world, const struct run_figures *f)
{
    const struct run_figures *b = &lines->before;
    json_t *object = json_pack("{s:s, s:i, s:i, s:f}", "event", "round", "round", (int)f->version,
                               "version", (int)f->version, "virtual_s", f->virtual_s);
    if (f->scored) {
        (void)json_object_set_new(object, "accuracy", json_real(f->accuracy));
        (void)json_object_set_new(object, "loss", json_real(f->loss));
    }
    if (is_milestone(world->scenario, f->version)) {
        add_classes(object, world);
    }
    (void)json_object_update_new(
        object,
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "selected", (json_int_t)(f->selected - b->selected),
                  "accepted", (json_int_t)(f->accepted - b->accepted), "rejected",
                  (json_int_t)(f->rejected - b->rejected), "expired",
                  (json_int_t)(f->expired - b->expired), "late", (json_int_t)(f->late - b->late)));
    add_cost(object, f);
    print(lines, object);
    lines->before = *f;
}

/* ---- the end ------------------------------------------------------------------------------ */

static void print_participation(struct lines *lines, const struct world *world)
{
    json_int_t counts[PARTICIPATION_BINS] = {0};
    uint32_t used = 1;
    const struct ledger_share *shares = world_shares(world);
    for (uint32_t i = 0; i < world->fleet.count; i++) {
        uint32_t bin = shares[i].accepted;
        bin = bin < PARTICIPATION_BINS ? bin : PARTICIPATION_BINS - 1u;
        counts[bin]++;
        used = bin + 1u > used ? bin + 1u : used;
    }
    json_t *list = json_array();
    for (uint32_t i = 0; i < used; i++) {
        (void)json_array_append_new(list, json_integer(counts[i]));
    }
    print(lines, json_pack("{s:s, s:o}", "event", "participation", "counts", list));
}

static uint32_t devices_of_gateway(const struct world *world, uint32_t gateway)
{
    uint32_t all = world->fleet.count / world->network.gateways;
    return all + (gateway < world->fleet.count % world->network.gateways);
}

static void print_gateways(struct lines *lines, const struct world *world)
{
    for (uint32_t i = 0; i < world->network.gateways; i++) {
        const struct link_medium *m = &world->network.media[i];
        uint64_t span_us = world->now_us > 0 ? world->now_us : 1u;
        uint64_t busy = m->busy_us * 1000u / span_us;
        print(lines, json_pack("{s:s, s:i, s:s, s:i, s:f, s:I, s:f, s:I, s:I}", "event", "gateway",
                               "id", (int)i, "link", world->network.radios[0]->name, "devices",
                               (int)devices_of_gateway(world, i), "airtime_s",
                               (double)m->airtime_us * 1e-6, "busy_permille",
                               (json_int_t)(busy < 1000u ? busy : 1000u), "outage_s",
                               (double)world->network.outage_us[i] * 1e-6, "datagrams",
                               (json_int_t)m->datagrams, "lost", (json_int_t)m->lost));
    }
}

static void print_classes(struct lines *lines, const struct world *world)
{
    for (uint32_t i = 0; i < world->fleet.class_count; i++) {
        const struct world_class_tally *t = &world->tally.classes[i];
        double compute_j = (double)t->compute_nj * 1e-9;
        double radio_j = world_radio_j(world, i);
        print(lines, json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:I, s:I, s:I}", "event", "class",
                               "name", world->fleet.classes[i]->name, "devices",
                               (int)world->fleet.class_devices[i], "energy_j", compute_j + radio_j,
                               "energy_compute_j", compute_j, "energy_radio_j", radio_j, "trained",
                               (json_int_t)t->trained, "protocol_only",
                               (json_int_t)(t->check_ins - t->leases), "discarded",
                               (json_int_t)(t->trained - t->published)));
    }
}

/* Who trained, of the processes that mpirun started; rank 0 did the others. */
static void print_ranks(struct lines *lines, const struct world *world)
{
    uint32_t ranks = world->workers != NULL ? workers_ranks(world->workers) : 0;
    for (uint32_t i = 1; i < ranks; i++) {
        print(lines, json_pack("{s:s, s:i, s:i}", "event", "rank", "rank", (int)i, "trainings",
                               (int)workers_pieces(world->workers, i)));
    }
}

void lines_ended(struct lines *lines, const struct world *world, const struct run_figures *f)
{
    char digest[2u * PROTO_SHA256_BYTES + 1u];
    for (unsigned i = 0; i < PROTO_SHA256_BYTES; i++) {
        (void)snprintf(digest + 2u * i, 3, "%02x", f->model_sha256[i]);
    }
    print_participation(lines, world);
    print_gateways(lines, world);
    print_classes(lines, world);
    print_ranks(lines, world);
    json_t *object = json_pack("{s:s, s:f, s:i, s:f}", "event", "done", "accuracy", f->accuracy,
                               "rounds", (int)f->version, "virtual_s", f->virtual_s);
    add_cost(object, f);
    float success;
    if (coordinator_backdoor(world->coordinator, &success) == 0) {
        (void)json_object_set_new(object, "backdoor_success", json_real((double)success));
    }
    (void)json_object_set_new(object, "wall_s", json_real(wall_s() - lines->started_s));
    (void)json_object_set_new(object, "model_sha256", json_string(digest));
    print(lines, object);
}

int lines_status(const struct lines *lines)
{
    bool failed = false;
    for (unsigned i = 0; i < 2; i++) {
        failed = failed || (lines->out[i] != NULL && ferror(lines->out[i]) != 0);
    }
    return failed ? MYCEL_E_IO : MYCEL_OK;
}
