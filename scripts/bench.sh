#!/usr/bin/env bash
# Measures the modules in dist/ beside Envoy's jwt_authn, with the options of scripts/bench/run.py (--help shows them).
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

# A python3 of its own before Debian's on PATH does not see Debian's packages.
for python in python3 /usr/bin/python3; do
    if "$python" -c 'import cryptography, matplotlib' 2>/dev/null; then
        exec "$python" "$ROOT/scripts/bench/run.py" --envoy "$("$ROOT/scripts/envoy.sh")" "$@"
    fi
done
die "no python3 with cryptography and matplotlib: run scripts/tools.sh bench"
