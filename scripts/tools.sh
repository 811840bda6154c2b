#!/usr/bin/env bash
# Makes sure that what is named is there, and installs what is not: into .tools/, with rustup, or as Debian packages.
#
#   scripts/tools.sh [wasm] [envoy] [node] [demo] [jose] [idp] [stores] [prometheus] [observe] [qryn] [lint] [compose] [bench] [mutants]
#                                         nothing named: all but observe, qryn, compose, bench and mutants
#
#   wasm    a toolchain that builds the modules, wasm-opt  demo    python3 and openssl, for the demo's servers
#   envoy   the proxy, for the tests and the demo          lint    shellcheck, rustfmt and clippy
#   jose    openssl, and python3 with cryptography, jwcrypto and jwt, whose tokens and values the tests in a real proxy send
#   idp     glewlwyd and sqlite3: an authorization server, for the tests in a real proxy
#   stores  PostgreSQL, rsyslog, an OpenTelemetry collector and, where Debian has it, ClickHouse: where audit events are kept
#   prometheus  Prometheus and promtool, which scrape the proxy and check its metrics and rules, and the types of Grafana's dashboards
#   observe python3 with matplotlib, which draws the dashboard; only when it is named
#   qryn    what stands for Loki and Elasticsearch, with its database: 1 GB; only when it is named
#   compose podman and podman-compose, for `make test-compose`; only when it is named
#   bench   wrk, and python3 with cryptography and matplotlib, for `make bench`; only when it is named
#   mutants cargo-mutants; only when it is named
#   node    Node and wasm-bindgen-test-runner, for the tests of the pure crates on wasm32
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

has cargo || die "cargo is missing: install Rust with rustup (https://rustup.rs)"
has cc || apt_install "linking the build scripts of crates" gcc libc6-dev

(($#)) || set -- wasm envoy node demo jose idp stores prometheus lint
for tool in "$@"; do
    case $tool in
    wasm)
        "$ROOT/scripts/wasm-cargo.sh" wasm32-wasip1 ready
        "$ROOT/scripts/wasm-opt.sh" >/dev/null || say "wasm-opt could not be installed: the modules will be larger"
        ;;
    envoy) "$ROOT/scripts/envoy.sh" >/dev/null ;;
    node)
        "$ROOT/scripts/wasm-cargo.sh" wasm32-unknown-unknown ready
        "$ROOT/scripts/wasm-bindgen.sh" >/dev/null
        ;;
    demo)
        has python3 || apt_install "the demo's servers" python3
        has openssl || apt_install "the demo's issuer" openssl
        ;;
    jose)
        has openssl || apt_install "certificates of clients" openssl
        # A python3 of its own before Debian's on PATH does not see Debian's packages.
        for python in python3 /usr/bin/python3; do
            "$python" -c 'import cryptography, jwcrypto, jwt' 2>/dev/null && continue 2
        done
        apt_install "tokens and values that other libraries make" python3 python3-cryptography python3-jwcrypto python3-jwt
        ;;
    idp)
        # The third keeps the package from setting up a database of its own.
        { has glewlwyd && has sqlite3; } || apt_install "an authorization server to test with" glewlwyd sqlite3 dbconfig-no-thanks
        ;;
    stores)
        apt_install "stores of audit events to test with" postgresql rsyslog rsyslog-pgsql
        if [[ -n $(apt-cache policy clickhouse-server 2>/dev/null) ]]; then
            apt_install "a store of audit events to test with" clickhouse-server
        else
            say "there is no package of ClickHouse here: its tests are skipped"
        fi
        "$ROOT/scripts/rotel.sh" >/dev/null || say "there is no rotel for this machine: the tests with a collector are skipped"
        ;;
    prometheus)
        { has prometheus && has promtool; } || apt_install "a Prometheus to test with" prometheus
        "$ROOT/scripts/grafana_types.sh" >/dev/null || say "the dashboard is not read by Grafana's types"
        ;;
    observe) /usr/bin/python3 -c 'import matplotlib' 2>/dev/null || apt_install "drawing the dashboard" python3 python3-matplotlib ;;
    qryn)
        { has node && has npm; } || apt_install "qryn" nodejs npm
        python3 -m pip --version >/dev/null 2>&1 || apt_install "chDB" python3 python3-pip
        mkdir -p "$TOOLS/qryn"
        npm install --silent --no-audit --no-fund --prefix "$TOOLS/qryn" qryn@3.2.39
        PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --upgrade --target "$TOOLS/qryn/python" chdb==4.4.0
        ;;
    compose) apt_install "running docker-compose.yml" podman podman-compose runc netavark aardvark-dns iptables debootstrap ;;
    bench) apt_install "measuring" wrk python3 python3-cryptography python3-matplotlib ;;
    mutants) cargo mutants --version >/dev/null 2>&1 || cargo install --locked cargo-mutants ;;
    lint)
        cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
        cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
        has shellcheck || apt_install "checking the shell scripts" shellcheck
        has python3 || apt_install "checking the Python scripts" python3
        ;;
    *) die "there is no tool '$tool'; see the head of $0" ;;
    esac
done
