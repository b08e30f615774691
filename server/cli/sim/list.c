/* `mycel sim keys` and `mycel sim classes`: what a scenario may say. */
#include "server/cli/sim/sim.h"

#include <stdio.h>

#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "sim/fleet/device_class.h"
#include "sim/scenario/scenario.h"
#include "sim/scenario/shipped.h"

struct list_options {
    bool json;
};

static const struct setting rows[] = {
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, .help = "Print JSON"},
};

const struct setting_list sim_list_settings = SETTING_LIST(rows, struct list_options);

int sim_list_run(const struct invocation *call)
{
    static const struct say_column columns[] = {{"SCENARIO", -14}, {"DEVICES", 8}, {"TITLE", -40}};
    const struct list_options *options = call->options;
    json_t *list = options->json ? json_array() : NULL;
    if (!options->json) {
        say_heads(columns, 3);
    }
    for (const struct shipped_scenario *s = shipped_scenarios; s->name != NULL; s++) {
        char problem[SCENARIO_PROBLEM_BYTES], devices[16];
        struct scenario scenario;
        scenario_init(&scenario);
        if (scenario_read(&scenario, s->name, problem) < 0) {
            say_error("%s", problem);
            return EXIT_CODE_FAILED;
        }
        if (options->json) {
            (void)json_array_append_new(list,
                                        json_pack("{s:s, s:i, s:s}", "scenario", s->name, "devices",
                                                  (int)scenario.devices, "title", scenario.title));
        } else {
            (void)snprintf(devices, sizeof devices, "%u", scenario.devices);
            say_row(columns, 3, (const char *const[]){s->name, devices, scenario.title});
        }
    }
    return options->json ? say_json(list) : EXIT_CODE_OK;
}

int sim_show_run(const struct invocation *call)
{
    const struct shipped_scenario *shipped = scenario_shipped(call->words[0]);
    if (shipped == NULL) {
        say_error("%s: no shipped scenario has that name; `mycel sim list` shows them",
                  call->words[0]);
        return EXIT_CODE_NOT_FOUND;
    }
    return fputs(shipped->text, stdout) < 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

int sim_keys_run(const struct invocation *call)
{
    static const struct say_column columns[] = {
        {"SECTION", -11}, {"KEY", -14}, {"DEFAULT", -11}, {"MEANING", -60}};
    const struct list_options *options = call->options;
    json_t *list = options->json ? json_array() : NULL;
    if (!options->json) {
        say_heads(columns, 4);
    }
    for (size_t i = 0; i < scenario_key_count(); i++) {
        const struct scenario_key *k = &scenario_keys[i];
        if (options->json) {
            (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "section",
                                                        k->section, "key", k->name, "default",
                                                        k->initial, "help", k->help));
        } else {
            say_row(columns, 4, (const char *const[]){k->section, k->name, k->initial, k->help});
        }
    }
    return options->json ? say_json(list) : EXIT_CODE_OK;
}

static json_t *class_json(const struct device_class *class)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "name", class->name, "title",
                     class->title, "radio", radio_of(class->radio)->name, "flops_per_s",
                     (json_int_t) class->flops_per_s, "pj_per_flop",
                     (json_int_t) class->pj_per_flop, "idle_uw", (json_int_t) class->idle_uw,
                     "model_bytes_max", (json_int_t) class->model_bytes_max, "battery_mj",
                     (json_int_t) class->battery_mj);
}

static void print_class(const struct say_column *columns, const struct device_class *class)
{
    char speed[24], memory[SAY_SIZE_BYTES], energy[24];
    (void)snprintf(speed, sizeof speed, "%.1f", (double)class->flops_per_s / 1e6);
    (void)snprintf(energy, sizeof energy, "%u", class->pj_per_flop);
    say_row(columns, 6,
            (const char *const[]){class->name, radio_of(class->radio)->name, speed, energy,
                                  say_size(class->model_bytes_max, memory), class->title});
}

int sim_classes_run(const struct invocation *call)
{
    static const struct say_column columns[] = {{"CLASS", -14}, {"RADIO", -9}, {"MFLOP/s", 9},
                                                {"pJ/FLOP", 8}, {"MEMORY", 9}, {"TITLE", -40}};
    const struct list_options *options = call->options;
    json_t *list = options->json ? json_array() : NULL;
    if (!options->json) {
        say_heads(columns, 6);
    }
    for (unsigned i = 0; i < DEVICE_KINDS; i++) {
        const struct device_class *class = device_class_of((enum device_kind)i);
        if (options->json) {
            (void)json_array_append_new(list, class_json(class));
        } else {
            print_class(columns, class);
        }
    }
    return options->json ? say_json(list) : EXIT_CODE_OK;
}
