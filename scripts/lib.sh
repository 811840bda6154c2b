# shellcheck shell=bash
# Sourced by the other scripts: where the repository is, messages, and the one place that installs Debian packages.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # read by those who source this
TOOLS=$ROOT/.tools

say() { printf '%s\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# apt_install REASON PACKAGE…: installs the packages that are missing and says which and why.
apt_install() {
    local reason=$1 package sudo=() missing=()
    shift
    if ! has apt-get; then
        die "$reason needs these Debian packages, and this machine has no apt-get: $*. Install what corresponds to them by hand."
    fi
    for package in "$@"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    if [[ $(id -u) != 0 ]]; then
        has sudo || die "$reason needs root to install Debian packages. Run as root: apt-get install ${missing[*]}"
        sudo=(sudo)
    fi
    say "apt-get install ${missing[*]}  ($reason)"
    local log
    log=$(mktemp)
    if ! { "${sudo[@]}" apt-get update -qq &&
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "apt-get could not install: ${missing[*]}"
    fi
    rm -f "$log"
}

# find_pip REASON: makes PIP a command that is pip.
find_pip() {
    PIP=(python3 -m pip)
    has python3 || apt_install "$1" python3
    if ! "${PIP[@]}" --version >/dev/null 2>&1; then
        apt_install "$1" python3-pip
        # A python3 of its own before Debian's on PATH does not see Debian's pip.
        PIP=(/usr/bin/python3 -m pip)
    fi
}
