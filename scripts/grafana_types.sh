#!/usr/bin/env bash
# Puts the types of Grafana's dashboards, a Python package, into .tools/grafana and prints that path.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

requirements=$ROOT/tests/manifests/requirements.txt
folder=$TOOLS/grafana
if ! cmp -s "$requirements" "$folder/requirements.txt"; then
    find_pip "fetching the types of Grafana's dashboards"
    say "fetching the types of Grafana's dashboards from PyPI into .tools/"
    rm -rf "$folder"
    PIP_ROOT_USER_ACTION=ignore "${PIP[@]}" install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
        --target "$folder" --requirement "$requirements" >&2 || die "pip could not fetch them: they need Python 3.11 or newer"
    cp "$requirements" "$folder/"
fi
printf '%s\n' "$folder"
