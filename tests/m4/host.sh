#!/usr/bin/env bash
# This machine's fingerprints of trained weights against the committed ones: host.sh <program>
set -euo pipefail
golden=$(cd "$(dirname "${BASH_SOURCE[0]}")/../golden" && pwd)/fingerprints.txt
"$1" | awk '{ print $1, $4 }' | diff "$golden" -
