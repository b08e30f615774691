#!/usr/bin/env bash
# Runs ctest for each preset named, all of them even if one fails, and closes with a summary:
#   run.sh <jobs> <preset>...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

jobs=$1
shift
failed=0
total=0
status=0
declare -A closing

for preset in "$@"; do
    log=build/$preset/ctest.log
    ctest --preset "$preset" --parallel "$jobs" </dev/null 2>&1 | tee "$log" || status=1
    closing[$preset]=$(grep -E '^[0-9]+% tests passed' "$log" || true)
    if [[ ${closing[$preset]} =~ ([0-9]+)\ tests?\ failed\ out\ of\ ([0-9]+) ]]; then
        failed=$((failed + BASH_REMATCH[1]))
        total=$((total + BASH_REMATCH[2]))
    else
        closing[$preset]="ctest did not finish"
        status=1
    fi
done

echo
for preset in "$@"; do
    printf '%-8s %s\n' "$preset:" "${closing[$preset]}"
done
[[ $total -gt 0 && $failed -le $total ]] || exit 1
echo "$((100 * (total - failed) / total))% tests passed, $failed tests failed out of $total"
exit "$status"
