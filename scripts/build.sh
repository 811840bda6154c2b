#!/usr/bin/env bash
# Builds the five modules into dist/ and prints their sizes.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

target=wasm32-wasip1
dist=$ROOT/dist

# package:module:file
modules=(
    jwt-auth:jwt_auth:jwt_auth
    auth-header:auth_header:auth_header
    audit-log:audit_log:audit_log
    metrics:metrics:metrics
    portcullis-filter:portcullis_filter:portcullis
)

# A wasm-opt that is older than the compiler may refuse the module, so it may fail; its result counts when it is valid and
# smaller. Without any the modules work as well, and are larger.
wasm_opt=$("$ROOT/scripts/wasm-opt.sh" --installed) || say "there is no wasm-opt: the modules stay larger (scripts/tools.sh wasm)"
features=(--enable-bulk-memory --enable-sign-ext --enable-mutable-globals --enable-nontrapping-float-to-int
    --enable-reference-types --enable-multivalue)
# Beside -Oz: the control flow is taken apart and put together again, constants that recur are held in locals, and offsets are
# folded into loads and stores. The last takes memory below address 1024 for unused. Rust's linker puts the stack there, which
# begins at 1 MiB and grows down, and the data above it: only a stack about to overflow comes that far, and where an address
# that wrapped around would have met it, the folded access traps.
passes=(-Oz --flatten --rereloop -Oz -Oz --low-memory-unused --const-hoisting --strip-producers)
optimize() {
    local from=$1 to=$2
    [[ -n $wasm_opt ]] || return 1
    # What was made of this very file before is still right.
    [[ ! $to -nt $from ]] || return 0
    rm -f "$to"
    "$wasm_opt" "${features[@]}" "${passes[@]}" "$from" -o "$to.new" 2>/dev/null || return 1
    "$wasm_opt" "${features[@]}" "$to.new" -o /dev/null 2>/dev/null || return 1
    [[ $(stat -c %s "$to.new") -lt $(stat -c %s "$from") ]] && mv -f "$to.new" "$to"
}

arguments=(--profile module)
for module in "${modules[@]}"; do arguments+=(-p "${module%%:*}"); done
"$ROOT/scripts/wasm-cargo.sh" "$target" build "${arguments[@]}"
built=$("$ROOT/scripts/wasm-cargo.sh" "$target" target-dir)/$target/module

mkdir -p "$dist"
for module in "${modules[@]}"; do
    IFS=: read -r _ artifact name <<<"$module"
    file=$built/$artifact.wasm
    [[ -f $file ]] || die "cargo built no $file"
    if optimize "$file" "$built/$artifact.optimized.wasm"; then
        file=$built/$artifact.optimized.wasm note=" (wasm-opt)"
    else
        note=""
    fi
    for path in "$ROOT" "${CARGO_HOME:-$HOME/.cargo}" "${RUSTUP_HOME:-$HOME/.rustup}"; do
        if grep -aqF "$path/" "$file"; then die "$name.wasm holds the path $path of this machine"; fi
    done
    # A running proxy or a test may have the old file mapped: replace it, never write into it.
    install -m 644 "$file" "$dist/$name.wasm.new"
    mv -f "$dist/$name.wasm.new" "$dist/$name.wasm"
    printf '%-18s %5d KB%s\n' "$name.wasm" $((($(stat -c %s "$dist/$name.wasm") + 1023) / 1024)) "$note"
done
