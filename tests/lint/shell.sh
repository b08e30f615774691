#!/usr/bin/env bash
# Checks every shell script of the tree with shellcheck: shell.sh <root>
set -euo pipefail

if ! command -v shellcheck >/dev/null; then
    echo "shell: skipped, shellcheck is not installed"
    exit 77
fi
cd "$1"
{
    for folder in deploy tests; do
        [[ ! -d $folder ]] || find "$folder" -name '*.sh' -print0
    done
    printf '.ci/run\0'
} | xargs -0 shellcheck
