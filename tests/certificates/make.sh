#!/usr/bin/env bash
# Makes certificates, good ones and each kind of bad ones, with the openssl command:
#   make.sh <folder> <kind>[:<name>]...
#
# Each becomes <folder>/<name>.pem and <folder>/<name>.key; the name is the kind where none is given, and
# for a device's certificate also its common name. CAs come first: the others are signed with theirs.
set -euo pipefail

cd "$1"
shift
device_usage=$'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth'
server_usage=${device_usage/clientAuth/serverAuth}
server_names=$server_usage$'\nsubjectAltName=DNS:fleet.example,DNS:*.wild.example,IP:127.0.0.1'
ca_usage=$'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign'

subject_options=()

# quietly <command>...: openssl talks even when all is well.
quietly() {
    "$@" 2>openssl.log >&2 || { cat openssl.log >&2; exit 1; }
}

# key <name> [<curve>]
key() {
    quietly openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:${2:-P-256}" -out "$1.key"
    chmod 600 "$1.key"
}

# self <name> <subject>: signed with its own key
self() {
    quietly openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
    quietly openssl x509 -req -in "$1.csr" -signkey "$1.key" -days 3650 \
        -extfile <(echo "$3") -out "$1.pem"
}

# signed <name> <subject> <ca> <extensions> [<option>...]
signed() {
    local name=$1 subject=$2 ca=$3 extensions=$4
    shift 4
    quietly openssl req -new -key "$name.key" -subj "$subject" "${subject_options[@]}" -out "$name.csr"
    quietly openssl x509 -req -in "$name.csr" -CA "$ca.pem" -CAkey "$ca.key" \
        -set_serial "0x$(openssl rand -hex 8)" -days 365 "$@" \
        -extfile <(echo "$extensions") -out "$name.pem"
}

# root <name> <common name>: a CA
root() {
    key "$1"
    self "$1" "/CN=$2" "$ca_usage"
}

# device <name> [<ca> [<extensions> [<option>...]]]
device() {
    local name=$1 ca=${2:-ca} extensions=${3:-$device_usage}
    shift $(($# < 3 ? $# : 3))
    key "$name"
    signed "$name" "/CN=$name" "$ca" "$extensions" "$@"
}

make() {
    local kind=$1 name=$2
    case $kind in
        ca) root "$name" "Fleet CA" ;;
        other-ca) root "$name" "Another CA" ;;
        twin-ca) root "$name" "Fleet CA" ;; # the name of the first, another key
        middle) key "$name"; signed "$name" "/CN=Middle" ca "$ca_usage" ;;
        lower) key "$name"; signed "$name" "/CN=Lower" middle "$ca_usage" ;;
        coordinator) device "$name" ca "$server_names" ;;
        coordinator-foreign) device "$name" other-ca "$server_names" ;;
        coordinator-expired) device "$name" ca "$server_names" -days -1 ;;
        device) device "$name" ;;
        chained) device "$name" middle; cat middle.pem >>"$name.pem" ;;
        padded) # with so many issuers, all out of date, as a record takes
            key stale
            quietly openssl req -new -key stale.key -subj /CN=S -out stale.csr
            quietly openssl x509 -req -in stale.csr -signkey stale.key -days -1 -set_serial 1 \
                -extfile <(echo basicConstraints=CA:TRUE) -out stale.pem
            device "$name" stale
            for _ in 1 2 3 4; do cat stale.pem >>"$name.pem"; done
            ;;
        stuffed) # the same, and nobody knows who has signed those
            key other-stale
            signed other-stale /CN=T other-ca basicConstraints=CA:TRUE -days -1
            device "$name" other-stale
            for _ in 1 2 3 4; do cat other-stale.pem >>"$name.pem"; done
            ;;
        deep) device "$name" lower; cat lower.pem middle.pem >>"$name.pem" ;;
        foreign) device "$name" other-ca ;;
        twin) device "$name" twin-ca ;;
        self-signed) key "$name"; self "$name" "/CN=$name" "$device_usage" ;;
        expired) device "$name" ca "$device_usage" -days -1 ;;
        sha224) device "$name" ca "$device_usage" -sha224 ;;
        sha384) device "$name" ca "$device_usage" -sha384 ;;
        p384) key "$name" P-384; signed "$name" "/CN=$name" ca "$device_usage" ;;
        is-ca) device "$name" ca "$ca_usage"$'\nextendedKeyUsage=clientAuth' ;;
        by-device) device "$name" "${name#by-}"; cat "${name#by-}.pem" >>"$name.pem" ;;
        for-server) device "$name" ca "$server_usage" ;;
        for-any) device "$name" ca "${device_usage/clientAuth/anyExtendedKeyUsage}" ;;
        no-usage) device "$name" ca "basicConstraints=critical,CA:FALSE" ;;
        no-signature) device "$name" ca "${device_usage/digitalSignature/keyAgreement}" ;;
        two-names) key "$name"; signed "$name" "/CN=$name/CN=dev-0002" ca "$device_usage" ;;
        no-name) key "$name"; signed "$name" "/O=$name" ca "$device_usage" ;;
        wide) # two bytes a character, which one after the other read as "dev-0002"
            key "$name"
            printf '[req]\ndistinguished_name=n\nstring_mask=MASK:0x800\n[n]\n' >wide.conf
            subject_options=(-utf8 -config wide.conf)
            signed "$name" "/CN=摥瘭〰〲" ca "$device_usage"
            subject_options=()
            ;;
        spaces) key "$name"; signed "$name" "/CN=$name and more" ca "$device_usage" ;;
        crl) # of the CA, with the certificate <name> on it
            printf '[ca]\ndefault_ca=c\n[c]\ndatabase=crl.txt\ndefault_md=sha256\n' >crl.conf
            : >crl.txt
            [[ ! -e $name.pem ]] || quietly openssl ca -config crl.conf -cert ca.pem -keyfile ca.key \
                -revoke "$name.pem"
            quietly openssl ca -config crl.conf -cert ca.pem -keyfile ca.key -gencrl -crldays 30 \
                -out crl.pem
            ;;
        *) echo "make.sh: no such kind: $kind" >&2; exit 1 ;;
    esac
}

for what; do
    make "${what%%:*}" "${what#*:}"
done
