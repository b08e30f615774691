/* `mycel strategy list|show`: the rules that join updates, from the engine's own table. */
#include "server/cli/strategy.h"

#include <stdio.h>
#include <string.h>

#include <mycel/error.h>

#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/engine/rules/rules.h"

struct show_options {
    bool json;
};

static const struct setting rows[] = {
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, .help = "Print JSON"},
};

const struct setting_list strategy_list_settings = SETTING_LIST(rows, struct show_options);
const struct setting_list strategy_show_settings = SETTING_LIST(rows, struct show_options);

int strategy_check(const char *text)
{
    struct rule_strategy strategy;
    struct rule_error error = {0};
    int result = rule_parse(text, &strategy, &error);
    if (result < 0) {
        say_error("--strategy, column %u: %s\n  %s\n  %*s^", (unsigned)error.column, error.text,
                  text, error.column > 0 ? (int)error.column - 1 : 0, "");
    }
    return result;
}

bool strategy_needs_root(const char *text)
{
    struct rule_strategy strategy;
    struct rule_error error;
    return rule_parse(text, &strategy, &error) == 0 && rule_needs_reference(&strategy);
}

bool strategy_needs_control(const char *text)
{
    struct rule_strategy strategy;
    struct rule_error error = {0};
    return rule_parse(text, &strategy, &error) == MYCEL_OK && rule_needs_control(&strategy);
}

static const char *kind_name(const struct rule *rule)
{
    return rule->kind == RULE_STREAMING ? "streaming" : "gathering";
}

static json_t *rule_json(const struct rule *rule)
{
    json_t *params = json_array();
    for (uint32_t i = 0; i < rule->param_count; i++) {
        const struct rule_param *p = &rule->params[i];
        (void)json_array_append_new(params,
                                    json_pack("{s:s, s:s, s:f, s:f, s:f}", "name", p->name, "title",
                                              p->title, "default", (double)p->initial, "min",
                                              (double)p->min, "max", (double)p->max));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "name", rule->name, "title", rule->title,
                     "equation", rule->equation, "source", rule->source, "kind", kind_name(rule),
                     "parameters", params);
}

int strategy_list_run(const struct invocation *call)
{
    static const struct say_column columns[] = {{"NAME", -12}, {"KIND", -9}, {"RULE", -60}};
    const struct show_options *options = call->options;
    json_t *list = options->json ? json_array() : NULL;
    if (!options->json) {
        say_heads(columns, 3);
    }
    for (uint32_t i = 0; i < rule_count(); i++) {
        const struct rule *rule = rule_at(i);
        if (options->json) {
            (void)json_array_append_new(list, rule_json(rule));
        } else {
            say_row(columns, 3, (const char *const[]){rule->name, kind_name(rule), rule->title});
        }
    }
    return options->json ? say_json(list) : EXIT_CODE_OK;
}

static void print_rule(const struct rule *rule)
{
    (void)printf("%s: %s\n\n  %s\n\n", rule->name, rule->title, rule->equation);
    (void)printf("source  %s\n", rule->source);
    (void)printf("kind    %s\n", rule->kind == RULE_STREAMING
                                     ? "streaming: takes each update as it comes"
                                     : "gathering: needs all updates of a round");
    for (uint32_t i = 0; i < rule->param_count; i++) {
        const struct rule_param *p = &rule->params[i];
        (void)printf("%s  %-10s %s (default %g, %g to %g)\n", i == 0 ? "\nparameters\n" : "",
                     p->name, p->title, (double)p->initial, (double)p->min, (double)p->max);
    }
    (void)printf("\n  mycel run create --strategy \"%s%s%s", rule->name,
                 rule->param_count ? " " : "", rule->param_count ? rule->params[0].name : "");
    if (rule->param_count > 0) {
        (void)printf("=%g", (double)rule->params[0].initial);
    }
    (void)printf("\" …\n");
}

int strategy_show_run(const struct invocation *call)
{
    const struct show_options *options = call->options;
    const char *name = call->words[0];
    const struct rule *rule = strcmp(name, "clip") == 0 ? rule_clip_description() : rule_find(name);
    if (rule == NULL) {
        const struct rule *near = rule_nearest(name);
        say_error("there is no strategy '%.40s'%s%s%s", name,
                  near ? "; did you mean '" : "; 'mycel strategy list' shows them",
                  near ? near->name : "", near ? "'?" : "");
        return EXIT_CODE_NOT_FOUND;
    }
    if (options->json) {
        return say_json(rule_json(rule));
    }
    print_rule(rule);
    return EXIT_CODE_OK;
}
