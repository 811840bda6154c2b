# Every command that a person types; CI runs only these. `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.SUFFIXES:
.PHONY: help tools tools-compose build check test test-unit test-conformance test-wasm test-e2e test-node test-manifests \
	test-compose test-fuzz fuzz lint fmt \
	demo demo-up demo-down demo-observe bench mutants clean

crates := -p portcullis-config -p portcullis-signatures -p portcullis-encryption -p portcullis-minting -p portcullis-chain \
	-p portcullis-request -p portcullis-sender -p portcullis-core -p portcullis-host -p portcullis-cli
filters := -p jwt-auth -p auth-header -p audit-log -p metrics -p portcullis-filter
nextest := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools: ## install what building and testing need: into .tools/, with rustup, by apt
	@scripts/tools.sh

tools-compose: ## install podman, for test-compose
	@scripts/tools.sh compose

build: ## the five modules into dist/, with their sizes
	@scripts/tools.sh wasm
	@scripts/build.sh

check: ## format, clippy and unit tests: under a minute when warm
	cargo fmt --all --check
	cargo clippy --quiet --all-targets $(crates) $(filters) -- -D warnings
	@$(MAKE) --no-print-directory test-unit

test: test-unit test-conformance test-fuzz test-manifests test-wasm test-e2e test-node ## all rings of tests

test-unit: ## the crates, natively
ifeq ($(nextest),yes)
	cargo nextest run $(crates) --no-fail-fast
else
	cargo test $(crates) --no-fail-fast
endif

test-conformance: ## what other projects expect, row by row (needs CONFORMANCE)
	cargo test -p portcullis-conformance --no-fail-fast

test-fuzz: ## the fuzz targets for a few seconds: their seeds, and the same mutations of them in each run
	cargo test -p portcullis-fuzz --no-fail-fast

fuzz: ## each fuzz target for a minute, or for TIME=900 seconds
	@scripts/fuzz.sh $(or $(TIME),60)

test-manifests: build ## envoy/ by Envoy itself, istio/ by its CRDs (needs CONFORMANCE), observability/ by promtool
	@scripts/tools.sh envoy prometheus
	cargo test -p portcullis-manifests --no-fail-fast

test-wasm: build ## the built modules in an embedded runtime, with a hostile host
	cargo test -p portcullis-wasm-tests --no-fail-fast

test-e2e: build ## the built modules in a real Envoy
	@scripts/tools.sh envoy jose idp stores prometheus
	cargo test -p portcullis-testbed -p portcullis-e2e --no-fail-fast

test-node: ## the pure crates on wasm32, in Node
	@scripts/tools.sh node
	@scripts/test-node.sh

test-compose: build ## envoy/docker-compose.yml for real, with podman; skipped where that is missing
	@scripts/tools.sh envoy
	@scripts/test-compose.sh

lint: ## format, clippy everywhere, the layering of crates, scripts, manifests
	@scripts/tools.sh lint
	@scripts/lint.sh

fmt: ## format the Rust code
	cargo fmt --all

demo: build ## the whole story on a real Envoy: refused, let through, forged header, audit line, counters
	@scripts/tools.sh envoy demo
	@python3 scripts/demo.py run

demo-up: build ## the demo's stack, left running, with curl lines to try
	@scripts/tools.sh envoy demo
	@python3 scripts/demo.py up

demo-down: ## end what demo-up started
	@python3 scripts/demo.py down

demo-observe: build ## the dashboard from live data under light load, into .run/observe/dashboard.png or PNG=docs/images/dashboard.png
	@scripts/tools.sh envoy demo prometheus observe
	@/usr/bin/python3 scripts/observe.py $(PNG)

bench: build ## CPU and memory beside Envoy's jwt_authn, into .run/bench/; BENCH="--sweeps 3 --cases cold" for less
	@scripts/tools.sh envoy bench
	@scripts/bench.sh $(BENCH)

mutants: ## hours: change the deciding code piece by piece, a test must notice; MUTANTS="-f crates/core/src/rules.rs" for less
	@scripts/tools.sh mutants
	@mkdir -p .run
	cargo mutants -p portcullis-signatures -p portcullis-encryption -p portcullis-minting -p portcullis-chain -p portcullis-request -p portcullis-sender -p portcullis-core -o .run $(MUTANTS)

clean: demo-down ## remove what was built; .tools/ stays
	cargo clean
	rm -rf dist .run
