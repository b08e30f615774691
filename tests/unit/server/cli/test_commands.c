/* The table of commands is complete and consistent, and finds what it should. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "server/cli/commands.h"
#include "server/cli/exits.h"

static void test_every_row_is_complete(void **state)
{
    const struct command *c;
    (void)state;
    for (size_t i = 0; (c = command_at(i)) != NULL; i++) {
        char example[80];
        assert_non_null(c->run);
        assert_true(strlen(c->summary) > 10 && strlen(c->summary) < 80);
        assert_true(c->summary[strlen(c->summary) - 1u] != '.');
        assert_true(strlen(c->group) > 0);
        assert_true(c->words_min <= c->words_max && c->words_max <= COMMAND_WORDS_MAX);
        assert_true((c->words_max > 0) == (c->arguments[0] != '\0'));
        assert_true(c->settings == NULL || c->settings->bytes <= COMMAND_OPTIONS_BYTES_MAX);
        /* The help shows how it is called. */
        snprintf(example, sizeof example, "  mycel %s", c->name);
        assert_non_null(c->help);
        if (strstr(c->help, example) == NULL) {
            fail_msg("the help of '%s' has no example", c->name);
        }
    }
}

static void test_names_are_unique_and_grouped(void **state)
{
    const struct command *c;
    (void)state;
    for (size_t i = 0; (c = command_at(i)) != NULL; i++) {
        const struct command *other;
        for (size_t j = i + 1u; (other = command_at(j)) != NULL; j++) {
            assert_string_not_equal(c->name, other->name);
            /* A group stands together, or its heading would appear twice. */
            if (strcmp(c->group, other->group) == 0) {
                assert_string_equal(command_at(j - 1u)->group, other->group);
            }
        }
    }
}

static void check_settings(const struct command *c)
{
    size_t keys_count;
    const struct config_key *keys = config_keys(&keys_count);
    for (size_t i = 0; c->settings != NULL && i < c->settings->count; i++) {
        const struct setting *s = &c->settings->rows[i];
        char message[SETTING_MESSAGE_BYTES];
        char values[COMMAND_OPTIONS_BYTES_MAX] = {0};
        assert_true(strlen(s->help) > 3);
        assert_true(s->offset < c->settings->bytes);
        if (s->fallback != NULL && setting_assign(s, values, s->fallback, message) != 0) {
            fail_msg("%s --%s: its default: %s", c->name, s->name, message);
        }
        for (size_t j = 0; j < i; j++) {
            const struct setting *other = &c->settings->rows[j];
            assert_string_not_equal(s->name, other->name);
            assert_true(s->letter == 0 || s->letter != other->letter);
            assert_true(s->offset != other->offset);
        }
        for (size_t j = 0; j < keys_count; j++) {
            if ((c->config & keys[j].group) != 0) {
                assert_string_not_equal(s->name, keys[j].setting.name);
                assert_true(s->letter == 0 || s->letter != keys[j].setting.letter);
            }
        }
    }
}

static void test_flags_do_not_clash(void **state)
{
    const struct command *c;
    (void)state;
    for (size_t i = 0; (c = command_at(i)) != NULL; i++) {
        check_settings(c);
    }
}

static void test_find(void **state)
{
    size_t used = 9;
    (void)state;
    const char *const enroll[] = {"device", "enroll", "pump"};
    assert_string_equal(command_find(enroll, 3, &used)->name, "device enroll");
    assert_int_equal(used, 2);
    const char *const version[] = {"version", "--json"};
    assert_string_equal(command_find(version, 2, &used)->name, "version");
    assert_int_equal(used, 1);
    const char *const noun[] = {"device"};
    assert_null(command_find(noun, 1, &used));
    const char *const wrong[] = {"device", "enrol"};
    assert_null(command_find(wrong, 2, &used));
    const char *const beginning[] = {"vers"};
    assert_null(command_find(beginning, 1, &used));
    assert_null(command_find(NULL, 0, &used));
}

static void test_the_promised_commands_exist(void **state)
{
    static const char *const names[] = {
        "serve",         "client",     "demo",         "device enroll", "device list",
        "device revoke", "run create", "run list",     "run stop",      "run show",
        "model list",    "model show", "model export", "config check",  "version"};
    const struct command *c;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t j = 0;
        while ((c = command_at(j)) != NULL && strcmp(c->name, names[i]) != 0) {
            j++;
        }
        if (c == NULL) {
            fail_msg("there is no command '%s'", names[i]);
        }
    }
}

static void test_exit_codes(void **state)
{
    size_t count;
    const struct exit_row *rows = exit_rows(&count);
    (void)state;
    for (size_t i = 1; i < count; i++) {
        assert_true(rows[i].code > rows[i - 1u].code);
    }
    assert_int_equal(exit_of_error(0), EXIT_CODE_OK);
    assert_int_equal(exit_of_error(12), EXIT_CODE_OK);
    assert_int_equal(exit_of_error(-54), EXIT_CODE_NOT_FOUND);
    assert_int_equal(exit_of_error(-9999), EXIT_CODE_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_complete),
        cmocka_unit_test(test_names_are_unique_and_grouped),
        cmocka_unit_test(test_flags_do_not_clash),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_the_promised_commands_exist),
        cmocka_unit_test(test_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
