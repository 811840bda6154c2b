#!/usr/bin/env bash
# Prints the path of a wasm-opt, which makes the modules a twelfth smaller: npm's where there is an npm, because Debian's is of
# 2022 and leaves 30 KB more; else the one on PATH, else Debian's. `scripts/wasm-opt.sh --installed` installs nothing, and fails
# when there is none.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

version=132.0.0
folder=$TOOLS/binaryen-$version
fetched=$folder/node_modules/binaryen/bin/wasm-opt

if [[ ${1:-} != --installed && ! -x $fetched ]] && has node && has npm; then
    say "npm install binaryen@$version into .tools/  (to make the modules smaller)"
    mkdir -p "$folder"
    npm install --prefix "$folder" --silent --no-audit --no-fund --ignore-scripts "binaryen@$version" >&2 ||
        say "npm could not install binaryen: taking Debian's"
fi
if [[ -x $fetched ]] && "$fetched" --version >/dev/null 2>&1; then
    printf '%s\n' "$fetched"
    exit 0
fi
[[ ${1:-} == --installed ]] || has wasm-opt || apt_install "making the modules smaller" binaryen
command -v wasm-opt
