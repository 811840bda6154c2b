#!/usr/bin/env bash
# Puts rotel, an OpenTelemetry collector, into .tools/rotel/rotel and prints its path. Its wheel is for one version of Python, whose
# library the program wants.
set -euo pipefail
scripts=$(dirname "$0")
# shellcheck source=scripts/lib.sh
source "$scripts/lib.sh"
if [[ $(ldconfig -p 2>/dev/null) != *libpython3.11.so* && -n $(apt-cache policy libpython3.11 2>/dev/null) ]]; then
    apt_install "running rotel" libpython3.11
fi
exec "$scripts/from_wheel.sh" rotel rotel/rotel-agent "$scripts/../tests/requirements.txt" \
    --python-version 311 --implementation cp --abi cp311 --platform "manylinux_2_34_$(uname -m)"
