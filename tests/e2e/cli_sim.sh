#!/usr/bin/env bash
# `mycel sim run|check|list|show|keys|classes` from outside: small fleets, real training.
# Usage: MYCEL_BIN=… tests/e2e/cli_sim.sh
# shellcheck source=tests/e2e/checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/checks.sh"

cat >toy.ini <<'INI'
[scenario]
title = Toy
[data]
data = blobs:600,6,3
[train]
model = 6x6x1 > dense 8 relu > dense 3 softmax
batch = 10
[run]
goal = 4
pace_s = 2
rounds = 3
[fleet]
devices = 12
INI

# done FILE EXPRESSION: a Python expression over the events of a run, e (a list), and its last one, d.
events() {
    checks=$((checks + 1))
    python3 -c 'import json, sys; e = [json.loads(l) for l in open(sys.argv[1])]; d = e[-1]
sys.exit(not eval(sys.argv[2]))' "$1" "$2" || fail "$1 does not satisfy: $2"
}

# --- a run --------------------------------------------------------------------------------------
run 0 sim run toy.ini
says out 'Toy; 12 devices, seed 1'
says out 'Trained 12, protocol-only'
run 0 sim run toy.ini --json
cp out a.jsonl
events a.jsonl 'd["event"] == "done" and d["rounds"] == 3 and len(d["model_sha256"]) == 64'
events a.jsonl 'e[0]["event"] == "start" and e[0]["settings"]["goal"] == "4" and e[0]["params"] == 323'
events a.jsonl '[r["version"] for r in e if r["event"] == "round"] == [1, 2, 3]'
events a.jsonl 'd["trained"] == 12 and d["discarded"] == 0 and d["accuracy"] > [r for r in e if r["event"] == "round"][0]["accuracy"]'
events a.jsonl 'sum(p * n for p, n in enumerate([x for x in e if x["event"] == "participation"][0]["counts"])) == 12'

# --- determinism --------------------------------------------------------------------------------
same='{k: v for k, v in d.items() if k != "wall_s"}'
run 0 sim run toy.ini --json --set threads=3
cp out b.jsonl
events b.jsonl "$same == (lambda d: $same)(json.loads(open('a.jsonl').readlines()[-1]))"
run 0 sim run toy.ini --json --seed 2
cp out c.jsonl
events c.jsonl 'd["model_sha256"] != json.loads(open("a.jsonl").readlines()[-1])["model_sha256"]'

# --- everything that can go wrong, and every class of device ------------------------------------
run 0 sim run toy.ini --json --set mode=semi --set loss=ge:p=0.05,r=0.2,bad=0.6 --set reboots=1000 \
    --set crashes=2000 --set vanish=0.1 --set lease_s=60 --set soft_s=60 --set codec=drive1 \
    --set classes=nrf52840:0.5,esp32:0.3,lte-m --set gateways=3 --set outages=1:10-60 --set hops=2
cp out hard.jsonl
events hard.jsonl 'd["rounds"] == 3 and d["energy_j"] > 0'
events hard.jsonl 'len([x for x in e if x["event"] == "gateway"]) == 3'
for attack in sign scale:-10 labelflip alie:1.5 freerider:0.01 replay nan backdoor:target=1; do
    run 0 sim run toy.ini --json --set attackers=0.3 --set "attack=$attack" --set minimum=2 \
        --set soft_s=60 --set "strategy=clip adaptive > fedavg"
done
events out '0 <= d["backdoor_success"] <= 1'

# --- sweeps, files, reports ---------------------------------------------------------------------
run 0 sim run toy.ini --seeds 2 --sweep strategy=fedavg,fedadam codec=f32,int8
says out 'mean of 2 seeds'
says out 'strategy=fedadam codec=int8'
run 0 sim run toy.ini -q -o lines.jsonl --report report.html --csv rounds.csv
silent out
checks=$((checks + 2))
grep -q '<!DOCTYPE html>' report.html || fail "the report is no page"
[ "$(wc -l <rounds.csv)" -eq 4 ] || fail "the CSV has not three rounds and a head"
run 0 sim report lines.jsonl --out again.html
checks=$((checks + 1))
cmp -s report.html again.html || fail "the report made later differs"

run 2 sim run toy.ini --seeds 2 --report sweep.html # before anything is simulated
silent out
says err 'sim compare'
[ ! -e sweep.html ] || fail "a report that was refused leaves a file"

# --- what is shipped, and what a scenario may say -------------------------------------------------
run 0 sim list
says out fashion
names=$(awk 'NR > 1 { print $1 }' out)
for name in $names; do
    run 0 sim show "$name"
    cp out "$name.copy.ini"
    run 0 sim run "$name.copy.ini" -q --set virtual_max_s=1 --set rounds=0 --set data=blobs:2000,8,4 \
        --set "model=8x8x1 > dense 4 softmax" --set devices=50 --set skew=none --set attack=none \
        --set partition=iid
done
run 0 sim keys --json
json 'len(j) > 60 and all(k["help"] for k in j)'
run 0 sim classes --json
json 'any(c["name"] == "nrf52840" for c in j)'

# --- checks -------------------------------------------------------------------------------------
run 0 sim check --seeds 20 --jobs 2 --json
cp out check.jsonl
events check.jsonl 'd["event"] == "check" and d["seeds"] == 20 and d["violations"] == 0'
events check.jsonl 'd["crashes"] > 0 and d["lost"] > 0 and d["late"] > 0 and d["versions"] > 20'
run 0 sim check --scenario toy.ini
says out 'all checks held'
run 1 sim check --scenario toy.ini --set heal_s=1 --set goal=13 --set virtual_max_s=5000
says out 'progress: faults stopped at 1 s'
run 3 sim check --scenario nothing.ini

# --- mistakes -----------------------------------------------------------------------------------
run 3 sim run nothing.ini
says err 'mycel sim list'
run 2 sim run toy.ini --set goal=0
says err 'goal = 0: must be a whole number from 1 to 65536'
run 2 sim run toy.ini --set gaol=3
says err 'mycel sim keys'
run 2 sim run toy.ini --set strategy=fedsum
says err 'strategy = fedsum, column 1'
run 2 sim run toy.ini --set classes=toaster
says err 'mycel sim classes'
run 2 sim run toy.ini --sweep codec
says err 'KEY=A,B'
printf '[run]\nrounds = many\n' >bad.ini
run 2 sim run bad.ini
says err 'bad.ini:2: rounds = many'
printf '[fleet]\nrounds = 3\n' >bad.ini
run 2 sim run bad.ini
says err 'rounds belongs to section [run]'
run 6 sim run toy.ini --set virtual_max_s=1 --set rounds=1000
says err 'virtual_max_s = 1 passed'
summary
