"""Proves that every lint can fail. Usage: selftest.py <scratch folder> <C compiler> <nm> <ar>

Each case is a small tree with one fault; the lint named must find exactly that fault, and must
find nothing in the same tree without it.
"""

import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BLAMELESS = '#include "common/here.h"\n\nint answer(void)\n{\n    return 42;\n}\n'

# lint, file, its bad content, what the lint must say
CASES = [
    ("includes", "common/a.c", '#include "server/engine/engine.h"', "common must not include"),
    ("includes", "client/nn/a.c", '#include "proto/wire.h"', "client/nn must not include"),
    ("includes", "client/runtime/a.c", '#include "server/engine/engine.h"', "must not include"),
    ("includes", "server/engine/a.c", "#include <mycel/client.h>", "must not include"),
    ("includes", "server/engine/a.c", '#include "server/store/store.h"', "must not include"),
    ("includes", "server/net/a.c", '#include "server/store/store.h"', "must not include"),
    ("includes", "server/daemon/a.c", "#include <mycel/nn.h>", "must not include"),
    ("includes", "server/net/a.c", "#include <sqlite3.h>", "only be included in server/store"),
    ("includes", "server/store/a.c", "#include <uv.h>", "only be included in"),
    ("includes", "server/cli/a.c", "#include <mbedtls/ssl.h>", "only be included in"),
    ("includes", "common/codec/a.c", "#include <psa/crypto.h>", "only be included in"),
    ("includes", "server/daemon/a.c", "#include <coap3/coap.h>", "only be included in"),
    ("includes", "client/runtime/a.c", "#include <stdio.h>", "without an operating system"),
    ("includes", "client/runtime/a.c", '#include "nowhere.h"', "not a path from the root"),
    ("style", "server/cli/a.c", "int f(char *s)\n{\n    return atoi(s);\n}", "atoi() is banned"),
    ("style", "server/cli/a.c", "void f(char *s)\n{\n    strcpy(s, s);\n}", "strcpy() is banned"),
    ("style", "server/engine/a.c", "void *f(void)\n{\n    return malloc(1);\n}",
     "malloc() outside the shells"),
    ("style", "client/nn/a.c", "double f(void);", "double is not used here"),
    ("style", "server/cli/a.c", "int f(void) __attribute__((weak));", "weak symbols"),
    ("style", "server/cli/a.c", "int f(int n)\n{\n    return f(n - 1);\n}", "f() calls itself"),
    ("style", "server/cli/a.c", "F(a) F(b)(int (*n)(void))\n{\n    return F(b)(n);\n}",
     "F(b)() calls itself"),
    ("style", "server/cli/a.c", "int f(int n)\n{\n" + "    n++;\n" * 67 + "    return n;\n}",
     "f() has 71 lines"),
    ("style", "server/cli/a.c", "int a;\n" * 500, "a.c:1: 501 lines"),
    ("hygiene", "docs/a.md", "see /wor" + "k/main/README.md", "path of one machine"),
    ("hygiene", "docs/a.md", "from registry.np" + "mjs.org", "host of a package registry"),
    ("hygiene", "docs/a.o", "x", "generated or binary"),
]

# What must not be taken for a fault.
INNOCENT = [
    ("includes", "server/eval/a.c", "#include <mycel/nn.h>"),
    ("includes", "server/cli/a.c", '#include "client/port/linux/linux.h"'),
    ("includes", "tests/unit/a.c", "#include <sqlite3.h>"),
    ("style", "server/cli/a.c", "/* unlike strcpy(), f(n) never calls f(n) */\nint f(int n);"),
    ("style", "server/cli/a.c", "int f(struct s *s)\n{\n    return s->f(1);\n}"),
    ("style", "server/cli/a.c", "F(a) F(b)(void)\n{\n    return F(a)();\n}"),
    ("style", "server/cli/a.c", 'static const char *const text = "sprintf(";'),
    ("style", "server/cli/a.c", "int f(int n)\n{\n" + "    n++;\n" * 66 + "    return n;\n}"),
    ("style", "server/cli/a.c", "int a;\n" * 499),
    ("hygiene", "docs/a.md", "install from your distribution; see build/release/bin"),
]

# archive content, what symbols.py must say (None: nothing)
OBJECTS = [
    ("void *malloc(unsigned long); void *f(void) { return malloc(1); }", "malloc is not allowed"),
    ("long time(long *); long f(void) { return time(0); }", "time is not allowed"),
    ("int printf(const char *, ...); int f(int n) { return printf(\"%d\", n); }",
     "printf is not allowed"),
    ("int rand(void); int f(void) { return rand(); }", "rand is not allowed"),
    ("int socket(int, int, int); int f(void) { return socket(1, 2, 3); }", "socket is not allowed"),
    ("static int count; int f(void) { return count++; }", "count is a variable"),
    ("void *memcpy(void *, const void *, unsigned long);\n"
     "static const char *const rows[] = {\"a\", \"b\"};\n"
     "const char *f(int n, void *p) { memcpy(p, rows, 16); return rows[n]; }", None),
]

# lint, file, bad content, good content; these lints read other things than the tree's C sources
TOOLS = [
    ("flags.py", "compile_commands.json",
     '[{"file": "a.c", "command": "cc -std=c11 -Wall -Wextra -c a.c"}]',
     '[{"file": "a.c", "command": "cc -std=c11 -Wall -Wextra -Werror=vla -c a.c"}]'),
    ("format.sh", "server/cli/a.c", "int f(void) { return 1 ; }", "int f(void);"),
    ("shell.sh", "deploy/a.sh", "#!/bin/bash\nrm -rf $1/*", "#!/bin/bash\nrm -rf \"${1:?}\"/*"),
]
SKIPPED = 77


def run_lint(lint, *arguments):
    command = [sys.executable, lint] if lint.suffix == ".py" else [lint]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def make_tree(tree):
    """A fresh tree with the headers that the cases include."""
    shutil.rmtree(tree, ignore_errors=True)
    headers = ("common/here.h", "proto/wire.h", "server/engine/engine.h", "server/store/store.h",
               "client/include/mycel/nn.h", "client/include/mycel/client.h",
               "client/port/linux/linux.h")
    for header in headers:
        path = tree / header
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("/* A header. */\n")
    (tree / "server/cli").mkdir()
    (tree / "server/cli/blameless.c").write_text(BLAMELESS)


def check_tree(tree, lint, name, content, expected):
    make_tree(tree)
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content + "\n")
    code, output = run_lint(HERE / f"{lint}.py", tree)
    if expected is None:
        return code == 0, output
    return code == 1 and expected in output and "1 finding(s)" in output, output


def check_object(scratch, tools, text, expected):
    compiler, nm, ar = tools
    source, archive = scratch / "object.c", scratch / "libobject.a"
    source.write_text(text + "\n")
    archive.unlink(missing_ok=True)
    subprocess.run([compiler, "-fno-builtin", "-fPIC", "-c", source, "-o", scratch / "object.o"],
                   check=True)
    subprocess.run([ar, "rcs", archive, scratch / "object.o"], check=True)
    code, output = run_lint(HERE / "symbols.py", nm, archive)
    if expected is None:
        return code == 0, output
    return code == 1 and expected in output, output


def check_tool(tree, lint, name, bad, good):
    """The bad file must be refused and the good one pass, unless the lint's tool is missing."""
    codes, outputs = [], []
    for content in (bad, good):
        make_tree(tree)
        shutil.copy(HERE / "../../.clang-format", tree)
        for path in (tree / name, tree / ".ci/run"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content + "\n" if path.name != "run" else "#!/bin/bash\n")
        code, output = run_lint(HERE / lint, tree)
        codes.append(code)
        outputs.append(output)
    skipped = codes == [SKIPPED, SKIPPED]
    return skipped or (codes[0] not in (0, SKIPPED) and codes[1] == 0), "\n".join(outputs)


def main():
    scratch, tools = pathlib.Path(sys.argv[1]), sys.argv[2:5]
    scratch.mkdir(parents=True, exist_ok=True)
    tree = scratch / "tree"
    results = [(case, *check_tree(tree, *case)) for case in CASES]
    results += [(case, *check_tree(tree, *case, None)) for case in INNOCENT]
    results += [(case, *check_tool(tree, *case)) for case in TOOLS]
    results += [(case, *check_object(scratch, tools, *case)) for case in OBJECTS]
    failures = [(case, output) for case, passed, output in results if not passed]
    for case, output in failures:
        print(f"this case was judged wrongly: {str(case)[:200]}\n{output}")
    print(f"selftest: {len(results)} cases, {len(failures)} failure(s)")
    sys.exit(1 if failures else 0)


main()
