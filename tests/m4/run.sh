#!/usr/bin/env bash
# The trainer on an emulated Cortex-M4F: builds it at -Os, runs it under QEMU with counted instructions,
# and prints what it measured as bench lines.
#   run.sh <folder for what is built> [check]
# With "check" it also compares: the trained weights' fingerprints with those of all other machines
# (tests/golden/fingerprints.txt), and instructions, arena, flash and stack with limits.txt. Exit 77 (skipped) without the cross compiler or QEMU.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$1
check=${2:-}
mkdir -p "$out"
out=$(cd "$out" && pwd)

for tool in arm-none-eabi-gcc qemu-system-arm; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool" >&2; exit 77; }
done

sources=("$root"/common/model*.c "$root/common/crc32.c" "$root"/client/nn/*.c)
scalar=("$root/client/nn/kernels/kernels_scalar.c" "$root/client/nn/kernels/kernels_select.c")
includes=(-I"$root" -I"$root/client/include" -I"$root/common/include")
common=(-std=gnu11 -ffp-contract=off "${includes[@]}")
device=(-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard -Os -ffunction-sections
    -fdata-sections)

objects() { # name, options, further sources
    mkdir -p "$out/$1"
    rm -f "$out/$1"/*
    (cd "$out/$1" && arm-none-eabi-gcc "${device[@]}" "${common[@]}" "${@:2}" -c \
        "${sources[@]}" "${scalar[@]}" "$here/start.c" "$here/training.c")
}

# A plan as C, made on the host: for images that neither parse a description nor plan.
planning=()
for source in "$root"/client/nn/*.c; do
    [[ $source == */nn.c ]] || planning+=("$source") # its kernels are chosen for the host
done
planner() { # program, options
    "${CC:-cc}" "${common[@]}" "${@:2}" -o "$out/$1" \
        "$here/plan_source.c" "$root/server/cli/model_source.c" "$root"/common/model*.c \
        "$root/common/crc32.c" "${planning[@]}" -lm
}

link() {
    arm-none-eabi-gcc "${device[@]}" --specs=rdimon.specs -nostartfiles -Wl,--gc-sections \
        -Wl,-Map="$out/$1.map" -T"$here/link.ld" "$out/$1"/*.o -o "$out/$1.elf" -lm
}

# Bytes of code and constants that the map says were taken from the trainer's own objects.
flash() {
    python3 -B "$here/flash.py" "$out/$1.map"
}

run_device() {
    timeout 120 qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none \
        -semihosting-config enable=on,target=native -icount shift=0 -kernel "$out/$1.elf"
}

bench_line() { # case value unit reference
    printf '{"bench":"m4","case":"m4_%s","value":%s,"unit":"%s","reference":%s,"ratio":%s}\n' \
        "$1" "$2" "$3" "$4" "$(python3 -c "print(round($2 / $4, 4))")"
}

# Column 2 (gate) or 3 (target) of a case in limits.txt.
limit() {
    awk -v name="$1" -v column="$2" '$1 == name { print $column; found = 1 } END { exit !found }' \
        "$here/limits.txt"
}

status=0
compare() { # case value unit
    local most
    most=$(limit "$1" 2)
    bench_line "$1" "$2" "$3" "$(limit "$1" 3)"
    if [[ -n $check && $2 -gt $most ]]; then
        echo "m4_$1: $2 $3, and the gate is at $most" >&2
        status=1
    fi
}

objects full -DMYCEL_MODEL_LAYERS_MAX=16
link full
planner plan_dense -DMYCEL_NN_DENSE_ONLY
"$out/plan_dense" "64 > dense 32 relu > dense 10 softmax" 32 >"$out/mlp_plan.c"
for absent in "8x8x1 > conv 4 3x3 > dense 10 softmax" "8 > dense 4 tanh > dense 2 softmax" "8 > dense 1"; do
    if "$out/plan_dense" "$absent" 1 >/dev/null; then
        echo "a build of dense layers planned '$absent'" >&2
        status=1
    fi
done
objects mlp -DSTATIC_PLAN -DMYCEL_NN_DENSE_ONLY -DMYCEL_MODEL_LAYERS_MAX=2 "$out/mlp_plan.c"
link mlp
planner plan_all
"$out/plan_all" "28x28x1 > conv 8 3x3 stride 2 pad 1 relu > conv 16 3x3 stride 2 pad 1 relu > \
dense 10 softmax" 1 >"$out/all_plan.c"
objects all -DSTATIC_PLAN -DSTATIC_CNN -DMYCEL_NN_WITH_INT8=0 -DMYCEL_MODEL_LAYERS_MAX=3 "$out/all_plan.c"
link all
objects layers -DSTATIC_PLAN -DSTATIC_CNN -DMYCEL_NN_WITH_INT8=0 -DMYCEL_MODEL_LAYERS_MAX=3 \
    -DMYCEL_NN_WITH_MOMENTUM=0 -DMYCEL_NN_WITH_ADAMW=0 -DMYCEL_NN_WITH_GRADIENTS=0 \
    -DMYCEL_NN_WITH_FEDERATED_TERMS=0 -DMYCEL_NN_WITH_SCHEDULES=0 "$out/all_plan.c"
link layers
arm-none-eabi-gcc "${device[@]}" "${common[@]}" -DMYCEL_MODEL_LAYERS_MAX=16 -c "$root/examples/train.c" -o "$out/example.o"

run_device full >"$out/device.txt"
run_device mlp >"$out/static.txt"
run_device all >>"$out/static.txt"
run_device layers >>"$out/static.txt"

while read -r name instructions arena fingerprint stack; do
    compare "${name}_instructions" "$instructions" instructions
    compare "${name}_arena" "$arena" B
    compare "${name}_stack" "$stack" B
    expected=$(awk -v name="$name" '$1 == name { print $2 }' "$root/tests/golden/fingerprints.txt")
    if [[ -n $check && $fingerprint != "$expected" ]]; then
        echo "$name: weights $fingerprint, and everywhere else $expected" >&2
        status=1
    fi
done <"$out/device.txt"
# Images with a plan from the host train to the same bits.
while read -r name _ _ fingerprint _; do
    if [[ -n $check ]] && ! grep -q "^$name $fingerprint\$" "$root/tests/golden/fingerprints.txt"; then
        echo "$name, planned on the host: weights $fingerprint" >&2
        status=1
    fi
done <"$out/static.txt"
compare flash_mlp "$(flash mlp)" B
compare flash_layers_sgd "$(flash layers)" B
compare flash_all "$(flash all)" B
compare flash_everything "$(flash full)" B
exit "$status"
