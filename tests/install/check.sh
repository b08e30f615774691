#!/usr/bin/env bash
# Uses an installed Mycel as an outsider would, from an empty folder:
#   check.sh cmake|pkg-config <installation prefix> <scratch folder>
set -euo pipefail

kind=$1
prefix=$2
scratch=$3
project=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/project

rm -rf "$scratch"
cp -r "$project" "$scratch"
cd "$scratch"

case $kind in
    cmake)
        cmake -S . -B out -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
        cmake --build out
        ./out/outside
        ;;
    pkg-config)
        pc=$(find "$prefix" -name mycel-client.pc -printf '%h')
        read -ra flags < <(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs mycel-client)
        cc main.c "${flags[@]}" -o outside
        ./outside
        ;;
    relocated)
        # Neither package may name the place it was built in.
        if grep -rn --include='*.pc' --include='*.cmake' "$(dirname "$prefix")" "$prefix"; then
            echo "an installed file names a path of the build machine" >&2
            exit 1
        fi
        ;;
esac
