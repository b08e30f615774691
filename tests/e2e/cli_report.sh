#!/usr/bin/env bash
# `mycel sim report` and `mycel sim compare` from outside, on lines as a simulation prints them.
# Usage: MYCEL_BIN=… tests/e2e/cli_report.sh
# shellcheck source=tests/e2e/checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/checks.sh"

# lines SEED STRATEGY: a run of three rounds.
lines() {
    printf '{"event":"start","scenario":"toy","title":"Toy <1>","seed":%s,"commit":"abc1234","devices":4,' "$1"
    printf '"gateways":1,"model":"m","params":9,"strategy":"%s","codec":"f32","settings":{"goal":2}}\n' "$2"
    for round in 1 2 3; do
        printf '{"event":"round","round":%d,"version":%d,"virtual_s":%d0,"accuracy":0.%d%s,"loss":null,' \
            $round $round $round $((round + 4)) "$1"
        printf '"selected":2,"accepted":2,"rejected":0,"expired":0,"late":0,"bytes_up":%d000,' $round
        printf '"bytes_down":%d000,"energy_j":%d,"trained":%d,"protocol_only":%d,"discarded":0}\n' \
            $round $round $round $round
    done
    printf '{"event":"done","accuracy":0.7%s,"rounds":3,"virtual_s":31,"bytes_up":3000,' "$1"
    printf '"bytes_down":3000,"energy_j":3,"trained":3,"protocol_only":3,"discarded":0,"wall_s":1,'
    printf '"model_sha256":"%064d"}\n' 7
}
lines 1 fedavg >a.jsonl
lines 2 fedadam >b.jsonl
for seed in 1 2 3; do
    lines $seed fedavg
    lines $seed fedadam
done >sweep.jsonl

# --- report -----------------------------------------------------------------------------------
run 0 sim report a.jsonl
says out '<!DOCTYPE html>'
says out 'Toy &lt;1&gt;'
cp out page.html
run 0 sim report a.jsonl --out a.html
silent out
checks=$((checks + 1))
cmp -s page.html a.html || fail "the file is not what stdout is"
run 0 sim report a.jsonl -o a.html
run 0 sim report sweep.jsonl --format csv
checks=$((checks + 1))
[ "$(wc -l <out)" = 19 ] || fail "a row for each round and a head"
says out 'run,seed,round,'
run 3 sim report missing.jsonl
says err 'missing.jsonl: No such file'
run 1 sim report sweep.jsonl
says err 'more than one run'
head -c 700 a.jsonl >cut.jsonl
run 1 sim report cut.jsonl -o cut.html
says err 'cut.jsonl: line 4: the file ends in the middle of this line'
checks=$((checks + 1))
[ -z "$(find . -name 'cut.html*')" ] || fail "a failed report leaves a file"
run 3 sim report - # nothing on stdin
says err 'no run in it'
run 2 sim report a.jsonl --format pdf
run 1 sim report a.jsonl -o no/such/folder/a.html

# --- compare ----------------------------------------------------------------------------------
run 0 sim compare a.jsonl b.jsonl --html both.html
says out 'A  a.jsonl: strategy=fedavg; seed 1; 4 devices; commit abc1234'
says out '+1.00 points'
checks=$((checks + 1))
grep -q '<td>+1.00 points</td>' both.html || fail "the page has other figures"
run 0 sim compare a.jsonl b.jsonl --json
json 'len(j["groups"]) == 2 and abs(j["difference"]["accuracy"] - 0.01) < 1e-9'
run 0 sim compare sweep.jsonl --json
json '[g["end"]["accuracy"]["runs"] for g in j["groups"]] == [3, 3]'
json 'abs(j["groups"][0]["end"]["accuracy"]["mean"] - 0.72) < 1e-9'
json 'abs(j["groups"][0]["end"]["accuracy"]["deviation"] - 0.01) < 1e-9'
run 0 sim compare sweep.jsonl a.jsonl
says out 'strategy=fedadam; 3 runs'
says out 'strategy=fedavg; 4 runs'
run 3 sim compare a.jsonl
says err 'nothing to compare'
run 3 sim compare a.jsonl missing.jsonl
run 1 sim compare a.jsonl cut.jsonl
says err 'cut.jsonl: line 4'

summary
