/* Precedence of flags, environment, file and defaults; and the words for what is wrong in a file. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mycel/error.h>

#include "server/cli/config.h"

static char path[] = "/tmp/mycel-config-XXXXXX";
static struct config config;

static void write_file(const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static int load(const char *text)
{
    write_file(text);
    return config_load(&config, path, NULL);
}

static size_t key_index(const char *section, const char *name)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].setting.name, name) == 0) {
            return i;
        }
    }
    fail_msg("no key %s in [%s]", name, section);
    return 0;
}

static const char *origin(const char *section, const char *name)
{
    static char out[4096];
    return config_origin_text(&config, key_index(section, name), out, sizeof out);
}

static int clear_environment(void **state)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        char variable[CONFIG_NAME_BYTES_MAX];
        (void)unsetenv(config_variable(&keys[i], variable));
    }
    (void)unsetenv("MYCEL_CONFIG");
    return 0;
}

static void test_precedence(void **state)
{
    const char *flags[CONFIG_KEYS_MAX] = {0};
    (void)state;
    assert_int_equal(load(""), MYCEL_OK);
    assert_int_equal(config.serve.port, 5684);
    assert_string_equal(origin("serve", "port"), "default");

    assert_int_equal(load("# comment\n[serve]\n\nport = 6000\n"), MYCEL_OK);
    assert_int_equal(config.serve.port, 6000);
    char expected[64];
    snprintf(expected, sizeof expected, "%s:4", path);
    assert_string_equal(origin("serve", "port"), expected);

    assert_int_equal(setenv("MYCEL_SERVE_PORT", "7000", 1), 0);
    assert_int_equal(config_load(&config, path, NULL), MYCEL_OK);
    assert_int_equal(config.serve.port, 7000);
    assert_string_equal(origin("serve", "port"), "MYCEL_SERVE_PORT");

    flags[key_index("serve", "port")] = "8000";
    assert_int_equal(config_load(&config, path, flags), MYCEL_OK);
    assert_int_equal(config.serve.port, 8000);
    assert_string_equal(origin("serve", "port"), "--port");
}

static void test_the_file_is_found(void **state)
{
    (void)state;
    write_file("state = /from/variable\n");
    assert_int_equal(setenv("MYCEL_CONFIG", path, 1), 0);
    assert_int_equal(config_load(&config, NULL, NULL), MYCEL_OK);
    assert_string_equal(config.state, "/from/variable");
    assert_int_equal(config_load(&config, "none", NULL), MYCEL_OK);
    assert_string_not_equal(config.state, "/from/variable");
    assert_string_equal(config.path, "");
    assert_int_equal(config_load(&config, "/no/such/file", NULL), MYCEL_E_NOT_FOUND);
    assert_non_null(strstr(config.message, "/no/such/file"));
}

/* Each row: a file, and what its message must contain. */
static void test_mistakes_name_their_line(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"\nstat = /x\n", ":2: unknown key 'stat'; did you mean 'state'?"},
        {"[serve]\nprot = 1\n", ":2: unknown key 'prot' in [serve]; did you mean 'port'?"},
        {"port = 1\n", ":1: unknown key 'port'; it belongs below [serve]"},
        {"[serve]\nstate = /x\n", "it belongs at the top"},
        {"[client]\nkey = abc\n", "secrets are only read from files"},
        {"[serve]\nport = 99999\n", ":2: port: must lie between 0 and 65535"},
        {"[serve]\nport = a\n", ":2: port: 'a' is not a whole number"},
        {"state = /a\n\nstate = /b\n", ":3: state was already set in line 1"},
        {"state = /a\nwhat is this\n", ":2: neither [section] nor key = value"},
        {"log-format = xml\n", "not one of text, json"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(load(rows[i].text), MYCEL_E_INVALID);
        if (strstr(config.message, rows[i].words) == NULL) {
            fail_msg("'%s' lacks '%s'", config.message, rows[i].words);
        }
        assert_non_null(strstr(config.message, path));
    }
}

static void test_long_lines_are_refused(void **state)
{
    char text[1000];
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "state = /", 9);
    text[sizeof text - 2] = '\n';
    text[sizeof text - 1] = '\0';
    assert_int_equal(load(text), MYCEL_E_INVALID);
    assert_non_null(strstr(config.message, "too long"));
}

static void test_the_environment_is_checked(void **state)
{
    (void)state;
    assert_int_equal(setenv("MYCEL_LOG_LEVEL", "loud", 1), 0);
    assert_int_equal(config_load(&config, "none", NULL), MYCEL_E_INVALID);
    assert_non_null(strstr(config.message, "MYCEL_LOG_LEVEL: 'loud'"));
}

/* Every default obeys its own bounds, every name is well formed and unique. */
static void test_the_table(void **state)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct setting *s = &keys[i].setting;
        assert_int_equal(strspn(s->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(s->name));
        assert_true(strlen(s->help) > 10);
        assert_true(s->type == SETTING_SWITCH || s->argument != NULL);
        assert_true(s->offset < offsetof(struct config, path));
        for (size_t j = 0; j < i; j++) {
            bool same_flag = strcmp(s->name, keys[j].setting.name) == 0;
            assert_false(same_flag && keys[i].group == keys[j].group);
            assert_true(s->offset != keys[j].setting.offset);
        }
    }
    assert_int_equal(config_load(&config, "none", NULL), MYCEL_OK);
}

static int make_file(void **state)
{
    int file = mkstemp(path);
    (void)state;
    (void)close(file);
    return file < 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, clear_environment, clear_environment)
    const struct CMUnitTest tests[] = {
        CASE(test_precedence),
        CASE(test_the_file_is_found),
        CASE(test_mistakes_name_their_line),
        CASE(test_long_lines_are_refused),
        CASE(test_the_environment_is_checked),
        CASE(test_the_table),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
