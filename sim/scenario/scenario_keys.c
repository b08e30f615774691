/* The keys of a scenario: the one table that reading, help and reports go by. */
#include "sim/scenario/scenario.h"

#define TEXT(section, field, initial, help)                                                        \
    {                                                                                              \
        section, #field, SCENARIO_TEXT, offsetof(struct scenario, field), initial, 0, 0, help      \
    }
#define U32(section, field, initial, low, high, help)                                              \
    {                                                                                              \
        section, #field, SCENARIO_U32, offsetof(struct scenario, field), initial, low, high, help  \
    }
#define REAL(section, field, initial, low, high, help)                                             \
    {                                                                                              \
        section, #field, SCENARIO_REAL, offsetof(struct scenario, field), initial, low, high, help \
    }
#define BOOL(section, field, initial, help)                                                        \
    {                                                                                              \
        section, #field, SCENARIO_BOOL, offsetof(struct scenario, field), initial, 0, 1, help      \
    }

#define YEAR_S 31536000.0 /* one year, in seconds: the longest any time may be */

const struct scenario_key scenario_keys[] = {
    TEXT("scenario", title, "", "one line for the report"),
    {"scenario", "seed", SCENARIO_U64, offsetof(struct scenario, seed), "1", 0, 1.8e19,
     "of every random choice; same seed, same bytes"},

    TEXT("data", data, "fashion",
         "training samples: fashion, blobs:SAMPLES,SIDE,CLASSES, or a file (IDX, CSV, .npy)"),
    TEXT("data", labels, "", "their labels, for IDX and .npy files"),
    TEXT("data", test_data, "", "held-out samples; fashion and blobs bring their own"),
    TEXT("data", test_labels, "", "their labels"),
    TEXT("data", partition, "iid",
         "who has which samples: iid, dirichlet:A, shards:K, labels:K, quantity:A, file:PATH"),
    TEXT("data", skew, "none", "what devices see differently: rotate=DEGREES,noise=SHARE"),
    U32("data", least, "10", 1, 1e6, "samples that every device has at least"),

    TEXT("train", model, "28x28x1 > dense 32 relu > dense 10 softmax",
         "one-line model description"),
    U32("train", epochs, "1", 1, 1000, "passes over the device's samples"),
    U32("train", batch, "20", 1, 65536, "samples per step"),
    U32("train", steps_max, "0", 0, 4e9, "optimizer steps at most; 0: no limit"),
    REAL("train", rate, "0.1", 1e-9, 1e3, "learning rate of the devices"),
    REAL("train", momentum, "0", 0, 0.9999, "of the devices"),
    REAL("train", clip_norm, "0", 0, 1e9, "devices clip their update to this L2 norm; 0: off"),

    TEXT("run", strategy, "fedavg", "server rule, as `mycel strategy list` names them"),
    U32("run", root_samples, "600", 1, 1e6,
        "clean training samples of the coordinator's own, for fltrust"),
    TEXT("run", codec, "f32", "encodings of updates, the preferred one first: drive1,int8"),
    TEXT("run", downlink, "f32", "what devices are sent: f32, or delta (key frames and deltas)"),
    TEXT("run", mode, "sync", "sync, semi (carry-over, over-selection) or async (FedBuff)"),
    U32("run", goal, "10", 1, 65536, "updates that close a round"),
    U32("run", minimum, "0", 0, 65536, "… that close it at the deadline; 0: by the mode"),
    U32("run", concurrency, "0", 0, 1e6, "devices at work at most; 0: by the mode"),
    U32("run", staleness, "0", 0, 64, "versions an update may lag behind; 0: by the mode"),
    REAL("run", over, "0", 0, 4, "seats per goal (over-selection); 0: by the mode"),
    BOOL("run", over_learn, "no", "learn the over-selection from the observed drop-out"),
    REAL("run", select_s, "0", 0, YEAR_S, "seats stay open; 0: as long as soft_s"),
    REAL("run", soft_s, "600", 0.001, YEAR_S, "from here on the minimum closes the round"),
    REAL("run", hard_s, "0", 0, YEAR_S, "the round is given up; 0: twice soft_s"),
    REAL("run", lease_s, "0", 0, YEAR_S, "one device's time; 0: hard_s"),
    REAL("run", pace_s, "60", 0.001, YEAR_S, "width of the window in which devices come back"),
    REAL("run", interval_s, "0", 0, 604800, "a round opens no sooner after the one before"),
    REAL("run", window_max_s, "3600", 1, YEAR_S, "no device is told to come back later"),
    U32("run", rounds, "20", 0, 1e6, "rounds to commit; 0: as many as virtual_max_s allows"),
    REAL("run", target, "0", 0, 1, "stop at this accuracy; 0: never"),
    U32("run", patience, "0", 0, 1e6, "stop after so many versions without a better one; 0: never"),
    U32("run", spacing, "0", 0, 1e6, "rounds a device sits out after taking part"),
    U32("run", cap, "0", 0, 1e6, "times a device may take part; 0: no limit"),
    REAL("run", fairness, "0", 0, 1, "share of seats for devices that took part less often"),
    REAL("run", utility, "0", 0, 1, "share of seats for devices of high utility (Oort)"),
    U32("run", battery_min, "0", 0, 100, "percent; devices below are not selected"),
    U32("run", evaluate_every, "1", 1, 1e6, "score every n-th version"),

    U32("fleet", devices, "100", 1, 1048575, "how many"),
    TEXT("fleet", classes, "ideal", "device classes with shares: nrf52840:0.9,gateway:0.1"),
    U32("fleet", gateways, "1", 1, 65536,
        "radio cells; device d belongs to gateway d mod gateways"),
    REAL("fleet", start_s, "0", 0, YEAR_S, "devices first wake within so many seconds"),
    TEXT("fleet", availability, "always",
         "always, diurnal:night=0.9,day=0.2,from=22,to=6,dwell=15m,zones=-8/0/1, or trace"),
    TEXT("fleet", trace, "", "file of `device start_s end_s` lines, for availability = trace"),
    TEXT("fleet", battery, "off",
         "off, or how devices with a battery charge: none, solar:mw=50, mains:mw=500,from=22,to=6"),

    TEXT("network", loss, "none",
         "of frames: none, p:rate=0.05, or ge:p=0.01,r=0.2,good=0,bad=0.8,step=10"),
    U32("network", hops, "1", 1, 16, "radio hops between device and gateway"),
    REAL("network", backhaul_kbit, "0", 0, 1e9, "of a gateway, shared by its devices; 0: no limit"),
    REAL("network", backhaul_ms, "0", 0, 60000, "latency behind the gateway"),
    REAL("network", ack_s, "2", 0.1, 3600,
         "patience before a first repetition; 2: as the client has learned it"),
    REAL("network", answer_s, "30", 1, 86400, "a device gives a silent coordinator up after this"),
    TEXT("network", outages, "none", "of gateways; see docs/SIMULATION.md"),
    TEXT("network", radio, "", "technology for all classes; empty: each class's usual one"),
    U32("network", poll_ms, "0", 0, 3.6e6, "how often sleepy devices poll; 0: the radio's usual"),
    REAL("network", duplicates, "0", 0, 1, "share of datagrams that arrive twice"),
    REAL("network", delays, "0", 0, 1, "share of datagrams that others overtake"),
    REAL("network", delay_s, "1", 0, 3600, "these arrive up to so much later"),

    REAL("faults", reboots, "0", 0, 1000, "of each device per day; what is in RAM is lost"),
    REAL("faults", vanish, "0", 0, 1, "share of leases whose device disappears while training"),
    REAL("faults", slow, "0", 0, 1, "share of devices that are slow"),
    REAL("faults", slow_factor, "4", 1, 1e6, "how much slower these are"),
    REAL("faults", lying, "0", 0, 1, "share of devices that claim ten times their samples"),
    REAL("faults", skew_ppm, "0", 0, 100000, "clocks run fast or slow by up to so much"),
    REAL("faults", crashes, "0", 0, 10000,
         "of the coordinator per day; it restarts from its store"),
    TEXT("faults", crash_at, "",
         "it also crashes after these events (120,900) and commits (commit:5)"),
    REAL("faults", down_s, "0", 0, YEAR_S, "the coordinator stays down after a crash"),
    REAL("faults", heal_s, "0", 0, YEAR_S,
         "no fault, loss or outage from this moment on; 0: they never stop"),
    TEXT("faults", attack, "none",
         "sign, scale:F, labelflip, alie:Z, backdoor:…, freerider:S, replay, nan"),
    REAL("faults", attackers, "0", 0, 1, "share of devices that attack"),

    REAL("coordinator", disk_ms, "2", 0, 10000, "until a group of rows is durable"),
    REAL("coordinator", aggregate_ms, "20", 0, 1e6, "to sum a round"),
    REAL("coordinator", evaluate_ms, "20", 0, 1e6, "to score a version"),
    REAL("coordinator", virtual_max_s, "31536000", 1, YEAR_S, "the simulation ends here"),
    U32("coordinator", threads, "1", 1, 256, "that train at the same time; never changes a result"),
};

size_t scenario_key_count(void)
{
    return sizeof scenario_keys / sizeof scenario_keys[0];
}
