#!/usr/bin/env bash
# A simulation in several processes: the same model whoever trains, one voice, and an end when one dies.
# Usage: MYCEL_BIN=… MPIRUN=… tests/e2e/sim_mpi.sh
# shellcheck source=tests/e2e/checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/checks.sh"

# More processes than cores, as whoever runs the test, and nothing that leaves this machine.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_plm=isolated OMPI_MCA_oob_tcp_if_include=lo
export OMPI_MCA_btl=self,vader OMPI_MCA_btl_vader_single_copy_mechanism=none
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 # Open MPI leaves some

cat >toy.ini <<'END'
[data]
data = blobs:1200,12,6
[train]
model = 12x12x1 > dense 24 relu > dense 6 softmax
epochs = 15
batch = 5
[run]
strategy = scaffold
codec = sign
goal = 10
rounds = 3
pace_s = 1
[fleet]
devices = 30
[faults]
attack = labelflip
attackers = 0.2
END

# over RANKS CODE ARGUMENT…: `run`, in so many processes.
over() {
    local ranks=$1 want=$2
    shift 2
    checks=$((checks + 1))
    timeout 60 "${MPIRUN:?}" -n "$ranks" "$bin" "$@" >out 2>err </dev/null
    local got=$?
    [ "$got" -eq "$want" ] || fail "mpirun -n $ranks mycel $*: exit code $got, not $want"
}

# lines EXPRESSION: a Python expression over the list of all events, e, that must hold.
lines() {
    checks=$((checks + 1))
    python3 -c 'import json, sys
e = [json.loads(line) for line in open("out")]
sys.exit(not eval(sys.argv[1]))' "$1" || fail "the output does not satisfy: $1"
}

# hashes FILE: of the models, a run a line.
hashes() {
    grep -o '"model_sha256":"[0-9a-f]*"' "$1"
}

# --- one model whoever trains: two runs, one after the other, in 1, 2 and 4 processes ------------
run 0 sim run toy.ini --json --sweep rate=0.1,0.2
cp out alone
lines "[x['trained'] for x in e if x['event'] == 'done'] == [30, 30]"
lines "'rank' not in [x['event'] for x in e]"
checks=$((checks + 1))
[ "$(hashes alone | sort -u | wc -l)" -eq 2 ] || fail "two rates make one model"
run 0 sim run toy.ini --json --sweep rate=0.1,0.2 --set threads=2
cp out alone2
for setting in '1 1' '2 1' '2 2' '4 1' '4 2'; do
    read -r ranks threads <<<"$setting"
    over "$ranks" 0 sim run toy.ini --json --sweep rate=0.1,0.2 --set threads="$threads"
    lines "[x['event'] for x in e].count('start') == 2" # one voice
    cp out "over.$ranks.$threads"
    for other in alone alone2; do
        checks=$((checks + 1))
        [ "$(hashes out)" = "$(hashes $other)" ] || fail "$ranks × $threads make another model"
    done
done
lines "[x['rank'] for x in e if x['event'] == 'rank'] == [1, 2, 3] * 2"
checks=$((checks + 1))
elsewhere=$(grep -ho '"trainings":[0-9]*' over.* | cut -d: -f2 | paste -sd+ -)
# On a busy machine rank 0 may be quicker here and there, but never everywhere.
[ $((elsewhere)) -ge 1 ] || fail "the other processes trained only $((elsewhere)) of 240 times"

# --- what goes wrong is said once -------------------------------------------------------------
over 2 2 sim run toy.ini --set epochs=0
says err 'mycel: epochs = 0'
checks=$((checks + 1))
[ "$(grep -c '^mycel:' err)" -eq 1 ] || fail "more than one process speaks"

# --- a process that dies ends the run ---------------------------------------------------------
"$MPIRUN" -n 3 "$bin" sim run toy.ini --json --set epochs=1000 --set rounds=1000 >out 2>err </dev/null &
mpirun=$!
for _ in $(seq 100); do
    grep -q '"round":1,' out && break
    sleep 0.1
done
kill -KILL "$(pgrep -P $mpirun | tail -n 1)"
wait $mpirun
code=$?
checks=$((checks + 1))
[ $code -ne 0 ] || fail "the run went on without one of its processes"
says err 'exited on signal 9'

summary
