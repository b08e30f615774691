/*
 * Every text file in transcripts/: runs its commands and compares what the engine does with what the file
 * says. MYCEL_GOLDEN=write writes the files anew (read the difference before you commit it).
 */
#include "tests/unit/server/engine/script.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRANSCRIPTS MYCEL_SOURCE_DIR "/tests/unit/server/engine/transcripts"
#define TRANSCRIPTS_MAX 128
#define TEXT_BYTES (256 * 1024)

static char expected[TEXT_BYTES];
static char actual[TEXT_BYTES];

static void read_file(const char *path)
{
    FILE *in = fopen(path, "r");
    size_t bytes;

    assert_non_null(in);
    bytes = fread(expected, 1, sizeof expected - 1, in);
    expected[bytes] = '\0';
    fclose(in);
}

/* "# config: strikes_max=2 …" as the first line sets the engine's limits. */
static struct engine_config read_config(void)
{
    struct engine_config config = {.device_max = 64, .run_max = 3, .receipt_max = 64};
    const char *at = strstr(expected, "# config:");

    if (at != NULL) {
        sscanf(at, "# config: devices=%u runs=%u receipts=%u strikes=%u hold=%u",
               &config.device_max, &config.run_max, &config.receipt_max, &config.strikes_max,
               &config.hold_permille);
    }
    return config;
}

static void replay(void)
{
    struct engine_config config = read_config();
    struct shell *shell = calloc(1, sizeof *shell);
    FILE *out = fmemopen(actual, sizeof actual, "w");
    char line[SCRIPT_LINE_BYTES];

    assert_non_null(shell);
    assert_non_null(out);
    shell_init(shell, &config);
    for (const char *at = expected; *at != '\0';) {
        size_t length = strcspn(at, "\n");

        assert_true(length < sizeof line);
        memcpy(line, at, length);
        line[length] = '\0';
        at += length + (at[length] == '\n');
        if (line[0] != ' ') {
            fprintf(out, "%s\n", line);
        }
        if (line[0] == '>') {
            script_run(shell, line + 1, out);
        }
    }
    fclose(out);
    shell_deinit(shell);
    free(shell);
}

/* The first line that differs, for the person who reads the log. */
static void report(const char *name)
{
    const char *a = expected;
    const char *b = actual;
    unsigned line = 1;

    while (*a != '\0' && *a == *b) {
        line += *a == '\n';
        a++;
        b++;
    }
    while (a > expected && a[-1] != '\n') {
        a--;
        b--;
    }
    print_error("%s:%u\n  the file: %.*s\n  now:      %.*s\n", name, line, (int)strcspn(a, "\n"), a,
                (int)strcspn(b, "\n"), b);
}

static void transcript(void **state)
{
    const char *name = *state;
    const char *golden = getenv("MYCEL_GOLDEN");
    char path[1024];

    snprintf(path, sizeof path, "%s/%s", TRANSCRIPTS, name);
    read_file(path);
    replay();
    if (golden != NULL && strcmp(golden, "write") == 0) {
        FILE *out = fopen(path, "w");

        assert_non_null(out);
        fputs(actual, out);
        fclose(out);
        return;
    }
    if (strcmp(expected, actual) != 0) {
        report(path);
        fail();
    }
}

static int is_transcript(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > 4 && strcmp(entry->d_name + length - 4, ".txt") == 0;
}

int main(void)
{
    static struct CMUnitTest tests[TRANSCRIPTS_MAX];
    struct dirent **entries = NULL;
    int count = scandir(TRANSCRIPTS, &entries, is_transcript, alphasort);

    if (count < 15 || count > TRANSCRIPTS_MAX) {
        print_error("%d transcripts in %s\n", count, TRANSCRIPTS);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        tests[i] =
            (struct CMUnitTest){entries[i]->d_name, transcript, NULL, NULL, entries[i]->d_name};
    }
    int failed = _cmocka_run_group_tests("transcripts", tests, (size_t)count, NULL, NULL);

    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free(entries);
    return failed;
}
