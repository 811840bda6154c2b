#!/usr/bin/env bash
# Puts rotel, an OpenTelemetry collector, into .tools/rotel/rotel and prints its path. Its wheel is named for one version of Python,
# but the program in it needs none.
set -euo pipefail
scripts=$(dirname "$0")
exec "$scripts/from_wheel.sh" rotel rotel/rotel-agent "$scripts/../tests/requirements.txt" \
    --python-version 311 --implementation cp --abi cp311 --platform "manylinux_2_34_$(uname -m)"
