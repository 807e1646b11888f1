#!/usr/bin/env bash
# Looks for what a command needs besides a Rust toolchain, and installs what is missing.
#
#   prerequisites.sh GROUP...      GROUP is one of: build kafka test check
#
# With apt-get and root (or sudo that asks for no password) the missing packages are installed, and it says so.
# Otherwise it prints one line saying what to type, and exits 2. INSTALL=no never installs anything.
# When nothing is missing it prints nothing: no probe here starts anything slower than a preprocessor.
set -euo pipefail

missing=()  # what a person calls it
packages=() # Debian's name for it

needs() { # what package
    missing+=("$1")
    packages+=("$2")
}

have() { command -v "$1" >/dev/null 2>&1; }

# A preprocessor run finds a header wherever the compiler itself would look for it.
has_header() { printf '#include <%s>\n' "$1" | cc -E -xc - >/dev/null 2>&1; }

look_for_rust() {
    if ! have cargo; then
        echo "renkei: no Rust toolchain found; install one from https://rustup.rs and run this again" >&2
        exit 2
    fi
}

look_for_build() {
    have cc || needs "a C compiler" gcc
    # librdkafka brings a C++ binding that its makefile always compiles.
    have c++ || needs "a C++ compiler" g++
    have make || needs make make
    have pkg-config || needs pkg-config pkg-config
    if ! have cc || ! has_header stdio.h; then needs "the C library's headers" libc6-dev; fi
    if ! have pkg-config || ! have cc || ! pkg-config --exists libssl || ! has_header openssl/ssl.h; then
        needs "OpenSSL's headers" libssl-dev
    fi
}

# The release file beside the JDK names its version without starting a virtual machine.
java_major() {
    local home version
    home=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
    version=$(sed -n 's/^JAVA_VERSION="\([0-9.]*\).*/\1/p' "$home/release" 2>/dev/null || true)
    [ -n "$version" ] || version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9.]*\).*/\1/p' | head -n 1)
    version=${version#1.}
    echo "${version%%.*}"
}

look_for_kafka() {
    if ! have java || ! [ "$(java_major)" -ge 17 ] 2>/dev/null; then needs "a JDK of version 17 or later" JDK; fi
    have mvn || needs Maven maven
    have setpriv || needs setpriv util-linux
}

look_for_test() {
    local bin
    have openssl || needs openssl openssl
    # Not on the path of an ordinary user. Tests start a copy of their own; a service that the package may start is not used.
    if ! [ -x /usr/sbin/exim4 ] && ! [ -x /usr/sbin/exim ]; then needs "the mail server Exim" exim4-daemon-light; fi
    for bin in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin /usr/local/pgsql/bin; do
        if [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ]; then return; fi
    done
    needs "PostgreSQL's server programs" postgresql
}

look_for_check() {
    have shellcheck || needs shellcheck shellcheck
}

# No release of Debian has every JDK, so the first one that this machine's lists know is taken.
jdk_package() {
    local name
    for name in openjdk-17-jdk-headless openjdk-21-jdk-headless openjdk-25-jdk-headless; do
        if apt-cache show "$name" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    echo default-jdk-headless
}

join() { # separator item...
    local separator=$1 text=$2 item
    shift 2
    for item in "$@"; do text+="$separator$item"; done
    printf '%s' "$text"
}

# A name that apt-get does not know it takes for a pattern ("g++" then matches half of the archive), so the lists are
# fetched first where a name is unknown, and after a failure, because an old list names files that are gone.
apt_install() { # package...
    local wanted
    mapfile -t wanted < <(with_jdk_named "$@")
    if all_known "${wanted[@]}" && as_root apt-get -q -y install --no-install-recommends "${wanted[@]}"; then return; fi
    echo "renkei: fetching Debian's package lists" >&2
    as_root apt-get -q update
    mapfile -t wanted < <(with_jdk_named "$@")
    all_known "${wanted[@]}" && as_root apt-get -q -y install --no-install-recommends "${wanted[@]}"
}

as_root() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive "$@" </dev/null >&2; }

all_known() {
    local name
    for name in "$@"; do
        apt-cache show --no-all-versions "$name" >/dev/null 2>&1 || return 1
    done
}

with_jdk_named() {
    local name
    for name in "$@"; do
        if [ "$name" = JDK ]; then jdk_package; else echo "$name"; fi
    done
}

look() {
    missing=()
    packages=()
    local group
    for group in "$@"; do
        case $group in
        build | kafka | test | check) "look_for_$group" ;;
        *)
            echo "renkei: $(basename "$0") knows no group named $group" >&2
            exit 64
            ;;
        esac
    done
}

stop_with_advice() {
    local advice
    if have apt-get; then
        local wanted
        mapfile -t wanted < <(with_jdk_named "${packages[@]}")
        advice="type: sudo apt-get update && sudo apt-get install -y $(join ' ' "${wanted[@]}")"
    else
        advice="install it with your system's package manager and run this again"
    fi
    echo "renkei: missing $(join ', ' "${missing[@]}"); $advice" >&2
    exit 2
}

look_for_rust
look "$@"
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
if [ "${INSTALL:-}" = no ] || ! have apt-get; then
    stop_with_advice
elif [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then stop_with_advice; fi
    sudo=(sudo -n)
fi

echo "renkei: missing $(join ', ' "${missing[@]}"); installing with ${sudo[0]:+sudo }apt-get" >&2
if ! apt_install "${packages[@]}"; then
    echo "renkei: apt-get could not install everything" >&2
    stop_with_advice
fi
hash -r
look "$@"
[ ${#missing[@]} -eq 0 ] || stop_with_advice
