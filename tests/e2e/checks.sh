# shellcheck shell=bash
# What the command-line tests share; they source it. An empty folder of their own, no settings from
# outside, and checks of what one call of `mycel` printed and how it ended.
set -u
bin=${MYCEL_BIN:?the program to test}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
for variable in $(env | sed -n 's/^\(MYCEL_[A-Z_]*\)=.*/\1/p'); do unset "$variable"; done
export HOME=$work XDG_CONFIG_HOME=$work/config XDG_STATE_HOME=$work/state
failures=0 checks=0

fail() {
    echo "FAILED: $1"
    sed 's/^/    | /' out err
    failures=$((failures + 1))
}

# run CODE ARGUMENT…: runs mycel, keeps stdout in ./out and stderr in ./err, compares the exit code.
run() {
    local want=$1
    shift
    checks=$((checks + 1))
    "$bin" "$@" >out 2>err </dev/null
    local got=$?
    [ "$got" -eq "$want" ] || fail "mycel $*: exit code $got, not $want"
}

# says FILE TEXT: the last command wrote this.
says() {
    checks=$((checks + 1))
    grep -qF -- "$2" "$1" || fail "'$2' is not in std$1"
}

silent() {
    checks=$((checks + 1))
    [ ! -s "$1" ] || fail "std$1 should be empty"
}

# json EXPRESSION: a Python expression over the parsed output, j, that must hold.
json() {
    checks=$((checks + 1))
    python3 -c 'import json, sys; j = json.load(open("out")); sys.exit(not eval(sys.argv[1]))' "$1" ||
        fail "the output does not satisfy: $1"
}

# The last line of a script: what was found, as its exit code.
summary() {
    echo "$checks checks, $failures failures"
    [ "$failures" -eq 0 ]
}
