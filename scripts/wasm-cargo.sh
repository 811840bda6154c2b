#!/usr/bin/env bash
# Runs cargo for a wasm target with a toolchain that can build it.
#
#   scripts/wasm-cargo.sh TARGET COMMAND ARGUMENTS…    cargo COMMAND --target TARGET ARGUMENTS…
#   scripts/wasm-cargo.sh TARGET ready                 only makes sure that there is such a toolchain
#   scripts/wasm-cargo.sh TARGET target-dir            prints the folder that holds what was built
#
# In this order: rustup's toolchain when it has the target; the same after `rustup target add`; Debian's rustc, cargo and
# source of the standard library (rustc-web and friends). PORTCULLIS_TOOLCHAIN=rustup or =debian asks for one of them.
# No path of this machine stays in what is built.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

target=${1:?target}
command=${2:?cargo command}
shift 2

rustup_has_target() {
    local libdir
    libdir=$(rustc --print target-libdir --target "$target" 2>/dev/null) && [[ -d $libdir ]]
}

rustup_adds_target() {
    has rustup && say "rustup target add $target  (to build the modules)" && rustup target add "$target" >&2
}

choose() {
    case ${PORTCULLIS_TOOLCHAIN:-} in
    rustup | debian) printf '%s' "$PORTCULLIS_TOOLCHAIN" ;;
    '')
        if rustup_has_target || rustup_adds_target; then
            printf rustup
        elif has apt-get; then
            printf debian
        else
            die "no toolchain for $target: install it with \`rustup target add $target\`"
        fi
        ;;
    *) die "PORTCULLIS_TOOLCHAIN is '$PORTCULLIS_TOOLCHAIN'; it may be rustup or debian" ;;
    esac
}

# Debian's rustc comes without a linker for wasm: rustup's own where there is one, else LLVM's.
wasm_linker() {
    local sysroot linker
    if has rustup && sysroot=$("$(rustup which rustc)" --print sysroot 2>/dev/null); then
        for linker in "$sysroot"/lib/rustlib/*/bin/rust-lld; do
            [[ -x $linker ]] && printf '%s' "$linker" && return
        done
    fi
    linker=$(newest_wasm_ld)
    if [[ -z $linker ]]; then
        local package=lld
        apt-cache show lld-22 >/dev/null 2>&1 && package=lld-22
        apt_install "linking wasm" "$package"
        linker=$(newest_wasm_ld)
    fi
    [[ -n $linker ]] || die "no linker for wasm: install lld"
    printf '%s' "$linker"
}

newest_wasm_ld() {
    local linker
    for linker in $(compgen -c wasm-ld | sort -ruV); do
        command -v "$linker"
        return
    done
}

# Paths of this machine and the neutral names that stand for them in panic messages.
remap_flags() {
    local home=${CARGO_HOME:-$HOME/.cargo} folder
    flags+=("--remap-path-prefix=$ROOT=portcullis" "--remap-path-prefix=$home=cargo")
    for folder in "$home"/registry/src/*/; do
        [[ -d $folder ]] && flags+=("--remap-path-prefix=${folder%/}=crates")
    done
}

toolchain=$(choose)
target_dir=${CARGO_TARGET_DIR:-$ROOT/target}
flags=()
options=()
case $toolchain in
rustup)
    rustup_has_target || rustup_adds_target || die "rustup's toolchain has no target $target"
    cargo=(cargo)
    ;;
debian)
    apt_install "building for $target" rustc-web cargo-web rust-web-src wasi-libc
    target_dir=$target_dir/debian
    options=('-Zbuild-std=std,panic_abort')
    export PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
    linker_variable=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$target")_LINKER
    linker=$(wasm_linker)
    export "$linker_variable=$linker"
    flags+=("--remap-path-prefix=$(rustc --print sysroot)/lib/rustlib/src/rust=/rustc")
    [[ $target == wasm32-wasip1 ]] && flags+=(-L native=/usr/lib/wasm32-wasi)
    cargo=(/usr/bin/cargo)
    ;;
esac

case $command in
ready) exit 0 ;;
target-dir)
    printf '%s\n' "$target_dir"
    exit 0
    ;;
esac

locked=()
[[ -z ${CI:-} ]] || locked=(--locked)
cd "$ROOT"
# The registry's folders must be there before they can be named.
"${cargo[@]}" fetch --quiet "${locked[@]}" --target "$target"
remap_flags
CARGO_ENCODED_RUSTFLAGS=$(
    IFS=$'\x1f'
    printf '%s' "${flags[*]}"
)
export CARGO_ENCODED_RUSTFLAGS
exec "${cargo[@]}" "$command" "${locked[@]}" --target "$target" --target-dir "$target_dir" "${options[@]}" "$@"
