/* The table of rules, and the text form of strategies: what is accepted, and where errors point. */
#include <mycel/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fleet.h"

static void table_is_complete_and_consistent(void **state)
{
    (void)state;
    static const char *const names[] = {"fedavg",  "fedavgm",     "fedadagrad", "fedadam",
                                        "fedyogi", "fedprox",     "scaffold",   "fednova",
                                        "qfedavg", "centredclip", "fltrust",    "median",
                                        "trimmed", "krum",        "multikrum",  "rfa"};
    assert_int_equal(rule_count(), sizeof names / sizeof *names);
    for (uint32_t i = 0; i < rule_count(); i++) {
        const struct rule *rule = rule_find(names[i]);
        assert_non_null(rule);
        assert_ptr_equal(rule, rule_at(i));
        assert_true(strlen(rule->name) <= RULE_NAME_BYTES_MAX);
        assert_true(strlen(rule->title) > 0 && strlen(rule->equation) > 0);
        assert_true(strlen(rule->source) > 0);
        assert_string_equal(rule->params[0].name, "lr");
        for (uint32_t p = 0; p < rule->param_count; p++) {
            const struct rule_param *param = &rule->params[p];
            assert_true(param->min <= param->initial && param->initial <= param->max);
            assert_true(strlen(param->title) > 0);
        }
    }
    assert_null(rule_at(rule_count()));
    assert_null(rule_find("fedsgd"));
    assert_null(rule_find(""));
}

static void defaults_are_the_papers(void **state)
{
    (void)state;
    struct rule_strategy s = fleet_strategy(RULE_STRATEGY_DEFAULT);
    assert_ptr_equal(s.rule, rule_find("fedadam"));
    assert_int_equal(s.clip, RULE_CLIP_ADAPTIVE);
    assert_true(s.clip_quantile == 0.8f && s.clip_rate == 0.2f && s.clip_norm == 1.0f);
    assert_true(s.params[0] == 0.01f && s.params[1] == 0.9f && s.params[2] == 0.99f);
    assert_true(s.params[3] == 1e-3f);
    s = fleet_strategy("fedavg");
    assert_int_equal(s.clip, RULE_CLIP_NONE);
    assert_true(s.params[0] == 1.0f);
    assert_true(fleet_strategy("fedavgm").params[0] == 0.3f);
    assert_true(fleet_strategy("fedadagrad").params[0] == 0.03f);
    assert_true(rule_prox_mu(&s) == 0);
    s = fleet_strategy("fedprox mu=0.25");
    assert_true(rule_prox_mu(&s) == 0.25f);
    assert_false(rule_needs_reference(&s));
    s = fleet_strategy("fltrust");
    assert_true(rule_needs_reference(&s));
}

static void numbers(void **state)
{
    (void)state;
    struct rule_strategy s =
        fleet_strategy("  clip\tadaptive  quantile=.5   rate=1e-1 norm=2.5e+1>fedadam  tau=0.001 ");
    assert_true(s.clip_quantile == 0.5f && s.clip_rate == 0.1f && s.clip_norm == 25.0f);
    assert_true(s.params[3] == 0.001f);
    assert_true(fleet_strategy("fedavg lr=1.").params[0] == 1.0f);
    assert_true(fleet_strategy("fedavg lr=10").params[0] == 10.0f);
    assert_true(fleet_strategy("fedavg lr=0.123456789").params[0] == 0.123456789f);
    assert_true(fleet_strategy("clip fixed norm=0.5 > median").clip == RULE_CLIP_FIXED);
}

struct mistake {
    const char *text;
    uint32_t column;
    const char *says;
};

static const struct mistake mistakes[] = {
    {"", 1, "the name of a rule is expected"},
    {"   ", 4, "the name of a rule is expected"},
    {"fedadm", 1, "did you mean \"fedadam\"?"},
    {"medain", 1, "did you mean \"median\"?"},
    {"multi-krum", 1, "did you mean \"multikrum\"?"},
    {"averyverylongruleindeed", 1, "there is no rule"},
    {"transformer", 1, "there is no rule \"transformer\""},
    {"FedAvg", 1, "the name of a rule is expected"},
    {"fedavg lr", 8, "name=number"},
    {"fedavg lr=", 11, "a number is expected"},
    {"fedavg lr=x", 11, "a number is expected"},
    {"fedavg lr=0.1x", 11, "a number is expected"},
    {"fedavg lr=1e", 11, "a number is expected"},
    {"fedavg lr=1e9999", 11, "a number is expected"},
    {"fedavg lr=..1", 11, "a number is expected"},
    {"fedavg lr=1.0000000001", 11, "a number is expected"},
    {"fedavg lr=nan", 11, "a number is expected"},
    {"fedavg lr=1e300", 11, "lr is out of its bounds"},
    {"fedavg lr=-1", 11, "lr is out of its bounds"},
    {"fedavg lr=0", 11, "lr is out of its bounds"},
    {"fedavg lr=11", 11, "lr is out of its bounds"},
    {"fedavg lr=1 lr=1", 13, "lr is given twice"},
    {"fedavg beta=1", 8, "fedavg has no such parameter; it has lr"},
    {"fedadam lr=0.1 gamma=1", 16, "it has lr, beta1, beta2, tau"},
    {"fedavg > median", 8, "nothing may follow the rule"},
    {"clip", 5, "clip is \"adaptive\" or \"fixed\""},
    {"clip > fedavg", 6, "clip is \"adaptive\" or \"fixed\""},
    {"clip adaptive", 14, "\">\" and a rule have to follow"},
    {"clip adaptive fedavg", 15, "name=number"},
    {"clip adaptive >", 16, "the name of a rule is expected"},
    {"clip adaptive > clip fixed > fedavg", 17, "there is no rule \"clip\""},
    {"clip adaptive quantile=1.5 > fedavg", 24, "quantile is out of its bounds"},
    {"clip fixed radius=1 > fedavg", 12, "clip has no such parameter; it has norm, quantile, rate"},
    {"clip adaptive > fedadam lr=O.1", 28, "a number is expected"},
    {"fedavg; drop", 7, "name=number"},
};

static void errors_point_at_their_column(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct rule_strategy strategy;
        struct rule_error error = {0};
        const struct mistake *m = &mistakes[i];
        assert_int_equal(rule_parse(m->text, &strategy, &error), MYCEL_E_INVALID);
        if (error.column != m->column || !strstr(error.text, m->says)) {
            fail_msg("\"%s\": column %u, \"%s\"", m->text, error.column, error.text);
        }
    }
}

static void long_texts_are_refused(void **state)
{
    (void)state;
    char text[2 * RULE_TEXT_BYTES_MAX];
    struct rule_strategy strategy;
    struct rule_error error;
    for (size_t length = 1; length < sizeof text; length++) {
        static const char fill[] = {'f', ' ', '=', '1', '>', '.'};
        for (size_t f = 0; f < sizeof fill; f++) {
            memset(text, fill[f], length);
            text[length] = '\0';
            assert_int_equal(rule_parse(text, &strategy, &error), MYCEL_E_INVALID);
            assert_true(strlen(error.text) < sizeof error.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_complete_and_consistent),
        cmocka_unit_test(defaults_are_the_papers),
        cmocka_unit_test(numbers),
        cmocka_unit_test(errors_point_at_their_column),
        cmocka_unit_test(long_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
