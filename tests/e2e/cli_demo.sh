#!/usr/bin/env bash
# `mycel demo` as a whole: results, reproducibility, deaths of its processes, and what it leaves behind.
# Usage: MYCEL_BIN=… tests/e2e/cli_demo.sh
set -u
bin=${MYCEL_BIN:?the program to test}
work=$(mktemp -d)
cleanup() {
    if [ -n "${demo:-}" ]; then kill "$demo" 2>/dev/null; fi
    rm -rf "$work"
}
trap cleanup EXIT
cd "$work" || exit 1
mkdir tmp
export HOME=$work TMPDIR=$work/tmp
unset XDG_CACHE_HOME
failures=0

check() {
    if ! "${@:2}"; then
        echo "FAILED: $1"
        tail -n 5 out err 2>/dev/null
        failures=$((failures + 1))
    fi
}

# last EXPRESSION: a Python expression over the last JSON line, j, and all lines, lines.
last() {
    python3 -c 'import json, sys
lines = [json.loads(line) for line in open("out")]
j = lines[-1]
sys.exit(not eval("(" + sys.argv[1] + ")"))' "$1"
}

hash() { sed -n 's/.*"model_sha256":"\([0-9a-f]*\)".*/\1/p' out; }
# Children of the demo whose first argument is $1.
children() {
    local pid
    for pid in $(pgrep -P "$demo"); do
        if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "^mycel $1 "; then echo "$pid"; fi
    done
}
is_clean() { [ -z "$(ls -A tmp)" ]; }
digits=(demo --task digits --json --clients 4 --rounds 6 --target 0.3)

# --- exact ------------------------------------------------------------------------------------
"$bin" demo --task streetlight >out 2>err
check "the street crossing is exact" [ $? -eq 0 ]
check "it shows its last prediction" grep -q -- '-0.0026256' out

# --- the same seed, the same model ------------------------------------------------------------
"$bin" "${digits[@]}" --seed 3 >out 2>err
check "the demo reaches a modest target" [ $? -eq 0 ]
check "its last line is the result" last 'j["event"] == "done" and j["accuracy"] >= 0.3 and
    j["rounds"] == 6 and j["clients"] == 4 and j["bytes_up"] > 6 * 4 * 26536 and
    j["bytes_down"] > 6 * 4 * 26536 and len(j["model_sha256"]) == 64'
check "every round is told" last '[l["round"] for l in lines if l["event"] == "round"] ==
    list(range(1, 7)) and all(l["accepted"] == 4 for l in lines if l["event"] == "round")'
check "the model lies where it says" [ -s .cache/mycel/demo-digits.npz ]
check "nothing is left behind" is_clean
first=$(hash)
"$bin" "${digits[@]}" --seed 4 >out 2>err
check "another seed, another model" [ "$(hash)" != "$first" ]
"$bin" "${digits[@]}" --partition dirichlet:0.5 --target 0.1 >out 2>err
check "uneven data" [ $? -eq 0 ]

# --- SCAFFOLD: control variates on every device, and still the same bits -----------------------------
for pass in 1 2; do
    "$bin" "${digits[@]}" --partition dirichlet:0.1 --target 0.5 --strategy scaffold >out 2>err
    check "SCAFFOLD learns from very uneven data" [ $? -eq 0 ]
    [ $pass = 2 ] || first_scaffold=$(hash)
done
check "SCAFFOLD is reproducible" [ "$(hash)" = "$first_scaffold" ]
"$bin" "${digits[@]}" --strategy scafold >out 2>err
check "a misspelt strategy is named" grep -q 'did you mean "scaffold"' err

# --- the same although everything is killed again and again -------------------------------------
"$bin" "${digits[@]}" --seed 3 --keep >out 2>err &
demo=$!
for ((i = 0; i < 400 && $(grep -c '"round"' out) < 1; i++)); do sleep 0.05; done
killed=0
for who in serve client client serve client serve; do
    victim=$(children $who | shuf -n 1)
    if [ -n "$victim" ] && kill -9 "$victim" 2>/dev/null; then killed=$((killed + 1)); fi
    sleep "0.$((RANDOM % 6 + 2))"
done
wait $demo
check "the demo survives" [ $? -eq 0 ]
demo=
check "something was killed at all" [ $killed -ge 2 ]
check "the deaths are reported" last 'sum(l["event"] == "died" for l in lines) >= 2'
check "the model is the same bit by bit" [ "$(hash)" = "$first" ]
state=$(python3 -c 'import json; print(json.loads(open("out").readline())["state"])')
"$bin" run show --config none --state "$state" --json >out 2>err
check "each device counts once a round" python3 -c 'import json
rounds = json.load(open("out"))["rounds"]
assert [r["round"] for r in rounds] == list(range(1, 7))
assert all(sorted(r["accepted"]) == [1, 2, 3, 4] and r["state"] == "committed" for r in rounds)'
rm -rf tmp/*

# --- Ctrl-C, a reader that goes away, a missed target ---------------------------------------------
"$bin" "${digits[@]}" --rounds 1000 >out 2>err &
demo=$!
for ((i = 0; i < 400 && $(grep -c '"round"' out) < 1; i++)); do sleep 0.05; done
pids=$(pgrep -P $demo)
kill -INT $demo
wait $demo
check "Ctrl-C ends it with 130" [ $? -eq 130 ]
demo=
check "its folder is gone" is_clean
for pid in $pids; do
    check "process $pid is gone" [ ! -e "/proc/$pid" ]
done
"$bin" "${digits[@]}" --rounds 1000 2>err | head -n 2 >out
check "it ends when its reader does" [ "${PIPESTATUS[0]}" -eq 130 ]
check "its folder is gone, too" is_clean
"$bin" "${digits[@]}" --rounds 1 --target 1 >out 2>err
check "a missed target is exit code 6" [ $? -eq 6 ]
check "and says so" last 'j["reached"] is False'

# --- plain output, no package -------------------------------------------------------------------
"$bin" demo --task digits --clients 2 --rounds 2 --target 0.05 >out 2>err
check "plain output has no control characters" bash -c "! grep -q $'\\033' out"
check "it shows a prediction" grep -q 'it is a' out
"$bin" demo --data "$work" >out 2>err
check "a data folder that is none" grep -q 'does not hold train-images' err

if unshare -m true 2>err; then
    unshare -m sh -c 'mount -t tmpfs none /usr/share && exec "$@"' sh \
        "$bin" demo --clients 2 --rounds 1 --target 0.01 --json >out 2>err
    check "without Fashion-MNIST it trains on what it has" [ $? -eq 0 ]
    check "and says so" grep -q '"event":"fallback"' out
fi

echo "$failures failures"
[ $failures -eq 0 ]
