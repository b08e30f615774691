#!/usr/bin/env bash
# Builds mbedTLS and libcoap as static libraries. Called by deps.sh, which holds the lock:
#   build_libraries.sh <cache folder> <installation folder>
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$1
target=$2
work=$cache/work.$$
staged=$work/install
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
# libcoap would otherwise put the commit of the checkout around it into its version.
export GIT_DIR=/dev/null

# run <log name> <command>...: quiet when it works, the end of its output when it does not.
run() {
    local log=$work/$1.log
    shift
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 40 "$log" >&2
        printf 'deps: this failed: %s\n' "$*" >&2
        exit 1
    fi
}

# build_with_cmake <name> <source folder> <option>...
build_with_cmake() {
    local name=$1 source=$2
    shift 2
    run "$name-configure" cmake -S "$source" -B "$work/$name" -G Ninja \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE="-O2 -g -DNDEBUG" \
        -DCMAKE_C_FLAGS="-fPIC -ffunction-sections -fdata-sections -fno-omit-frame-pointer" \
        -DCMAKE_INSTALL_PREFIX="$staged" -DCMAKE_INSTALL_LIBDIR=lib \
        -DCMAKE_EXPORT_NO_PACKAGE_REGISTRY=ON "$@"
    run "$name-build" cmake --build "$work/$name"
    run "$name-install" cmake --install "$work/$name"
}

echo "deps: building mbedTLS and libcoap (once, about a minute) …"
for package in mbedtls libcoap3; do
    "$here/fetch_source.sh" "$package" "$cache/sources" "$work/$package-source"
done

cp "$here/mbedtls_config.h" "$work/mbedtls-source/include/mbedtls/mbedtls_config.h"
cp "$here/mbedtls_ccm_alt.h" "$work/mbedtls-source/include/mbedtls/ccm_alt.h"
build_with_cmake mbedtls "$work/mbedtls-source" \
    -DENABLE_TESTING=OFF -DENABLE_PROGRAMS=OFF -DMBEDTLS_FATAL_WARNINGS=OFF \
    -DUSE_STATIC_MBEDTLS_LIBRARY=ON -DUSE_SHARED_MBEDTLS_LIBRARY=OFF

# What mbedtls_config.h takes out, into the archives it is missing from.
# add_part <name of a source file> <archive>
add_part() {
    run "$1-build" gcc -std=c11 -O2 -g -fPIC -Wall -Wextra -Werror -I"$staged/include" \
        -c "$here/mbedtls_$1.c" -o "$work/mbedtls_$1.o"
    run "$1-archive" ar r "$staged/lib/$2" "$work/mbedtls_$1.o"
}
add_part quiet libmbedtls.a
if [[ $(uname -m) == x86_64 ]]; then
    add_part sha256 libmbedcrypto.a
    add_part ccm libmbedcrypto.a
fi

# HAVE_GETRANDOM is given because libcoap's own check misses it, and would fall back to rand(). Its
# example programs are built because the tests use coap-client as a second opinion; libcoap does not
# know of mbedTLS's x25519 archive, hence the standard library.
build_with_cmake libcoap "$work/libcoap3-source" \
    -DCMAKE_C_STANDARD_LIBRARIES="$staged/lib/libeverest.a" \
    -DCMAKE_PREFIX_PATH="$staged" -DBUILD_SHARED_LIBS=OFF \
    -DDTLS_BACKEND=mbedtls -DHAVE_GETRANDOM=1 \
    -DENABLE_TCP=OFF -DENABLE_WS=OFF -DENABLE_OSCORE=OFF -DENABLE_PROXY_CODE=OFF \
    -DENABLE_ASYNC=OFF -DENABLE_THREAD_SAFE=OFF -DENABLE_AF_UNIX=OFF -DENABLE_Q_BLOCK=OFF \
    -DWITH_OBSERVE_PERSIST=OFF -DENABLE_EXAMPLES=ON -DENABLE_DOCS=OFF -DENABLE_TESTS=OFF

# Proof, not hope: the archive must ask the kernel for randomness.
if [[ $(nm "$staged/lib/libcoap-3.a" 2>/dev/null) != *" U getrandom"* ]]; then
    echo "deps: libcoap was built without getrandom(); its tokens would be guessable." >&2
    exit 1
fi

touch "$staged/complete"
rm -rf "$target"
mv "$staged" "$target"
echo "deps: ready in $target"
