/* The commands under "Devices": who may take part. */
#include "server/cli/commands/groups.h"

#include "server/cli/device.h"

static const struct command rows[] = {
    {.name = "device enroll",
     .arguments = "NAME",
     .words_min = 1,
     .words_max = 1,
     .group = "Devices",
     .summary = "Let a device take part: make its key and remember it",
     .help = "Draws a fresh 128-bit key, writes it to a file that only you can read, and stores it "
             "with the device's name. Works while the coordinator runs. A name is used once: after "
             "a revocation, enrol the device under another.\n\n"
             "With --certificate no key is made: the device comes with a certificate for its name, "
             "signed by the CA that 'mycel serve --device-ca' names.\n\n"
             "  mycel device enroll pump-17 --key-out pump-17.key\n"
             "  mycel device enroll pump-18 --certificate",
     .config = CONFIG_GROUP_STATE,
     .settings = &device_enroll_settings,
     .run = device_enroll_run},

    {.name = "device token",
     .arguments = "NAME",
     .words_min = 1,
     .words_max = 1,
     .group = "Devices",
     .summary = "Print a one-time token with which a device enrols itself",
     .help =
         "A device that is started with the token ('mycel client --enroll-token-file FILE') makes "
         "a "
         "key of its own together with the coordinator; the token is spent when it comes with that "
         "key. Another token for the same name takes the place of the first. The token is a "
         "secret: "
         "rather than on the terminal it belongs into a file that only its owner reads.\n\n"
         "  mycel device token pump-17 --expires 24h --token-out pump-17.token",
     .config = CONFIG_GROUP_STATE,
     .settings = &device_token_settings,
     .run = device_token_run},

    {.name = "device tokens",
     .arguments = "",
     .group = "Devices",
     .summary = "List the enrolment tokens that are not spent",
     .help =
         "Open: nobody has come with it; used: its device has a key and has not checked in with it "
         "yet; expired. The tokens themselves are never shown: they are not stored. 'mycel device "
         "revoke NAME' takes one back.\n\n  mycel device tokens",
     .config = CONFIG_GROUP_STATE,
     .settings = &device_tokens_settings,
     .run = device_tokens_run},

    {.name = "device list",
     .arguments = "",
     .group = "Devices",
     .summary = "List devices, their state and what they contributed",
     .help = "Keys are never shown.\n\n  mycel device list --json",
     .config = CONFIG_GROUP_STATE,
     .settings = &device_list_settings,
     .run = device_list_run},

    {.name = "device rotate",
     .arguments = "[NAME]",
     .words_max = 1,
     .group = "Devices",
     .summary = "Give a device or a fleet another key, without a round lost",
     .help =
         "Without --key-out the device makes its next key together with the coordinator, over the "
         "session that it has: it is asked at its next check-in, and until it has used the next "
         "key "
         "the present one stays valid, for as long as that takes. With --key-out the next key is "
         "in "
         "a file that somebody brings to the device; both are valid until the next one is used, or "
         "until the overlap is over: then the present one ends. 'mycel device list' shows how far "
         "it is: due, offered, overlap.\n\n"
         "  mycel device rotate pump-17\n"
         "  mycel device rotate pump-17 --key-out pump-17.next --overlap 7d\n"
         "  mycel device rotate --all --spread 24h\n"
         "  mycel device rotate pump-17 --abort",
     .config = CONFIG_GROUP_STATE,
     .settings = &device_rotate_settings,
     .run = device_rotate_run},

    {.name = "device revoke",
     .arguments = "NAME",
     .words_min = 1,
     .words_max = 1,
     .group = "Devices",
     .summary = "Shut a device out for good",
     .help = "A running coordinator ends its session and refuses it from then on. What it has "
             "contributed stays counted.\n\n  mycel device revoke pump-17",
     .config = CONFIG_GROUP_STATE,
     .run = device_revoke_run},

    {.name = "device why",
     .arguments = "NAME",
     .words_min = 1,
     .words_max = 1,
     .group = "Devices",
     .summary = "Say why a device gets no work, or why its updates do not count",
     .help = "Shows what the device was last told about each run, a quarantine, and the newest "
             "updates that did not count, with their reasons.\n\n  mycel device why pump-17",
     .config = CONFIG_GROUP_STATE,
     .settings = &device_why_settings,
     .run = device_why_run},
};

const struct command_group commands_devices = COMMAND_GROUP(rows);
