#!/usr/bin/env bash
# The trainer on 64-bit ARM under qemu-user: run.sh <folder for what is built>. Scalar fingerprints have
# to be this machine's, NEON has to agree. Exit 77 (skipped) without the cross compiler or QEMU.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$1
mkdir -p "$out"
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool" >&2; exit 77; }
done

sources=("$root"/common/model*.c "$root/common/crc32.c" "$root"/client/nn/*.c
    "$root/client/nn/kernels/kernels_scalar.c" "$root/client/nn/kernels/kernels_select.c"
    "$root/client/nn/kernels/kernels_neon.c")
flags=(-O2 -std=gnu11 -ffp-contract=off -static -I"$root" -I"$root/client/include"
    -I"$root/common/include")
for program in "$here/neon.c" "$root/tests/m4/training.c"; do
    aarch64-linux-gnu-gcc "${flags[@]}" "${sources[@]}" "$program" \
        -o "$out/$(basename "$program" .c)" -lm
done
qemu-aarch64 "$out/neon"
qemu-aarch64 "$out/training" | awk '{ print $1, $4 }' >"$out/fingerprints.txt"
diff "$root/tests/golden/fingerprints.txt" "$out/fingerprints.txt"
