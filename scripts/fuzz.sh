#!/usr/bin/env bash
# Runs each fuzz target for a time, with cargo-fuzz (which it installs): scripts/fuzz.sh [SECONDS] [TARGET…]
#
# What is found beside the seeds stays in fuzz/corpus/, an input that breaks something in fuzz/artifacts/; neither is committed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

seconds=${1:-60}
shift || true
(($#)) || set -- token jwe jwks header_value path proof trace configuration

# cargo-fuzz asks for a compiler that takes unstable flags, which a stable one does when it is told to.
export RUSTC_BOOTSTRAP=1
# The release profile is for small modules: for this it takes too long to link and says too little.
export CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_STRIP=false
cargo fuzz --version >/dev/null 2>&1 || { say "cargo-fuzz is missing: installing it" && cargo install cargo-fuzz; }

for target in "$@"; do
    mkdir -p "fuzz/corpus/$target"
    say "$target, $seconds seconds"
    cargo fuzz run --features libfuzzer "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -max_len=20000 -print_final_stats=1
done
