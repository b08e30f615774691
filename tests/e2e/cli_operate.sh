#!/usr/bin/env bash
# The operator's commands from outside, without a coordinator: registry, backup, check, device why.
# Usage: MYCEL_BIN=… tests/e2e/cli_operate.sh
# shellcheck source=tests/e2e/checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/checks.sh"
export MYCEL_STATE=$work/s

# --- nothing there yet --------------------------------------------------------------------------
run 3 backup copy.db
run 3 check
run 3 device why pump
run 3 model rollback tiny:0

# --- devices ------------------------------------------------------------------------------------
run 0 device enroll pump --key-out pump.key
run 0 device why pump
says out 'has not asked for work yet'
run 0 device why pump --json
json 'j["name"] == "pump" and j["selection"] == [] and j["refused"] == [] and j["accepted"] == 0'
json 'j["quarantined_until"] is None'
run 3 device why pmup
says err "no device 'pmup'"

# --- tokens ---------------------------------------------------------------------------------------
run 0 device tokens --json
json 'j == []'
run 2 device token 'a b'
run 2 device token enrol:1
run 2 device token valve --expires never
run 4 device token pump # it was enrolled by hand
says err "'pump' was enrolled before"
run 0 device token valve --class mcu
checks=$((checks + 1))
grep -qxE '[0-9a-f]{32}' out || fail "a token is 32 hexadecimal digits"
run 0 device token valve --token-out valve.token --expires 2h --class mcu --json
json 'j["name"] == "valve" and j["token_file"] == "valve.token" and "token" not in j'
checks=$((checks + 1))
[ "$(stat -c %a valve.token)" = 600 ] || fail "others may read a token"
run 4 device token valve --token-out valve.token # is not overwritten
run 0 device token lamp --expires 1s --json
json 'len(j["token"]) == 32 and j["identity"].startswith("enrol:")'
sleep 1
run 0 device tokens --json
json '[(t["name"], t["state"], t["class"]) for t in sorted(j, key=lambda t: t["name"])] == [("lamp", "expired", ""), ("valve", "open", "mcu")]'
checks=$((checks + 1))
if grep -qF "$(cat valve.token)" out; then fail "a list shows a token"; fi
run 0 device tokens
says out 'valve'
run 0 device revoke valve
run 3 device revoke valve
run 0 device tokens --json
json '[t["name"] for t in j] == ["lamp"]'

# --- versions: 3 values, 4-byte floats, little endian ---------------------------------------------
printf '\0\0\0\0\0\0\200\77\0\0\0\100' >a.f32 # 0, 1, 2
printf '\0\0\0\100\0\0\200\77\0\0\0\0' >b.f32 # 2, 1, 0
run 0 run create --model '3 > dense 1 nobias' --name tiny --initial a.f32
run 0 run create --model '3 > dense 1 nobias' --name other --initial b.f32
run 0 run create --model '2 > dense 2 nobias' --name small

run 2 model tag tiny:0
run 2 model tag tiny:0 'Not This'
run 3 model tag tiny:9 golden
run 0 model tag tiny:0 golden
says out "'tiny:golden' is version 0"
run 0 model show tiny:golden --json
json 'j["version"] == 0 and j["tags"] == ["golden"] and j["lineage"][0]["kind"] == "initial"'
run 0 model promote tiny:golden
run 0 model show tiny:promoted
says out 'golden, promoted'
says out 'lineage   0 (initial)'
run 0 model tag tiny golden --delete
run 3 model show tiny:golden
run 3 model tag tiny golden --delete

run 0 model rollback tiny:0
says out 'Version 1'
run 0 model show tiny --json
json 'j["version"] == 1 and j["kind"] == "rollback" and j["source"] == 0 and j["parent"] == 0'
json '[v["version"] for v in j["lineage"]] == [1, 0]'
run 0 model show tiny
says out '1 (rollback of 0) < 0 (initial)'
run 0 model export tiny --format raw --out - && cp out rolled.f32
checks=$((checks + 1))
cmp -s rolled.f32 a.f32 || fail "a rollback has other content"
run 3 model rollback tiny:7

run 0 model diff tiny:0 other --json
json 'abs(j["norm_a"] - 5 ** 0.5) < 1e-6 and abs(j["norm_difference"] - 8 ** 0.5) < 1e-6'
json 'abs(j["cosine"] - 0.2) < 1e-6 and j["largest"] == 2 and len(j["tensors"]) == 1'
run 0 model diff tiny tiny:0
says out '1.000000'
run 2 model diff tiny small
says err 'different models'
run 2 model diff tiny

run 4 model average tiny
says err '--adopt'
run 4 model average other --adopt
says err 'fewer than two versions'
run 0 run stop tiny
run 0 model average tiny --versions 2 --decay 0.25 --json
json 'j["version"] == 2 and j["averaged"] == 2'
run 0 model diff tiny:2 tiny:0 --json # both were the same content
json 'j["norm_difference"] == 0'
run 0 model show tiny --json
json 'j["kind"] == "average" and j["parent"] == 1'
run 2 model average tiny --versions 1
run 2 model average tiny --decay 1

# --- backup and check -----------------------------------------------------------------------------
run 0 check
says out 'Whole'
run 0 check --json
json 'j["ok"] and j["devices"] == 1 and j["runs"] == 3 and j["versions"] == 5 and j["audit"] > 5'
run 0 backup copy.db
says out "every device's key"
checks=$((checks + 1))
[ "$(stat -c %a copy.db)" = 600 ] || fail "the backup is not 0600"
run 4 backup copy.db
says err 'exists already'
run 1 backup no/such/folder/copy.db
install -d -m 700 restored && mv copy.db restored/mycel.db
run 0 check --state restored
run 0 model list tiny --state restored --json
json '[v["kind"] for v in j] == ["initial", "rollback", "average"]'

# A flipped bit in a content is found; the rest of the file stays readable.
python3 - restored/mycel.db rolled.f32 <<'PYTHON'
import sys
raw = bytearray(open(sys.argv[1], "rb").read())
at = raw.find(open(sys.argv[2], "rb").read())
assert at > 0
raw[at + 4] ^= 1
open(sys.argv[1], "wb").write(raw)
PYTHON
run 1 check --state restored
says err 'is damaged'
says err 'restore a backup'
run 1 check --state restored --json
json 'not j["ok"] and j["problem"]'

summary
