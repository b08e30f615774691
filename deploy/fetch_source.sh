#!/usr/bin/env bash
# Finds the source tarball of one package of sources.txt, checks its SHA-256 and unpacks it:
#   fetch_source.sh <package> <download folder> <folder to unpack into>
#
# Looked for, in this order: MYCEL_DEPS_DIR, what an earlier run downloaded, and Debian's source
# packages. Those are fetched through a private apt root, which needs no rights and leaves the
# machine's own apt untouched.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=$1
downloads=$2
unpacked=$3
suites=(trixie sid)
apt_root=$downloads/apt

note() { printf 'deps: %s\n' "$@" >&2; }

# is_genuine <file> <sha256>
is_genuine() {
    [[ -f $1 ]] || return 1
    [[ $(sha256sum <"$1" | cut -d' ' -f1) == "$2" ]] && return 0
    note "$1 has an unexpected SHA-256; it is not used." "  expected $2"
    return 1
}

# The mirror this machine installs from: the archive of its own release, not of security updates.
mirror() {
    local release
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    # shellcheck disable=SC2016  # the format's fields are apt's, not the shell's
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v release="$release" '$1 == release && $2 == "main" { print $3; exit }'
}

# An archive whose lists have outlived their date will do: what counts is the pinned SHA-256.
apt_private() {
    local command=$1
    shift
    "$command" -o Dir::State::lists="$apt_root/lists" -o Dir::Cache="$apt_root/cache" \
        -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt_root/sources" \
        -o APT::Sandbox::User="$(id -un)" -o APT::Update::Error-Mode=any \
        -o Acquire::Check-Valid-Until=false -o Acquire::Retries=3 -o Acquire::Languages=none \
        "$@" </dev/null
}

# Reads the lists of source packages once for both packages.
update_lists() {
    [[ ! -e $apt_root/updated ]] || return 0
    local uri keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    uri=$(mirror)
    [[ -n $uri ]] || { note "no Debian mirror found in this machine's apt sources."; return 1; }
    mkdir -p "$apt_root"/{lists/partial,cache/archives/partial,sources}
    {
        printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "${suites[*]}"
        [[ ! -e $keyring ]] || printf 'Signed-By: %s\n' "$keyring"
    } >"$apt_root/sources/mycel.sources"
    apt_private apt-get update -qq >&2 ||
        { note "cannot read $uri; apt says why above. No network?"; return 1; }
    touch "$apt_root/updated"
}

# fetch_from_debian <upstream version>: leaves the tarball in the download folder.
fetch_from_debian() {
    local version full
    version=$1
    update_lists || return 1
    full=$(apt_private apt-cache showsrc "$package" 2>/dev/null |
        awk -v v="$version-" '$1 == "Version:" && index($2, v) == 1 { print $2; exit }')
    [[ -n $full ]] || { note "Debian no longer has $package $version."; return 1; }
    (cd "$downloads" &&
        apt_private apt-get source -qq --tar-only --download-only "$package=$full" >&2) ||
        { note "downloading $package $full failed."; return 1; }
}

explain_and_fail() {
    note "no pinned source of $package could be had. Any of these, with the SHA-256 shown, will do:"
    awk -v p="$package" '$1 == p { printf "  %s  %s\n", $4, $3 }' "$here/sources.txt" >&2
    note "Put it in a folder and set MYCEL_DEPS_DIR to that folder. Debian's .orig tarball is" \
        "the upstream project's release archive of the same version under another name."
    exit 1
}

found=
mkdir -p "$downloads"
while read -r name version file sum; do
    [[ $name == "$package" ]] || continue
    for folder in ${MYCEL_DEPS_DIR:+"$MYCEL_DEPS_DIR"} "$downloads"; do
        is_genuine "$folder/$file" "$sum" && found=$folder/$file && break 2
    done
    rm -f "${downloads:?}/$file"
    fetch_from_debian "$version" || continue
    is_genuine "$downloads/$file" "$sum" && found=$downloads/$file && break
done < <(grep -v '^#' "$here/sources.txt")
[[ -n $found ]] || explain_and_fail

mkdir -p "$unpacked"
tar -xf "$found" -C "$unpacked" --strip-components=1
