#!/usr/bin/env bash
# Checks that every C file is as clang-format would write it: format.sh <root> [--fix]
# Versions differ in details, so only the one below judges; with another one the test is skipped.
set -euo pipefail

version=14
clang_format=$(command -v "clang-format-$version" || command -v clang-format || true)
if [[ -z $clang_format || $("$clang_format" --version) != *"version $version."* ]]; then
    echo "format: skipped, clang-format $version is not installed"
    exit 77
fi

cd "$1"
mode=(--dry-run --Werror)
[[ ${2:-} != --fix ]] || mode=(-i)
folders=()
for folder in common proto data client server sim tests; do
    [[ ! -d $folder ]] || folders+=("$folder")
done
find "${folders[@]}" -name '*.[ch]' -print0 | xargs -0 "$clang_format" --style=file "${mode[@]}"
