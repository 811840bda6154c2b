#!/usr/bin/env bash
# Prints the path of the wasm-bindgen-test-runner that fits Cargo.lock, and Node is there to run it. Builds the runner into
# .tools/ when there is none yet (three minutes, once).
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

version=$(awk '/^name = "wasm-bindgen"$/ { found = 1 } found && /^version = / { gsub(/"/, "", $3); print $3; exit }' "$ROOT/Cargo.lock")
[[ -n $version ]] || die "Cargo.lock names no wasm-bindgen: no package of the workspace runs its tests in Node"

fits() { [[ $("$1" --version 2>/dev/null) == *" $version" ]]; }

has node || apt_install "running tests in Node" nodejs

for runner in "$(command -v wasm-bindgen-test-runner || true)" "$TOOLS/bin/wasm-bindgen-test-runner"; do
    if [[ -n $runner ]] && fits "$runner"; then
        printf '%s\n' "$runner"
        exit 0
    fi
done

say "building wasm-bindgen-cli $version into .tools/  (to run tests in Node; about three minutes, once)"
log=$TOOLS/wasm-bindgen-cli.log
mkdir -p "$TOOLS"
# Its own Cargo.lock names versions that need not be had everywhere, hence no --locked.
if ! CARGO_TARGET_DIR=$TOOLS/build cargo install --quiet wasm-bindgen-cli --version "$version" --root "$TOOLS" --force >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "wasm-bindgen-cli $version could not be built; the whole log is $log"
fi
rm -rf "$TOOLS/build"
printf '%s\n' "$TOOLS/bin/wasm-bindgen-test-runner"
