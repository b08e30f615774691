#!/usr/bin/env bash
# clang-tidy and cppcheck over everything that a build compiles: static_analysis.sh <build folder>
# Too slow for `make test`; `make lint` and CI run it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$1
for tool in clang-tidy cppcheck; do
    command -v "$tool" >/dev/null || {
        echo "lint: $tool is missing: run 'deploy/deps.sh development'" >&2
        exit 1
    }
done

echo "clang-tidy …"
mapfile -t files < <(sed -n 's/^ *"file": "\(.*\)",*$/\1/p' "$build/compile_commands.json" |
    grep -v '\.pb\.c$' | sort -u)
# One file a process: the analyser of clang 14 confuses itself over several (va_list).
printf '%s\0' "${files[@]}" |
    xargs -0 -n 1 -P "${JOBS:-$(nproc)}" clang-tidy --quiet -p "$build" --warnings-as-errors='*' 2>/dev/null

echo "cppcheck …"
cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -j "$(nproc)" \
    --enable=warning,portability,performance --suppress=missingIncludeSystem \
    --suppressions-list="$root/tests/lint/cppcheck.txt" \
    -i "$build" --project="$build/compile_commands.json"
echo "lint: clean"
