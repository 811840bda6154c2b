#!/usr/bin/env bash
# Runs the tests of the pure crate that are written for wasm32, in Node.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$("$ROOT/scripts/wasm-bindgen.sh")
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER
exec "$ROOT/scripts/wasm-cargo.sh" wasm32-unknown-unknown test -p portcullis-core --test wasm32
