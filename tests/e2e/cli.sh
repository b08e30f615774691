#!/usr/bin/env bash
# Every command of `mycel` from outside: what it prints, what it refuses, and its exit codes.
# Needs no coordinator. Usage: MYCEL_BIN=… tests/e2e/cli.sh
# shellcheck source=tests/e2e/checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/checks.sh"
state=$work/s

model='28x28x1 > dense 32 relu > dense 10 softmax'

# --- help -------------------------------------------------------------------------------------
run 0 --help
says out 'Exit codes:'
silent err
cp out general
names=$(sed -n '/^[A-Z].*:$/,/^$/s/^  \([a-z]*\( [a-z]*\)\{0,1\}\)  .*/\1/p' general)
[ "$(wc -l <<<"$names")" -ge 15 ] || fail "the general help lists too few commands"
while read -r name; do
    # shellcheck disable=SC2086 # two words on purpose
    run 0 $name --help
    says out "Usage: mycel $name"
    says out "  mycel $name"
    cp out help
    # shellcheck disable=SC2086
    run 0 help $name
    checks=$((checks + 1))
    cmp -s out help || fail "'help $name' and '$name --help' differ"
    # shellcheck disable=SC2086
    run 2 $name --no-such-flag
    says err "has no flag --no-such-flag"
done <<<"$names"
run 2
says err 'Usage: mycel'
run 2 device
says err 'device enroll'
run 0 device --help
run 2 devcie list
says err "did you mean 'device list'?"
run 2 run craete
says err "did you mean 'run create'?"
run 2 frobnicate
says err "'mycel help' lists them"
run 2 run create --ruonds 3
says err 'did you mean --rounds?'
run 2 device enroll
says err 'NAME is missing'
run 2 device enroll a b
says err 'one argument too many'
run 2 device enroll a --key-out
run 0 version
says out 'protocol 1'
run 0 --version
run 0 version --json
json 'j["protocol_min"] == 1 and j["version"]'

# --- configuration ----------------------------------------------------------------------------
run 0 config check
says out 'port = 5684'
says out '; default'
cp out defaults.conf
run 0 config check defaults.conf
printf '[serve]\nport = 6000\n' >my.conf
run 0 config check my.conf
says out 'my.conf:2'
MYCEL_SERVE_PORT=7000 run 0 config check my.conf
says out 'MYCEL_SERVE_PORT'
MYCEL_SERVE_PROT=7000 run 0 config check
says err 'did you mean MYCEL_SERVE_PORT?'
MYCEL_CONFIG=$work/my.conf run 0 config check --json
json 'any(k["key"] == "port" and k["value"] == "6000" for k in j)'
printf '[serve]\nprot = 6000\n' >wrong.conf
run 2 config check wrong.conf
says err "wrong.conf:2: unknown key 'prot' in [serve]; did you mean 'port'?"
run 2 device list --config wrong.conf
run 3 config check missing.conf
run 2 serve --port 70000
says err 'between 0 and 65535'
run 2 serve --listen localhost --state "$state"
says err 'no numeric address'
run 3 serve --eval-data missing.gz --state "$state"

# --- client: what it refuses -------------------------------------------------------------------
printf '00112233445566778899aabbccddeeff\n' >open.key
chmod 644 open.key
client=(client --directory d --data missing.csv --identity a)
run 2 "${client[@]}"
says err '--key-file is missing'
run 3 "${client[@]}" --key-file missing.key
run 4 "${client[@]}" --key-file open.key
says err 'chmod 600'
chmod 600 open.key
run 3 "${client[@]}" --key-file open.key
run 2 "${client[@]}" --key-file open.key --slice 1
says err '--slices'

# --- devices ----------------------------------------------------------------------------------
run 3 device list --state "$state"
says err 'no coordinator state'
run 0 device enroll pump --state "$state" --key-out pump.key
says out "Enrolled 'pump' as device 1"
checks=$((checks + 1))
[ "$(stat -c %a pump.key)" = 600 ] || fail "the key file is not 0600"
grep -qxE '[0-9a-f]{32}' pump.key || fail "the key file is not 32 hexadecimal digits"
[ "$(stat -c %a "$state")" = 700 ] || fail "the state folder is not 0700"
[ "$(stat -c %a "$state"/mycel.db)" = 600 ] || fail "the database is not 0600"
run 4 device enroll pump --state "$state" --key-out other.key
says err 'enrolled before'
checks=$((checks + 1))
[ ! -e other.key ] || fail "a refused enrolment left a key file"
run 4 device enroll fan --state "$state" --key-out pump.key
says err 'File exists'
run 3 device enroll fan --state "$state" --key-out no/such/folder/key
run 2 device enroll 'two words' --state "$state"
run 2 device enroll a/b --state "$state"
says err '--key-out'
run 0 device enroll fan --state "$state" --class big --json
json 'j["id"] == 2 and j["key_file"] == "fan.key"'
checks=$((checks + 1))
! cmp -s pump.key fan.key || fail "two devices have the same key"
run 0 device list --state "$state" --json
json '[d["name"] for d in j] == ["pump", "fan"] and j[1]["class"] == "big"'
checks=$((checks + 1))
! grep -qf pump.key out || fail "a list shows a key"
run 0 device revoke fan --state "$state"
run 0 device list --state "$state"
says out 'revoked'
run 3 device revoke nobody --state "$state"
run 4 device enroll fan --state "$state" --key-out fan2.key
says err 'and revoked'

# Devices with certificates instead of keys.
run 0 device enroll gate --state "$state" --certificate --json
json 'j["name"] == "gate" and j["key_file"] is None'
run 4 device rotate gate --state "$state"
run 2 device enroll lamp --state "$state" --certificate --key-out lamp.key
says err 'makes no key'
run 2 serve --state "$state" --certificate gate.pem
says err 'only together'
run 3 serve --state "$state" --certificate gate.pem --private-key gate.key --device-ca ca.pem
says err 'gate.pem'
run 2 client --certificate gate.pem --key-file gate.key --directory gate --data gate.csv
says err 'another'
run 2 client --certificate gate.pem --directory gate --data gate.csv
says err '--coordinator-ca'
chmod 755 "$state"
run 4 device list --state "$state"
chmod 700 "$state"

# --- runs -------------------------------------------------------------------------------------
run 3 run show --state "$state"
says err 'no run yet'
run 2 run create --state "$state"
says err '--model is missing'
run 2 run create --state "$state" --model '28x28x1 > dense 10 sofmax'
says err 'column 20'
says err '^~~~~~'
run 2 run create --state "$state" --model "$model" --goal 5 --min 6
run 2 run create --state "$state" --model "$model" --rounds many
run 2 run create --state "$state" --model "$model" --strategy fedvag
says err 'did you mean "fedavg"?'
run 2 run create --state "$state" --model "$model" --codecs f32,int9
says err "'int9' is no codec; there are f32, f16, int8, int4, eden2, drive1, sign, ternary, topk"
run 2 run create --state "$state" --model "$model" --codecs f32,
run 2 run create --state "$state" --model "$model" --codec int4 --codecs f32,int8
says err '--codec int4 is not among --codecs f32,int8'
run 2 run create --state "$state" --model "$model" --name 'Not This'
run 0 run create --state "$state" --model "$model" --seed 7 --name first --rounds 3 --goal 4 \
    --interval 90s --json
json 'j["id"] == 1 and j["params"] == 25450 and j["seed"] == 7'
run 4 run create --state "$state" --model "$model" --name first
run 0 run create --state "$state" --model "$model" --seed 7
says out "'run-2'"
printf '\0\0\0\77\0\0\0\0\0\0\200\277' >start.f32 # 0.5, 0, -1
run 0 run create --state "$state" --model '3 > dense 1 nobias' --name tiny --initial start.f32
run 2 run create --state "$state" --model '4 > dense 1 nobias' --initial start.f32
run 3 run create --state "$state" --model '3 > dense 1 nobias' --initial missing.f32
run 0 run list --state "$state" --json
json '[r["name"] for r in j] == ["first", "run-2", "tiny"]'
run 0 run show first --state "$state" --json
json 'j["goal"] == 4 and j["minimum"] == 4 and j["round_limit"] == 3 and j["rounds"] == []'
json 'j["interval_s"] == 90'
run 0 run show first --state "$state"
says out "no sooner than 90 s after the one before"
run 2 run create --state "$state" --model "$model" --interval 8d
run 3 run show frist --state "$state"
says err "did you mean 'first'?"
run 0 run stop tiny --state "$state"
run 4 run stop tiny --state "$state"
run 3 run stop 99 --state "$state"

# --- models -----------------------------------------------------------------------------------
run 0 model list first --state "$state" --json
json 'len(j) == 1 and j[0]["version"] == 0 and j[0]["bytes"] == 4 * 25450'
cp out first.json
run 0 model list run-2 --state "$state" --json
checks=$((checks + 1))
[ "$(grep sha256 out)" = "$(grep sha256 first.json)" ] || fail "the same seed, another model"
run 0 model show tiny:0 --state "$state"
says out 'dense1.weight'
run 3 model show tiny:5 --state "$state"
run 0 model export tiny --state "$state" --format raw --out tiny.f32
checks=$((checks + 1))
cmp -s tiny.f32 start.f32 || fail "raw export is not what was imported"
run 4 model export tiny --state "$state" --format raw --out tiny.f32
run 0 model export tiny --state "$state" --format raw --out tiny.f32 --force
run 0 model export first --state "$state"
python3 - <<'PYTHON' || fail "first-0.npz is not an archive of the four tensors"
import struct, sys, zipfile
archive = zipfile.ZipFile("first-0.npz")
assert archive.testzip() is None
assert sorted(archive.namelist()) == sorted(
    ["model.npy", "dense1.weight.npy", "dense1.bias.npy", "dense2.weight.npy", "dense2.bias.npy"])
npy = archive.read("dense1.weight.npy")
header = 10 + struct.unpack("<H", npy[8:10])[0]
assert eval(npy[10:header])["shape"] == (32, 784)
assert len(npy) == header + 4 * 32 * 784
PYTHON
run 0 model export tiny --state "$state" --format c-header --out tiny.h
cat >use.c <<'C'
#include "tiny.h"
int main(void)
{
    return !(mycel_dense1_weight[0] == 0.5f && mycel_dense1_weight[2] == -1.0f &&
             MYCEL_MODEL_PARAMS == 3u);
}
C
checks=$((checks + 1))
if command -v cc >/dev/null; then
    { cc -Wall -Wextra -Werror -o use use.c && ./use; } || fail "the C header does not hold the values"
fi
run 0 model export tiny --state "$state" --format raw --out -
checks=$((checks + 1))
cmp -s out start.f32 || fail "export to stdout differs"

# --- demo: what it refuses --------------------------------------------------------------------
run 2 demo --task streetlight --rounds 3
run 2 demo --clients 0
run 2 demo --task clothes
run 2 demo --partition dirichlet:0
says err 'none of iid, dirichlet:ALPHA, shards:K'

summary
