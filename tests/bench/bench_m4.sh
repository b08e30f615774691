#!/usr/bin/env bash
# The trainer on an emulated Cortex-M4F. Without the cross compiler or QEMU one line says so.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
status=0
"$root/tests/m4/run.sh" "${MYCEL_BIN%/bin/mycel}/m4" || status=$?
if [[ $status -eq 77 ]]; then
    echo '{"bench":"m4","case":"m4_tools_missing","value":0,"unit":"none","reference":null,"ratio":null}'
    status=0
fi
exit "$status"
