/*
 * The inside of struct mycel_client and the functions that client/runtime's files call in each other.
 * Nothing outside this folder (and its tests) includes it. The struct is small on purpose: a process
 * may hold 100,000 of them, so whatever is needed only now and then stays in the store.
 */
#ifndef MYCEL_CLIENT_RUNTIME_INTERNAL_H
#define MYCEL_CLIENT_RUNTIME_INTERNAL_H

#include "common/assert.h"
#include "common/codec/codec.h"
#include "common/crypto/sha256.h"
#include "proto/wire.h"

#include <mycel/client.h>
#include <mycel/error.h>

#define CLIENT_RUNTIME_VERSION "0.1.0"

/* Bounds of one poll, so that an embedder knows the longest time it takes. */
#define CLIENT_ANSWERS_PER_POLL 16u
#define CLIENT_CHUNKS_PER_POLL 16u /* pieces of 4 KB loaded, hashed or encoded */
#define CLIENT_CHUNK_PARAMS 1024u
#define CLIENT_POLL_WAIT_MAX_MS 3600000u
#define CLIENT_SEND_RETRY_MS 50u /* the transport took nothing: offer it again after this */

#define CLIENT_FETCH_PERSIST_MS 5000u /* what took longer to download is written down */
#define CLIENT_FETCH_REPEATS_MAX 2u   /* downloads with a wrong hash before the lease is dropped */
#define CLIENT_UPLOAD_REPEATS_MAX 8u  /* "blocks are missing" so often before pauses */

#define CLIENT_MODEL_BYTES_MAX (64u * 1024u * 1024u) /* offered and accepted by default */
#define CLIENT_TAG_BYTES 8u

#define CLIENT_WINDOW_MAX_MS 604800000u /* nobody can put a device to sleep for more than a week */
#define CLIENT_RETRY_AFTER_MAX_S 3600u

_Static_assert(CLIENT_CHUNK_PARAMS == CODEC_BLOCK_PARAMS_MAX,
               "one chunk is one codec block at most");
_Static_assert(MYCEL_CLIENT_SCRATCH_BYTES >= 2u * CLIENT_CHUNK_PARAMS * sizeof(float),
               "a chunk of the delta and one of the base must fit");
_Static_assert(MYCEL_REQUEST_SLOTS <= PROTO_WINDOW_BLOCKS, "blocks under way at once");
_Static_assert(MYCEL_CLIENT_SCRATCH_BYTES >= PROTO_MESSAGE_BYTES_MAX, "messages are encoded there");

/* One request in flight. */
struct client_slot {
    uint32_t sent_ms; /* modulo 2^32, as no request lives for weeks: requests_age_ms */
    uint32_t block;
    uint16_t timeout_ms; /* as the transport was told */
    bool busy;
    bool is_timed; /* the handshake was over: its answer says something about the link */
};

/* Whether smaller blocks were tried in this job, and helped. */
enum client_trial { CLIENT_TRIAL_NONE, CLIENT_TRIAL_SMALLER, CLIENT_TRIAL_IN_VAIN };

/* What is known of the link; it outlives sessions and jobs. */
struct client_pace {
    uint32_t cut_ms;     /* when the window was last cut, if `cut`; modulo 2^32 */
    uint16_t srtt_ms;    /* smoothed round trip, 0: unknown */
    uint16_t var_ms;     /* … and its variation */
    uint16_t timeout_ms; /* of a block request */
    uint16_t slow_ms;    /* time to the slowest of the latest answers */
    uint8_t window;      /* block requests in flight, in sixteenths */
    uint8_t loss;        /* share of tries without an answer, in 256ths */
    uint8_t loss_small;  /* … of check-ins */
    uint8_t loss_before; /* … with the larger blocks, during a trial */
    uint8_t blocks;      /* answers, most of them blocks, since the block size changed */
    uint8_t szx : 3;     /* block size to use */
    uint8_t szx_max : 3;
    uint8_t trial : 2;    /* enum client_trial */
    uint8_t repeated : 3; /* answers in a row whose requests were repeated */
    bool cut : 1;
};

/* What the current lease asks for, without what only the trainer needs (that stays in the journal). */
struct client_job {
    uint32_t run;
    uint32_t round;
    uint32_t base_version;
    uint32_t params;
    uint32_t model_bytes;
    uint32_t seed;
    float clip_norm;
    uint8_t codec;
    bool control;         /* SCAFFOLD */
    bool control_is_zero; /* c is: there is nothing to fetch */
    bool keeps;           /* the model stays for the next patch: patch.c */
    bool held;            /* … and this one is there already */
    bool patched;         /* a patch is fetched instead of the model … */
    bool patch_key;       /* … and added to zeros */
    uint32_t patch_bytes;
    uint8_t blob_sha256[PROTO_SHA256_BYTES]; /* of what is fetched: patch or model, then c */
    uint8_t key[PROTO_KEY_BYTES];
    uint8_t tag[CLIENT_TAG_BYTES]; /* of run and model: what is kept for one is no other's */
};

/* How far the job is, as the journal knows it. The numbers are on disk: append only. */
enum client_phase {
    CLIENT_PHASE_NONE = 0,   /* no job */
    CLIENT_PHASE_LEASED = 1, /* fetching or training; `fetched` bytes of the model are durable */
    CLIENT_PHASE_ENCODED = 2 /* the update is durable: body_bytes with that digest */
};

/* Vectors of the model's size that outlive a job; kept.c. The numbers are on disk: append only. */
enum client_kept_kind { CLIENT_KEPT_RESIDUAL, CLIENT_KEPT_CONTROL, CLIENT_KEPT_KINDS };

/* Which area of a pair holds what: 0 none, 1 the first, 2 the second. */
struct client_kept {
    uint8_t tag[CLIENT_TAG_BYTES]; /* of the job that `valid` is for */
    uint8_t valid;                 /* counted by the coordinator */
    uint8_t next;                  /* goes with the encoded body: valid once that is counted */
};

/* The model that is kept from one job to the next. */
struct client_model {
    uint8_t place; /* of the pair: 0 none, 1 MODEL, 2 MODEL_B */
    uint8_t sha256[PROTO_HELD_BYTES];
};

struct client_progress {
    struct client_model model;
    struct client_kept kept[CLIENT_KEPT_KINDS];
    uint32_t boot_count;
    uint32_t fetched;
    uint32_t body_bytes;
    uint8_t phase; /* enum client_phase */
    bool whole;    /* the job's patch was of no use: the model itself is fetched */
    uint8_t body_sha256[PROTO_SHA256_BYTES];
};

/* Blocks base … end - 1 are still to be transferred, apart from those of the 32 from `base` on whose
 * bit in `done` is set. Bit 0 is never set: base moves on instead. */
struct client_blocks {
    uint32_t base;
    uint32_t end;
    uint32_t done;
};

/* One blob after the other; client_progress.fetched counts the bytes of both. */
enum client_fetch_part { CLIENT_FETCH_MODEL, CLIENT_FETCH_CONTROL };

struct client_fetch {
    uint64_t persisted_ms; /* when progress was last written down */
    struct client_blocks blocks;
    uint8_t szx;
    uint8_t szx_max; /* the coordinator sends no larger blocks */
    uint8_t repeats; /* downloads whose hash was wrong */
    uint8_t part;    /* enum client_fetch_part */
    bool agreed;     /* the block size was confirmed in this session */
    bool verifying;
    bool patching;  /* the patch is good: the model is made of it … */
    uint32_t built; /* … and so many parameters are */
};

enum client_train_stage {
    CLIENT_TRAIN_PREPARE,
    CLIENT_TRAIN_LOAD,
    CLIENT_TRAIN_CORRECT,
    CLIENT_TRAIN_STEP,
    CLIENT_TRAIN_NORM,
    CLIENT_TRAIN_BEGIN,
    CLIENT_TRAIN_ENCODE,
    CLIENT_TRAIN_CONTROL,
    CLIENT_TRAIN_PERSIST
};

struct client_train {
    uint64_t running_since_ms; /* without a pause */
    uint32_t train_ms;         /* before that */
    uint32_t position;         /* parameters done in the current stage */
    uint32_t head_bytes;
    float squared_norm;
    float scale;
    float step_share; /* 1 / (K h), for the control variate */
    uint8_t stage;    /* enum client_train_stage */
    bool paused;
    bool hashing;
    bool updating; /* the next control variate is begun */
    struct codec_encoder encoder;
};

struct client_upload {
    struct client_blocks blocks; /* all but the final one */
    uint32_t final;              /* number of the last block */
    uint8_t szx;
    uint8_t repeats;
    bool ask; /* first ask what the coordinator has */
};

struct client_receipt {
    uint32_t earliest_ms;
    uint32_t latest_ms;
    int32_t status;
    bool has_window;
    bool late;
};

struct client_rekey {
    uint64_t wake_ms; /* of the state that comes after */
    uint8_t share[PROTO_SHARE_BYTES];
    uint8_t then; /* enum mycel_client_state */
};

struct client {
    const struct mycel_port *port;
    const struct mycel_client_config *config;
    uint64_t now_ms;
    uint64_t wake_ms;      /* nothing is started before */
    uint64_t heard_ms;     /* last answer of this session, or when it was opened */
    uint64_t lease_end_ms; /* valid while there is a job */
    struct client_slot slots[MYCEL_REQUEST_SLOTS];
    struct client_pace pace;
    struct client_job job;
    struct client_progress progress;
    struct sha256 sha;    /* of the model in FETCH, of the body in TRAIN */
    uint32_t hashed;      /* bytes that went into it */
    uint32_t refused_ms;  /* when the transport began to take none, if send_refused; modulo 2^32 */
    uint8_t state;        /* enum mycel_client_state */
    uint8_t failures;     /* of the network in a row */
    uint8_t job_failures; /* jobs dropped in a row */
    bool session_open : 1;
    bool session_proven : 1; /* it brought an answer */
    bool send_refused : 1;   /* the transport would not take the latest request */
    bool trainer_ready : 1;  /* prepare succeeded: release is owed */
    bool journal_stale : 1;  /* a job is over, but the journal could not be told */
    bool resumed : 1;        /* the job comes from before the last start */
    union {
        struct client_fetch fetch;
        struct client_train train;
        struct client_upload upload;
        struct client_receipt receipt;
        struct client_rekey rekey;
    } in; /* belongs to the state; set_state clears it */
};

_Static_assert(sizeof(struct client) <= sizeof(struct mycel_client), "opaque size too small");

/* What each state does. step: returns the ms until it wants to run again. answer: takes one answer
 * to a request for `block` (0 if it was for no block). */
struct client_state_ops {
    const char *name;
    uint32_t (*step)(struct client *c);
    void (*answer)(struct client *c, const struct mycel_response *r, uint32_t block);
};

/* ---- client.c */
void client_set_state(struct client *c, enum mycel_client_state state);
/* Fills in run and round and hands the event to the platform. */
void client_emit(struct client *c, struct mycel_event *event);
/* The network failed: closes the session and pauses with backoff; a check-in goes back to sleep. */
void client_fail(struct client *c, int code, const char *text);
/* Starts nothing for that long and says why. */
void client_pause(struct client *c, uint32_t pause_ms, int code, const char *text);
/* The job cannot go on: forgets it and sleeps, in the window if there is one, else with backoff. */
void client_abandon(struct client *c, int code, const char *text, const mycel_Window *window);
/* Sleeps until a moment drawn from the window. Returns the pause. */
uint32_t client_sleep(struct client *c, const mycel_Window *window);
/* The owner's policy, or the data, say no: starts nothing for a while and says why. Returns the pause. */
uint32_t client_wait_for_idle(struct client *c, const char *why);
/* Sets when the lease ends, `deadline_ms` (untrusted) from now. */
void client_lease_starts(struct client *c, uint64_t deadline_ms);
bool client_lease_expired(const struct client *c);
void client_release_trainer(struct client *c);
/* One more, but never around. */
uint8_t client_count_up(uint8_t count);
uint32_t client_setting(uint32_t value, uint32_t fallback);

/* ---- states */
uint32_t checkin_sleep_step(struct client *c);
uint32_t checkin_step(struct client *c);
void checkin_answer(struct client *c, const struct mycel_response *r, uint32_t block);
uint32_t fetch_step(struct client *c);
void fetch_answer(struct client *c, const struct mycel_response *r, uint32_t block);
uint32_t train_step(struct client *c);
uint32_t upload_encoded_step(struct client *c);
uint32_t upload_step(struct client *c);
void upload_answer(struct client *c, const struct mycel_response *r, uint32_t block);
uint32_t receipt_step(struct client *c);
uint32_t rekey_step(struct client *c);
void rekey_answer(struct client *c, const struct mycel_response *r, uint32_t block);

/* ---- rekey.c */
/* Another key is due: makes it before anything else, if this device can have one. In SLEEP or FETCH. */
void rekey_begin(struct client *c);
/* Goes on where rekey_begin was called, with or without another key. */
void rekey_end(struct client *c);

/* ---- lease.c: refuses what this device cannot or must not do. */
int lease_to_job(struct client_job *job, const mycel_Lease *lease, const struct client *c);
/* The codecs to offer, bit i for Codec i: those the configuration allows and the store has areas for. */
uint32_t lease_codecs(const struct client *c);

/* ---- encode.c: the stages of TRAIN behind the last step. 1: call again, 0: done, <0 failed. */
int encode_norm(struct client *c);
int encode_begin(struct client *c);
int encode_blocks(struct client *c);
int encode_persist(struct client *c);

/* ---- control.c: SCAFFOLD's two stages of TRAIN; results as above. */
/* Tells the trainer c - c_i. */
int control_correct(struct client *c);
/* Makes the next c_i of the encoded update. */
int control_update(struct client *c);
/* PROTO_FEATURE_CONTROL if store and trainer can, else 0. */
uint32_t control_feature(const struct client *c);
/* Bytes of the blob that holds c; 0: none is fetched. */
uint32_t control_bytes(const struct client *c);

/* ---- patch.c: the model that is kept, and the next one made of it. */
/* PROTO_FEATURE_PATCH if the store can, else 0. */
uint32_t patch_feature(const struct client *c);
/* Fills in what the job says of patches. MALFORMED. */
int patch_of_lease(struct client_job *job, const mycel_Lease *lease, const struct client *c);
/* Where the job's model is read, and where it is written while it is not complete. */
enum mycel_area patch_model_area(const struct client *c);
enum mycel_area patch_next_area(const struct client *c);
/* Adds the verified patch to the kept model, into the other area. 1: call again, 0: done; MYCEL_E_CORRUPT,
 * MALFORMED …: the patch is of no use; or the store's error. */
int patch_build(struct client *c);
/* From here on blob_sha256 is the model's. A function of its own: the lease is too large for the stack below the
 * decoder. 0 or an error of the journal. */
int patch_expect_model(struct client *c);
/* The next area holds the model with that hash: it is the kept one from now on. 0 or the store's error. */
int patch_adopt(struct client *c, const uint8_t sha256[SHA256_BYTES]);
/* Goes on with the whole model in place of the patch. 0, or an error of journal or store. */
int patch_give_up(struct client *c);

/* ---- area.c: exact reads and digests of what is stored. */
/* Reads exactly that many bytes. 0; MYCEL_E_CORRUPT when the area is shorter; the store's error. */
int area_read(struct client *c, enum mycel_area area, uint32_t offset, void *data, size_t bytes);
/* The same for parameters first … first + count - 1 of an area that holds a vector. */
int area_read_params(struct client *c, enum mycel_area area, uint32_t first, float *values,
                     uint32_t count);
/* Writes them; the values are lost. 0, or the store's error. */
int area_write_params(struct client *c, enum mycel_area area, uint32_t first, float *values,
                      uint32_t count);
void area_hash_begin(struct client *c);
/* Hashes the next pieces of an area of `bytes` bytes. 1: call again, 0: digest is filled, <0 as above. */
int area_hash(struct client *c, enum mycel_area area, uint32_t bytes, uint8_t digest[SHA256_BYTES]);

/* ---- kept.c: vectors that outlive a job, two areas each. All return 0 or the store's error. */
/* What is valid for this job; zeros when there is nothing, or nothing that can be used. */
int kept_read(struct client *c, enum client_kept_kind kind, uint32_t first, float *values,
              uint32_t count);
/* Empties the area of the next one, writes to it (the values are lost), makes it durable. */
int kept_begin(struct client *c, enum client_kept_kind kind);
int kept_write(struct client *c, enum client_kept_kind kind, uint32_t first, float *values,
               uint32_t count);
int kept_sync(struct client *c, enum client_kept_kind kind);
/* The job is over: what was written for it becomes valid if its update was counted, and is nothing if
 * not. Changes the progress only. */
void kept_settle(struct client *c, bool counted);

/* ---- requests.c: slots, session, answers. */
/* 0: a session is open. >0: not now, ask again after that many ms. */
uint32_t requests_open(struct client *c);
bool requests_in_flight(const struct client *c, uint32_t block);
unsigned requests_count(const struct client *c);
/* Since when the slot's request is under way. */
uint32_t requests_age_ms(const struct client *c, const struct client_slot *slot);
/* 1: sent. 0: not now. <0: the session died; client_fail was called. */
int requests_send(struct client *c, const struct mycel_request *request, uint32_t block);
void requests_collect(struct client *c, const struct client_state_ops *table);
/* Frees slots that got no answer in time; declares the session dead when all are silent. */
void requests_expire(struct client *c);
void requests_cancel(struct client *c);
void requests_close(struct client *c);
/* ms until a slot expires. */
uint32_t requests_wait_ms(const struct client *c);

/* ---- pace.c: timeout, window and block size, learned from answers. */
void pace_init(struct client *c);
/* A size that did not help in the last job may help in this one. */
void pace_new_job(struct client *c);
/* Block requests that may be in flight. */
unsigned pace_window(const struct client *c);
/* After how long a request is repeated for the first time. */
uint32_t pace_timeout_ms(const struct client *c, bool is_block);
/* repeats and since_ms as in struct mycel_response. */
void pace_answered(struct client *c, const struct client_slot *slot, unsigned repeats,
                   uint32_t since_ms);
void pace_lost(struct client *c, const struct client_slot *slot);
/* Nobody has answered for as long as that. */
void pace_silent(struct client *c);
/* How long nothing at all has to be heard, from a peer that did answer before, until it is gone: three
 * tries or more if many were lost before, and three times what any of the latest answers took. */
uint32_t pace_patience_ms(const struct client *c, uint32_t timeout_ms);
/* The same for the first answer of a session, handshake included; doubles with each failure in a row. */
uint32_t pace_handshake_patience_ms(const struct client *c);

/* ---- refusal.c: every answer that is not the one hoped for. */
void refusal_react(struct client *c, const struct mycel_response *r);

/* ---- window.c: pauses. */
uint32_t window_between(struct client *c, uint32_t low_ms, uint32_t high_ms);
uint32_t window_draw(struct client *c, uint32_t earliest_ms, uint32_t latest_ms);
uint32_t window_backoff(struct client *c, uint32_t failures);

/* ---- blocks.c: which blocks are still to be transferred. */
void blocks_init(struct client_blocks *b, uint32_t base, uint32_t end);
bool blocks_complete(const struct client_blocks *b);
void blocks_mark(struct client_blocks *b, uint32_t block);
/* Takes a list of missing blocks, ascending; `cut` says that more may be missing behind its last. */
int blocks_from_missing(struct client_blocks *b, const uint32_t *missing, uint32_t count, bool cut,
                        uint32_t end);
/* The same blocks in another size, 16 << szx bytes each; `end` in the new size. Some that were done
 * may have to be done again. */
void blocks_resize(struct client_blocks *b, uint8_t from_szx, uint8_t to_szx, uint32_t end);
/* The lowest block that is neither done nor in flight, or UINT32_MAX. */
uint32_t blocks_next(const struct client_blocks *b, const struct client *c);

/* ---- journal.c: what survives. All return 0 or the store's error. */
int journal_load(struct client *c);
int journal_begin(struct client *c, const mycel_Lease *lease);
int journal_update(struct client *c);
/* The job is over; `counted` says whether the coordinator counted its update. */
int journal_finish(struct client *c, bool counted);
int journal_lease(struct client *c, mycel_Lease *lease);

#endif
