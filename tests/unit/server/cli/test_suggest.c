/* Which slips of the finger are understood, and which words are left alone. */
#include "cmocka_all.h"

#include <string.h>

#include "server/cli/suggest.h"

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(suggest_distance("", ""), 0);
    assert_int_equal(suggest_distance("", "abc"), 3);
    assert_int_equal(suggest_distance("port", "port"), 0);
    assert_int_equal(suggest_distance("prot", "port"), 1);  /* neighbours swapped */
    assert_int_equal(suggest_distance("prt", "port"), 1);   /* one missing */
    assert_int_equal(suggest_distance("poort", "port"), 1); /* one too many */
    assert_int_equal(suggest_distance("part", "port"), 1);  /* one wrong */
    assert_int_equal(suggest_distance("kitten", "sitting"), 3);
    char word[SUGGEST_WORD_MAX + 2u];
    memset(word, 'a', sizeof word - 1u);
    word[sizeof word - 1u] = '\0';
    assert_int_equal(suggest_distance(word, "a"), SUGGEST_WORD_MAX);
}

static const char *nearest(const char *word)
{
    static const char *const words[] = {"rounds", "goal", "deadline", "learning-rate", "run"};
    struct suggest s = {0};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        suggest_consider(&s, word, words[i]);
    }
    return s.best;
}

static void test_choice(void **state)
{
    (void)state;
    assert_string_equal(nearest("ruonds"), "rounds");
    assert_string_equal(nearest("deadlin"), "deadline");
    assert_string_equal(nearest("learning_rate"), "learning-rate");
    assert_string_equal(nearest("lear"), "learning-rate"); /* a beginning */
    assert_string_equal(nearest("rnu"), "run");
    assert_null(nearest("colour"));
    assert_null(nearest("x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_distance),
                                       cmocka_unit_test(test_choice)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
