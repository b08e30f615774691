#!/usr/bin/env bash
# Gets everything that building Mycel needs, on Debian 12 and 13.
#
#   deploy/deps.sh            install missing system packages, then build mbedTLS and libcoap
#   deploy/deps.sh system     only the system packages
#   deploy/deps.sh libraries  only mbedTLS and libcoap
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

install_system_packages() {
    command -v apt-get >/dev/null ||
        die "apt-get is missing: this script knows Debian 12 and 13." \
            "Elsewhere, install what deploy/packages.txt names and run 'deploy/deps.sh libraries'."
    local package
    missing=()
    while read -r package; do
        is_installed "$package" || missing+=("$package")
    done < <(grep -v '^#' "$here/packages.txt")

    # The demonstration's data set is optional: without it a small built-in task is used.
    local optional=()
    is_installed dataset-fashion-mnist || optional+=(dataset-fashion-mnist)
    [[ ${#missing[@]} -gt 0 || (${#optional[@]} -gt 0 && ! -e $cache/no-fashion-mnist) ]] || return 0

    echo "deps: installing ${missing[*]} ${optional[*]}"
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -qq ||
        die "'apt-get update' failed: is there a network, and are the apt sources right?"
    if [[ ${#missing[@]} -gt 0 ]]; then
        as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null ||
            die "apt could not install: ${missing[*]}"
    fi
    if [[ ${#optional[@]} -gt 0 ]] &&
        ! as_root apt-get install -y -qq --no-install-recommends "${optional[@]}" </dev/null; then
        echo "deps: no Fashion-MNIST package here (non-free is off?); the demo uses its built-in task."
        mkdir -p "$cache"
        touch "$cache/no-fashion-mnist"
    fi
}

# The place depends on everything that decides what is built, so that a change of version, option
# or compiler builds anew beside the old one.
prefix() {
    local key
    key=$({
        cat "$here/sources.txt" "$here/mbedtls_config.h" "$here/build_libraries.sh"
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
    libraries) build_libraries ;;
    prefix) prefix ;;
    *) die "usage: deploy/deps.sh [system|libraries|prefix]" ;;
esac
