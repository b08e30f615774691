#!/usr/bin/env bash
# Gets everything that building Mycel needs, on Debian 12 and 13.
#
#   deploy/deps.sh            install missing system packages, then build mbedTLS and libcoap
#   deploy/deps.sh system     only the system packages
#   deploy/deps.sh libraries  only mbedTLS and libcoap
#   deploy/deps.sh development
#                             the tools of `make lint`, as far as this release has them
#   deploy/deps.sh prefix     print where the two libraries are (or will be) installed
#
# A second run finds everything in place and ends in a fraction of a second. Environment:
#   MYCEL_DEPS_CACHE  where the libraries are kept          (default: build/deps)
#   MYCEL_DEPS_DIR    folder with the tarballs of sources.txt, for machines without network
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${MYCEL_DEPS_CACHE:-$(dirname "$here")/build/deps}

die() {
    printf 'deps: %s\n' "$@" >&2
    exit 1
}

missing=()

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo --preserve-env=DEBIAN_FRONTEND "$@"
    else
        die "these system packages are missing: ${missing[*]}" \
            "Installing them needs root: run 'make deps' once as root, or install sudo."
    fi
}

is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# list_missing <package list>
list_missing() {
    local package
    while read -r package; do
        is_installed "$package" || echo "$package"
    done < <(grep -v '^#' "$here/$1")
}

apt_install() {
    as_root apt-get install -y -qq --no-install-recommends "$@" </dev/null
}

# install_packages <list> required|optional
#
# What an optional list names and this release does not have is noted, so that later runs neither
# ask again nor wait for apt.
install_packages() {
    local list=$1 need=$2 package noted=$cache/unavailable-packages
    command -v apt-get >/dev/null ||
        die "apt-get is missing: this script knows Debian 12 and 13." \
            "Elsewhere, install what deploy/packages.txt names and run 'deploy/deps.sh libraries'."
    mapfile -t missing < <(list_missing "$list")
    if [[ $need == optional && -e $noted ]]; then
        mapfile -t missing < <(printf '%s\n' "${missing[@]}" | grep -vxFf "$noted" | grep .)
    fi
    [[ ${#missing[@]} -gt 0 ]] || return 0

    echo "deps: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -qq ||
        die "'apt-get update' failed: is there a network, and are the apt sources right?"
    if [[ $need == required ]]; then
        apt_install "${missing[@]}" || die "apt could not install: ${missing[*]}"
        return
    fi
    for package in "${missing[@]}"; do
        apt_install "$package" && continue
        echo "deps: $package is not available here; going on without it."
        mkdir -p "$cache"
        echo "$package" >>"$noted"
    done
}

install_system_packages() {
    install_packages packages.txt required
    install_packages packages-optional.txt optional
}

# The place depends on everything that decides what is built, so that a change of version, option
# or compiler builds anew beside the old one.
prefix() {
    local key
    key=$({
        cat "$here"/{sources.txt,mbedtls_{config,ccm_alt}.h,mbedtls_{sha256,ccm,quiet}.c,build_libraries.sh}
        gcc -dumpfullversion -dumpmachine 2>/dev/null || true
    } | sha256sum | cut -c1-16)
    printf '%s/%s\n' "$cache" "$key"
}

# Two makes at once must not build twice nor see half an installation: one lock, and the finished
# tree is moved into place by a rename.
build_libraries() {
    local target
    target=$(prefix)
    [[ ! -e $target/complete ]] || return 0
    command -v gcc >/dev/null || die "no C compiler: run 'deploy/deps.sh system' first."
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock -n 9 || { echo "deps: another process is building the libraries; waiting."; flock 9; }
    [[ ! -e $target/complete ]] || return 0
    "$here/build_libraries.sh" "$cache" "$target"
}

case ${1:-all} in
    all) install_system_packages; build_libraries ;;
    system) install_system_packages ;;
    development) install_packages packages-development.txt optional ;;
    libraries) build_libraries ;;
    prefix) prefix ;;
    *) die "usage: deploy/deps.sh [system|libraries|development|prefix]" ;;
esac
