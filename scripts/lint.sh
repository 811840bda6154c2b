#!/usr/bin/env bash
# Everything that is checked without running the project: format, lints, the layering of the crates, scripts, manifests.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

failures=0
fail() {
    printf 'lint: %s\n' "$*" >&2
    failures=$((failures + 1))
}

mapfile -t files < <(git ls-files --cached --others --exclude-standard | while read -r file; do [[ -f $file ]] && echo "$file"; done)
matching() { printf '%s\n' "${files[@]}" | grep -E "$1" || true; }

say "format"
cargo fmt --all --check || fail "cargo fmt changes something (make fmt)"

say "clippy, every package"
cargo clippy --workspace --all-targets --quiet -- -D warnings || fail "clippy has warnings"

# layer TARGET PACKAGE ALLOWED…: of the workspace's packages, this one builds on the allowed ones only.
say "layers"
workspace=$(cargo metadata --no-deps --format-version 1 | python3 -c 'import json, sys
for package in json.load(sys.stdin)["packages"]: print(package["name"])')
layer() {
    local target=$1 package=$2 used
    shift 2
    for used in $(cargo tree --package "$package" --edges normal,build --target "$target" --prefix none --format '{p}' | cut -d' ' -f1 | sort -u); do
        if grep -qxF "$used" <<<"$workspace" && [[ " $package $* " != *" $used "* ]]; then
            fail "$package must not depend on $used"
        fi
    done
}
native=$(rustc -vV | sed -n 's/^host: //p')
wasm=wasm32-wasip1
pure=(portcullis-config portcullis-signatures)
for target in "$native" $wasm; do
    layer "$target" portcullis-config
    layer "$target" portcullis-signatures
    layer "$target" portcullis-request "${pure[@]}"
    layer "$target" portcullis-encryption
    layer "$target" portcullis-minting portcullis-signatures
    layer "$target" portcullis-chain portcullis-minting portcullis-signatures
    layer "$target" portcullis-sender portcullis-request "${pure[@]}"
    layer "$target" portcullis-core portcullis-request portcullis-sender portcullis-encryption portcullis-minting portcullis-chain \
        "${pure[@]}"
done
pure+=(portcullis-request portcullis-sender portcullis-encryption portcullis-minting portcullis-chain)
layer $wasm portcullis-host portcullis-core "${pure[@]}"
layer "$native" portcullis-cli portcullis-core "${pure[@]}"
for filter in jwt-auth auth-header audit-log metrics portcullis-filter; do
    layer $wasm "$filter" portcullis-core portcullis-host "${pure[@]}"
done
if grep -q '^name = "proxy-wasm"$' Cargo.lock; then
    fail "something depends on proxy-wasm; crates/host says why nothing does"
fi

say "scripts"
mapfile -t shell < <(matching '\.sh$|^\.ci/run$')
if has shellcheck; then
    shellcheck --external-sources --source-path=SCRIPTDIR --source-path="$ROOT" "${shell[@]}" || fail "shellcheck has complaints"
else
    say "  shellcheck is not installed: skipped"
fi
for script in "${shell[@]}"; do
    grep -q '^set -euo pipefail$' "$script" || [[ $script == scripts/lib.sh ]] || fail "$script lacks set -euo pipefail"
done
mapfile -t python < <(matching '\.py$')
python3 - "${python[@]}" <<'PY' || fail "a Python script does not compile"
import sys

for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as file:
        compile(file.read(), name, "exec")
PY

say "manifests and files"
mapfile -t manifests < <(matching '^(envoy|istio)/|^tests/.*\.ya?ml$')
if grep -nHE 'FAIL_OPEN|fail_open: *true' "${manifests[@]}"; then fail "a manifest lets requests pass when the module fails"; fi
while read -r file; do
    lines=$(wc -l <"$file")
    ((lines <= 450)) || fail "$file has $lines lines; split it (450 at most)"
done < <(matching '\.(rs|py|sh)$')

((failures == 0)) || die "$failures of the checks failed"
say "lint: all good"
